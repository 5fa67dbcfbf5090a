"""People that this project renders itself (`pose2pose-train synthesize -o FOLDER`): parameters, labels, boxes.

Layout: `SPLIT/images/00000000.jpg` and on, `SPLIT/people.npz` without pickle.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...backend.motion.skeleton import EYES
from ..body_models.joint_sets import JointSet
from .coco_layout import AnnotationError
from .report import Source, require
from .sample import Fit, Sample, Truth

LABELS = "people.npz"
SEEN = 0.25
"""Share of a hand's or a face's points that the picture must show for its box to be learnt."""

_COMMAND = "`pose2pose-train synthesize -o FOLDER --people N --seed S`"


class SyntheticPeople:
    """Rendered people; all of their parameters are known, labels where the picture shows the point.

    Args:
        root: of the data set.
        split: folder in it.
        joint_set: the whole.

    Raises:
        MissingDataError: files are missing.
        AnnotationError: the labels are of another layout.
    """

    def __init__(self, *, root: Path, split: str, joint_set: JointSet) -> None:
        require(self.sources(root=root, split=split))
        self.skipped: Counter[str] = Counter()
        self._folder = root / split
        self._joint_set = joint_set
        self._labels = _read_labels(self._folder / LABELS, joint_set)

    @staticmethod
    def sources(*, root: Path, split: str) -> list[Source]:
        """What a split is read from."""
        return [
            Source(root / split / LABELS, "labels of rendered people", _COMMAND),
            Source(root / split / "images", "pictures of rendered people", _COMMAND),
        ]

    def __len__(self) -> int:
        return len(self._labels["rotations"])

    def __getitem__(self, index: int) -> Sample:
        """One person."""
        row = {key: array[index] for key, array in self._labels.items()}
        points = len(self._joint_set.points)
        return Sample(
            name=f"synthetic {self._folder.name}/{index:08d}",
            image=self._folder / "images" / f"{index:08d}.jpg",
            box=row["boxes"],
            points=row["points_2d"],
            points_valid=row["points_visible"],
            points_3d=np.zeros((points, 3), np.float32),
            points_3d_valid=np.zeros(points, bool),
            fit=self._fit(row),
            regions=row["regions"],
            regions_valid=row["regions_visible"] >= SEEN,
        )

    def truth(self, index: int) -> Truth:
        """Nothing more than the fit of the sample, which is exact."""
        return Truth()

    def _fit(self, row: dict[str, Any]) -> Fit:
        known = np.ones(len(self._joint_set.rotations), bool)
        known[EYES] = False
        return Fit(
            rotations=row["rotations"],
            rotations_valid=known,
            betas=row["betas"],
            betas_valid=True,
            expression=row["expression"],
            expression_valid=True,
            trans=row["trans"],
            gender="neutral",
            points_valid=np.ones(len(self._joint_set.points), bool),
            focal=row["focal"],
            principal_point=row["principal_point"],
        )


def _read_labels(file: Path, joint_set: JointSet) -> dict[str, NDArray[Any]]:
    points, rotations = len(joint_set.points), len(joint_set.rotations)
    shapes: dict[str, tuple[int, ...]] = {
        "rotations": (rotations, 3), "betas": (10,), "expression": (10,), "trans": (3,), "focal": (2,),
        "principal_point": (2,), "points_2d": (points, 2), "points_visible": (points,), "boxes": (4,),
        "regions": (3, 4), "regions_visible": (3,),
    }  # fmt: skip
    with np.load(file, allow_pickle=False) as archive:
        absent = [key for key in shapes if key not in archive.files]
        if absent:
            raise AnnotationError(f"{file} lacks {', '.join(absent)}; render the set again with {_COMMAND}")
        labels = {key: archive[key] for key in shapes}
    for key, shape in shapes.items():
        if labels[key].shape[1:] != shape or len(labels[key]) != len(labels["rotations"]):
            raise AnnotationError(f"{file}: {key} must have the shape (N, {shape}). Got {labels[key].shape}")
    visible = labels.pop("points_visible").astype(bool)
    return {**{key: array.astype(np.float32) for key, array in labels.items()}, "points_visible": visible}
