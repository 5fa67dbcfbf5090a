"""Pictures of the open body: rasterize, paint, light, put before a background."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, normalize

from .appearance import Appearance, paint, standoff
from .camera import Camera
from .rasterizer import Fragments, rasterize, vertex_normals
from .regions import BodyRegions
from .scenery import Light, Scenery


@dataclass(frozen=True)
class Picture:
    """B rendered scenes.

    Attributes:
        radiance: (B, H, W, 3) linear.
        depth: (B, H, W) distance to the surface, meters; infinite on the background.
    """

    radiance: Tensor
    depth: Tensor


def render(
    generator: torch.Generator,
    vertices: Tensor,
    camera: Camera,
    looks: Appearance,
    regions: BodyRegions,
    scenery: Scenery,
    *,
    faces: Tensor,
) -> Picture:
    """Render people.

    Args:
        generator: of the scenery's random numbers.
        vertices: (B, V, 3) posed bodies in camera axes, meters.
        camera: the view.
        looks: of the B people.
        regions: of the body.
        scenery: backgrounds and lights.
        faces: (F, 3) the triangles to draw, all of the body's or some.
    """
    normals = vertex_normals(vertices, regions.faces)
    vertices = vertices + normals * standoff(looks, regions)[..., None]
    pixels, depth = camera.project(vertices)
    fragments = rasterize(pixels, depth, faces, camera.height, camera.width)
    background, light = scenery.sample(generator, camera)
    distance = fragments.depth_image(len(vertices), camera.height, camera.width)
    shown = _shade(generator, fragments, normals, faces, looks, regions, light)
    shown = shown * openness(distance, fragments)[:, None]
    return Picture(fragments.paint(shown, background), distance)


def _shade(
    generator: torch.Generator,
    fragments: Fragments,
    normals: Tensor,
    faces: Tensor,
    looks: Appearance,
    regions: BodyRegions,
    light: Light,
) -> Tensor:
    """(N, 3) radiance: painted albedo under the light, with a soft highlight."""
    normal = normalize(fragments.interpolate(normals, faces), dim=1)
    albedo = paint(looks, regions, fragments.interpolate(regions.attributes, faces), fragments.image)
    gloss = 0.12 * torch.rand(len(normals), 1, generator=generator, device=normals.device)
    toward_viewer = torch.tensor([0.0, 0.0, -1.0], device=normals.device)
    halfway = normalize(light.direction[fragments.image] + toward_viewer, dim=1)
    highlight = (normal * halfway).sum(1, keepdim=True).clamp_min(0) ** 24
    return (
        albedo * light.shade(normal, fragments.image)
        + highlight * gloss[fragments.image] * light.color[fragments.image]
    )


def openness(distance: Tensor, fragments: Fragments, cell: int = 4, meters: float = 0.025) -> Tensor:
    """(N,) 0.5..1: darkens pixels that lie behind their neighbors, as creases and gaps between fingers are dark."""
    return darkened(surroundings(distance, cell), fragments, meters)


def surroundings(distance: Tensor, cell: int) -> Tensor:
    """(B, H, W) depth image -> (B, H, W) the mean of what is around each pixel, five cells wide, the background not."""
    known = torch.isfinite(distance).float()[:, None]
    filled = torch.where(known > 0, distance[:, None], 0.0)
    sums = avg_pool2d(avg_pool2d(torch.cat([filled, known], dim=1), cell), 5, stride=1, padding=2)
    mean = interpolate(sums[:, :1] / sums[:, 1:].clamp_min(1e-6), size=distance.shape[1:], mode="bilinear")
    return mean[:, 0]


def darkened(around: Tensor, fragments: Fragments, meters: float = 0.025, reach: float = math.inf) -> Tensor:
    """(N,) 1 where a fragment lies before the `surroundings` (B, H, W), down to 0.5 where it lies behind them.

    What lies farther behind than `reach` is another surface, which they do not darken.
    """
    behind = fragments.depth - around[fragments.image, fragments.row, fragments.column]
    return 1 - 0.5 * (behind / meters).clamp(0, 1) * (2 - behind / reach).clamp(0, 1)
