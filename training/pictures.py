"""Opening a sample's picture and cutting the network's input out of it.

Pixels are continuous: 0 is a picture's left or upper edge, 0.5 the middle of its first pixel.
"""

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]

MARGIN = 1.25
"""Boxes are grown by it about their centers (the authors' released code; the paper does not say)."""
SHARP_SCALE = 0.5
"""Pictures are shrunk by averaging first if the crop would take less than every second pixel, as a capture does."""

_READ = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION  # annotations count pixels as they are stored


class SampleError(ValueError):
    """A sample that cannot be used; its name is in the text."""


def read_picture(path: Path, name: str) -> Image:
    """Decode a JPEG or PNG file as it is stored, without turning it by its EXIF orientation.

    Args:
        path: the file.
        name: of the sample, for errors.

    Returns:
        (H, W, 3) RGB.

    Raises:
        SampleError: the file is missing, cut short or no picture.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SampleError(f"{name}: {path} cannot be read ({error.strerror}); is the data set complete?") from error
    image = cv2.imdecode(np.frombuffer(data, np.uint8), _READ) if data else None
    if image is None:
        raise SampleError(f"{name}: {path} ({len(data)} bytes) is no picture that OpenCV can decode; fetch it again")
    if _cut_short(data):
        raise SampleError(f"{name}: {path} ends after {len(data)} bytes in the middle of the picture; fetch it again")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _cut_short(data: bytes) -> bool:
    """Whether the end of a JPEG or PNG is missing, which OpenCV fills with gray without saying so."""
    if data.startswith(b"\xff\xd8"):  # an end of image after the last start of scan (a thumbnail has its own before)
        return data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
    return data.startswith(b"\x89PNG") and b"IEND" not in data


def mirrored(image: Image) -> Image:
    """The picture with left and right exchanged."""
    return np.asarray(cv2.flip(image, 1), dtype=np.uint8)


def crop_affine(box: Floats, size: tuple[int, int], *, scale: float = 1.0, turn: float = 0.0) -> Floats:
    """The map from a picture to the crop around a box.

    The box keeps its center; its shorter side is grown to the crop's aspect ratio, then both by `MARGIN`.

    Args:
        box: (4,) xyxy, pixels of the picture.
        size: height and width of the crop.
        scale: of the box; above 1 the person gets smaller.
        turn: radians by which the box is turned, clockwise on the screen; what is in the crop turns the other way.

    Returns:
        (2, 3) pixels of the picture -> pixels of the crop.
    """
    height, width = size
    center = (np.asarray(box[:2], dtype=np.float64) + box[2:]) / 2
    grown_width = max(float(box[2] - box[0]), float(box[3] - box[1]) * width / height) * MARGIN * scale
    zoom = width / grown_width
    cosine, sine = zoom * math.cos(turn), zoom * math.sin(turn)
    linear = np.array([[cosine, sine], [-sine, cosine]])
    return np.column_stack([linear, np.array([width, height]) / 2 - linear @ center])


def crop_picture(image: Image, affine: Floats, size: tuple[int, int]) -> Image:
    """Cut a crop out of a picture: bilinear, black outside.

    Args:
        image: (H, W, 3).
        affine: (2, 3) as `crop_affine` gives it.
        size: height and width of the crop.
    """
    linear, shift = np.array(affine[:, :2], dtype=np.float64), affine[:, 2]
    zoom = math.sqrt(abs(float(np.linalg.det(linear))))
    if zoom < SHARP_SCALE:
        block = max(1, min(int(1 / zoom), *image.shape[:2]))
        image = _shrunk(image, block)
        linear *= block
    shift = shift + linear @ (0.5, 0.5) - 0.5  # OpenCV counts from the middle of the first pixel
    cut = cv2.warpAffine(image, np.column_stack([linear, shift]), size[::-1], flags=cv2.INTER_LINEAR)
    return np.asarray(cut, dtype=np.uint8)


def _shrunk(image: Image, block: int) -> Image:
    """The picture averaged over blocks of pixels; what does not fill a block at the right and below is left out."""
    rows, columns = image.shape[0] // block, image.shape[1] // block
    whole = image[: rows * block, : columns * block]
    return np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def to_crop(points: Floats, affine: Floats) -> Floats:
    """(..., 2) pixels of the picture -> (..., 2) pixels of the crop."""
    return np.asarray(points @ affine[:, :2].T + affine[:, 2])


def boxes_to_crop(boxes: Floats, affine: Floats) -> Floats:
    """(..., 4) xyxy of the picture -> (..., 4) xyxy of the upright boxes around their four corners in the crop."""
    corners = to_crop(boxes[..., [[0, 1], [2, 1], [2, 3], [0, 3]]], affine)
    return np.concatenate([corners.min(axis=-2), corners.max(axis=-2)], axis=-1)
