"""A sheet of rendered people with their labels drawn in, to look at."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..body_models.joint_sets import WHOLE

Image = NDArray[np.uint8]
SEEN, HIDDEN = (90, 230, 90), (70, 70, 255)
PERSON, REGIONS = (255, 255, 255), ((255, 170, 60), (60, 200, 255), (230, 90, 230))
"""Colors (blue, green, red): labels; the person's box; left hand, right hand, face."""


def draw_sheet(pictures: list[Image], labels: dict[str, NDArray[Any]], columns: int = 8, height: int = 384) -> Image:
    """Pictures (H, W, 3) in the order blue, green, red, side by side with their labels as `whole_labels` gives them."""
    rows_of = ({key: value[row] for key, value in labels.items()} for row in range(len(pictures)))
    cells = [_cell(picture, one, height) for picture, one in zip(pictures, rows_of, strict=True)]
    cells += [np.zeros_like(cells[0])] * (-len(cells) % columns)
    rows = [np.concatenate(cells[start : start + columns], axis=1) for start in range(0, len(cells), columns)]
    return np.concatenate(rows)


def _cell(picture: Image, labels: dict[str, NDArray[Any]], height: int) -> Image:
    scale = height / picture.shape[0]
    cell: Image = np.ascontiguousarray(cv2.resize(picture, None, fx=scale, fy=scale), dtype=np.uint8)
    _box(cell, labels["boxes"] * scale, PERSON)
    for region, share, color in zip(labels["regions"], labels["regions_visible"], REGIONS, strict=True):
        if share > 0:
            _box(cell, region * scale, color)
    body = WHOLE.parts[0].points.stop
    for number, (point, seen) in enumerate(zip(labels["points_2d"], labels["points_visible"], strict=True)):
        place = tuple(int(x * 8) for x in (point * scale).clip(-1000, 10000))
        cv2.circle(cell, place, (20 if number < body else 10), SEEN if seen else HIDDEN, -1, cv2.LINE_AA, 3)
    return cell


def _box(cell: Image, box: NDArray[Any], color: tuple[int, int, int]) -> None:
    x1, y1, x2, y2 = (int(x) for x in box.clip(-1000, 10000))
    cv2.rectangle(cell, (x1, y1), (x2, y2), color, 1, cv2.LINE_AA)
