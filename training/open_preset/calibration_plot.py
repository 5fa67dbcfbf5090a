"""A picture of how often joints are right of which the network is so sure, before and after calibration."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

COLUMNS = 5
PANEL, MARGIN = 170, 34
"""Pixels of a panel's axes and around them."""
SCALE = 2
"""Everything is drawn so much larger and shrunk, for smooth lines."""
BEFORE, AFTER, INK, GRID = (70, 110, 235), (120, 150, 30), (60, 60, 60), (222, 222, 222)
"""BGR."""


def draw_reliability(curves: Mapping[str, tuple[Array, Array]], path: Path) -> None:
    """Write one panel for each group of joints: raw scores orange, calibrated confidence green, perfect gray.

    Args:
        curves: by group, before and after: (K, 2) mean confidence and share of right answers.
        path: of the picture.
    """
    panels = [_panel(name, *pair) for name, pair in curves.items()]
    blank = np.full_like(panels[0], 255)
    panels += [blank] * (-len(panels) % COLUMNS)
    rows = [np.concatenate(panels[start : start + COLUMNS], axis=1) for start in range(0, len(panels), COLUMNS)]
    canvas = np.concatenate([*rows, _legend(rows[0].shape[1])])
    small = cv2.resize(canvas, None, fx=1 / SCALE, fy=1 / SCALE, interpolation=cv2.INTER_AREA)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), small, [cv2.IMWRITE_PNG_COMPRESSION, 9])


def _panel(name: str, before: Array, after: Array) -> Image:
    side = (PANEL + 2 * MARGIN) * SCALE
    image = np.full((side, side, 3), 255, np.uint8)
    for tick in (0.0, 0.5, 1.0):
        for line in (((tick, 0), (tick, 1)), ((0, tick), (1, tick))):
            cv2.line(image, _place(line[0]), _place(line[1]), GRID, SCALE)
        _write(image, f"{tick:g}", (tick - 0.04, -0.11), 0.36)
        _write(image, f"{tick:g}", (-0.16, tick - 0.02), 0.36)
    cv2.line(image, _place((0, 0)), _place((1, 1)), (165, 165, 165), SCALE, cv2.LINE_AA)
    for curve, color in ((before, BEFORE), (after, AFTER)):
        points = [_place((x, y)) for x, y in curve]
        cv2.polylines(image, [np.array(points, np.int32)], False, color, 2 * SCALE, cv2.LINE_AA)
        for point in points:
            cv2.circle(image, point, 3 * SCALE, color, -1, cv2.LINE_AA)
    _write(image, name, (0.0, 1.05), 0.5)
    return image


def _legend(width: int) -> Image:
    image = np.full((30 * SCALE, width, 3), 255, np.uint8)
    texts = (("raw scores", BEFORE), ("confidence (calibrated)", AFTER), ("across: predicted, up: actual share", INK))
    for (text, color), left in zip(texts, (MARGIN, MARGIN + 150, MARGIN + 390), strict=True):
        place = (left * SCALE, 20 * SCALE)
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5 * SCALE, color, SCALE, cv2.LINE_AA)
    return image


def _place(point: tuple[float, float]) -> tuple[int, int]:
    """0..1 to pixels, the second axis upwards."""
    return round((MARGIN + PANEL * point[0]) * SCALE), round((MARGIN + PANEL * (1 - point[1])) * SCALE)


def _write(image: Image, text: str, point: tuple[float, float], size: float) -> None:
    cv2.putText(image, text, _place(point), cv2.FONT_HERSHEY_SIMPLEX, size * SCALE, INK, SCALE, cv2.LINE_AA)
