"""The protocol of a test set, by its name; configuration and the folder of models stop here."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ..body_models.human_models import HumanModel
from ..body_models.model_files import MissingModelError, joints_14, joints_h36m
from .boxes import BoxBenchmark
from .ehf import EhfBenchmark
from .expressive import expressive_parts
from .freihand import FreiHandBenchmark
from .human36m import Human36mBenchmark
from .prediction import Benchmark
from .pw3d import Pw3dBenchmark
from .stirling import StirlingBenchmark
from .synthetic import SyntheticBenchmark

Builder = Callable[[HumanModel, Path | None], Benchmark]


def _ehf(model: HumanModel, folder: Path | None) -> EhfBenchmark:
    regressor = torch.from_numpy(joints_14(_licensed(folder, "EHF")))
    return EhfBenchmark(parts=expressive_parts(model, regressor))


def _synthetic(model: HumanModel, folder: Path | None) -> SyntheticBenchmark:
    return SyntheticBenchmark(model=model, parts=expressive_parts(model))


def _boxes(model: HumanModel, folder: Path | None) -> BoxBenchmark:
    return BoxBenchmark()


def _human36m(model: HumanModel, folder: Path | None) -> Human36mBenchmark:
    return Human36mBenchmark(regressor=_h36m_regressor(model, _licensed(folder, "Human3.6M")))


def _pw3d(model: HumanModel, folder: Path | None) -> Pw3dBenchmark:
    return Pw3dBenchmark(regressor=_h36m_regressor(model, _licensed(folder, "3DPW")))


def _freihand(model: HumanModel, folder: Path | None) -> FreiHandBenchmark:
    return FreiHandBenchmark()


def _stirling(model: HumanModel, folder: Path | None) -> StirlingBenchmark:
    return StirlingBenchmark(triangles=model.faces.cpu().numpy())


BENCHMARKS: dict[str, tuple[tuple[str, ...], Builder]] = {
    "ehf": (("whole",), _ehf),
    "synthetic": (("whole",), _synthetic),
    "mscoco": (("whole",), _boxes),
    "human36m": (("whole", "body"), _human36m),
    "pw3d": (("body",), _pw3d),
    "pw3d-sequences": (("body",), _pw3d),
    "freihand": (("hand",), _freihand),
    "stirling": (("face",), _stirling),
}
"""Test set -> the parts whose networks it measures, and its protocol."""


def build_benchmark(name: str, model: HumanModel, folder: Path | None) -> Benchmark:
    """The protocol of a test set.

    Args:
        name: of the test set, as in the configuration.
        model: the human model of the network.
        folder: of the licensed models and of the index files that protocols need; None for the open body.

    Raises:
        ValueError: no protocol of that name, or it does not measure networks of the model's part.
        MissingModelError: it needs a licensed file that is not there.
    """
    if name not in BENCHMARKS:
        raise ValueError(f"no protocol measures {name!r}; data.test may hold {', '.join(sorted(BENCHMARKS))}")
    parts, builder = BENCHMARKS[name]
    if model.joint_set.name not in parts:
        raise ValueError(f"{name} measures networks of the {' or '.join(parts)}. Got one of the {model.joint_set.name}")
    return builder(model, folder)


def _h36m_regressor(model: HumanModel, folder: Path) -> Tensor:
    return torch.from_numpy(joints_h36m(model.joint_set.name, folder))


def _licensed(folder: Path | None, name: str) -> Path:
    if folder is None:
        raise MissingModelError(
            f"{name} is measured with index files of the licensed models: set models.folder to the folder that holds "
            "smplx/ and smpl/"
        )
    return folder
