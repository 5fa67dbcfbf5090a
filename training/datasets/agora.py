"""AGORA as the authors parsed it: synthetic crowds with complete parameters of SMPL-X. Not part of the paper.

Layout: `AGORA/data/AGORA_{train,validation}_SMPLX.json`, which names pictures of 1280x720 and files of parameters; or,
in place of these pictures, people cut out of those of 3840x2160 (`images_3840x2160/<folder>_crop`). The cameras look at
the very middle of the pictures, so unlike elsewhere pixels count from the edge already.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..body_models.joint_sets import WHOLE
from .coco_layout import HALF_PIXEL, Json, annotated, labeled_sample, read_json
from .fits import Mesh, read_fit
from .pw3d import fitted_truth
from .report import Source, require
from .sample import Array, Fit, Mask, Sample, Truth
from .table import SampleTable

PICTURES = ("1280x720", "crops")
REGIONS = ("lhand_bbox", "rhand_bbox", "face_bbox")

_FULL = np.array([3840.0, 2160.0])
_SHRINKING = np.array([[1 / 3, 0, 0], [0, 1 / 3, 0]])
"""From the large pictures to those of 1280x720."""
_NAMES = {
    "global_orient": "root_pose", "body_pose": "body_pose", "jaw_pose": "jaw_pose", "leye_pose": "leye_pose",
    "reye_pose": "reye_pose", "left_hand_pose": "lhand_pose", "right_hand_pose": "rhand_pose", "betas": "shape",
    "expression": "expr", "transl": "trans",
}  # fmt: skip
_ORIGIN = "https://agora.is.tue.mpg.de, parsed with the authors' tool/AGORA (Hand4Whole)"


class Agora:
    """AGORA. Children are left out: their bodies are no SMPL-X of ten betas.

    Args:
        root: the folder `AGORA`.
        split: train or validation.
        pictures: one of `PICTURES`.
        mean_pose: (55, 3) that is added to fits, see `read_fit`.
        mesh: poses SMPL-X of a fit's gender, for `truth`.

    Raises:
        MissingDataError: see `sources`.
        ValueError: there are no such pictures.
    """

    def __init__(self, *, root: Path, split: str, pictures: str, mean_pose: Array, mesh: Mesh) -> None:
        if pictures not in PICTURES:
            raise ValueError(f"AGORA has no pictures {pictures!r}; choose one of {', '.join(PICTURES)}")
        require(self.sources(root=root, split=split, pictures=pictures))
        self.skipped: Counter[str] = Counter()
        self._folder, self._pictures = root / "data", pictures
        self._mean_pose, self._mesh = mean_pose, mesh
        self._table = SampleTable(self._read(_file(root, split)))

    @staticmethod
    def sources(*, root: Path, split: str, pictures: str) -> list[Source]:
        """What is read."""
        folder = {"1280x720": "1280x720", "crops": "images_3840x2160"}[pictures]
        return [
            Source(root / "data" / folder, "pictures", _ORIGIN),
            Source(root / "data" / "smplx_params_cam", "parameters of SMPL-X", _ORIGIN),
            Source(root / "data" / "cam_params", "cameras", _ORIGIN),
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
            reason = self._unusable(image, annotation)
            if reason is None:
                yield self._sample(image, annotation)
            else:
                self.skipped[reason] += 1

    def _unusable(self, image: Json, annotation: Json) -> str | None:
        if not annotation["is_valid"]:
            return "marked as not valid"
        if annotation["kid"]:
            return "child"
        if self._pictures == "crops" and not self._crop(image, annotation).with_suffix(".json").is_file():
            return "no crop"
        return "empty box" if _inside(annotation["bbox"]) is None else None

    def _sample(self, image: Json, annotation: Json) -> Sample:
        # a crop is cut around the box as it is annotated, beyond the picture's border too
        picture, box, affine = self._folder / image["file_name_1280x720"], _inside(annotation["bbox"]), _SHRINKING
        if self._pictures == "crops":
            picture, box = self._crop(image, annotation), _corners(annotation["bbox"])
            affine = _counted_from_the_edge(np.array(read_json(picture.with_suffix(".json"))["affine_mat"]))
        assert box is not None
        sample = labeled_sample(
            name=f"AGORA {picture.name}, annotation {annotation['id']}",
            image=picture,
            box=_mapped(box, affine).astype(np.float32),
            points=(np.zeros((len(WHOLE.points), 2), np.float32), np.zeros(len(WHOLE.points), bool)),
            regions=_regions(annotation, affine),
        )
        return replace(sample, fit=self._fit(annotation, affine))

    def _crop(self, image: Json, annotation: Json) -> Path:
        full = Path(image["file_name_3840x2160"])
        name = f"{full.stem}_person_id_{annotation['person_id']}.png"
        return self._folder / "images_3840x2160" / f"{full.parent.name}_crop" / name

    def _fit(self, annotation: Json, affine: Array) -> Fit:
        values = read_json(self._folder / annotation["smplx_param_path"])
        camera = read_json(self._folder / annotation["cam_param_path"])
        parameters = {name: np.ravel(values[key]) for key, name in _NAMES.items()}
        fit = read_fit(WHOLE, parameters | {"gender": annotation["gender"]}, camera, self._mean_pose)
        scale = affine[[0, 1], [0, 1]]
        center = affine[:, :2] @ np.ravel(camera["princpt"]) + affine[:, 2]
        return replace(
            fit,
            expression=fit.expression[:10],
            focal=(fit.focal * scale).astype(np.float32),
            principal_point=center.astype(np.float32),
        )


def _corners(box: list[float]) -> Array:
    """x, y, width, height -> (4,) xyxy."""
    x, y, width, height = box
    return np.array([x, y, x + width, y + height])


def _inside(box: list[float]) -> Array | None:
    """(4,) xyxy of the box's part in the large picture; None if there is none."""
    corners = _corners(box)
    clipped = np.concatenate([np.maximum(corners[:2], 0), np.minimum(corners[2:], _FULL)])
    return clipped if (clipped[2:] > clipped[:2]).all() else None


def _regions(annotation: Json, affine: Array) -> tuple[Array, Mask]:
    """(3, 4) and (3,) as in `Sample`."""
    found = [_inside(annotation[key]) for key in REGIONS]
    valid = np.array([box is not None for box in found])
    boxes = np.stack([np.zeros(4) if box is None else _mapped(box, affine) for box in found])
    return boxes.astype(np.float32), valid


def _mapped(box: Array, affine: Array) -> Array:
    """(4,) xyxy of the large picture -> of the picture that is read; the map does not turn."""
    return np.asarray(box.reshape(2, 2) @ affine[:, :2].T + affine[:, 2]).reshape(4)


def _counted_from_the_edge(affine: Array) -> Array:
    """A (2, 3) map between the middles of pixels, as OpenCV applied it, as one between pixels from the edge."""
    half = np.full(2, HALF_PIXEL)
    return np.column_stack([affine[:, :2], affine[:, 2] - affine[:, :2] @ half + half])


def _file(root: Path, split: str) -> Path:
    return root / "data" / f"AGORA_{split}_SMPLX.json"
