"""Samples of the 468 face landmarks: expressions, other people's faces, views, and the network's errors.

Real faces differ more than the body's shapes do. Each sample is one person: what is drawn here for the neutral face
stays when the expression changes, so that proportions are not read as expressions.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...backend.model.mediapipe import LEFT_EYE, LIPS, RIGHT_EYE
from .face_points import (
    BROWS,
    LOWER_INNER_LIP,
    LOWER_LIDS,
    UPPER_INNER_LIP,
    UPPER_LIDS,
    FaceSurface,
)
from .poses import rotation_vectors_to_matrices
from .randomness import chance, normal, uniform

MAX_JAW = math.radians(30)
BLINK, FROWN = 4, 5
PERSON, REGION_ERROR, POINT_ERROR = 0.001, 0.0005, 0.0012
"""Meters: how far a person's surface waves off the body's, and the network's errors. They are large so that the head
weighs many points against each other; real faces do not lie where fine differences between these would tell."""
SHUT = 1.45
"""Of the body's blink: further on its lids would cross; real ones stop."""
COARSE_ERROR = 3.0
"""Times the error of lips, lids and brows, which follow a real face better than the other landmarks do."""
LID_RESPONSE = (0.8, 1.05)
"""On photographs the network lets the lids of closed eyes come this much of the way together."""
BROW_HEIGHT, BROW_SPREAD = -0.004, 0.003
"""On photographs it sees neutral brows lower than the body's by about this, and people differ by so much, meters."""
EYE_OPENING = (0.97, 0.17)
"""How wide people's eyes stand open, in the body's: mean and deviation."""
NOSE_TIP, CHIN = 4, 152


@dataclass(frozen=True)
class FaceSamples:
    """N faces as the network would see them, and the truth.

    Attributes:
        points: (N, P, 3) in any scale and view, x right, y down, z away from the viewer.
        jaw: (N, 3, 3).
        expression: (N, 10).
        neutral: (N,) bool: no expression and the mouth closed.
    """

    points: Tensor
    jaw: Tensor
    expression: Tensor
    neutral: Tensor


@torch.no_grad()
def sample_faces(generator: torch.Generator, surface: FaceSurface, count: int) -> FaceSamples:
    """Draw `count` faces."""
    jaw, expression, neutral = sample_expressions(generator, count)
    betas = normal(generator, 1, count, 10).clamp(-2.5, 2.5)
    shown = expression.clone()
    shown[:, BLINK] = (shown[:, BLINK] * uniform(generator, *LID_RESPONSE, count)).clamp_max(SHUT)
    points = surface.points(jaw, shown, betas) - _mouth_at_rest(generator, surface, shown[:, FROWN])
    return FaceSamples(observe(generator, personalize(generator, surface, points)), jaw, expression, neutral)


def sample_expressions(generator: torch.Generator, count: int, still: float = 0.1) -> tuple[Tensor, Tensor, Tensor]:
    """Jaw rotations (count, 3, 3), expressions (count, 10), some at once, and (count,) bool where there is none."""
    strength = uniform(generator, -1.2, 2.2, count, 10)
    strength[:, BLINK] = uniform(generator, -0.7, 2, count)
    # From one unit to most of them: were a lone unit rare, the head would take it for somebody's proportions.
    active = uniform(generator, 0, 1, count, 10) < uniform(generator, 0.05, 0.7, count, 1)
    expression = torch.where(active, strength, normal(generator, 0.1, count, 10))
    opening = MAX_JAW * uniform(generator, 0, 1, count) ** 1.3 * chance(generator, 0.55, count)
    aside = normal(generator, 0.025, count, 2)
    vector = torch.cat([opening[:, None], aside], dim=1)
    neutral = chance(generator, still, count)
    vector, expression = (torch.where(neutral[:, None], 0.0, drawn) for drawn in (vector, expression))
    return rotation_vectors_to_matrices(vector), expression, neutral


def _mouth_at_rest(generator: torch.Generator, surface: FaceSurface, frown: Tensor) -> Tensor:
    """(B, P, 3) what to take off faces that frown (B,): most people do it with their brows alone."""
    below = (surface.template[:, 1] < surface.template[NOSE_TIP, 1] + 0.01).float()[:, None]
    share = uniform(generator, 0, 1, len(frown)) * chance(generator, 0.6, len(frown))
    return (share * frown)[:, None, None] * below * surface.directions[..., 10 + FROWN]


def personalize(generator: torch.Generator, surface: FaceSurface, points: Tensor) -> Tensor:
    """Give (B, P, 3) posed points other people's proportions.

    Offsets follow from the resting place of a point and are added whatever the expression; only the openings of the
    eyes are scaled as they are, so that closed eyes stay closed.
    """
    count, rest = len(points), surface.template
    mouth = rest[[*UPPER_INNER_LIP, *LOWER_INNER_LIP]].mean(0)
    near_mouth, from_mouth = _near(rest, mouth, 0.03), rest - mouth
    offset = normal(generator, 0.04, count, 1, 3) * (rest - rest.mean(0))
    offset = offset + uniform(generator, 0, 1.2, count, 1, 1) * (surface.observed - rest)
    waves, phases = normal(generator, 35, count, 3, 8), uniform(generator, 0, 6.283, count, 1, 8)
    offset = offset + torch.sin(rest @ waves + phases) @ normal(generator, PERSON, count, 8, 3)
    # Width and thickness of the lips, and how their corners hang.
    upper = (from_mouth[:, 1] > 0)[:, None]
    thickness = torch.where(upper, normal(generator, 0.2, count, 1, 1), normal(generator, 0.2, count, 1, 1))
    corner = (from_mouth[:, :1].abs() / 0.025).square() * normal(generator, 0.001, count, 1, 1)
    forward = normal(generator, 0.0015, count, 1, 1).expand(-1, len(rest), -1)
    wide = normal(generator, 0.08, count, 1, 1) * from_mouth[:, :1]
    offset = offset + near_mouth * torch.cat([wide, thickness * from_mouth[:, 1:2] + corner, forward], dim=2)
    # Height and tilt of the brows, size of the nose, length of the chin.
    height = BROW_HEIGHT + normal(generator, BROW_SPREAD, count, 1, 1)
    for side in (BROWS[:10], BROWS[10:]):
        center = rest[list(side)].mean(0)
        slope = (rest[:, :1] - center[0]) * normal(generator, 0.04, count, 1, 1)
        offset[..., 1:2] += _near(rest, center, 0.025) * (height + slope + normal(generator, 0.0005, count, 1, 1))
    offset = offset + _near(rest, rest[NOSE_TIP], 0.025) * (rest - rest[NOSE_TIP]) * normal(generator, 0.1, count, 1, 3)
    offset[..., 1:2] += _near(rest, rest[CHIN], 0.03) * normal(generator, 0.0025, count, 1, 1)
    opening = EYE_OPENING[0] + normal(generator, EYE_OPENING[1], count, 1, 1)
    return _open_eyes(points + offset, opening.clamp_min(0.5))


def _near(points: Tensor, center: Tensor, width: float) -> Tensor:
    """(P, 1) 1 at the center, falling to 0 over the width, meters."""
    return torch.exp(-((points - center) / width).square().sum(1, keepdim=True))


def _open_eyes(points: Tensor, factor: Tensor) -> Tensor:
    upper, lower = points[:, list(UPPER_LIDS)], points[:, list(LOWER_LIDS)]
    middle = (upper + lower) / 2
    points = points.index_copy(1, torch.tensor(UPPER_LIDS, device=points.device), middle + factor * (upper - middle))
    return points.index_copy(1, torch.tensor(LOWER_LIDS, device=points.device), middle + factor * (lower - middle))


def observe(generator: torch.Generator, points: Tensor) -> Tensor:
    """(B, P, 3) in the head's axes -> as the network answers: turned, in perspective, its depth off, with errors."""
    count, upright = len(points), torch.tensor([1.0, -1.0, -1.0], device=points.device)
    turn = normal(generator, 1, count, 3) * torch.tensor([0.2, 0.4, 0.1], device=points.device)
    limit = torch.tensor([0.44, 0.87, 0.3], device=points.device)
    rotation = rotation_vectors_to_matrices(torch.maximum(torch.minimum(turn, limit), -limit))
    centered = points - points.mean(1, keepdim=True)
    seen = centered @ rotation.transpose(1, 2) * upright
    distance = 0.4 * torch.exp(uniform(generator, 0, 2.3, count, 1, 1))
    flat = seen[..., :2] * distance / (distance + seen[..., 2:])
    seen = torch.cat([flat, seen[..., 2:] * (1 + normal(generator, 0.1, count, 1, 1))], dim=2)
    # Errors: some of each point alone, some of whole regions, more of both on the side that is turned away.
    hidden = (centered[..., :1] * turn[:, 1].sin()[:, None, None] / 0.06).clamp_min(0)
    waves, phases = normal(generator, 40, count, 3, 8), uniform(generator, 0, 6.283, count, 1, 8)
    shared = torch.sin(centered @ waves + phases) @ normal(generator, REGION_ERROR, count, 8, 3)
    coarse = torch.full((points.shape[1], 1), COARSE_ERROR, device=points.device)
    coarse[[*LIPS, *RIGHT_EYE[:16], *LEFT_EYE[:16], *BROWS]] = 1.0
    noise = (shared + normal(generator, POINT_ERROR, *points.shape)) * (1 + 3 * hidden) * coarse
    result: Tensor = seen + noise * torch.tensor([1.0, 1.0, 2.0], device=points.device)
    return result
