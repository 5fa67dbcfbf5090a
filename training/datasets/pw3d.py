"""3DPW as the authors parsed it: fits of SMPL of the person's gender, in the axes of the camera.

Layout: `PW3D/data/3DPW_{train,validation,test}.json`, `PW3D/data/imageFiles`. The `R` and `t` that some versions of the
file have in a camera are not applied: the fits beside them are in camera axes already.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..body_models.joint_sets import BODY
from .coco_layout import annotated, clipped_box, labeled_sample, read_json
from .fits import Mesh, read_fit
from .report import Source, require
from .sample import Array, Mask, Sample, Truth
from .table import SampleTable

SPLITS = ("train", "validation", "test")

NO_MEAN = np.zeros((len(BODY.rotations), 3), dtype=np.float32)
"""SMPL's poses are complete."""

_PICTURES = "https://virtualhumans.mpi-inf.mpg.de/3DPW"
_ORIGIN = "the 3DPW data that the paper's authors publish with their code (Hand4Whole)"


class PW3D:
    """3DPW, the people of one split.

    Args:
        root: the folder `PW3D`.
        split: train, validation or test.
        mesh: poses SMPL of a fit's gender, for `truth`.

    Raises:
        MissingDataError: see `sources`.
    """

    def __init__(self, *, root: Path, split: str, mesh: Mesh) -> None:
        require(self.sources(root=root, split=split))
        self.skipped: Counter[str] = Counter()
        self._pictures, self._mesh = root / "data" / "imageFiles", mesh
        self._table = SampleTable(self._read(_file(root, split)))

    @staticmethod
    def sources(*, root: Path, split: str) -> list[Source]:
        """What is read."""
        return [
            Source(root / "data" / "imageFiles", "pictures", _PICTURES),
            Source(_file(root, split), "annotations", _ORIGIN),
        ]

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, index: int) -> Sample:
        """One person in one picture."""
        return self._table[index]

    def truth(self, index: int) -> Truth:
        """The mesh of the person's gender."""
        return fitted_truth(self._table[index], self._mesh)

    def _read(self, file: Path) -> Iterator[Sample]:
        for image, annotation in annotated(read_json(file)):
            box = clipped_box(annotation["bbox"], image["width"], image["height"])
            if box is None:
                self.skipped["empty box"] += 1
                continue
            sample = labeled_sample(
                name=f"3DPW {image['sequence']}/{image['file_name']}, annotation {annotation['id']}",
                image=self._pictures / image["sequence"] / image["file_name"],
                box=box,
                points=no_labels(),
            )
            yield replace(sample, fit=read_fit(BODY, annotation["smpl_param"], image["cam_param"], NO_MEAN))


def no_labels() -> tuple[Array, Mask]:
    """Points of a sample whose fit is all that is known."""
    return np.zeros((len(BODY.points), 2), np.float32), np.zeros(len(BODY.points), bool)


def fitted_truth(sample: Sample, mesh: Mesh) -> Truth:
    """The mesh of a sample's fit as the truth; None without a fit."""
    return Truth(vertices=None if sample.fit is None else mesh(sample.fit))


def _file(root: Path, split: str) -> Path:
    return root / "data" / f"3DPW_{split}.json"
