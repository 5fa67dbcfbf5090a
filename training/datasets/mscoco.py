"""MSCOCO with the annotations of COCO-WholeBody: people, or each of their hands or faces, by the joint set.

Layout: `MSCOCO/images/{train2017,val2017}`, `MSCOCO/annotations/coco_wholebody_{train,val}_v1.0.json` and, to train on,
`MSCOCO_train_{SMPLX_all,SMPL,MANO,FLAME}_NeuralAnnot.json` beside them.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..body_models.joint_sets import COCO_HANDS, COCO_LABELS, JointSet
from .coco_layout import (
    HALF_PIXEL,
    Json,
    annotated,
    clipped_box,
    labeled_sample,
    placed,
    read_json,
    region_boxes,
)
from .fits import MODELS, PARAMETERS, read_fit, without_parts
from .report import Source, require
from .sample import Array, Fit, Mask, Sample
from .table import SampleTable

REGIONS = (("lefthand_box", "lefthand_valid"), ("righthand_box", "righthand_valid"), ("face_box", "face_valid"))

_FIT_FLAGS = {
    "left_hand": ("lhand_pose", "lhand_valid", "lefthand_valid"),
    "right_hand": ("rhand_pose", "rhand_valid", "righthand_valid"),
    "face": ("expr", "face_valid", "face_valid"),
}
"""Of each part: a key of its parameters, their flag, and COCO's own flag, where some versions of the file have none."""
_NOSE, _NOSE_TIP = COCO_LABELS.index("Nose"), COCO_LABELS.index("Face_18")
_HIPS = [COCO_LABELS.index("L_Hip"), COCO_LABELS.index("R_Hip")]
_MIRRORED = np.array([1, -1, -1], dtype=np.float32)
"""A right hand's axis-angle becomes a left one's."""
_IMAGES = "https://cocodataset.org"
_LABELS = "https://github.com/jin-s13/COCO-WholeBody"
_FITS = "the MSCOCO data that the paper's authors publish with their code (Hand4Whole)"


class MSCOCO:
    """MSCOCO; people in crowds and without a body's keypoints are not trained on.

    Args:
        root: the folder `MSCOCO`.
        split: train or val; only the first has fits.
        joint_set: whole and body give a sample for a person, hand one for each hand (left ones mirrored), face one for
            each face.
        mean_pose: (R, 3) that is added to fits, see `read_fit`.

    Raises:
        MissingDataError: see `sources`.
    """

    def __init__(self, *, root: Path, split: str, joint_set: JointSet, mean_pose: Array) -> None:
        require(self.sources(root=root, split=split, joint_set=joint_set))
        self.skipped: Counter[str] = Counter()
        self._images, self._split = root / "images" / f"{split}2017", split
        self._joint_set, self._mean_pose = joint_set, mean_pose
        self._table = SampleTable(self._read(root))

    @staticmethod
    def sources(*, root: Path, split: str, joint_set: JointSet) -> list[Source]:
        """What is read."""
        sources = [
            Source(root / "images" / f"{split}2017", "pictures", _IMAGES),
            Source(_labels_file(root, split), "whole-body annotations", _LABELS),
        ]
        fits = [Source(_fits_file(root, joint_set), f"fits of {MODELS[joint_set.name]}", _FITS)]
        return sources + (fits if split == "train" else [])

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, index: int) -> Sample:
        """One person, hand or face."""
        return self._table[index]

    def _read(self, root: Path) -> Iterator[Sample]:
        cut = {"hand": self._hands, "face": self._faces}.get(self._joint_set.name, self._people)
        fits = read_json(_fits_file(root, self._joint_set)) if self._split == "train" else {}
        for image, annotation in annotated(read_json(_labels_file(root, self._split))):
            if self._split == "train" and (annotation["iscrowd"] or annotation["num_keypoints"] == 0):
                self.skipped["crowd" if annotation["iscrowd"] else "no keypoints"] += 1
                continue
            yield from cut(image, annotation, fits.get(str(annotation["id"])))

    def _people(self, image: Json, annotation: Json, entry: Json | None) -> Iterator[Sample]:
        box = self._box(image, annotation["bbox"])
        if box is None:
            return
        pixels, known = _labels(annotation)
        sample = labeled_sample(
            name=self._name(image, annotation),
            image=self._images / image["file_name"],
            box=box,
            points=placed(self._joint_set, COCO_LABELS, pixels, known),
            regions=region_boxes(annotation, REGIONS),
        )
        yield replace(sample, fit=self._fit(entry, annotation))

    def _hands(self, image: Json, annotation: Json, entry: Json | None) -> Iterator[Sample]:
        pixels, known = _labels(annotation)
        for side, rows in zip(("left", "right"), COCO_HANDS, strict=True):
            box = self._box(image, annotation[f"{side}hand_box"]) if annotation[f"{side}hand_valid"] else None
            if box is None:
                continue
            sample = labeled_sample(
                name=f"{self._name(image, annotation)}, {side} hand",
                image=self._images / image["file_name"],
                box=box,
                points=(pixels[rows] * known[rows, None], known[rows]),
                mirrored=side == "left",
            )
            mean = self._mean_pose * (_MIRRORED if side == "left" else 1)
            fit = (entry or {}).get(side)
            yield replace(sample, fit=fit and read_fit(self._joint_set, fit["mano_param"], fit["cam_param"], mean))

    def _faces(self, image: Json, annotation: Json, entry: Json | None) -> Iterator[Sample]:
        box = self._box(image, annotation["face_box"]) if annotation["face_valid"] else None
        if box is None:
            return
        pixels, known = _labels(annotation)
        sample = labeled_sample(
            name=f"{self._name(image, annotation)}, face",
            image=self._images / image["file_name"],
            box=box,
            points=placed(self._joint_set, COCO_LABELS, pixels, known),
        )
        yield replace(sample, fit=self._fit(entry, annotation))

    def _box(self, image: Json, box: list[float]) -> Array | None:
        clipped = clipped_box(box, image["width"], image["height"])
        if clipped is None:
            self.skipped["empty box"] += 1
        return clipped

    def _fit(self, entry: Json | None, annotation: Json) -> Fit | None:
        if entry is None:
            return None
        parameters = entry[PARAMETERS[self._joint_set.name]]
        fit = read_fit(self._joint_set, parameters, entry["cam_param"], self._mean_pose)
        if self._joint_set.name != "whole":
            return fit
        known = {
            part: parameters.get(key) is not None and bool(parameters.get(flag, annotation[own]))
            for part, (key, flag, own) in _FIT_FLAGS.items()
        }
        return without_parts(fit, self._joint_set, known)

    def _name(self, image: Json, annotation: Json) -> str:
        return f"MSCOCO {self._images.name}/{image['file_name']}, annotation {annotation['id']}"


def _labels(annotation: Json) -> tuple[Array, Mask]:
    """(134, 2) pixels as in `COCO_LABELS` and (134,): the pelvis made of the hips, a missing nose tip of the nose."""
    keys = ("keypoints", "foot_kpts", "lefthand_kpts", "righthand_kpts", "face_kpts")
    body, *others = (np.array(annotation[key], dtype=np.float32).reshape(-1, 3) for key in keys)
    hips = body[_HIPS]
    pelvis = np.append(hips[:, :2].mean(axis=0), hips[:, 2].prod())
    labels = np.concatenate([body, pelvis[None], *others])
    if labels[_NOSE_TIP, 2] <= 0:
        labels[_NOSE_TIP] = labels[_NOSE]
    return labels[:, :2] + np.float32(HALF_PIXEL), labels[:, 2] > 0


def _labels_file(root: Path, split: str) -> Path:
    return root / "annotations" / f"coco_wholebody_{split}_v1.0.json"


def _fits_file(root: Path, joint_set: JointSet) -> Path:
    model = MODELS[joint_set.name] + ("_all" if joint_set.name == "whole" else "")
    return root / "annotations" / f"MSCOCO_train_{model}_NeuralAnnot.json"
