"""Shadows of people: how much of the lamp's light reaches a point, from a depth image seen from the lamp."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .rasterizer import rasterize

SIZE = 128
REACH = 1.25
"""Half the side of the depth image, meters."""
_AWAY = 50.0
"""The lamp's distance; far enough for parallel rays."""
_BIAS = 0.03
"""Meters that a point may lie behind the lit surface: the image is coarse and skin must not shade itself."""


@dataclass(frozen=True)
class ShadowMap:
    """B depth images seen from B lamps.

    Attributes:
        axes: (B, 3, 3) rows: right, down and forward of the lamp's view in camera axes.
        middle: (B, 3) what it looks at, meters.
        depth: (B, SIZE, SIZE) meters, infinite where nothing is.
    """

    axes: Tensor
    middle: Tensor
    depth: Tensor

    @classmethod
    def cast(cls, vertices: Tensor, faces: Tensor, direction: Tensor) -> "ShadowMap":
        """Of (B, V, 3) vertices in the light from (B, 3) directions, NaN vertices left out."""
        axes = _view(direction)
        middle = (vertices.nan_to_num(torch.inf).amin(1) + vertices.nan_to_num(-torch.inf).amax(1)) / 2
        pixels, depth = _project(vertices, axes, middle)
        drawn = rasterize(pixels, depth, faces, SIZE, SIZE)
        return cls(axes, middle, drawn.depth_image(len(vertices), SIZE, SIZE))

    def lit(self, points: Tensor, image: Tensor) -> Tensor:
        """(N, 3) points in camera axes of the (N,) pictures -> (N,) 0 in the shadow to 1, softened over four texels."""
        turned = (self.axes[image] @ (points - self.middle[image])[..., None])[..., 0]
        place = (turned[:, :2] / REACH + 1) * (SIZE / 2) - 0.5
        start, depth = place.floor(), turned[:, 2] + _AWAY
        part = place - start
        total = torch.zeros_like(depth)
        for right in (0, 1):
            for down in (0, 1):
                column, row = (start + torch.tensor([right, down], device=start.device)).long().unbind(1)
                inside = (column >= 0) & (column < SIZE) & (row >= 0) & (row < SIZE)
                surface = self.depth[image, row.clamp(0, SIZE - 1), column.clamp(0, SIZE - 1)]
                share = (part[:, 0] if right else 1 - part[:, 0]) * (part[:, 1] if down else 1 - part[:, 1])
                total = total + share * (~inside | (depth < surface + _BIAS))
        return total


def _project(points: Tensor, axes: Tensor, middle: Tensor) -> tuple[Tensor, Tensor]:
    """(B, V, 3) -> pixels (B, V, 2) and distances (B, V) along parallel rays."""
    turned = (points - middle[:, None]) @ axes.transpose(1, 2)
    return (turned[..., :2] / REACH + 1) * (SIZE / 2), turned[..., 2] + _AWAY


def _view(direction: Tensor) -> Tensor:
    """(B, 3) towards the lamp -> (B, 3, 3) rows: right, down, forward as the lamp sees."""
    forward = -direction
    aside = torch.where(forward[:, :1].abs() < 0.9, *torch.eye(3, device=forward.device)[:2, None])
    down = normalize(torch.linalg.cross(forward, aside), dim=1)
    return torch.stack([torch.linalg.cross(down, forward), down, forward], dim=1)
