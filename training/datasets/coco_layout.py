"""What the data sets in the layout of COCO share: reading, boxes, labels by name.

Their annotations count pixels from the middle of the first one, as OpenCV does: the authors' released code mirrors
x to W - 1 - x. A `Sample` counts from the picture's edge: half a pixel is added to labels, boxes, principal points.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..body_models.joint_sets import JointSet, matching
from .sample import Array, Mask, Sample

HALF_PIXEL = 0.5

Json = Any
"""What a JSON file holds."""


class AnnotationError(ValueError):
    """An annotation file that is damaged, or of another layout."""


def read_json(file: Path) -> Json:
    """What stands in a JSON file.

    Raises:
        AnnotationError: it is no JSON.
    """
    try:
        return json.loads(file.read_bytes())
    except ValueError as error:
        raise AnnotationError(f"{file} is damaged ({error}); get it again") from error


def annotated(data: Json) -> Iterator[tuple[Json, Json]]:
    """Each annotation of a COCO file with its image."""
    images = {image["id"]: image for image in data["images"]}
    for annotation in data["annotations"]:
        yield images[annotation["image_id"]], annotation


def clipped_box(box: Sequence[float], width: int, height: int) -> Array | None:
    """A person's box, cut at the picture's border by the rule of the authors' released code.

    A box that begins left of the picture or above it is first pushed inside with its size, which is then cut.

    Args:
        box: x, y, width, height as in the file.
        width: of the picture.
        height: of the picture.

    Returns:
        (4,) xyxy as in `Sample`; None if nothing is left of it.
    """
    x, y, w, h = box
    left, top = max(0.0, x), max(0.0, y)
    right, bottom = min(width - 1.0, left + max(0.0, w - 1)), min(height - 1.0, top + max(0.0, h - 1))
    if w * h <= 0 or right <= left or bottom <= top:
        return None
    return np.array([left, top, right, bottom], dtype=np.float32) + np.float32(HALF_PIXEL)


def region_boxes(annotation: Json, keys: Sequence[tuple[str, str]]) -> tuple[Array, Mask]:
    """Boxes of left hand, right hand and face.

    Args:
        annotation: holds x, y, width, height of each.
        keys: of each box and of its flag.

    Returns:
        (3, 4) xyxy and (3,); zero where the flag is not set.
    """
    boxes = np.array([annotation[box] if annotation[flag] else (0, 0, 0, 0) for box, flag in keys], dtype=np.float32)
    valid = np.array([bool(annotation[flag]) for _, flag in keys])
    boxes[:, 2:] += boxes[:, :2]
    return (boxes + np.float32(HALF_PIXEL)) * valid[:, None], valid


NO_REGIONS = (np.zeros((3, 4), np.float32), np.zeros(3, bool))
"""Boxes of a data set that has none, and their mask."""


def placed(joint_set: JointSet, labels: Sequence[str], values: Array, valid: Mask) -> tuple[Array, Mask]:
    """A data set's labels as points of a joint set, by equal names.

    Args:
        joint_set: J points.
        labels: L names.
        values: (L, D).
        valid: (L,).

    Returns:
        (J, D) and (J,); zero where the data set has no such label.
    """
    rows, places = matching(joint_set, labels)
    points = np.zeros((len(joint_set.points), values.shape[1]), dtype=np.float32)
    mask = np.zeros(len(joint_set.points), dtype=bool)
    mask[places] = valid[rows]
    points[places] = values[rows]
    return points * mask[:, None], mask


def labeled_sample(
    *,
    name: str,
    image: Path,
    box: Array,
    points: tuple[Array, Mask],
    points_3d: tuple[Array, Mask] | None = None,
    regions: tuple[Array, Mask] = NO_REGIONS,
    mirrored: bool = False,
) -> Sample:
    """A sample whose fit is still to come; each pair is values and mask as in `Sample`."""
    if points_3d is None:
        points_3d = np.zeros((len(points[1]), 3), np.float32), np.zeros(len(points[1]), bool)
    return Sample(
        name=name,
        image=image,
        box=box,
        points=points[0],
        points_valid=points[1],
        points_3d=points_3d[0],
        points_3d_valid=points_3d[1],
        fit=None,
        regions=regions[0],
        regions_valid=regions[1],
        mirrored=mirrored,
    )
