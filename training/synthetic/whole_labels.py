"""The labels of rendered people as the data set keeps them: 137 points, boxes, parameters."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...backend.body.joints import LEFT_HAND21, POINT_NAMES, RIGHT_HAND21
from ...backend.motion.rotations import axis_angle_from_matrix
from ..body_models.joint_sets import WHOLE
from .face_landmarks import COUNT as FACE_LANDMARKS
from .people import People

REGION_POINTS = (
    LEFT_HAND21,
    RIGHT_HAND21,
    tuple(range(len(POINT_NAMES), len(POINT_NAMES) + FACE_LANDMARKS)),
)
"""Points of left hand, right hand and face among the 144 of the layer."""
REGION_MARGIN = 1.2
"""Boxes are so much larger than the extent of their points, as AGORA's are."""


def whole_labels(people: People) -> dict[str, NDArray[Any]]:
    """The arrays of `people.npz` for N people, see `picture_set`.

    Returns:
        rotations (N, 55, 3) axis-angle, betas (N, 10), expression (N, 10), trans (N, 3) meters; focal and
        principal_point (N, 2), points_2d (N, 137, 2), boxes (N, 4) and regions (N, 3, 4) in pixels; points_visible
        (N, 137) bool and regions_visible (N, 3), the share of a region's points that is seen.
    """
    points = torch.cat([people.points_2d, people.face_2d], dim=1)
    seen = torch.cat([people.visible, people.face_visible], dim=1)
    kept = list(WHOLE.layer_points)
    rotations = axis_angle_from_matrix(people.rotations.cpu().double().numpy())
    floats = {
        "betas": people.betas,
        "expression": people.expression,
        "trans": people.translation,
        "focal": people.focal[:, None].expand(-1, 2),
        "principal_point": people.center,
        "points_2d": points[:, kept],
        "boxes": people.boxes,
        "regions": torch.stack([_region(points[:, list(part)]) for part in REGION_POINTS], dim=1),
        "regions_visible": torch.stack([seen[:, list(part)].float().mean(1) for part in REGION_POINTS], dim=1),
    }
    arrays = {name: value.cpu().numpy().astype(np.float32) for name, value in floats.items()}
    visible = seen[:, kept].cpu().numpy()
    return {"rotations": rotations.astype(np.float32), **arrays, "points_visible": visible}


def _region(points: Tensor) -> Tensor:
    """(N, P, 2) -> (N, 4): their extent, enlarged about its middle."""
    low, high = points.amin(1), points.amax(1)
    middle, half = (low + high) / 2, (high - low) / 2 * REGION_MARGIN
    return torch.cat([middle - half, middle + half], dim=1)
