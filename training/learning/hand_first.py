"""The hand branch is trained before the whole (paper, section 4): what its training is, for each kind of network.

A branch starts only from a hand network of its own kind, so each choice of pooling and inputs has its own training.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...backend.weights import part_path
from ..checkpoint import EXPERIMENT, WEIGHTS
from ..network.settings import NetworkConfig

SHARED = ("hand_resnet", "hand_size", "hand_stride", "width")
"""Sizes that both networks have, besides pooling and inputs."""


@dataclass(frozen=True)
class HandTraining:
    """The training of a hand alone.

    Attributes:
        name: of its configuration.
        changes: to it.
        run: folder of its run.
    """

    name: str
    changes: tuple[str, ...]
    run: Path

    @property
    def weights(self) -> Path:
        """What it ends with."""
        return part_path(EXPERIMENT, "network", self.run / WEIGHTS)


def hand_training(
    name: str, network: NetworkConfig, changes: Sequence[str], seed: int, runs: Path
) -> HandTraining | None:
    """The training that comes before a network's.

    Args:
        name: of the hand's configuration, the paper's is `hand_pretraining`.
        network: that will start from it.
        changes: to all configurations.
        seed: of both.
        runs: folder of all runs.

    Returns:
        None where there is no hand branch, where it refines another's estimate, which a hand alone has none of, or
        where a start is named already.
    """
    if network.part != "whole" or "hand" not in network.trained or network.initial == "refined" or network.hand_start:
        return None
    kind = "-".join([network.pooling, *network.rotation_inputs, f"resnet{network.hand_resnet}"])
    settings = {key: getattr(network, key) for key in ("pooling", "rotation_inputs", *SHARED)}
    own = [f"network.{key}={_toml(value)}" for key, value in settings.items()]
    without = ['network.body_start=""', 'network.face_start=""', f"schedule.seed={seed}"]
    return HandTraining(name, (*changes, *own, *without), runs / name / kind / f"seed{seed}")


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
