"""3DPW as released: one pickle for each sequence, people and cameras in the axes of its world.

Layout: `imageFiles/<sequence>/image_00000.jpg`, `sequenceFiles/{train,validation,test}/<sequence>.pkl`. The authors
parsed the same frames with translations of their own (`pw3d`), so errors measured on the two may differ.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...backend.motion.pickles import read_pickle
from ...backend.motion.rotations import Array as Floats
from ..body_models.joint_sets import BODY, PW3D_LABELS
from .coco_layout import HALF_PIXEL, clipped_box, labeled_sample, placed
from .fits import Mesh, RootJoint, read_fit, to_camera
from .pw3d import NO_MEAN, fitted_truth
from .report import Source, require
from .sample import Array, Fit, Sample, Truth
from .table import SampleTable

GENDERS = {"m": "male", "f": "female"}
MARGIN = 1.2
"""Boxes are the extent of the joints inside the picture times this (the authors' converter)."""

_ORIGIN = "https://virtualhumans.mpi-inf.mpg.de/3DPW"


class PW3DSequences:
    """3DPW, each person in each frame whose camera is valid.

    Args:
        root: the folder that holds `imageFiles` and `sequenceFiles`.
        split: train, validation or test.
        mesh: poses SMPL of a fit's gender, for `truth`.
        root_joints: of SMPL, male and female, which move fits to the camera.

    Raises:
        MissingDataError: see `sources`.
    """

    def __init__(self, *, root: Path, split: str, mesh: Mesh, root_joints: Mapping[str, RootJoint]) -> None:
        require(self.sources(root=root, split=split))
        self.skipped: Counter[str] = Counter()
        self._root, self._mesh, self._root_joints = root, mesh, root_joints
        files = sorted((root / "sequenceFiles" / split).glob("*.pkl"))
        self._table = SampleTable(sample for file in files for sample in self._read(file))

    @staticmethod
    def sources(*, root: Path, split: str) -> list[Source]:
        """What is read."""
        return [
            Source(root / "imageFiles", "pictures", _ORIGIN),
            Source(root / "sequenceFiles" / split, "sequences", _ORIGIN),
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
        sequence = read_pickle(file)
        cameras = np.asarray(sequence["cam_poses"], dtype=np.float64)
        for person in range(len(sequence["poses"])):
            for frame, camera in enumerate(cameras):
                if not sequence["campose_valid"][person][frame]:
                    self.skipped["no valid camera"] += 1
                    continue
                sample = self._labeled(sequence, person, frame, camera)
                if sample is not None:
                    yield replace(sample, fit=self._fit(sequence, person, frame, camera))

    def _labeled(self, sequence: Any, person: int, frame: int, camera: Floats) -> Sample | None:
        intrinsics = np.asarray(sequence["cam_intrinsics"], dtype=np.float64)
        joints = np.reshape(sequence["jointPositions"][person][frame], (-1, 3))
        box = _joint_box(joints @ camera[:3, :3].T + camera[:3, 3], intrinsics)
        if box is None:
            self.skipped["empty box"] += 1
            return None
        x, y, confidence = np.asarray(sequence["poses2d"][person][frame], dtype=np.float32)
        pixels = np.stack([x, y], axis=1) + np.float32(HALF_PIXEL)
        picture = Path(str(sequence["sequence"]), f"image_{frame:05d}.jpg")
        return labeled_sample(
            name=f"3DPW {picture.as_posix()}, person {person}",
            image=self._root / "imageFiles" / picture,
            box=box,
            points=placed(BODY, PW3D_LABELS, pixels, confidence > 0),
        )

    def _fit(self, sequence: Any, person: int, frame: int, camera: Floats) -> Fit:
        intrinsics = np.asarray(sequence["cam_intrinsics"])
        parameters = {
            "pose": sequence["poses"][person][frame],
            "shape": sequence["betas"][person],
            "trans": sequence["trans"][person][frame],
            "gender": GENDERS[sequence["genders"][person]],
        }
        lens = {"focal": intrinsics[[0, 1], [0, 1]], "princpt": intrinsics[:2, 2]}
        fit = read_fit(BODY, parameters, lens, NO_MEAN)
        return to_camera(fit, camera[:3, :3], camera[:3, 3], self._root_joints[fit.gender])


def _joint_box(joints: Floats, intrinsics: Floats) -> Array | None:
    """(J, 3) joints in camera axes -> the box around those in the picture, whose middle is the principal point."""
    width, height = np.rint(2 * intrinsics[:2, 2]).astype(int).tolist()
    joints = joints[joints[:, 2] > 0]
    pixels = joints @ intrinsics.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    pixels = pixels[((pixels >= 0) & (pixels < (width, height))).all(axis=1)]
    if len(pixels) == 0:
        return None
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    size = (high - low) * MARGIN
    return clipped_box([*((low + high - size) / 2).tolist(), *size.tolist()], width, height)
