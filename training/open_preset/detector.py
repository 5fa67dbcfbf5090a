"""The errors of a pretrained keypoint detector and of a hand network, laid over true points.

Measured on real video: MoveNet Thunder's keypoints of 400 frames seen by four calibrated cameras, against the points
triangulated from all of them. Half of the limbs' keypoints are wrong by less than 1.5 % of the box's larger side, a
tenth by more than 5 %; a score of 0.9 goes with 1 %, one of 0.6 with 1.7 % and one of 0.25 with 5 %.
"""

import math

import torch
from torch import Tensor

from ...backend.body.joints import LEFT_MCP, POINT_INDEX, RIGHT_MCP
from ...backend.body.marks import MARKS, move_marks
from ..synthetic.randomness import chance, normal, uniform

FACE = slice(0, 5)
"""Nose, eyes and ears among the COCO points."""
_WRISTS, _ARMS, _LEGS, _BODY = (9,), (7, 9), (11, 13, 15), (1, 3, 5, 7, 9, 11, 13, 15)
"""Points of the left side that change places with the ones behind them."""
_EXCHANGES = ((_WRISTS, 0.006), (_ARMS, 0.006), (_LEGS, 0.012), (_BODY, 0.006))
"""Which, and how often."""

PALMS = (
    (POINT_INDEX["left_wrist"], *LEFT_MCP),
    (POINT_INDEX["right_wrist"], *RIGHT_MCP),
)
"""Wrist and four knuckles of each hand among a body's 76 points."""

_MARK_SPREAD = (0.025, 0.025, 0.02, 0.02, 0.015, 0.025, 0.015, 0.015)
"""Meters, standard deviations between people along each direction of `MARKS`."""
_FACE_MARK = 0.015

_BAD = 2
"""The worst of three qualities: a point is found well, fairly or badly."""
_ERROR = (0.008, 0.022, 0.08)
"""Standard deviation per axis in units of the box's larger side, of points found well, fairly and badly."""
_SCORE = ((0.77, 0.11), (0.60, 0.14), (0.35, 0.12))
"""Mean and standard deviation of their scores."""


def mark_points(points: Tensor, generator: torch.Generator) -> Tensor:
    """Where keypoints are marked on a person: near the joints, and each person in proportions of their own.

    Knees, elbows and wrists move along their limbs, hips and shoulders also outwards, the same on both sides; the face
    moves on the head. Shape directions of a body model vary limbs' proportions too little for real people.

    Args:
        points: (B, 17, 3) COCO points, meters.
        generator: source of randomness.

    Returns:
        (B, 17, 3).
    """
    draws = normal(generator, 1, len(MARKS), len(points), 1)
    means, spreads = points.new_tensor([far for *_, far in MARKS]), points.new_tensor(_MARK_SPREAD)
    marked = move_marks(points, means[:, None, None] + spreads[:, None, None] * draws)
    marked[:, FACE] += normal(generator, _FACE_MARK, len(points), 1, 3)
    return marked


def sample_truncation(flat: Tensor, generator: torch.Generator) -> Tensor:
    """Points outside of the picture: legs below a desk or the frame, or everything on one side of a line.

    Args:
        flat: (B, 17, 2) points seen from far away, meters.
        generator: source of randomness.

    Returns:
        (B, 17) bool, True where hidden; at least six points of a person stay.
    """
    count = len(flat)
    draws = uniform(generator, 0, 1, count, 3)
    upper = torch.zeros(count, 17, dtype=torch.bool, device=flat.device)
    upper[:, 13:] = (draws[:, :1] < 0.15).expand(-1, 4)
    upper[:, 11:13] = (draws[:, :1] < 0.08).expand(-1, 2)
    angle = draws[:, 1] * 2 * math.pi
    along = (flat * torch.stack([angle.cos(), angle.sin()], dim=-1)[:, None]).sum(-1)
    kept = (6 + (draws[:, 2] * 10)).long()
    border = along.sort(dim=1).values.gather(1, kept[:, None])
    cut = chance(generator, 0.08, count, 1) & (along > border) & ~upper.any(dim=1, keepdim=True)
    return upper | cut


def visible_box(keypoints: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
    """(B, J, 2) points, (B, J) hidden -> smallest and largest x, y of the others, (B, 2) each."""
    outside = hidden[..., None]
    return keypoints.masked_fill(outside, math.inf).amin(dim=1), keypoints.masked_fill(outside, -math.inf).amax(dim=1)


def face_turned_away(points: Tensor) -> Tensor:
    """(B, 76, 3) camera axes -> (B,) bool, True where the nose points away from the camera."""
    ears = points[:, [POINT_INDEX["left_ear"], POINT_INDEX["right_ear"]]].mean(dim=1)
    return points[:, POINT_INDEX["nose"], 2] - ears[:, 2] > 0.03


def detect(keypoints: Tensor, hidden: Tensor, face_away: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """What a detector makes of true keypoints: noise, outliers, misses, exchanged sides, and telling scores.

    Args:
        keypoints: (B, 17, 2) true points, any unit.
        hidden: (B, 17) points outside of the picture.
        face_away: (B,) people seen from behind, whose face is guessed.
        generator: source of randomness.

    Returns:
        keypoints (B, 17, 2) and scores (B, 17).
    """
    count = len(keypoints)
    low, high = visible_box(keypoints, hidden)
    size = (high - low).amax(dim=1)[:, None, None]
    draw = uniform(generator, 0, 1, count, 17)
    quality = (draw < 0.28).long() + (draw < 0.06).long()
    quality[:, FACE] = torch.maximum(quality[:, FACE], (face_away[:, None] & (draw[:, FACE] < 0.85)).long())
    quality = torch.where(hidden, _BAD, quality)
    spread = keypoints.new_tensor(_ERROR)[quality][..., None] * size
    keypoints = exchange_sides(keypoints, generator) + normal(generator, 1, count, 17, 2) * spread
    mean, deviation = keypoints.new_tensor(_SCORE)[quality].unbind(-1)
    person = normal(generator, 0.1, count, 1)
    scores = mean + person + deviation * normal(generator, 1, count, 17)
    missed = uniform(generator, 0, 1, count, 17) < torch.where(hidden, 0.75, 0.025)
    low_scores = uniform(generator, 0, 0.18, count, 17)
    return keypoints, torch.where(missed, low_scores, scores.clamp(0.02, 0.98))


def exchange_sides(keypoints: Tensor, generator: torch.Generator) -> Tensor:
    """(B, 17, 2): now and then the two wrists, arms, legs or sides of the whole body change places."""
    draw = uniform(generator, 0, 1, len(keypoints))
    for joints, share in _EXCHANGES:
        order = list(range(17))
        for left in joints:
            order[left], order[left + 1] = left + 1, left
        swapped = (draw >= 0) & (draw < share)
        keypoints = torch.where(swapped[:, None, None], keypoints[:, order], keypoints)
        draw = draw - share
    return keypoints


def sample_palms(points: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """What a hand network tells of wrists and knuckles.

    Args:
        points: (B, 76, 3) meters, camera axes.
        generator: source of randomness.

    Returns:
        palms (B, 2, 5, 3), with errors of about 8 % of the palm and sometimes a flipped depth, and scores (B, 2),
        zero for the half of the hands that are small, blurred or behind something.
    """
    palms = points[:, [list(palm) for palm in PALMS]]
    noise = normal(generator, 1, *palms.shape) * palms.new_tensor([0.007, 0.007, 0.012])
    flipped = chance(generator, 0.04, len(palms), 2, 1, 1)
    depth = torch.where(flipped, -1.0, 1.0) * (palms[..., 2:] - palms[..., :1, 2:])
    palms = torch.cat([palms[..., :2], depth], dim=-1) + noise
    visible = chance(generator, 0.5, len(palms), 2)
    return palms, torch.where(visible, uniform(generator, 0.6, 1, len(palms), 2), 0.0)
