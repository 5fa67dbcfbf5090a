"""Human3.6M as the authors parsed it: motion capture, cameras, and fits of SMPL-X or SMPL.

Layout: `Human36M/images`, `Human36M/annotations/Human36M_subjectN_{data,camera,joint_3d,SMPLX_NeuralAnnot}.json`.
Millimeters there are meters here, the world is the picture's camera.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..body_models.joint_sets import H36M_LABELS, JointSet
from .coco_layout import HALF_PIXEL, Json, annotated, clipped_box, labeled_sample, placed, read_json
from .fits import MODELS, RootJoint, body_alone, read_fit, to_camera
from .report import Source, require
from .sample import Array, Fit, Sample, Truth
from .table import SampleTable

SUBJECTS = {"train": (1, 5, 6, 7, 8), "test": (9, 11)}
EVERY = {"train": 5, "test": 64}
"""Which frames are taken (the authors' released code)."""
TEST_CAMERA = "4"
"""The frontal one, which alone is tested on ("protocol 2")."""

_ORIGIN = "the Human3.6M data that the paper's authors publish with their code (Hand4Whole)"


class Human36M:
    """Human3.6M.

    Args:
        root: the folder `Human36M`.
        split: train or test; only the first has fits.
        joint_set: the whole (fits of SMPL-X) or the body (of SMPL).
        mean_pose: (R, 3) that is added to fits, see `read_fit`.
        root_joint: of the body model, which moves fits to the camera.

    Raises:
        MissingDataError: see `sources`.
    """

    def __init__(self, *, root: Path, split: str, joint_set: JointSet, mean_pose: Array, root_joint: RootJoint) -> None:
        require(self.sources(root=root, split=split, joint_set=joint_set))
        self.skipped: Counter[str] = Counter()
        self._root, self._split, self._joint_set = root, split, joint_set
        self._mean_pose, self._root_joint = mean_pose, root_joint
        self._captured: list[Array] = []
        self._table = SampleTable(sample for subject in SUBJECTS[split] for sample in self._read(subject))

    @staticmethod
    def sources(*, root: Path, split: str, joint_set: JointSet) -> list[Source]:
        """What is read."""
        sources = [Source(root / "images", "pictures", _ORIGIN)]
        for subject in SUBJECTS[split]:
            files = {"data": "annotations", "camera": "cameras", "joint_3d": "motion capture"}
            if split == "train":
                files[f"{MODELS[joint_set.name]}_NeuralAnnot"] = f"fits of {MODELS[joint_set.name]}"
            sources += [
                Source(_file(root, subject, end), f"{what} of subject {subject}", _ORIGIN)
                for end, what in files.items()
            ]
        return sources

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, index: int) -> Sample:
        """One person in one picture."""
        return self._table[index]

    def truth(self, index: int) -> Truth:
        """The 17 joints of the motion capture, in the order of `H36M_LABELS`."""
        return Truth(points=self._captured[index])

    def _read(self, subject: int) -> Iterator[Sample]:
        cameras = {name: _Camera(values) for name, values in read_json(_file(self._root, subject, "camera")).items()}
        joints = read_json(_file(self._root, subject, "joint_3d"))
        name = f"{MODELS[self._joint_set.name]}_NeuralAnnot"
        fits = read_json(_file(self._root, subject, name)) if self._split == "train" else {}
        for image, annotation in annotated(read_json(_file(self._root, subject, "data"))):
            camera = str(image["cam_idx"])
            if image["frame_idx"] % EVERY[self._split] or (self._split == "test" and camera != TEST_CAMERA):
                continue  # sampling, nothing that is wrong
            frame = [str(image[key]) for key in ("action_idx", "subaction_idx", "frame_idx")]
            sample = self._labeled(image, annotation, cameras[camera], _at(joints, frame))
            if sample is not None:
                yield replace(sample, fit=self._fit(_at(fits, frame), cameras[camera]))

    def _labeled(self, image: Json, annotation: Json, camera: "_Camera", world: Json | None) -> Sample | None:
        box = clipped_box(annotation["bbox"], image["width"], image["height"])
        if box is None or world is None:
            self.skipped["empty box" if box is None else "no motion capture"] += 1
            return None
        captured = camera.seen(np.array(world) / 1000)
        pixels = captured[:, :2] / captured[:, 2:] * camera.focal + camera.center + HALF_PIXEL
        known = np.ones(len(captured), dtype=bool)
        if self._split == "test":
            self._captured.append(captured.astype(np.float32))
        return labeled_sample(
            name=f"Human3.6M {image['file_name']}, annotation {annotation['id']}",
            image=self._root / "images" / image["file_name"],
            box=box,
            points=placed(self._joint_set, H36M_LABELS, pixels, known),
            points_3d=placed(self._joint_set, H36M_LABELS, captured, known),
        )

    def _fit(self, parameters: Json | None, camera: "_Camera") -> Fit | None:
        if parameters is None:
            return None
        intrinsics = {"focal": camera.focal, "princpt": camera.center}
        fit = body_alone(read_fit(self._joint_set, parameters, intrinsics, self._mean_pose), self._joint_set)
        return to_camera(fit, camera.rotation, camera.translation, self._root_joint)


class _Camera:
    """One of the four: x_camera = R x_world + t, and f, c in pixels."""

    def __init__(self, values: Json) -> None:
        self.rotation = np.array(values["R"], dtype=np.float64)
        self.translation = np.array(values["t"], dtype=np.float64) / 1000
        self.focal = np.array(values["f"], dtype=np.float64)
        self.center = np.array(values["c"], dtype=np.float64)

    def seen(self, world: Array) -> Array:
        """(P, 3) meters of the world -> of the camera."""
        return world @ self.rotation.T + self.translation


def _file(root: Path, subject: int, end: str) -> Path:
    return root / "annotations" / f"Human36M_subject{subject}_{end}.json"


def _at(nested: Json, keys: list[str]) -> Json | None:
    """What lies under keys in dictionaries in dictionaries; None if one is missing."""
    for key in keys:
        nested = (nested or {}).get(key)
    return nested
