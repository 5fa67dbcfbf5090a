"""Backgrounds and the light that goes with them: panoramas where there are some, procedural ones otherwise."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate, normalize

from .camera import Camera
from .randomness import chance, choice, normal, uniform

HELD_OUT_EVERY = 5
"""Every so many panoramas one is kept for validation."""
_CONVOLVED = (1.0, *[2 / 3] * 3, *[1 / 4] * 5)
"""A cosine lobe's share of each spherical harmonic, over pi (Ramamoorthi & Hanrahan 2001)."""


@dataclass(frozen=True)
class Light:
    """Light on B scenes, in camera axes.

    Attributes:
        harmonics: (B, 9, 3) irradiance over pi as spherical harmonics of the normal.
        direction: (B, 3) unit vector towards a lamp or the sun.
        color: (B, 3) its irradiance over pi.
    """

    harmonics: Tensor
    direction: Tensor
    color: Tensor

    def shade(self, normals: Tensor, image: Tensor, lit: Tensor | float = 1.0) -> Tensor:
        """(N, 3) unit normals -> (N, 3) reflected radiance of a white surface; `lit` (N, 1) the lamp's share there."""
        ambient = torch.einsum("nk,nkc->nc", harmonics(normals), self.harmonics[image]).clamp_min(0.02)
        facing = (normals * self.direction[image]).sum(1, keepdim=True).clamp_min(0)
        return ambient + facing * lit * self.color[image]


def harmonics(directions: Tensor) -> Tensor:
    """(..., 3) unit vectors -> (..., 9) real spherical harmonics up to the second order."""
    x, y, z = directions.unbind(-1)
    first = [torch.full_like(x, 0.282095), 0.488603 * y, 0.488603 * z, 0.488603 * x]
    second = [
        1.092548 * x * y,
        1.092548 * y * z,
        0.315392 * (3 * z * z - 1),
        1.092548 * x * z,
        0.546274 * (x * x - y * y),
    ]
    return torch.stack(first + second, dim=-1)


class Scenery:
    """Draws backgrounds and lights.

    Args:
        panoramas: (E, 3, H, 2H) linear radiance around a place, the horizon in the middle row; None = procedural only.
    """

    def __init__(self, panoramas: Tensor | None = None) -> None:
        self.panoramas = panoramas
        self._light = None if panoramas is None else _project_panoramas(panoramas)

    @classmethod
    def load(cls, path: Path | None, device: torch.device | str = "cpu", rows: int = 256) -> "Scenery":
        """Read an `.npz` of (H, 2H, 3) linear panoramas; None gives procedural scenery."""
        if path is None:
            return cls()
        with np.load(path) as archive:
            images = [torch.from_numpy(archive[key].astype(np.float32)).permute(2, 0, 1)[None] for key in archive.files]
        resized = torch.cat([interpolate(image, size=(rows, 2 * rows), mode="area") for image in images])
        level = resized.mean(1).flatten(1).quantile(0.6, dim=1).clamp_min(0.02)
        return cls((resized / level[:, None, None, None] * 0.4).to(device))

    def part(self, held_out: bool) -> "Scenery":
        """Every fifth panorama, kept from training, or the others."""
        if self.panoramas is None:
            return self
        kept = torch.arange(len(self.panoramas)) % HELD_OUT_EVERY == 0
        return Scenery(self.panoramas[kept if held_out else ~kept])

    def sample(self, generator: torch.Generator, camera: Camera) -> tuple[Tensor, Light]:
        """(B, H, W, 3) linear backgrounds and their light."""
        batch = len(camera.focal)
        background, light = _procedural(generator, camera)
        if self.panoramas is None or self._light is None:
            return background, light
        pictured, shining = _panoramic(generator, camera, self.panoramas, self._light)
        use = chance(generator, 0.65, batch)
        background = torch.where(use[:, None, None, None], pictured, background)
        ambient = torch.where(use[:, None, None], shining, light.harmonics)
        return background, Light(ambient, light.direction, light.color)


def _panoramic(generator: torch.Generator, camera: Camera, panoramas: Tensor, light: Tensor) -> tuple[Tensor, Tensor]:
    """Backgrounds (B, H, W, 3) and the harmonics (B, 9, 3) of the panoramas' light in camera axes."""
    batch = len(camera.focal)
    scene = choice(generator, len(panoramas), batch)
    field = uniform(generator, 0.6, 2.2, batch) * camera.height
    wide = Camera(field, camera.center * 0 + camera.height / 2, camera.height, camera.width)
    to_scene = _scene_axes(uniform(generator, -math.pi, math.pi, batch), normal(generator, 0.25, batch))
    directions = wide.rays() @ to_scene[:, None].transpose(-1, -2)
    azimuth = torch.atan2(directions[..., 0], directions[..., 2]) / math.pi
    elevation = torch.asin(directions[..., 1].clamp(-1, 1)) / (math.pi / 2)
    grid = torch.stack([azimuth, -elevation], dim=-1)
    pictured = grid_sample(panoramas[scene], grid, align_corners=False, padding_mode="border")
    coefficients = light[scene]
    # Harmonics up to an order turn into harmonics up to that order: evaluate around the sphere and fit again.
    probes = normalize(torch.randn(64, 3, generator=torch.Generator().manual_seed(0)), dim=1).to(panoramas.device)
    values = harmonics(probes @ to_scene.transpose(-1, -2)) @ coefficients
    return pictured.permute(0, 2, 3, 1), torch.linalg.pinv(harmonics(probes)) @ values


def _scene_axes(yaw: Tensor, pitch: Tensor) -> Tensor:
    """(B, 3, 3) from camera axes (y down) to a panorama's (y up)."""
    zero, one = torch.zeros_like(yaw), torch.ones_like(yaw)
    turn = torch.stack([yaw.cos(), zero, yaw.sin(), zero, one, zero, -yaw.sin(), zero, yaw.cos()], dim=-1)
    tilt = torch.stack([one, zero, zero, zero, pitch.cos(), -pitch.sin(), zero, pitch.sin(), pitch.cos()], dim=-1)
    upright = torch.diag(torch.tensor([1.0, -1.0, 1.0], device=yaw.device))
    axes: Tensor = turn.unflatten(-1, (3, 3)) @ tilt.unflatten(-1, (3, 3)) @ upright
    return axes


def _project_panoramas(panoramas: Tensor) -> Tensor:
    """(E, 3, H, 2H) -> (E, 9, 3) irradiance over pi as spherical harmonics."""
    small = interpolate(panoramas.clamp_max(25.0), size=(16, 32), mode="area")
    polar = (torch.arange(16, device=panoramas.device) + 0.5) / 16 * math.pi
    azimuth = ((torch.arange(32, device=panoramas.device) + 0.5) / 16 - 1) * math.pi
    ring = polar.sin()[:, None]
    up = polar.cos()[:, None].expand(16, 32)
    directions = torch.stack([ring * azimuth.sin(), up, ring * azimuth.cos()], dim=-1)
    solid_angle = (ring * (math.pi / 16) ** 2).expand(16, 32)
    basis = harmonics(directions) * solid_angle[..., None]
    shares = torch.tensor(_CONVOLVED, device=panoramas.device)
    return torch.einsum("echw,hwk->ekc", small, basis) * shares[:, None]


def _procedural(generator: torch.Generator, camera: Camera) -> tuple[Tensor, Light]:
    batch, device = len(camera.focal), generator.device
    gray, hue = uniform(generator, 0.02, 0.9, batch, 1, 1, 1) ** 1.5, uniform(generator, 0, 1.6, batch, 3, 1, 1)
    tint = gray * torch.lerp(torch.ones_like(hue), hue, uniform(generator, 0, 1, batch, 1, 1, 1) ** 2)
    grain = clouds(generator, batch, 4, camera.height, camera.width) * uniform(generator, 0, 0.3, batch, 1, 1, 1)
    texture = grain[:, :1] * tint.clamp_min(0.1) + 0.15 * grain[:, 1:]
    slope = torch.linspace(-0.5, 0.5, camera.height, device=device)[:, None] * normal(generator, 0.5, batch, 1, 1, 1)
    background = (tint * (1 + slope) + texture).clamp(0.002, 2).permute(0, 2, 3, 1)
    coefficients = torch.zeros(batch, 9, 3, device=device)
    coefficients[:, 0] = uniform(generator, 0.3, 1.0, batch, 1) * uniform(generator, 0.85, 1.15, batch, 3) / 0.282095
    coefficients[:, 1:4] = normal(generator, 0.25, batch, 3, 1) + normal(generator, 0.04, batch, 3, 3)
    coefficients[:, 1] -= uniform(generator, 0, 0.5, batch, 1)
    toward = torch.tensor([0.0, -0.7, -0.7], device=device)
    direction = normalize(normal(generator, 0.8, batch, 3) + toward, dim=1)
    strength = uniform(generator, 0, 1.3, batch, 1) * chance(generator, 0.7, batch, 1)
    return background, Light(coefficients, direction, strength * uniform(generator, 0.85, 1.15, batch, 3))


def clouds(generator: torch.Generator, batch: int, channels: int, height: int, width: int) -> Tensor:
    """(B, C, H, W) zero-mean noise with most of its power at low frequencies."""
    total, amplitude = torch.zeros(batch, channels, height, width, device=generator.device), 1.0
    for octave in range(1, 7):
        grid = normal(generator, amplitude, batch, channels, 2**octave + 1, 2**octave + 1)
        total += interpolate(grid, size=(height, width), mode="bilinear", align_corners=True)
        amplitude *= 0.6
    return total
