"""What an experiment is, as frozen values; the defaults are the paper's (section 4).

Configuration stops at the functions that build things: none of these values enters a class.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from .config_files import flattened, read_tables, to_toml
from .config_values import ConfigError, build_value, check
from .network.settings import NetworkConfig

__all__ = [
    "Augmentation", "Config", "ConfigError", "DataConfig", "LossWeights", "ModelsConfig", "Schedule", "Source",
    "build_config", "config_differences", "config_toml", "load_config",
]  # fmt: skip

OPERATIONAL = {"data.root", "data.workers", "schedule.device", "schedule.checkpoint_minutes", "schedule.keep"}
"""Keys that may change while a run goes on: they say where and how often, not what is learnt."""


@dataclass(frozen=True, kw_only=True)
class ModelsConfig:
    """Where the human models are.

    Attributes:
        folder: of the files of SMPL-X, SMPL, MANO and FLAME; empty for the project's open body.
    """

    folder: str = ""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One data set of a training or a test.

    Attributes:
        name: of its loader.
        group: sets of one group share one half of every epoch: "3d" with motion capture, "2d" without.
        split: as the loader names it.
        folder: under `data.root`; empty for the loader's own name.
    """

    name: str
    group: str = "2d"
    split: str = "train"
    folder: str = ""


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How pictures vary in training; the paper names the kinds, its authors' release the ranges.

    Attributes:
        scale: largest change of the box's size, as a share.
        rotation: degrees, one deviation; cut off at two.
        rotation_share: of the pictures that are rotated at all.
        color: largest change of each channel, as a share.
        flip: share of the pictures that are mirrored.
    """

    scale: float = 0.25
    rotation: float = 30.0
    rotation_share: float = 0.6
    color: float = 0.2
    flip: float = 0.5

    def __post_init__(self) -> None:
        for name in ("scale", "rotation_share", "color", "flip"):
            check(0 <= getattr(self, name) <= 1, f"data.augmentation.{name}", "between 0 and 1", getattr(self, name))
        check(0 <= self.rotation <= 90, "data.augmentation.rotation", "between 0 and 90", self.rotation)


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """What is learnt from and tested on.

    Attributes:
        root: folder of the data sets' folders.
        train: data sets of the training.
        test: data sets of the evaluation.
        augmentation: of the training's pictures.
        workers: processes that prepare batches; 0 prepares them in the training's own process.
    """

    root: str = ""
    train: tuple[Source, ...] = ()
    test: tuple[Source, ...] = ()
    augmentation: Augmentation = field(default_factory=Augmentation)
    workers: int = 4

    def __post_init__(self) -> None:
        check(self.workers >= 0, "data.workers", "0 or more", self.workers)


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """Weight of each term of the loss; the paper gives none (equation 1). `losses.py` says what the terms are."""

    rotations: float = 1.0
    betas: float = 1.0
    expression: float = 1.0
    positions: float = 1.0
    fit_positions: float = 1.0
    points_3d: float = 1.0
    fit_points_3d: float = 1.0
    projection: float = 1.0
    left_hand_box: float = 1.0
    right_hand_box: float = 1.0
    face_box: float = 1.0

    def __post_init__(self) -> None:
        for name, weight in asdict(self).items():
            check(weight >= 0, f"losses.{name}", "0 or more", weight)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The optimization: Adam at 1e-4, a tenth of it after the 10th of 12 epochs, batches of 96 (section 4).

    Attributes:
        epochs: how many.
        batch: samples of one step, of all processes and accumulated parts together.
        rate: learning rate.
        drops: after so many epochs the rate is multiplied by `factor`.
        factor: see `drops`.
        accumulate: parts into which a process cuts its share of a batch, to fit into memory.
        precision: of the network; losses and body models always have 32 bits.
        channels_last: memory layout of pictures and convolutions; faster with bfloat16 on recent GPUs.
        ema: decay of the moving average of the weights, which is then what is exported; 0 for none.
        batch_norm: "trained" with the statistics of each process's own part of a batch, or "frozen" as it starts.
        seed: of data order, augmentation and the random start.
        device: auto, cpu, cuda or mps; with torchrun every process takes the GPU of its local rank.
        checkpoint_minutes: time between checkpoints; there is one after each epoch besides.
        keep: how many checkpoints are kept.
    """

    epochs: int = 12
    batch: int = 96
    rate: float = 1e-4
    drops: tuple[int, ...] = (10,)
    factor: float = 0.1
    accumulate: int = 1
    precision: Literal["float32", "bfloat16"] = "float32"
    channels_last: bool = True
    ema: float = 0.0
    batch_norm: Literal["trained", "frozen"] = "trained"
    seed: int = 0
    device: str = "auto"
    checkpoint_minutes: float = 10.0
    keep: int = 3

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "accumulate", "keep"):
            check(getattr(self, name) >= 1, f"schedule.{name}", "1 or more", getattr(self, name))
        for name in ("rate", "factor", "checkpoint_minutes"):
            check(getattr(self, name) > 0, f"schedule.{name}", "above 0", getattr(self, name))
        check(0 <= self.ema < 1, "schedule.ema", "at least 0 and below 1", self.ema)
        check(self.batch % self.accumulate == 0, "schedule.accumulate", f"a divisor of {self.batch}", self.accumulate)

    def rate_at(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 0."""
        return self.rate * self.factor ** sum(epoch >= drop for drop in self.drops)


@dataclass(frozen=True, kw_only=True)
class Config:
    """One experiment."""

    network: NetworkConfig = field(default_factory=NetworkConfig)
    models: ModelsConfig = field(default_factory=ModelsConfig)
    data: DataConfig = field(default_factory=DataConfig)
    losses: LossWeights = field(default_factory=LossWeights)
    schedule: Schedule = field(default_factory=Schedule)


def load_config(config: str | Path, changes: Sequence[str] = ()) -> Config:
    """Read a configuration; see `config_files.read_tables`.

    Raises:
        ConfigError: a file or a value cannot be used.
    """
    return build_config(read_tables(config, changes))


def build_config(table: Mapping[str, Any]) -> Config:
    """Values from tables.

    Raises:
        ConfigError: a key is unknown, or a value has another type or is out of range.
    """
    return build_value(Config, table, "")


def config_toml(config: Config) -> str:
    """All of it, defaults too, as the text of a file."""
    return to_toml(asdict(config))


def config_differences(one: Config, other: Config) -> list[str]:
    """What makes the runs of two configurations learn differently, such as `schedule.batch: 96 and 32`."""
    first, second = _learnt(one), _learnt(other)
    return [f"{key}: {first[key]} and {second[key]}" for key in first if first[key] != second[key]]


def _learnt(config: Config) -> dict[str, Any]:
    """The values that matter, by key; licensed models may move to another folder, the open body is another one."""
    values = flattened(asdict(config)) | {"models.folder": "licensed models" if config.models.folder else "none"}
    return {key: value for key, value in values.items() if key not in OPERATIONAL}
