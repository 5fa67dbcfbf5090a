"""The picture of one person that the network sees, and the way back into the frame.

Places are counted continuously, as in the network: 0 is a picture's left edge, 0.5 the middle of its first pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from .frames import Image

Array = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]

CROP_WIDTH, CROP_HEIGHT = 384, 512
MARGIN = 1.25
SMOOTHING_SECONDS = 0.1
"""Standard deviation of the filter that keeps crops from shaking with the detector."""
SHARP_SCALE = 0.5
"""Frames are shrunk by averaging first if the crop would take less than every second pixel."""


@dataclass(frozen=True)
class CropTransform:
    """Scaling and shift between places in the frame and in the crop."""

    center: Array
    """(2,) of the crop, pixels of the frame."""
    scale: float
    """Crop pixels for each pixel of the frame."""

    @property
    def shift(self) -> Array:
        """(2,) place of the frame's corner in the crop."""
        return np.array([CROP_WIDTH, CROP_HEIGHT]) / 2 - self.scale * self.center

    def to_crop(self, points: Floats) -> Array:
        """(..., 2) pixels of the frame -> (..., 2) pixels of the crop."""
        return np.asarray(points * self.scale + self.shift, dtype=np.float64)

    def to_frame(self, points: Floats) -> Array:
        """(..., 2) pixels of the crop -> (..., 2) pixels of the frame."""
        return np.asarray((points - self.shift) / self.scale, dtype=np.float64)


def crop_transform(box: Floats) -> CropTransform:
    """The crop of a (4,) box xyxy: same center, grown to the crop's aspect ratio and by the margin."""
    width, height = max(float(box[2] - box[0]), 1.0), max(float(box[3] - box[1]), 1.0)
    grown_height = MARGIN * max(height, width * CROP_HEIGHT / CROP_WIDTH)
    center = (np.asarray(box[:2], dtype=np.float64) + box[2:]) / 2
    return CropTransform(center=center, scale=CROP_HEIGHT / grown_height)


def crop(image: Image, transform: CropTransform) -> Image:
    """(H, W, 3) frame -> (512, 384, 3); black outside the frame."""
    corner, block = np.zeros(2), 1
    if transform.scale < SHARP_SCALE:
        image, corner, block = _shrunk(image, transform)
    scale = transform.scale * block
    shift = transform.shift + transform.scale * corner
    shift = shift + 0.5 * scale - 0.5  # OpenCV counts from the middle of the first pixel
    matrix = np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
    cut = cv2.warpAffine(image, matrix, (CROP_WIDTH, CROP_HEIGHT), flags=cv2.INTER_LINEAR)
    return np.asarray(cut, dtype=np.uint8)


def smooth_boxes(boxes: Array, times: Array) -> Array:
    """(T, 4) boxes at (T,) seconds -> the same, gently smoothed over time."""
    if len(boxes) < 3:
        return boxes
    step = (times[-1] - times[0]) / (len(times) - 1)
    return np.asarray(gaussian_filter1d(boxes, SMOOTHING_SECONDS / step, axis=0, mode="nearest"))


def ray_rotation(center: Floats, focal: Array, principal_point: Array) -> Array:
    """The rotation from a crop's own camera, which looks straight at the crop's center, to the camera of the frame.

    It is the smallest rotation that turns the viewing direction onto the ray through the crop's center.

    Args:
        center: (2,) of the crop, pixels of the frame.
        focal: (2,) pixels.
        principal_point: (2,) pixels.

    Returns:
        (3, 3): rotation in the crop's camera axes -> rotation in the camera axes of the frame, by multiplying from
        the left.
    """
    ray = np.append((center - principal_point) / focal, 1.0)
    x, y, z = ray / np.linalg.norm(ray)
    skew = np.array([[0.0, 0.0, x], [0.0, 0.0, y], [-x, -y, 0.0]])  # of the axis (0, 0, 1) x ray = (-y, x, 0)
    return np.asarray(np.eye(3) + skew + skew @ skew / (1.0 + z))


def _shrunk(image: Image, transform: CropTransform) -> tuple[Image, Array, int]:
    """The part of the frame that the crop shows, averaged over blocks of pixels; its corner and the block's side."""
    block = int(1.0 / transform.scale)
    half = np.array([CROP_WIDTH, CROP_HEIGHT]) / transform.scale / 2 + block
    height, width = image.shape[:2]
    left, top = np.clip(np.floor(transform.center - half), 0, [width - 1, height - 1]).astype(int).tolist()
    right, bottom = np.clip(np.ceil(transform.center + half), 1, [width, height]).astype(int).tolist()
    columns, rows = max((right - left) // block, 1), max((bottom - top) // block, 1)
    part = image[top : top + rows * block, left : left + columns * block]
    small = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8), np.array([left, top], dtype=np.float64), block
