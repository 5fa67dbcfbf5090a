"""Things that stand around, lie in front or are held: rounded boxes, cylinders and balls with real depth."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .appearance import Cloth, sample_cloth
from .hands import random_rotations
from .meshes import sphere
from .randomness import chance, normal, uniform

BEFORE, BEHIND, HELD = 2, 2, 2
"""How many things may stand before a person and behind one, and be held: one in each hand."""
SHARES = (0.15, 0.15, 0.3, 0.3, 0.12, 0.12)
"""How often each of them is there."""
_ROWS, _COLUMNS = 13, 24


@dataclass(frozen=True)
class Props:
    """Things in B scenes.

    Attributes:
        vertices: (B, P * V, 3) meters, camera axes; NaN where nothing is.
        faces: (P * F, 3).
        places: (B, P * V, 3) of the vertices on their thing, meters, for its pattern.
        thing: (P * F,) which of the P things a triangle belongs to.
        cloths: what they are painted with, one for each of the P things.
    """

    vertices: Tensor
    faces: Tensor
    places: Tensor
    thing: Tensor
    cloths: tuple[Cloth, ...]


def sample_props(generator: torch.Generator, points: Tensor, palms: Tensor) -> Props:
    """Draw things around people.

    Args:
        generator: of the random numbers.
        points: (B, P, 3) joints in camera axes, meters; things stand on the lines of sight to some of them.
        palms: (B, 2, 3) where hands hold something.
    """
    batch, device, count = len(points), points.device, BEFORE + BEHIND + HELD
    ball = sphere(_ROWS, _COLUMNS)
    unit = _superquadric(ball.vertices.to(device), uniform(generator, 0.08, 1.0, batch, count, 2))
    size = torch.cat(
        [
            uniform(generator, 0.05, 0.28, batch, BEFORE, 3),
            uniform(generator, 0.08, 0.5, batch, BEHIND, 3),
            uniform(generator, 0.012, 0.06, batch, HELD, 3) * uniform(generator, 1, 2.5, batch, HELD, 1),
        ],
        dim=1,
    )
    turns = random_rotations(generator, batch * count).unflatten(0, (batch, count))
    upright = chance(generator, 0.6, batch, count, 1, 1)
    turns = torch.where(upright, torch.eye(3, device=device), turns)
    there = uniform(generator, 0, 1, batch, count) < torch.tensor(SHARES, device=device)
    places = unit * size[:, :, None]
    vertices = places @ turns.transpose(-1, -2) + _centers(generator, points, palms, size)[:, :, None]
    vertices = torch.where(there[..., None, None], vertices, torch.nan)
    faces = torch.cat([ball.faces + number * len(ball.vertices) for number in range(count)]).to(device)
    thing = torch.arange(count, device=device).repeat_interleave(len(ball.faces))
    cloths = tuple(sample_cloth(generator, batch) for _ in range(count))
    return Props(vertices.flatten(1, 2), faces, places.flatten(1, 2), thing, cloths)


def _centers(generator: torch.Generator, points: Tensor, palms: Tensor, size: Tensor) -> Tensor:
    """(B, P, 3): before or behind random joints as the camera sees them, and in the hands."""
    batch, free = len(points), BEFORE + BEHIND
    chosen = torch.randint(points.shape[1], (batch, free), generator=generator, device=points.device)
    aim = points.gather(1, chosen[..., None].expand(-1, -1, 3))
    gap = uniform(generator, 0.1, 0.6, batch, free) + size[:, :free].amax(2)
    gap = torch.cat([-gap[:, :BEFORE], gap[:, BEFORE:] + 0.1], dim=1)
    far = aim.norm(dim=2)
    scale = ((far + gap) / far).clamp_min(0.35)
    around = aim * scale[..., None] + normal(generator, 0.12, batch, free, 3)
    return torch.cat([around, palms + normal(generator, 0.008, batch, HELD, 3)], dim=1)


def _superquadric(ball: Tensor, exponents: Tensor) -> Tensor:
    """(V, 3) of a unit sphere and (B, P, 2) exponents -> (B, P, V, 3): near 0 a box or cylinder, 1 a ball."""
    across = ball[:, [0, 2]].norm(dim=1, keepdim=True)
    around = normalize(ball[:, [0, 2]], dim=1)
    first, second = exponents[..., None, :1], exponents[..., None, 1:]

    def power(values: Tensor, exponent: Tensor) -> Tensor:
        return values.sign() * values.abs().clamp_min(1e-6) ** exponent

    flat = power(around, second) * power(across, first)
    height = power(ball[:, 1:2], first)
    return torch.cat([flat[..., :1], height, flat[..., 1:]], dim=-1)
