"""The rule by which the networks of the authors were compared: pseudo-random parameters and pictures."""

import os
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pose2pose.backend.official.released_models import RELEASED
from pose2pose.backend.weights_folders import DATA_VARIABLE

REPOSITORY = Path(__file__).parents[3]


def parameter(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """A parameter from the name that the authors gave it."""
    random = np.random.RandomState(zlib.crc32(("dev:" + name).encode()) & 0x7FFFFFFF)
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    if name.endswith("running_var"):
        values = 0.5 + random.rand(*shape)
    elif name.endswith("running_mean"):
        values = 0.1 * random.randn(*shape)
    elif len(shape) == 1:
        values = 0.5 + 0.5 * random.rand(*shape) if name.endswith("weight") else 0.1 * random.randn(*shape)
    else:
        values = random.randn(*shape) * np.sqrt(2 / np.prod(shape[1:]))
    return torch.from_numpy(np.asarray(values, dtype=np.float32))


def pictures(count: int, size: tuple[int, int], seed: int) -> torch.Tensor:
    """(count, 3, H, W) smoothed noise."""
    noise = np.random.RandomState(seed).rand(count, 3, *size).astype(np.float32)
    return torch.nn.functional.avg_pool2d(torch.from_numpy(noise), kernel_size=9, stride=1, padding=4)


@pytest.fixture(scope="session")
def pseudo_random_network() -> Callable[[str], nn.Module]:
    """The name of one of the authors' models -> it, with pseudo-random parameters."""

    @cache
    def network(name: str) -> nn.Module:
        model = RELEASED[name]
        with torch.inference_mode(False):
            built = model.build().eval()
            shapes = {key: tuple(value.shape) for key, value in built.state_dict().items()}
            built.load_state_dict({key: parameter(model.theirs(key), shape) for key, shape in shapes.items()})
        return built

    return network


@pytest.fixture(scope="session", name="pictures")
def pictures_fixture() -> Callable[[int, tuple[int, int], int], torch.Tensor]:
    """The function above."""
    return pictures


@pytest.fixture(scope="session")
def official_data() -> Path:
    """The outputs of the authors' own code; only some machines have them."""
    given = os.environ.get("POSE2POSE_OFFICIAL_DATA")
    folder = Path(given) if given else REPOSITORY.parent / "shared" / "data" / "official"
    if not folder.is_dir():
        pytest.skip("the outputs of the authors' code are not here (POSE2POSE_OFFICIAL_DATA)")
    return folder


@pytest.fixture
def user_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data directory for the user."""
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def two_threads() -> Iterator[None]:
    """As many as the authors' outputs were computed with: the last digits of sums depend on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def save_checkpoint(tmp_path: Path) -> Callable[..., Path]:
    """A model's name -> a small file that looks like its checkpoint, all values 0; changes are made by our caller."""

    def save(name: str, change: Callable[[dict[str, torch.Tensor]], None] = lambda network: None) -> Path:
        model = RELEASED[name]
        network = {
            # all elements share one place in memory, and in the file
            f"module.{model.theirs(key)}": torch.zeros((), dtype=value.dtype).expand(value.shape)
            for key, value in model.expected().items()
        }
        change(network)
        path = tmp_path / "snapshot_6.pth.tar"
        torch.save({"epoch": 6, "network": network, "optimizer": {"state": {}, "param_groups": []}}, path)
        return path

    return save
