"""The changes that a sample is trained with: what is drawn, the mirrored sample, the colors.

Scale, rotation, horizontal flip and color (paper section 4). How they are distributed is the authors' released code;
the paper does not say.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from .body_models.joint_sets import JointSet
from .config import Augmentation
from .datasets.sample import Array, Sample
from .pictures import Image


@dataclass(frozen=True)
class Draw:
    """What one example is changed by; the defaults change nothing."""

    scale: float = 1.0
    turn: float = 0.0
    color: tuple[float, float, float] = (1.0, 1.0, 1.0)
    flip: bool = False

    @staticmethod
    def at_random(augmentation: Augmentation, random: np.random.Generator) -> "Draw":
        """Draw for one example; always takes the same number of random numbers."""
        scale, turn = random.standard_normal(2)
        turned, flipped = random.random(2)
        red, green, blue = 1 + augmentation.color * random.uniform(-1, 1, 3)
        angle = math.radians(augmentation.rotation) * float(np.clip(turn, -2, 2))
        return Draw(
            scale=1 + augmentation.scale * float(np.clip(scale, -1, 1)),
            turn=angle if turned < augmentation.rotation_share else 0.0,
            color=(red, green, blue),
            flip=bool(flipped < augmentation.flip),
        )


def flip_sample(sample: Sample, width: float, joint_set: JointSet) -> Sample:
    """The sample of the mirrored picture.

    Labels and boxes are mirrored, what belongs to a side is swapped with the other side's. In the fit the parameters
    become those of the mirrored person, which is exact as far as the body model is its own mirror image.

    Args:
        sample: of a picture of this width.
        width: pixels.
        joint_set: whose pairs are swapped.
    """
    points = _swapped(len(joint_set.points), joint_set.point_pairs)
    rotations = _swapped(len(joint_set.rotations), joint_set.rotation_pairs)
    sides = _swapped(3, ((0, 1),) if joint_set.point_pairs else ())
    mirror_2d, mirror_3d = np.array([-1, 1], np.float32), np.array([-1, 1, 1], np.float32)
    edge = np.array([width, 0], np.float32)
    fit = sample.fit and replace(
        sample.fit,
        rotations=sample.fit.rotations[rotations] * -mirror_3d,
        rotations_valid=sample.fit.rotations_valid[rotations],
        trans=sample.fit.trans * mirror_3d,
        points_valid=sample.fit.points_valid[points],
        principal_point=sample.fit.principal_point * mirror_2d + edge,
    )
    return replace(
        sample,
        box=_flipped_boxes(sample.box, width),
        points=sample.points[points] * mirror_2d + edge,
        points_valid=sample.points_valid[points],
        points_3d=sample.points_3d[points] * mirror_3d,
        points_3d_valid=sample.points_3d_valid[points],
        fit=fit,
        regions=_flipped_boxes(sample.regions[sides], width),
        regions_valid=sample.regions_valid[sides],
    )


def _swapped(count: int, pairs: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """(count,) the places with both of each pair exchanged."""
    order = np.arange(count)
    for left, right in pairs:
        order[left], order[right] = right, left
    return order


def _flipped_boxes(boxes: Array, width: float) -> Array:
    left, top, right, bottom = np.moveaxis(boxes, -1, 0)
    return np.asarray(np.stack([width - right, top, width - left, bottom], axis=-1), dtype=np.float32)


def recolored(image: Image, factors: tuple[float, float, float]) -> Image:
    """(H, W, 3) with each channel multiplied by its factor, kept within 0..255."""
    if factors == (1.0, 1.0, 1.0):
        return image
    table = np.arange(256)[:, None] * np.array(factors)
    return np.asarray(cv2.LUT(image, np.clip(np.rint(table), 0, 255).astype(np.uint8)[None]), dtype=np.uint8)
