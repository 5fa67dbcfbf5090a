"""Rooms around people: a floor under their feet, walls and a ceiling, seen along every pixel's ray."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate, normalize

from .randomness import chance, normal, uniform
from .scenery import Light, clouds
from .shadows import ShadowMap

_TEXELS = 64
_FACES = 6
_COARSE = 3
"""Shadows are soft: they are computed for every so many rows and columns."""


@dataclass(frozen=True)
class Ground:
    """The floors that B people stand on.

    Attributes:
        up: (B, 3) unit vectors in camera axes.
        height: (B,) of the floor along them, meters from the camera (negative below it).
    """

    up: Tensor
    height: Tensor

    def hit(self, rays: Tensor) -> tuple[Tensor, Tensor]:
        """(B, H, W, 3) viewing directions -> points (B, H, W, 3) and whether (B, H, W) the floor lies ahead."""
        falling = torch.einsum("bhwc,bc->bhw", rays, self.up)
        distance = self.height[:, None, None] / falling.where(falling.abs() > 1e-4, torch.tensor(1e-4))
        ahead = (distance > 0) & (distance < 60)
        return rays * distance.where(ahead, torch.zeros(()))[..., None], ahead


def rooms(generator: torch.Generator, rays: Tensor, ground: Ground, middle: Tensor, light: Light) -> Tensor:
    """(B, H, W, 3) linear pictures of rooms without their people.

    Args:
        generator: of the random numbers.
        rays: (B, H, W, 3) unit viewing directions.
        ground: the floors.
        middle: (B, 3) where the people are.
        light: of the scenes.
    """
    batch, height, width, _ = rays.shape
    axes = _room_axes(generator, ground.up)
    turned = rays @ axes[:, None].transpose(-1, -2)
    low, high = _extent(generator, (axes @ middle[..., None])[..., 0], ground.height)
    away = torch.where(turned > 0, high[:, None, None], low[:, None, None])
    distance = away / turned.where(turned.abs() > 1e-5, torch.tensor(1e-5))
    nearest, axis = distance.min(-1)
    side = (turned.gather(-1, axis[..., None])[..., 0] > 0).long()
    face = 2 * axis + side
    places = turned * nearest[..., None]
    albedo = _surfaces(generator, face, places, axis)
    inward = axes[torch.arange(batch, device=rays.device)[:, None, None], axis]
    normals = torch.where(side[..., None] > 0, -inward, inward)
    image = torch.arange(batch, device=rays.device).repeat_interleave(height * width)
    shade = light.shade(normals.flatten(0, 2), image).view_as(rays)
    # Corners are darker: less of the room shines on them.
    gaps = torch.minimum(high[:, None, None] - places, places - low[:, None, None])
    gaps = gaps.scatter(-1, axis[..., None], torch.inf).amin(-1)
    dark = 1 - 0.35 * torch.exp(-gaps / 0.25)
    return (albedo * shade * dark[..., None]).clamp(0.001, 4)


def shaded_ground(picture: Tensor, ground: Ground, rays: Tensor, shadow: ShadowMap, joints: Tensor) -> Tensor:
    """(B, H, W, 3) pictures with the lamp's shadow of the people on the ground, and a dark spot below what is near it.

    Args:
        picture: backgrounds.
        ground: of the scenes.
        rays: (B, H, W, 3) unit viewing directions.
        shadow: of the people.
        joints: (B, J, 3) meters, camera axes.
    """
    height, width = picture.shape[1:3]
    rays = rays[:, _COARSE // 2 :: _COARSE, _COARSE // 2 :: _COARSE]
    points, ahead = ground.hit(rays)
    image = torch.arange(len(rays), device=rays.device).repeat_interleave(rays[0, ..., 0].numel())
    lit = torch.where(ahead, shadow.lit(points.flatten(0, 2), image).view(ahead.shape), 1.0)
    above = (joints * ground.up[:, None]).sum(-1) - ground.height[:, None]
    below = joints - above[..., None] * ground.up[:, None]
    near = torch.cdist(points.flatten(1, 2), below) / (0.07 + 0.35 * above.clamp_min(0)[:, None])
    spot = torch.exp(-0.5 * near.square()) * torch.exp(-above.clamp_min(0) / 0.35)[:, None]
    light = (0.45 + 0.55 * lit) * (1 - 0.55 * spot.amax(-1).view(ahead.shape) * ahead)
    light = interpolate(light[:, None], size=(height, width), mode="bilinear")
    return picture * light[:, 0, :, :, None]


def _room_axes(generator: torch.Generator, up: Tensor) -> Tensor:
    """(B, 3, 3) rows: two walls' directions with the vertical between them, in camera axes."""
    yaw = uniform(generator, -torch.pi, torch.pi, len(up), 1)
    ahead = torch.tensor([0.0, 0.0, 1.0], device=up.device).expand_as(up)
    right = normalize(torch.linalg.cross(up, ahead), dim=1)
    front = torch.linalg.cross(right, up)
    turned = right * yaw.cos() + front * yaw.sin()
    return torch.stack([turned, up, torch.linalg.cross(turned, up)], dim=1)


def _extent(generator: torch.Generator, middle: Tensor, floor: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 3) lower and upper ends of rooms that hold the camera at their origin and the people at `middle`."""
    batch = len(middle)
    room = uniform(generator, 0.4, 4.0, batch, 2, 3)
    low = torch.minimum(middle, torch.zeros_like(middle)) - room[:, 0]
    high = torch.maximum(middle, torch.zeros_like(middle)) + room[:, 1]
    low[:, 1] = torch.minimum(floor, torch.full_like(floor, -0.05))
    high[:, 1] = torch.maximum(low[:, 1] + uniform(generator, 2.4, 4, batch), torch.full_like(floor, 0.3))
    return low, high


def _surfaces(generator: torch.Generator, face: Tensor, places: Tensor, axis: Tensor) -> Tensor:
    """(B, H, W, 3) albedo: walls in one color, floor and ceiling in theirs, all uneven, some tiled or planked."""
    batch, device = len(face), face.device
    gray = uniform(generator, 0.08, 0.85, batch, _FACES, 1)
    hue = uniform(generator, 0.6, 1.2, batch, _FACES, 3)
    color = gray * torch.lerp(torch.ones_like(hue), hue, uniform(generator, 0, 1, batch, _FACES, 1))
    walls = chance(generator, 0.8, batch, 1, 1)
    color[:, [0, 1, 5]] = torch.where(walls, color[:, 4:5], color[:, [0, 1, 5]])
    image = torch.arange(batch, device=device)[:, None, None]
    first = torch.where(axis == 0, places[..., 2], places[..., 0])
    second = torch.where(axis == 1, places[..., 2], places[..., 1])
    texture = clouds(generator, batch, 3, _TEXELS, _TEXELS)
    wrapped = torch.stack([(first / 3) % 2 - 1, (second / 3) % 2 - 1], dim=-1)
    grain = grid_sample(texture, wrapped, mode="bilinear", padding_mode="reflection", align_corners=True)
    uneven = uniform(generator, 0.01, 0.1, batch, 1, 1, 1) * grain.permute(0, 2, 3, 1)
    tile = uniform(generator, 0.1, 0.8, batch, _FACES, 2)[image, face]
    joint = ((first / tile[..., 0]).frac().abs() < 0.03) | ((second / tile[..., 1]).frac().abs() < 0.03)
    checks = ((first / tile[..., 0]).floor() + (second / tile[..., 1]).floor()) % 2
    kind = uniform(generator, 0, 1, batch, _FACES)[image, face]
    contrast = normal(generator, 0.25, batch, _FACES)[image, face]
    pattern = torch.where(kind < 0.15, contrast * checks, torch.where(kind < 0.4, -0.4 * joint.float(), 0.0))
    return (color[image, face] * (1 + pattern[..., None]) * (1 + uneven)).clamp(0.005, 0.95)
