"""Errors of predicted points and boxes: MPJPE, MPVPE, both after alignment, and box IoU (paper, sections 5.1 and 11).

Letters: B predictions, P points (joints or vertices).
"""

import torch
from torch import Tensor


def mpjpe(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean per joint position error, of points that stand where they are compared (see `rooted_error`).

    Args:
        predicted: (B, J, 3) meters.
        target: (B, J, 3) meters.

    Returns:
        (B,) millimeters.
    """
    distances: Tensor = 1000 * (predicted - target).norm(dim=-1)
    return distances.mean(dim=-1)


def rooted_error(predicted: Tensor, target: Tensor, roots: tuple[Tensor, Tensor]) -> Tensor:
    """Mean distance after the roots are moved onto each other: MPVPE, or MPJPE where the root is none of the points.

    Args:
        predicted: (B, P, 3) meters.
        target: (B, P, 3) meters.
        roots: (B, 3) meters, of the prediction and of the target: pelvis, wrist or neck of the part.

    Returns:
        (B,) millimeters.
    """
    return mpjpe(predicted - roots[0][:, None], target - roots[1][:, None])


def pa_mpjpe(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean distance after the best similarity transform of each prediction onto its target.

    Of joints this is PA-MPJPE, of vertices PA-MPVPE; a part is aligned on its own points (section 5.1).

    Args:
        predicted: (B, P, 3) meters.
        target: (B, P, 3) meters.

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
    x, y = (points.cpu().double() if points.device.type == "mps" else points.double() for points in (source, target))
    x_mean, y_mean = x.mean(dim=1, keepdim=True), y.mean(dim=1, keepdim=True)
    x, y = x - x_mean, y - y_mean
    u, singular, vt = torch.linalg.svd(x.transpose(1, 2) @ y)
    signs = torch.ones_like(singular)
    signs[:, 2] = torch.sign(torch.det(u) * torch.det(vt))
    rotation = (u * signs[:, None]) @ vt
    scale = (singular * signs).sum(dim=-1) / x.square().sum(dim=(1, 2)).clamp_min(1e-12)
    moved: Tensor = scale[:, None, None] * (x @ rotation) + y_mean
    return moved.to(source)


def box_iou(predicted: Tensor, target: Tensor) -> Tensor:
    """Intersection over union of boxes, pair by pair.

    Args:
        predicted: (..., 4) x, y, x, y.
        target: (..., 4).

    Returns:
        (...) 0..1; a box that is turned inside out or has no area overlaps with nothing.
    """
    upper = torch.maximum(predicted[..., :2], target[..., :2])
    lower = torch.minimum(predicted[..., 2:], target[..., 2:])
    shared = (lower - upper).clamp_min(0).prod(dim=-1)
    areas = [(box[..., 2:] - box[..., :2]).clamp_min(0).prod(dim=-1) for box in (predicted, target)]
    union = areas[0] + areas[1] - shared
    iou: Tensor = torch.where(union > 0, shared / union.clamp_min(1e-12), 0.0)
    return iou
