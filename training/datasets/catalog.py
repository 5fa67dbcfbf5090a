"""All data sets by name: their folders, splits, loaders, and what these are built from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..config import Source as Entry
from .agora import Agora
from .ehf import Ehf
from .ffhq import Ffhq
from .freihand import FreiHandEvaluation, FreiHandTraining
from .human36m import Human36M
from .interhand import InterHand
from .mpii import MPII
from .mscoco import MSCOCO
from .pw3d import PW3D
from .pw3d_sequences import PW3DSequences
from .stirling import Stirling
from .synthetic import SyntheticPeople


class DataError(ValueError):
    """There is no such data set, no such split of it, or it has no labels for the part."""


@dataclass(frozen=True)
class Loader:
    """How a data set is read.

    Attributes:
        folder: its usual name.
        parts: joint sets that it has labels for.
        splits: that it has; empty where it has one only.
        kind: its class, a `CheckedSamples`.
        files: arguments that choose files, attributes of `Wanted`.
        more: the other arguments of the constructor.
        fixed: arguments that are always the same.
    """

    folder: str
    parts: tuple[str, ...]
    splits: tuple[str, ...]
    kind: type[Any]
    files: tuple[str, ...]
    more: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)


ALL = ("whole", "body", "hand", "face")
LOADERS: dict[str, tuple[Loader, ...]] = {
    "human36m": (
        Loader("Human36M", ALL[:2], ("train", "test"), Human36M, ("root", "split", "joint_set"),
               ("mean_pose", "root_joint")),
    ),
    "mscoco": (Loader("MSCOCO", ALL, ("train", "val"), MSCOCO, ("root", "split", "joint_set"), ("mean_pose",)),),
    "mpii": (Loader("MPII", ALL[:2], ("train",), MPII, ("root", "joint_set"), ("mean_pose",)),),
    "pw3d": (Loader("PW3D", ("body",), ("train", "validation", "test"), PW3D, ("root", "split"), ("mesh",)),),
    "pw3d-sequences": (
        Loader("PW3D", ("body",), ("train", "validation", "test"), PW3DSequences, ("root", "split"),
               ("mesh", "root_joints")),
    ),
    "agora": (
        Loader("AGORA", ("whole",), ("train", "validation"), Agora, ("root", "split"), ("mean_pose", "mesh"),
               {"pictures": "1280x720"}),
    ),
    "agora-crops": (
        Loader("AGORA", ("whole",), ("train", "validation"), Agora, ("root", "split"), ("mean_pose", "mesh"),
               {"pictures": "crops"}),
    ),
    "freihand": (
        Loader("FreiHAND", ("hand",), ("train",), FreiHandTraining, ("root",), ("joint_set", "mean_pose")),
        Loader("FreiHAND", ("hand",), ("test",), FreiHandEvaluation, ("root",), ("joint_set",)),
    ),
    "interhand": (
        Loader("InterHand26M", ("hand",), ("train", "val", "test"), InterHand, ("root", "split"),
               ("joint_set", "mean_pose", "root_joint")),
    ),
    "ffhq": (Loader("FFHQ", ("face",), ("train",), Ffhq, ("root",), ("joint_set", "mean_pose")),),
    "stirling": (Loader("Stirling", ("face",), ("HQ", "LQ"), Stirling, ("root", "split"), ("joint_set",)),),
    "ehf": (Loader("EHF", ("whole",), (), Ehf, ("root",), ("joint_set",)),),
    "synthetic": (
        Loader("synthetic", ("whole",), ("train", "test"), SyntheticPeople, ("root", "split"), ("joint_set",)),
    ),
}  # fmt: skip
"""Name in `data.train` and `data.test` -> its loaders, which differ by their splits."""


def loader_of(entry: Entry, part: str) -> Loader:
    """The loader of an entry of `data.train` or `data.test`.

    Raises:
        DataError: there is none of its name for its split and the part.
    """
    if entry.name not in LOADERS:
        raise DataError(f"there is no data set {entry.name!r}; there are {', '.join(sorted(LOADERS))}")
    loaders = LOADERS[entry.name]
    if part not in loaders[0].parts:
        fitting = ", ".join(sorted(name for name, (first, *_) in LOADERS.items() if part in first.parts))
        raise DataError(f"{entry.name} has no labels for the {part}; these have: {fitting}")
    for loader in loaders:
        if not loader.splits or entry.split in loader.splits:
            return loader
    splits = ", ".join(split for loader in loaders for split in loader.splits)
    raise DataError(f"{entry.name} has no split {entry.split!r}; it has {splits}")
