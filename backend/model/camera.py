"""The perspective camera (paper section 3.4): projection and the translation that explains 2D points.

Camera axes are x right, y down, z forward, in meters.
"""

import torch
from torch import Tensor

PAPER_FOCAL = 1500.0
"""Focal length in pixels on the 256x192 body picture, principal point at its center."""


def project(points: Tensor, focal: Tensor, principal_point: Tensor) -> Tensor:
    """Perspective projection.

    Args:
        points: (B, P, 3) meters, in front of the camera.
        focal: (2,) or (B, 2) pixels.
        principal_point: (2,) or (B, 2) pixels.

    Returns:
        (B, P, 2) pixels.
    """
    plane = points[..., :2] / points[..., 2:].clamp_min(1e-3)
    return plane * _per_point(focal) + _per_point(principal_point)


def solve_translation(
    points_3d: Tensor, points_2d: Tensor, weights: Tensor, focal: Tensor, principal_point: Tensor
) -> Tensor:
    """Weighted least squares for the translation that makes 3D points project onto 2D points.

    f (X + t_x) = (u - c) (Z + t_z) is linear in t. With t_x and t_y eliminated by taking weighted means, t_z is a
    single quotient. Differentiable; exact when the 2D points are exact.

    Args:
        points_3d: (B, P, 3) meters, camera axes.
        points_2d: (B, P, 2) pixels.
        weights: (B, P), not negative; at least two different points need a weight.
        focal: (2,) or (B, 2) pixels.
        principal_point: (2,) or (B, 2) pixels.

    Returns:
        (B, 3) meters, to be added to points_3d.
    """
    rays = (points_2d - _per_point(principal_point)) / _per_point(focal)
    known = rays * points_3d[..., 2:] - points_3d[..., :2]
    share = (weights / weights.sum(1, keepdim=True).clamp_min(1e-12)).unsqueeze(2)
    mean_ray, mean_known = (share * rays).sum(1), (share * known).sum(1)
    ray_spread, known_spread = rays - mean_ray[:, None], known - mean_known[:, None]
    spread = (share * ray_spread.square()).sum((1, 2)).clamp_min(1e-12)
    depth = -(share * ray_spread * known_spread).sum((1, 2)) / spread
    return torch.cat([mean_known + mean_ray * depth[:, None], depth[:, None]], dim=1)


def _per_point(values: Tensor) -> Tensor:
    """(2,) or (B, 2) -> a shape that broadcasts over (B, P, 2)."""
    return values.unsqueeze(-2)
