"""The color of every visible sample of people and things: paint, folds, lamp and shadow, highlight."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .appearance import fabric, garments, paint
from .figures import Figure, Figures
from .props import Props
from .randomness import normal, uniform
from .rasterizer import Fragments, vertex_normals
from .scenery import Light
from .shadows import ShadowMap
from .wearables import CLOTH, FRAME, HAIR, LENS


@dataclass(frozen=True)
class Finish:
    """How the surfaces of B people shine: gloss (B, 1), folds (B, 3, 3) waves over the body and (B, 1) their depth."""

    gloss: Tensor
    folds: Tensor
    depth: Tensor

    @classmethod
    def sample(cls, generator: torch.Generator, batch: int) -> "Finish":
        """Draw finishes."""
        scale = torch.tensor([25.0, 50.0, 100.0], device=generator.device)[:, None]
        folds = normal(generator, 1, batch, 3, 3) * scale
        return cls(uniform(generator, 0, 0.12, batch, 1), folds, uniform(generator, 0, 0.22, batch, 1))


def shade_figure(
    fragments: Fragments, figure: Figure, figures: Figures, light: Light, shadow: ShadowMap, finish: Finish
) -> Tensor:
    """(N, 3) radiance of people; the fragments' images are places among them."""
    scene = figure.image[fragments.image]
    normals = fragments.interpolate(vertex_normals(figure.surface, figures.faces), figures.faces)
    albedo, folded = _paint(fragments, figure, figures)
    places = fragments.interpolate(figure.surface, figures.faces)
    waves = torch.einsum("nc,nkc->nk", folded, finish.folds[fragments.image])
    bent = torch.einsum("nk,nkc->nc", waves.cos(), normalize(finish.folds[fragments.image], dim=2))
    cloth = (folded != 0).any(1, keepdim=True)
    normals = normalize(normalize(normals, dim=1) + cloth * finish.depth[fragments.image] * bent, dim=1)
    lit = shadow.lit(places, scene)[:, None]
    return albedo * light.shade(normals, scene, lit) + _highlight(normals, scene, light) * lit * (
        finish.gloss[fragments.image] * light.color[scene]
    )


def shade_props(fragments: Fragments, props: Props, light: Light, shadow: ShadowMap) -> Tensor:
    """(N, 3) radiance of things."""
    normals = normalize(fragments.interpolate(vertex_normals(props.vertices, props.faces), props.faces), dim=1)
    places, thing = fragments.interpolate(props.places, props.faces), props.thing[fragments.triangle]
    albedo = torch.zeros_like(places)
    for number, cloth in enumerate(props.cloths):
        albedo = torch.where((thing == number)[:, None], fabric(cloth, places, fragments.image), albedo)
    lit = shadow.lit(fragments.interpolate(props.vertices, props.faces), fragments.image)[:, None]
    return albedo * light.shade(normals, fragments.image, lit)


def _paint(fragments: Fragments, figure: Figure, figures: Figures) -> tuple[Tensor, Tensor]:
    """(N, 3) albedo, and (N, 3) resting places of what is cloth, zero elsewhere."""
    regions, looks = figures.regions, figure.looks
    bodies = len(regions.faces)
    skin = (fragments.triangle < bodies).nonzero(as_tuple=True)[0]
    worn = (fragments.triangle >= bodies).nonzero(as_tuple=True)[0]
    on_skin, on_worn = fragments.pick(skin), fragments.pick(worn)
    attributes = on_skin.interpolate(regions.attributes, regions.faces)
    sleeved, trousered, _ = garments(looks, regions, attributes, on_skin.image)
    folded = attributes[:, :3] * (sleeved | trousered)[:, None]
    corners = figures.wardrobe.faces[on_worn.triangle - bodies]
    places = (figure.places[on_worn.image[:, None], corners] * on_worn.weights[..., None]).sum(1)
    kind = figures.wardrobe.kinds[on_worn.triangle - bodies]
    albedo = torch.empty(len(fragments.depth), 3, device=places.device)
    albedo[skin] = paint(looks, regions, attributes, on_skin.image)
    albedo[worn] = _worn_color(figure, places, kind, on_worn.image)
    rest = torch.zeros_like(albedo)
    rest[skin], rest[worn] = folded, places * (kind == CLOTH)[:, None]
    return albedo, rest


def _worn_color(figure: Figure, places: Tensor, kind: Tensor, image: Tensor) -> Tensor:
    """(N, 3) of what is worn over the body."""
    looks, outfit = figure.looks, figure.outfit
    top, bottom = fabric(looks.top, places, image), fabric(looks.bottom, places, image)
    strands = 0.85 + 0.3 * torch.sin(places @ torch.tensor([900.0, 60.0, 700.0], device=places.device))[:, None]
    colors = {
        CLOTH: torch.where(outfit.shirt[image, None], top, bottom),
        HAIR: looks.hair[image] * strands,
        FRAME: outfit.tint[image],
        LENS: torch.full_like(places, 0.012),
    }
    result = torch.zeros_like(places)
    for number, color in colors.items():
        result = torch.where((kind == number)[:, None], color, result)
    return result


def _highlight(normals: Tensor, scene: Tensor, light: Light) -> Tensor:
    """(N, 1) share of the lamp that a slightly glossy surface throws towards the viewer."""
    toward_viewer = torch.tensor([0.0, 0.0, -1.0], device=normals.device)
    halfway = normalize(light.direction[scene] + toward_viewer, dim=1)
    return (normals * halfway).sum(1, keepdim=True).clamp_min(0) ** 24
