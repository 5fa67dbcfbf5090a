"""What people look like: skin, hair and garments, drawn at random and painted by rest position."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .face_paint import FacePaint, paint_face
from .randomness import chance, normal, uniform
from .regions import ARM, FOOT, HAND, HEAD, INNER, LEG, NORMAL, REST, SLEEVED, BodyRegions

_DARK_SKIN, _LIGHT_SKIN = (0.16, 0.085, 0.055), (0.82, 0.58, 0.47)
_DARK_HAIR, _LIGHT_HAIR = (0.012, 0.009, 0.008), (0.42, 0.30, 0.17)


@dataclass(frozen=True)
class Cloth:
    """The fabric of one garment on each of B people: two linear colors and a pattern that mixes them."""

    colors: Tensor
    """(B, 2, 3)."""
    waves: Tensor
    """(B, 2, 3) wave vectors of the pattern, radians per meter."""
    hardness: Tensor
    """(B,) 0 = plain, large = sharp stripes or checks."""


@dataclass(frozen=True)
class Appearance:
    """Looks of B people; colors are linear RGB."""

    skin: Tensor
    """(B, 3)."""
    freckles: Tensor
    """(B, 3, 4) wave vectors of the skin's unevenness."""
    hair: Tensor
    """(B, 3)."""
    hairline: Tensor
    """(B, 3) meters: height over the brows at the front, height at the back relative to the eyes, thickness."""
    sleeve: Tensor
    """(B,) arm coordinate where the sleeve ends; below 0 = no sleeve."""
    trouser: Tensor
    """(B,) leg coordinate where the trouser leg ends."""
    waist: Tensor
    """(B,) height of the waistline over the pelvis, meters."""
    shoes: Tensor
    """(B, 3) color, the skin's where the feet are bare."""
    top: Cloth
    bottom: Cloth
    looseness: Tensor
    """(B, 2) how far top and bottom stand off the skin, meters."""
    face: FacePaint


def sample_appearance(generator: torch.Generator, batch: int) -> Appearance:
    """Draw the looks of `batch` people."""
    device = generator.device
    tone = uniform(generator, 0, 1, batch, 1)
    skin = _mix(_DARK_SKIN, _LIGHT_SKIN, tone) * uniform(generator, 0.88, 1.12, batch, 3)
    gray = uniform(generator, 0.1, 0.6, batch, 1).expand(-1, 3)
    hair = _mix(_DARK_HAIR, _LIGHT_HAIR, uniform(generator, 0, 1, batch, 1) ** 2)
    hair = torch.where(chance(generator, 0.15, batch, 1), gray, hair)
    bald = chance(generator, 0.08, batch)
    front = torch.where(bald, 1.0, uniform(generator, 0.035, 0.065, batch))
    hairline = [front, uniform(generator, -0.12, -0.05, batch), uniform(generator, 0.004, 0.025, batch)]
    short = chance(generator, 0.5, batch)
    barefoot = chance(generator, 0.25, batch, 1)
    return Appearance(
        skin=skin,
        freckles=normal(generator, 1, batch, 3, 4) * torch.tensor([20.0, 60.0, 180.0, 500.0], device=device),
        hair=hair,
        hairline=torch.stack(hairline, dim=1),
        sleeve=torch.where(short, uniform(generator, -0.2, 0.5, batch), uniform(generator, 0.75, 1.02, batch)),
        trouser=torch.where(
            chance(generator, 0.35, batch), uniform(generator, 0.1, 0.6, batch), uniform(generator, 0.8, 1.05, batch)
        ),
        waist=uniform(generator, -0.03, 0.14, batch),
        shoes=torch.where(
            barefoot, skin, uniform(generator, 0.01, 0.6, batch, 1) * uniform(generator, 0.7, 1, batch, 3)
        ),
        top=sample_cloth(generator, batch),
        bottom=sample_cloth(generator, batch),
        looseness=uniform(generator, 0.001, 0.022, batch, 2),
        face=FacePaint.sample(generator, hair, skin),
    )


def sample_cloth(generator: torch.Generator, batch: int) -> Cloth:
    """Mostly muted colors, as clothes are; a third carry stripes, checks or blotches."""
    brightness = uniform(generator, 0.02, 0.85, batch, 2, 1) ** 1.5
    hue = uniform(generator, 0, 1, batch, 2, 3)
    saturation = uniform(generator, 0, 1, batch, 2, 1) ** 2
    waves = torch.zeros(batch, 2, 3, device=generator.device)
    waves[:, 0, 1] = uniform(generator, 20, 250, batch)
    second = uniform(generator, 20, 250, batch)
    waves[:, 1, 0] = torch.where(chance(generator, 0.5, batch), second, 0.0)
    blotched = chance(generator, 0.3, batch, 1, 1)
    waves = torch.where(blotched, normal(generator, 60, batch, 2, 3), waves)
    patterned = chance(generator, 0.35, batch)
    hardness = torch.where(patterned, uniform(generator, 1, 20, batch), 0.0)
    return Cloth(brightness * (1 - saturation + saturation * hue) + 0.005, waves, hardness)


def paint(looks: Appearance, regions: BodyRegions, attributes: Tensor, image: Tensor) -> Tensor:
    """Albedo at N pixels.

    Args:
        looks: of B people.
        regions: of the body.
        attributes: (N, 14) `BodyRegions.attributes` interpolated at the pixels.
        image: (N,) person of each pixel.

    Returns:
        (N, 3) linear RGB.
    """
    rest = attributes[:, REST]
    color = _skin(looks, attributes, image)
    color = paint_face(looks.face, regions, attributes, image, color)
    sleeved, trousered, shod = garments(looks, regions, attributes, image)
    hairy = hair_share(looks, regions, attributes, image)
    strands = 0.9 + 0.2 * torch.sin(rest @ torch.tensor([900.0, 150.0, 700.0], device=rest.device))[:, None]
    color = torch.where(hairy[:, None] > 0.5, looks.hair[image] * strands, color)
    color = torch.where(shod[:, None], looks.shoes[image], color)
    color = torch.where(trousered[:, None], fabric(looks.bottom, rest, image), color)
    return torch.where(sleeved[:, None], fabric(looks.top, rest, image), color)


def standoff(looks: Appearance, regions: BodyRegions) -> Tensor:
    """(B, V) meters by which garments, shoes and hair stand off the skin."""
    batch, count = len(looks.skin), len(regions.attributes)
    image = torch.arange(batch, device=looks.skin.device).repeat_interleave(count)
    attributes = regions.attributes.repeat(batch, 1)
    sleeved, trousered, shod = garments(looks, regions, attributes, image)
    wrinkles = 1 + 0.5 * torch.sin(torch.einsum("nc,nc->n", attributes[:, REST], looks.freckles[image, :, 0]))
    height = sleeved * looks.looseness[image, 0] * wrinkles + trousered * looks.looseness[image, 1] * wrinkles
    height = height + shod * 0.006 + hair_share(looks, regions, attributes, image) * looks.hairline[image, 2]
    return height.view(batch, count)


def hair_share(looks: Appearance, regions: BodyRegions, attributes: Tensor, image: Tensor) -> Tensor:
    """(N,) 0..1: scalp above a line that runs from the forehead over the ears to the neck."""
    rest = attributes[:, REST]
    brows, eyes = regions.landmarks[:10], regions.eyes.mean(0)
    front, back, _ = looks.hairline[image].unbind(1)
    backward = ((brows[:, 2].mean() - 0.02 - rest[:, 2]) / 0.075).clamp(0, 1)
    line = torch.lerp(brows[:, 1].max() + front, eyes[1] + back, backward**2)
    bald = front > 0.5
    above = torch.sigmoid((rest[:, 1] - line) / 0.002)
    return above * (attributes[:, HEAD] > 0.5) * (attributes[:, INNER] < 0.5) * ~bald


def garments(
    looks: Appearance, regions: BodyRegions, attributes: Tensor, image: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """(N,) booleans: under the top, under the trousers, in shoes."""
    bare = (attributes[:, HAND] > 0.5) | (attributes[:, HEAD] > 0.3)
    arm = attributes[:, SLEEVED] > 0.5
    upper = attributes[:, 1] > regions.joints[0, 1] + looks.waist[image]
    neckline = attributes[:, 1] < regions.joints[12, 1] - 0.01
    sleeve = torch.where(arm, attributes[:, ARM] < looks.sleeve[image], upper & neckline) & ~bare
    trousers = ~upper & ~arm & ~bare & (attributes[:, LEG] < looks.trouser[image])
    return sleeve, trousers & (attributes[:, FOOT] < 0.6), attributes[:, FOOT] > 0.6


def _skin(looks: Appearance, attributes: Tensor, image: Tensor) -> Tensor:
    """Uneven skin; palms, soles and knuckles are paler or redder than the rest."""
    waves = torch.einsum("nc,nck->nk", attributes[:, REST], looks.freckles[image])
    uneven = 1 + 0.025 * torch.sin(waves).sum(1, keepdim=True)
    palm = ((attributes[:, HAND] > 0.5) & (attributes[:, NORMAL][:, 1] < -0.2)).float()[:, None]
    pale = looks.skin[image] * uneven
    rosy = pale * torch.tensor([1.15, 0.98, 0.95], device=pale.device) + 0.12 * (1 - pale)
    return torch.lerp(pale, rosy, palm * 0.8)


def fabric(cloth: Cloth, rest: Tensor, image: Tensor) -> Tensor:
    """(N, 3) colors of a fabric at (N, 3) places of the resting body on the (N,) persons."""
    waves = torch.einsum("nc,nkc->nk", rest, cloth.waves[image])
    pattern = torch.cos(waves).prod(1) * cloth.hardness[image]
    share = torch.sigmoid(pattern)[:, None] * (cloth.hardness[image] > 0)[:, None]
    return torch.lerp(cloth.colors[image, 0], cloth.colors[image, 1], share)


def _mix(first: tuple[float, ...], second: tuple[float, ...], share: Tensor) -> Tensor:
    return torch.lerp(torch.tensor([first], device=share.device), torch.tensor([second], device=share.device), share)
