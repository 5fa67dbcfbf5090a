"""MPII as the authors parsed it: 16 labels in pictures, and fits of SMPL-X or SMPL to most people.

Layout: `MPII/data/images`, `MPII/data/annotations/{train,MPII_train_SMPLX_NeuralAnnot}.json`.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..body_models.joint_sets import MPII_LABELS, JointSet
from .coco_layout import HALF_PIXEL, Json, annotated, clipped_box, labeled_sample, placed, read_json
from .fits import MODELS, PARAMETERS, body_alone, read_fit
from .report import Source, require
from .sample import Array, Fit, Sample
from .table import SampleTable

_PICTURES = "http://human-pose.mpi-inf.mpg.de"
_ORIGIN = "the MPII data that the paper's authors publish with their code (Hand4Whole)"


class MPII:
    """MPII's training set.

    Args:
        root: the folder `MPII`.
        joint_set: the whole (fits of SMPL-X) or the body (of SMPL).
        mean_pose: (R, 3) that is added to fits, see `read_fit`.

    Raises:
        MissingDataError: see `sources`.
    """

    def __init__(self, *, root: Path, joint_set: JointSet, mean_pose: Array) -> None:
        require(self.sources(root=root, joint_set=joint_set))
        self.skipped: Counter[str] = Counter()
        self._folder, self._joint_set, self._mean_pose = root / "data", joint_set, mean_pose
        self._table = SampleTable(self._read(root))

    @staticmethod
    def sources(*, root: Path, joint_set: JointSet) -> list[Source]:
        """What is read."""
        return [
            Source(root / "data" / "images", "pictures", _PICTURES),
            Source(_labels_file(root), "annotations", _ORIGIN),
            Source(_fits_file(root, joint_set), f"fits of {MODELS[joint_set.name]}", _ORIGIN),
        ]

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, index: int) -> Sample:
        """One person."""
        return self._table[index]

    def _read(self, root: Path) -> Iterator[Sample]:
        fits = read_json(_fits_file(root, self._joint_set))
        for image, annotation in annotated(read_json(_labels_file(root))):
            box = clipped_box(annotation["bbox"], image["width"], image["height"])
            if box is None:
                self.skipped["empty box"] += 1
                continue
            labels = np.array(annotation["keypoints"], dtype=np.float32).reshape(-1, 3)
            pixels = labels[:, :2] + np.float32(HALF_PIXEL)
            sample = labeled_sample(
                name=f"MPII {image['file_name']}, annotation {annotation['id']}",
                image=self._folder / image["file_name"],  # which begins with images/
                box=box,
                points=placed(self._joint_set, MPII_LABELS, pixels, labels[:, 2] > 0),
            )
            yield replace(sample, fit=self._fit(fits.get(str(annotation["id"]))))

    def _fit(self, entry: Json | None) -> Fit | None:
        if entry is None:
            return None
        parameters = entry[PARAMETERS[self._joint_set.name]]
        fit = read_fit(self._joint_set, parameters, entry["cam_param"], self._mean_pose)
        return body_alone(fit, self._joint_set)


def _labels_file(root: Path) -> Path:
    return root / "data" / "annotations" / "train.json"


def _fits_file(root: Path, joint_set: JointSet) -> Path:
    return root / "data" / "annotations" / f"MPII_train_{MODELS[joint_set.name]}_NeuralAnnot.json"
