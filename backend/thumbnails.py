"""Thumbnails of people, to choose among them: each cut from the frame in which the person is seen best."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .frames import Image

Array = NDArray[np.float64]

HEIGHT = 160
"""Pixels."""
MARGIN = 1.15
ASPECTS = (0.4, 1.0)
"""Width by height; narrower and wider people get more or less of what is around them."""
BETTER = 1.1
"""A new picture replaces the one before if it is so much better; else every step towards the camera would."""
BORDER = 0.01
"""Share of the picture's sides. A box that comes so near to the border goes on beyond it."""
CUT_OFF = 0.5
"""What a picture of somebody who is cut off by the border is worth."""
CROWDED = 0.7
"""What a picture is worth in which somebody else's box reaches into theirs."""


class Portraits:
    """Collects the best picture of each track while the tracks grow."""

    def __init__(self) -> None:
        self._best: dict[int, tuple[float, Image]] = {}

    def update(self, image: Image, sightings: dict[int, Array]) -> None:
        """Look at one more frame.

        Args:
            image: (H, W, 3) RGB.
            sightings: number of the track -> (4,) box xyxy of whoever was found in the frame.
        """
        for key, box in sightings.items():
            others = [other for track, other in sightings.items() if track != key]
            worth = _worth(box, others, image)
            if key not in self._best or worth > BETTER * self._best[key][0]:
                self._best[key] = worth, cut(image, box)

    def of(self, key: int) -> Image:
        """The picture of a track."""
        return self._best[key][1]


def cut(image: Image, box: Array) -> Image:
    """(H, W, 3) frame, (4,) box xyxy -> (160, w, 3) the person with a little around them; black beyond the frame."""
    height = max(MARGIN * float(box[3] - box[1]), 1.0)
    width = float(np.clip(MARGIN * (box[2] - box[0]), ASPECTS[0] * height, ASPECTS[1] * height))
    scale = HEIGHT / height
    size = (max(round(width * scale), 1), HEIGHT)
    center = (box[:2] + box[2:]) / 2
    half = np.array([width, height]) / 2
    left, top = np.floor(center - half).astype(int)
    right, bottom = np.ceil(center + half).astype(int)
    pads = max(0, -top), max(0, bottom - image.shape[0]), max(0, -left), max(0, right - image.shape[1])
    inside = image[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    whole = np.pad(inside, (pads[:2], pads[2:], (0, 0)))
    shrinks = size[1] < whole.shape[0]
    return np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR), np.uint8)


def save_png(image: Image, path: Path) -> None:
    """Write a picture (H, W, 3) RGB."""
    _, data = cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))
    path.write_bytes(data.tobytes())


def _worth(box: Array, others: list[Array], image: Image) -> float:
    """How good a picture would be: large, whole, alone."""
    height, width = image.shape[:2]
    margins = np.array([box[0] / width, box[1] / height, 1 - box[2] / width, 1 - box[3] / height])
    size = math.sqrt(max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0))
    whole = CUT_OFF if margins.min() < BORDER else 1.0
    alone = CROWDED if any(_overlaps(box, other) for other in others) else 1.0
    return size * whole * alone


def _overlaps(first: Array, second: Array) -> bool:
    return bool(np.all(np.minimum(first[2:], second[2:]) > np.maximum(first[:2], second[:2])))
