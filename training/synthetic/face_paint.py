"""Eyes, brows, lips, lashes and beard, painted by distance to the face landmarks of the body file at rest."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .randomness import chance, uniform
from .regions import EYE, HEAD, INNER, REST, BodyRegions

_RIGHT_BROW, _LEFT_BROW = slice(0, 5), slice(5, 10)
_UPPER_LIDS = ((19, 20, 21, 22), (25, 26, 27, 28))
_LOWER_LIDS = ((22, 23, 24, 19), (28, 29, 30, 25))
_OUTER_LIP = slice(31, 43)
_IRISES = ((0.03, 0.016, 0.008), (0.08, 0.04, 0.015), (0.13, 0.14, 0.06), (0.10, 0.20, 0.32), (0.18, 0.22, 0.24))


@dataclass(frozen=True)
class FacePaint:
    """Make-up of B faces; colors are linear RGB, lengths meters."""

    iris: Tensor
    """(B, 3)."""
    iris_angle: Tensor
    """(B,) half the angle of the iris, radians."""
    pupil_angle: Tensor
    """(B,)."""
    lips: Tensor
    """(B, 3)."""
    brows: Tensor
    """(B, 3)."""
    brow_width: Tensor
    """(B,) half the height of the brows."""
    lashes: Tensor
    """(B,) half the width of the line along the upper lids."""
    beard: Tensor
    """(B,) 0 shaven .. 1 full."""

    @classmethod
    def sample(cls, generator: torch.Generator, hair: Tensor, skin: Tensor) -> "FacePaint":
        """Draw faces that go with (B, 3) hair and skin colors."""
        batch = len(hair)
        irises = torch.tensor(_IRISES, device=generator.device)
        kind = torch.randint(0, len(irises), (batch,), generator=generator, device=generator.device)
        redness = torch.tensor([1.0, 0.62, 0.62], device=generator.device)
        lipstick = chance(generator, 0.15, batch, 1)
        lips = skin * redness * uniform(generator, 0.75, 1.1, batch, 1)
        red = uniform(generator, 0.2, 0.6, batch, 1) * torch.tensor([1.0, 0.12, 0.15], device=generator.device)
        return cls(
            iris=irises[kind] * uniform(generator, 0.7, 1.5, batch, 1),
            iris_angle=uniform(generator, 0.40, 0.48, batch),
            pupil_angle=uniform(generator, 0.12, 0.25, batch),
            lips=torch.where(lipstick, red, lips),
            brows=hair.clamp_max(0.15) * 0.8 + skin * uniform(generator, 0.05, 0.25, batch, 1),
            brow_width=uniform(generator, 0.0022, 0.0045, batch),
            lashes=uniform(generator, 0.0006, 0.0013, batch),
            beard=torch.where(chance(generator, 0.15, batch), uniform(generator, 0.2, 0.9, batch), 0.0),
        )


def paint_face(face: FacePaint, regions: BodyRegions, attributes: Tensor, image: Tensor, color: Tensor) -> Tensor:
    """Paint over the skin of the head.

    Args:
        face: of B people.
        regions: of the body.
        attributes: (N, 14) `BodyRegions.attributes` at the pixels.
        image: (N,) person of each pixel.
        color: (N, 3) skin color at the pixels.

    Returns:
        (N, 3) linear RGB.
    """
    on_head = (attributes[:, HEAD] > 0.3).nonzero(as_tuple=True)[0]
    if len(on_head) == 0:
        return color
    attributes, image, skin = attributes[on_head], image[on_head], color[on_head]
    rest, points = attributes[:, REST], regions.landmarks
    front = rest[:, 2] > regions.eyes[:, 2].mean() - 0.03
    painted = torch.lerp(skin, face.brows[image], _beard(face, rest, points, image)[:, None])
    for brow in (_RIGHT_BROW, _LEFT_BROW):
        share = _stroke(rest, points[brow], face.brow_width[image], 0.0008) * front
        painted = torch.lerp(painted, face.brows[image], 0.9 * share[:, None])
    for lids, strength in ((_UPPER_LIDS, 0.85), (_LOWER_LIDS, 0.3)):
        for lid in lids:
            share = _stroke(rest, points[list(lid)], face.lashes[image], 0.0004) * front * strength
            painted = painted * (1 - share[:, None])
    lips = _inside(rest[:, :2], points[_OUTER_LIP, :2]) & front
    painted = torch.where(lips[:, None], face.lips[image], painted)
    inner = (attributes[:, INNER] > 0.5)[:, None]
    painted = torch.where(inner, torch.tensor([0.05, 0.012, 0.012], device=rest.device), painted)
    eyeball = (attributes[:, EYE] > 0.5)[:, None]
    painted = torch.where(eyeball, _eyeball(face, regions, rest, image), painted)
    return color.index_put((on_head,), painted)


def _eyeball(face: FacePaint, regions: BodyRegions, rest: Tensor, image: Tensor) -> Tensor:
    """Sclera, iris and pupil by the angle to the axis of the resting gaze, which points along +z."""
    center = regions.eyes[(rest[:, 0] < 0).long()]
    angle = normalize(rest - center, dim=1)[:, 2].clamp(-1, 1).acos()
    sclera = torch.tensor([0.62, 0.58, 0.56], device=rest.device).expand(len(rest), 3)
    rim = ((angle - face.iris_angle[image] + 0.06) / 0.06).clamp(0, 1)[:, None]
    iris = face.iris[image] * (1 - 0.6 * rim)
    color = torch.where((angle < face.iris_angle[image])[:, None], iris, sclera)
    return torch.where((angle < face.pupil_angle[image])[:, None], torch.full_like(color, 0.004), color)


def _beard(face: FacePaint, rest: Tensor, points: Tensor, image: Tensor) -> Tensor:
    """(N,) share: on the front of the head, below a line from the nose to the cheeks and up to the ears."""
    nose, chin, aside = points[16], points[39], rest[:, 0].abs()
    line = nose[1] - 0.005 - 0.6 * (aside - 0.012).clamp_min(0) + 2.2 * (aside - 0.042).clamp(0, 0.03)
    below, ahead = torch.sigmoid((line - rest[:, 1]) / 0.003), torch.sigmoid((rest[:, 2] - chin[2] + 0.085) / 0.004)
    return face.beard[image] * below * ahead


def _stroke(points: Tensor, line: Tensor, width: Tensor, softness: float) -> Tensor:
    """(N,) 0..1 share of a brush of half the given width (meters) drawn along the (K, 3) line, seen from the front."""
    start, end = line[:-1, :2], line[1:, :2]
    along = end - start
    offset = points[:, None, :2] - start
    share = ((offset * along).sum(-1) / along.square().sum(-1)).clamp(0, 1)
    distance = (offset - share[..., None] * along).norm(dim=-1).amin(1)
    return torch.sigmoid((width - distance) / softness)


def _inside(points: Tensor, polygon: Tensor) -> Tensor:
    """(N, 2) points, (K, 2) corners -> (N,) bool, by counting crossings."""
    ends = polygon.roll(-1, dims=0)
    spans = (polygon[:, 1] > points[:, None, 1]) != (ends[:, 1] > points[:, None, 1])
    rise = (ends[:, 1] - polygon[:, 1]).where((ends[:, 1] - polygon[:, 1]).abs() > 1e-9, torch.tensor(1e-9))
    crossing = polygon[:, 0] + (points[:, None, 1] - polygon[:, 1]) / rise * (ends[:, 0] - polygon[:, 0])
    return (spans & (points[:, None, 0] < crossing)).sum(1) % 2 == 1
