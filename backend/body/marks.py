"""Where people mark joints: a keypoint network learnt from their marks, which are not a body model's joints.

Hips are marked wider and higher than the heads of the thighs, shoulders higher, knees lower and ankles higher. People
differ in it; these are means.
"""

import torch
from torch import Tensor

MARKS: tuple[tuple[int, int, int, float], ...] = (
    (13, 11, 13, 0.008),
    (15, 13, 15, -0.018),
    (7, 5, 7, -0.005),
    (9, 7, 9, -0.005),
    (11, 12, 11, 0.014),
    (11, 11, 5, 0.01),
    (5, 6, 5, 0.0),
    (5, 11, 5, 0.017),
)
"""A COCO keypoint of the left side, start and end of the direction in which it is marked away from the joint, and how
far, in meters; the right side is the same. The numbers lie between what MoveNet Thunder does on 128 renders of the open
body, whose joints are known, and on the people of two clips, whose keypoints were triangulated from four cameras and
fitted with the open body and free offsets (which left 10 mm of 21 mm)."""


def marked(joints: Tensor) -> Tensor:
    """(..., 17, 3) a body's COCO joints in meters -> where a keypoint network would see them."""
    return move_marks(joints, joints.new_tensor([far for *_, far in MARKS]))


def move_marks(joints: Tensor, distances: Tensor) -> Tensor:
    """Move joints along the directions of `MARKS`.

    Args:
        joints: (..., 17, 3) COCO points, meters.
        distances: (8, ...) meters for each of `MARKS`; what comes after the first axis broadcasts with the joints'.

    Returns:
        (..., 17, 3).
    """
    moved = joints.clone()
    for (left, start, end, _), distance in zip(MARKS, distances, strict=True):
        for joint, near, far in ((left, start, end), tuple(other_side(point) for point in (left, start, end))):
            direction = torch.nn.functional.normalize(joints[..., far, :] - joints[..., near, :], dim=-1)
            moved[..., joint, :] += distance * direction
    return moved


def other_side(point: int) -> int:
    """COCO numbers left points oddly and right ones evenly, from 1 on."""
    return point + 1 if point % 2 else point - 1
