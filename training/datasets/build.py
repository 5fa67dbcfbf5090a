"""Data sets by name: where configuration and human models become loaders."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..body_models.human_models import HumanModel, build_human_model
from ..body_models.joint_sets import JointSet
from ..config import DataConfig
from ..config import Source as Entry
from ..transforms import Prepare, PreparedSamples
from .catalog import LOADERS, DataError, loader_of
from .fits import Mesh, RootJoint
from .fitted_meshes import GenderedMesh, root_joint_of
from .mix import MixedSamples
from .report import CheckedSamples, Source
from .sample import Array


@dataclass(frozen=True)
class Wanted:
    """What the arguments of loaders are made of.

    Attributes:
        root: folder of the data set.
        split: of it.
        model: the human model.
        models: folder of the licensed human models; None for the open body.
    """

    root: Path
    split: str
    model: HumanModel
    models: Path | None

    @property
    def joint_set(self) -> JointSet:
        """Of the samples."""
        return self.model.joint_set

    @property
    def mean_pose(self) -> Array:
        """(R, 3) the mean hand, which files leave off."""
        return np.asarray(self.model.mean_pose.cpu().numpy(), dtype=np.float32)

    @property
    def root_joint(self) -> RootJoint:
        """Of the human model."""
        return root_joint_of(self.model)

    @property
    def root_joints(self) -> dict[str, RootJoint]:
        """Of the human models of both genders; the open body has none."""
        part, genders = self.joint_set.name, ("male", "female")
        if self.models is None:
            return dict.fromkeys(genders, self.root_joint)
        return {gender: root_joint_of(build_human_model(part, self.models, gender=gender)) for gender in genders}

    @property
    def mesh(self) -> Mesh:
        """Poses the human model of a fit's gender."""
        return GenderedMesh(neutral=self.model, folder=self.models)


def data_sources(entry: Entry, *, root: Path, model: HumanModel) -> list[Source]:
    """What an entry of `data.train` or `data.test` would be read from, whether it is there or not.

    Raises:
        DataError: the entry names what there is not.
    """
    loader, wanted = loader_of(entry, model.joint_set.name), Wanted(_folder(entry, root), entry.split, model, None)
    sources: list[Source] = loader.kind.sources(**_arguments(loader.files, wanted), **loader.fixed)
    return sources


def build_samples(entry: Entry, *, root: Path, model: HumanModel, models: Path | None) -> CheckedSamples:
    """Read the data set of an entry of `data.train` or `data.test`.

    Args:
        entry: name, split and folder.
        root: folder of the data sets' folders.
        model: the human model, whose joint set is that of the samples.
        models: folder of the licensed human models, for sets with fits of both genders; None for the open body.

    Raises:
        DataError: the entry names what there is not.
        MissingDataError: files are missing.
        AnnotationError: a file is damaged.
    """
    loader, wanted = loader_of(entry, model.joint_set.name), Wanted(_folder(entry, root), entry.split, model, models)
    samples: CheckedSamples = loader.kind(**_arguments((*loader.files, *loader.more), wanted), **loader.fixed)
    return samples


@dataclass(frozen=True)
class TrainingData:
    """What is learnt from.

    Attributes:
        samples: of all data sets.
        examples: the same, prepared with augmentation.
        seed: of order and augmentation.
    """

    samples: MixedSamples
    examples: PreparedSamples
    seed: int

    def order(self, epoch: int) -> list[int]:
        """Indices of the samples, as an epoch takes them."""
        indices: list[int] = self.samples.order(self.seed, epoch).tolist()
        return indices


def build_training(
    data: DataConfig, model: HumanModel, models: Path | None, *, size: tuple[int, int], seed: int
) -> TrainingData:
    """Read the data sets of a training; their groups stand in the order in which they are first named.

    Args:
        data: of the configuration.
        model: the human model.
        models: folder of the licensed human models; None for the open body.
        size: height and width of the examples' pictures.
        seed: of order and augmentation.

    Raises:
        DataError: `data.train` is empty, or names what there is not.
        MissingDataError: files are missing.
        AnnotationError: a file is damaged.
    """
    if not data.train:
        raise DataError('data.train is empty: name data sets, such as [{name = "synthetic"}]')
    groups: dict[str, list[CheckedSamples]] = {}
    for entry in data.train:
        samples = build_samples(entry, root=Path(data.root), model=model, models=models)
        groups.setdefault(entry.group, []).append(samples)
    mix = MixedSamples(groups=list(groups.values()))
    prepare = Prepare(joint_set=model.joint_set, size=size, augmentation=data.augmentation)
    return TrainingData(mix, PreparedSamples(samples=mix, prepare=prepare, seed=seed, starts=mix.starts), seed)


def _folder(entry: Entry, root: Path) -> Path:
    return root / (entry.folder or LOADERS[entry.name][0].folder)


def _arguments(names: tuple[str, ...], wanted: Wanted) -> dict[str, Any]:
    return {name: getattr(wanted, name) for name in names}
