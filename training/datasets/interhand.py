"""InterHand2.6M (Moon et al., ECCV 2020) with MANO fits of NeuralAnnot: single and interacting hands, many cameras.

Layout: `images/<split>/...`, `annotations/<split>/InterHand2.6M_<split>_{data,camera,joint_3d,MANO_NeuralAnnot}.json`.
Lengths of cameras and joints are millimeters, of fits meters; all are in world axes. The authors' release trains its
hand branch on it besides FreiHAND and MSCOCO; the paper does not.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..body_models.joint_sets import INTERHAND_LABELS, JointSet
from .coco_layout import HALF_PIXEL, Json, annotated, clipped_box, labeled_sample, placed, read_json
from .fits import RootJoint, read_fit, to_camera
from .report import Source, require
from .sample import Array, Fit, Mask, Sample
from .table import SampleTable

SIDES = {"right": slice(0, 21), "left": slice(21, 42)}
"""Rows of the joints."""
CAMERAS = 10
"""About as many cameras of each sequence are trained on (the authors' release); they differ little."""
BOX_GROWTH = 1.5
MIRROR = np.array([-1, 1, 1], np.float32)
"""A left MANO hand is the right one's mirror image: x of places, y and z of rotations change their sign."""

_HOME = "the InterHand2.6M page (5 frames a second, v1.0)"


@dataclass(frozen=True)
class _View:
    """A camera: R (3, 3) and t (3,) in meters from the world, focal length and principal point in pixels."""

    rotation: Array
    translation: Array
    focal: Array
    principal_point: Array


class InterHand:
    """One sample for each hand whose wrist is labeled; left hands are marked to be mirrored.

    Args:
        root: of the data set.
        split: train, val or test.
        joint_set: the hand.
        mean_pose: (16, 3) of the right MANO, which the files leave off.
        root_joint: of the right MANO.

    Raises:
        MissingDataError: files are missing.
        AnnotationError: a file is damaged.
    """

    def __init__(self, *, root: Path, split: str, joint_set: JointSet, mean_pose: Array, root_joint: RootJoint) -> None:
        require(self.sources(root=root, split=split))
        self.skipped: Counter[str] = Counter()
        self._images = root / "images" / split
        self._joint_set = joint_set
        self._mean_pose = mean_pose
        self._root_joint = root_joint
        files = {name: read_json(file) for name, file in _annotation_files(root, split).items()}
        self._table = SampleTable(self._samples(files, thinned=split == "train"))

    @staticmethod
    def sources(*, root: Path, split: str) -> list[Source]:
        """What a split is read from."""
        annotations = [Source(file, what, _HOME) for what, file in _annotation_files(root, split).items()]
        return [*annotations, Source(root / "images" / split, "pictures", _HOME)]

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, index: int) -> Sample:
        """One hand."""
        return self._table[index]

    def _samples(self, files: dict[str, Json], *, thinned: bool) -> Iterator[Sample]:
        pairs = list(annotated(files["data"]))
        kept = _kept_cameras([image for image, _ in pairs]) if thinned else None
        for image, annotation in pairs:
            if kept is not None and image["camera"] not in kept[_sequence(image)]:
                continue  # sampling, nothing that is wrong
            capture, frame = str(image["capture"]), str(image["frame_idx"])
            view = _view(files["camera"][capture], str(image["camera"]))
            world = np.array(files["joint_3d"][capture][frame]["world_coord"], np.float64) / 1000
            joints = world @ view.rotation.T + view.translation
            fits = files["MANO_NeuralAnnot"].get(capture, {}).get(frame, {})
            for side, rows in SIDES.items():
                valid = np.array(annotation["joint_valid"]).reshape(-1)[rows] > 0
                sample = self._hand(image, annotation, side, (joints[rows], valid), view)
                if sample is not None:
                    yield replace(sample, fit=self._fit(fits.get(side), side, view))

    def _hand(self, image: Json, annotation: Json, side: str, labels: tuple[Array, Mask], view: _View) -> Sample | None:
        """The sample of one hand without its fit; `labels` are in camera axes."""
        joints, valid = labels
        if not valid[INTERHAND_LABELS.index("Wrist")]:
            if annotation["hand_type"] in (side, "interacting"):
                self.skipped["wrist not labeled"] += 1
            return None
        pixels = joints[:, :2] / np.maximum(joints[:, 2:], 1e-3) * view.focal + view.principal_point
        box = clipped_box(_surrounding(pixels[valid]), image["width"], image["height"])
        if box is None:
            self.skipped["empty box"] += 1
            return None
        return labeled_sample(
            name=f"InterHand2.6M {image['file_name']}, annotation {annotation['id']}, {side} hand",
            image=self._images / image["file_name"],
            box=box,
            points=placed(self._joint_set, INTERHAND_LABELS, (pixels + HALF_PIXEL).astype(np.float32), valid),
            points_3d=placed(self._joint_set, INTERHAND_LABELS, joints.astype(np.float32), valid),
            mirrored=side == "left",
        )

    def _fit(self, parameters: Json, side: str, view: _View) -> Fit | None:
        if parameters is None:
            return None
        mirror = MIRROR if side == "left" else np.ones(3, np.float32)
        camera = {"focal": view.focal, "princpt": view.principal_point}
        fit = read_fit(self._joint_set, parameters, camera, self._mean_pose * mirror * mirror[0])
        return to_camera(fit, view.rotation, view.translation, lambda betas: self._root_joint(betas) * mirror)


def _annotation_files(root: Path, split: str) -> dict[str, Path]:
    start = root / "annotations" / split
    kinds = ("data", "camera", "joint_3d", "MANO_NeuralAnnot")
    return {kind: start / f"InterHand2.6M_{split}_{kind}.json" for kind in kinds}


def _sequence(image: Json) -> tuple[str, str]:
    return str(image["capture"]), str(image["seq_name"])


def _kept_cameras(images: list[Json]) -> dict[tuple[str, str], set[Json]]:
    """About ten cameras of each sequence, evenly from their sorted names."""
    seen: dict[tuple[str, str], set[Json]] = defaultdict(set)
    for image in images:
        seen[_sequence(image)].add(image["camera"])
    return {key: set(sorted(cameras)[:: max(1, len(cameras) // CAMERAS)]) for key, cameras in seen.items()}


def _view(cameras: Json, name: str) -> _View:
    rotation, place, focal, principal = (
        np.array(cameras[key][name], np.float32) for key in ("camrot", "campos", "focal", "princpt")
    )
    return _View(rotation, -rotation @ place / 1000, focal, principal)


def _surrounding(pixels: Array) -> list[float]:
    """x, y, width, height of a box around points, grown about its center."""
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    size = (high - low) * BOX_GROWTH
    return [*((low + high - size) / 2).tolist(), *size.tolist()]
