"""Pinhole cameras for the synthetic pictures. Camera axes: x right, y down, z forward, meters."""

from dataclasses import dataclass

import torch
from torch import Tensor

_NEAR = 0.05


@dataclass(frozen=True)
class Camera:
    """B pinhole cameras, each at the origin of its own axes.

    Attributes:
        focal: (B,) pixels.
        center: (B, 2) principal point, pixels.
        height: rows of the image.
        width: columns of the image.
    """

    focal: Tensor
    center: Tensor
    height: int
    width: int

    def project(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """(B, P, 3) meters -> (B, P, 2) pixels and (B, P) distances along the axis; behind the camera is clamped."""
        depth = points[..., 2]
        pixels = points[..., :2] / depth.clamp_min(_NEAR)[..., None] * self.focal[:, None, None]
        return pixels + self.center[:, None], depth

    def scaled(self, factor: int) -> "Camera":
        """The same view with `factor` times as many rows and columns."""
        return Camera(self.focal * factor, self.center * factor, self.height * factor, self.width * factor)

    def rays(self) -> Tensor:
        """(B, H, W, 3) unit viewing directions of the pixel centers."""
        device = self.focal.device
        row = (torch.arange(self.height, device=device) + 0.5 - self.center[:, 1:]) / self.focal[:, None]
        column = (torch.arange(self.width, device=device) + 0.5 - self.center[:, :1]) / self.focal[:, None]
        x, y = column[:, None, :].expand(-1, self.height, -1), row[:, :, None].expand(-1, -1, self.width)
        return torch.nn.functional.normalize(torch.stack([x, y, torch.ones_like(x)], dim=-1), dim=-1)


def frame_points(
    points: Tensor, distance: Tensor, fill: Tensor, shift: Tensor, height: int, width: int
) -> tuple[Camera, Tensor]:
    """Place points before a camera and zoom until they fill its image.

    Args:
        points: (B, P, 3) meters in camera axes, anywhere.
        distance: (B,) meters from the camera to the middle of the points.
        fill: (B,) size of the points' bounding square as a share of the image's (fitted in height and width).
        shift: (B, 2) offset of the box's middle from the image's, as a share of its height and width.
        height: rows of the image.
        width: columns of the image.

    Returns:
        The camera and the (B, 3) translation to add to everything that is in the points' axes.
    """
    middle = (points.amin(1) + points.amax(1)) / 2
    translation = -middle
    translation[:, 2] += distance
    placed = points + translation[:, None]
    flat = placed[..., :2] / placed[..., 2:].clamp_min(_NEAR)
    low, high = flat.amin(1), flat.amax(1)
    extent = (high - low) / torch.tensor([width, height], device=points.device)
    focal = fill / extent.amax(1)
    size = torch.tensor([width, height], device=points.device)
    center = size * (0.5 + shift) - focal[:, None] * (low + high) / 2
    return Camera(focal, center, height, width), translation
