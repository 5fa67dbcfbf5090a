"""Errors of predicted joints in millimeters: MPJPE and PA-MPJPE (paper, section 5)."""

import torch
from torch import Tensor


def mpjpe(predicted: Tensor, target: Tensor, *, root: int | None = None) -> Tensor:
    """Mean per joint position error.

    Args:
        predicted: (B, J, 3) meters.
        target: (B, J, 3) meters.
        root: joint that both are moved onto first; None compares them where they are.

    Returns:
        (B,) millimeters.
    """
    if root is not None:
        predicted = predicted - predicted[:, root : root + 1]
        target = target - target[:, root : root + 1]
    distances: Tensor = 1000 * (predicted - target).norm(dim=-1)
    return distances.mean(dim=-1)


def pa_mpjpe(predicted: Tensor, target: Tensor) -> Tensor:
    """MPJPE after the best similarity transform of each prediction onto its target.

    Args:
        predicted: (B, J, 3) meters.
        target: (B, J, 3) meters.

    Returns:
        (B,) millimeters.
    """
    return mpjpe(procrustes_align(predicted, target), target)


def procrustes_align(source: Tensor, target: Tensor) -> Tensor:
    """Rotate, scale and move each point set onto its target with the least squared error.

    Gower, "Generalized Procrustes analysis", 1975; Umeyama 1991 for the sign that keeps the rotation proper.

    Args:
        source: (B, J, 3).
        target: (B, J, 3).

    Returns:
        (B, J, 3) the moved source, in the source's own type.
    """
    x, y = source.double(), target.double()
    x_mean, y_mean = x.mean(dim=1, keepdim=True), y.mean(dim=1, keepdim=True)
    x, y = x - x_mean, y - y_mean
    u, singular, vt = torch.linalg.svd(x.transpose(1, 2) @ y)
    signs = torch.ones_like(singular)
    signs[:, 2] = torch.sign(torch.det(u) * torch.det(vt))
    rotation = (u * signs[:, None]) @ vt
    scale = (singular * signs).sum(dim=-1) / x.square().sum(dim=(1, 2)).clamp_min(1e-12)
    moved: Tensor = scale[:, None, None] * (x @ rotation) + y_mean
    return moved.to(source.dtype)
