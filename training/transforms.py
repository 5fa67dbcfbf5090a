"""From a sample to what a network is trained on: decoded, mirrored, cropped, turned, its colors changed.

The order (flip, then the crop, colors last) is that of the authors' released code; the paper does not give one.
Without augmentation the same code gives the examples of a test.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ..backend.motion.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from .augmentation import Draw, flip_sample, recolored
from .body_models.joint_sets import JointSet
from .config import Augmentation
from .datasets.sample import Fit, Sample, Samples
from .pictures import SampleError, boxes_to_crop, crop_affine, crop_picture, mirrored, read_picture, to_crop

__all__ = ["Draw", "Example", "Prepare", "PreparedSamples", "SampleError"]

Example = dict[str, Tensor]
"""One example, J points and R rotations in the order of the joint set; masks are booleans.

- `image` (3, H, W) uint8 RGB, the crop.
- `points` (J, 2) pixels of the crop, `points_valid` (J,): labels, off where they lie outside of the crop.
- `points_3d` (J, 3) meters, camera axes, flipped and turned with the crop; `points_3d_valid` (J,).
- `rotations` (R, 3) axis-angle, radians, flipped and turned; `rotations_valid` (R,).
- `betas` (10,), `betas_valid` (), `expression` (10,), `expression_valid` ().
- `fit_rotations` (R, 3), `fit_trans` (3,), `focal` (2,), `principal_point` (2,): neither flipped nor turned, to pose
  the body model and to project it into the picture before the flip; zeros (focal: ones) without a fit.
- `fit_points_valid` (J,): which points of that model may be learnt from, already swapped by the flip.
- `picture_width` () pixels; `flipped` (): x of the picture becomes `picture_width` - x, camera x becomes -x.
- `affine` (2, 3) pixels of the picture after the flip -> pixels of the crop.
- `turn` () radians: the crop's box is turned by it, so camera points and the root are multiplied by Rz(-turn).
- `regions` (3, 4) xyxy of left hand, right hand, face, pixels of the crop; `regions_valid` (3,).
- `index` (), `group` (): int64, the sample's place in its data set and its group in the mix.
"""

LARGEST_BETA = 3.0
"""Shapes with a coefficient beyond it are set to the mean shape (the authors' released code)."""


class Prepare:
    """Makes examples of one size for one joint set.

    Args:
        joint_set: of the samples.
        size: height and width of the crop, pixels.
        augmentation: None changes nothing, as for a test.
    """

    def __init__(self, *, joint_set: JointSet, size: tuple[int, int], augmentation: Augmentation | None) -> None:
        self._joint_set = joint_set
        self.size = size
        self._augmentation = augmentation

    def __call__(self, sample: Sample, random: np.random.Generator) -> Example:
        """Open the picture and make the example, without its `index` and `group`.

        Raises:
            SampleError: the picture cannot be read, or the sample holds a number that is not finite or an empty box.
        """
        draw = Draw() if self._augmentation is None else Draw.at_random(self._augmentation, random)
        if not self._joint_set.point_pairs:  # a mirrored right hand is no right hand
            draw = replace(draw, flip=False)
        return self.changed(sample, draw)

    def changed(self, sample: Sample, draw: Draw) -> Example:
        """The example of a sample with the given changes.

        Raises:
            SampleError: as `__call__`.
        """
        image = read_picture(sample.image, sample.name)
        width = image.shape[1]
        if sample.mirrored:
            image, sample = mirrored(image), flip_sample(sample, width, self._joint_set)
        fit = sample.fit  # as the body model is posed: before the flip at random
        if draw.flip:
            image, sample = mirrored(image), flip_sample(sample, width, self._joint_set)
        if not (sample.box[2:] > sample.box[:2]).all():
            raise SampleError(f"{sample.name}: the box {sample.box.tolist()} (xyxy) is empty; leave the sample out")
        affine = crop_affine(sample.box, self.size, scale=draw.scale, turn=draw.turn)
        arrays = {
            **_labels(sample, affine, self.size, draw.turn),
            **_targets(sample.fit, len(self._joint_set.rotations), draw.turn),
            **_model_inputs(fit, len(self._joint_set.rotations)),
            "fit_points_valid": np.zeros(len(sample.points), bool) if sample.fit is None else sample.fit.points_valid,
            "affine": np.asarray(affine),
            "turn": np.array(draw.turn),
            "picture_width": np.array(float(width)),
            "flipped": np.array(draw.flip),
        }
        example = {key: _tensor(value, key, sample.name) for key, value in arrays.items()}
        crop = recolored(crop_picture(image, affine, self.size), draw.color)
        return {"image": torch.from_numpy(np.stack(cv2.split(crop))), **example}


class PreparedSamples(Dataset[Example]):
    """Samples made into examples, always the same ones for the same seed.

    An item is an index, an epoch, and how often the sample came before in the epoch.

    Args:
        samples: what to take from.
        prepare: makes an example of a sample.
        seed: of the augmentation.
        starts: index at which each group of the mix begins.
    """

    def __init__(self, *, samples: Samples, prepare: Prepare, seed: int, starts: Sequence[int] = (0,)) -> None:
        self.samples = samples
        self._prepare = prepare
        self._seed = seed
        self._starts = tuple(starts)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, item: tuple[int, int, int]) -> Example:
        """The example of a sample in an epoch; a sample that comes again in it is changed in another way.

        Raises:
            SampleError: see `Prepare`.
        """
        index, epoch, before = item
        random = np.random.default_rng([self._seed, epoch, index, before])
        example = self._prepare(self.samples[index], random)
        group = bisect_right(self._starts, index) - 1
        return {**example, "index": torch.tensor(index), "group": torch.tensor(group)}


def _labels(sample: Sample, affine: NDArray[Any], size: tuple[int, int], turn: float) -> dict[str, NDArray[Any]]:
    points = to_crop(sample.points, affine)
    inside = ((points >= 0) & (points < size[::-1])).all(axis=1)
    return {
        "points": points,
        "points_valid": sample.points_valid & inside,
        "points_3d": sample.points_3d @ _turn_matrix(turn).T,
        "points_3d_valid": sample.points_3d_valid,
        "regions": boxes_to_crop(sample.regions, affine),
        "regions_valid": sample.regions_valid,
    }


def _targets(fit: Fit | None, rotations: int, turn: float) -> dict[str, NDArray[Any]]:
    """What the network's parameters are compared with."""
    if fit is None:
        ten, no = np.zeros(10), np.array(False)
        return {
            "rotations": np.zeros((rotations, 3)),
            "rotations_valid": np.zeros(rotations, bool),
            **{"betas": ten, "betas_valid": no, "expression": ten, "expression_valid": no},
        }
    turned = fit.rotations.copy()
    if turn:
        turned[0] = axis_angle_from_matrix(_turn_matrix(turn) @ matrix_from_axis_angle(turned[0]))
    return {
        "rotations": turned,
        "rotations_valid": fit.rotations_valid,
        "betas": np.where(np.abs(fit.betas).max() > LARGEST_BETA, 0, fit.betas),
        "betas_valid": np.array(fit.betas_valid),
        "expression": fit.expression,
        "expression_valid": np.array(fit.expression_valid),
    }


def _model_inputs(fit: Fit | None, rotations: int) -> dict[str, NDArray[Any]]:
    """What the body model is posed and projected with."""
    return {
        "fit_rotations": np.zeros((rotations, 3)) if fit is None else fit.rotations,
        "fit_trans": np.zeros(3) if fit is None else fit.trans,
        "focal": np.ones(2) if fit is None else fit.focal,
        "principal_point": np.zeros(2) if fit is None else fit.principal_point,
    }


def _turn_matrix(turn: float) -> NDArray[np.float64]:
    """Rz(-turn): camera axes of the picture -> camera axes of the crop, whose box is turned by `turn`."""
    cosine, sine = math.cos(turn), math.sin(turn)
    return np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])


def _tensor(array: NDArray[Any], key: str, name: str) -> Tensor:
    if not np.isfinite(array).all():
        raise SampleError(f"{name}: {key} holds a number that is not finite; repair or leave out its annotation")
    return torch.from_numpy(np.array(array, dtype=bool if array.dtype == np.bool_ else np.float32))
