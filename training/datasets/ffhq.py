"""FFHQ (Karras et al., CVPR 2019) with FLAME fits of NeuralAnnot: aligned faces of 1024x1024 pixels.

Layout: `data/images`, `data/FFHQ.json` (boxes and 73 points), `data/FFHQ_FLAME_NeuralAnnot.json`. All of it trains.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..body_models.joint_sets import FFHQ_LABELS, JointSet
from .coco_layout import HALF_PIXEL, annotated, clipped_box, labeled_sample, placed, read_json
from .fits import read_fit
from .report import Source, require
from .sample import Array, Sample
from .table import SampleTable

SIDE = 1024
"""Pixels of a picture whose size the file does not tell."""

_AUTHORS = "the data section of the Hand4Whole repository (FFHQ)"


class Ffhq:
    """Faces with labeled points; those with a fit supervise pose, shape and expression too.

    Args:
        root: of the data set.
        joint_set: the face.
        mean_pose: (2, 3), zeros.

    Raises:
        MissingDataError: files are missing.
        AnnotationError: a file is damaged.
    """

    def __init__(self, *, root: Path, joint_set: JointSet, mean_pose: Array) -> None:
        require(self.sources(root=root))
        self.skipped: Counter[str] = Counter()
        self._folder = root / "data"
        self._joint_set = joint_set
        self._mean_pose = mean_pose
        self._table = SampleTable(self._samples())

    @staticmethod
    def sources(*, root: Path) -> list[Source]:
        """What is read."""
        data = root / "data"
        return [
            Source(data / "FFHQ.json", "boxes and points", _AUTHORS),
            Source(data / "FFHQ_FLAME_NeuralAnnot.json", "FLAME parameters and cameras", _AUTHORS),
            Source(data / "images", "pictures, 00000.png and on", "the ffhq-dataset repository (images1024x1024)"),
        ]

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, index: int) -> Sample:
        """One face."""
        return self._table[index]

    def _samples(self) -> Iterator[Sample]:
        fits = read_json(self._folder / "FFHQ_FLAME_NeuralAnnot.json")
        for image, annotation in annotated(read_json(self._folder / "FFHQ.json")):
            box = clipped_box(annotation["bbox"], image.get("width", SIDE), image.get("height", SIDE))
            if box is None:
                self.skipped["empty box"] += 1
                continue
            points = np.array(annotation["keypoints"], np.float32).reshape(len(FFHQ_LABELS), 2)
            valid = np.array(annotation["keypoints_valid"]).reshape(-1) > 0
            sample = labeled_sample(
                name=f"FFHQ {image['file_name']}, annotation {annotation['id']}",
                image=self._folder / "images" / image["file_name"],
                box=box,
                points=placed(self._joint_set, FFHQ_LABELS, points + np.float32(HALF_PIXEL), valid),
            )
            known = fits.get(str(annotation["id"]))
            if known is not None:
                fit = read_fit(self._joint_set, known["flame_param"], known["cam_param"], self._mean_pose)
                sample = replace(sample, fit=fit)
            yield sample
