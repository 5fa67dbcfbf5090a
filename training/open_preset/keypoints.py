"""Projected poses with the errors of a keypoint detector: what the open body branch's heads learn from.

Every sample is seen by its crop's own camera: x right, y down, z forward, the middle of the person's box on the
optical axis. Keypoints stand on the plane z = 1 of that camera, so no focal length occurs; the heads normalize them by
their box anyway.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...backend.body.joints import COCO17
from ...backend.body.layer import BodyLayer
from ..synthetic.poses import rotation_vectors_to_matrices, sample_poses
from ..synthetic.randomness import normal, uniform
from .detector import detect, face_turned_away, mark_points, sample_palms, sample_truncation, visible_box

_BETA_SPREAD = 0.9


@dataclass(frozen=True)
class KeypointSamples:
    """Poses, where they truly are, and what a detector would say of them."""

    rotations: Tensor
    """(B, 22, 3, 3) local rotations, the root in camera axes."""
    betas: Tensor
    """(B, 10)."""
    points: Tensor
    """(B, 76, 3) meters relative to the pelvis, camera axes."""
    translation: Tensor
    """(B, 3) pelvis in the camera, meters."""
    keypoints: Tensor
    """(B, 17, 2) detected COCO points on the plane z = 1."""
    scores: Tensor
    """(B, 17) 0..1."""
    palms: Tensor
    """(B, 2, 5, 3) estimated wrist and knuckles of the left and right hand, meters, any origin."""
    palm_scores: Tensor
    """(B, 2) 0 where the hand is hidden."""


def sample_keypoints(library: Tensor, body: BodyLayer, count: int, generator: torch.Generator) -> KeypointSamples:
    """Draw poses, shapes and cameras, project, and add the detector's errors.

    Args:
        library: (N, 22, 3, 3) local rotations, see `poses.load_pose_library`.
        body: gives the points.
        count: B.
        generator: source of randomness; it, the library and the body are on one device.
    """
    rotations = sample_poses(library, count, generator)
    rotations[:, 0] = sample_views(generator, count) @ rotations[:, 0]
    betas = normal(generator, _BETA_SPREAD, count, 10)
    points, _ = body.skeleton(rotations, betas)
    points = points - points[:, :1]
    marked = mark_points(points[:, list(COCO17)], generator)
    hidden = sample_truncation(marked[..., :2], generator)
    translation = place_in_view(marked, hidden, sample_distances(hidden, generator))
    projected = project(marked + translation[:, None])
    keypoints, scores = detect(projected, hidden, face_turned_away(points), generator)
    palms, palm_scores = sample_palms(points, generator)
    return KeypointSamples(rotations, betas, points, translation, keypoints, scores, palms, palm_scores)


def project(points: Tensor) -> Tensor:
    """(..., 3) in camera axes -> (..., 2) on the plane z = 1."""
    return points[..., :2] / points[..., 2:].clamp_min(0.1)


def sample_views(generator: torch.Generator, count: int) -> Tensor:
    """(B, 3, 3) rotations from the body's upright frame to camera axes: any yaw, wide pitch and roll.

    People hold phones askew and mount cameras high, and some lie or hang, so both angles have heavy tails.
    """
    angles = normal(generator, 1, count, 2)
    rare = uniform(generator, 0, 1, count, 3)
    zero = torch.zeros_like(angles[:, 0])
    pitch = 0.12 + angles[:, 0] * torch.where(rare[:, 0] < 0.3, 0.42, 0.2)
    roll = angles[:, 1] * torch.where(rare[:, 1] < 0.3, 0.35, 0.1)
    roll = torch.where(rare[:, 2] < 0.03, roll * 6, roll)
    yaw = uniform(generator, -math.pi, math.pi, count)
    upright = torch.diag(angles.new_tensor([1.0, -1.0, -1.0]))
    turns = [
        rotation_vectors_to_matrices(torch.stack(vector, dim=-1))
        for vector in ((zero, zero, roll), (pitch, zero, zero), (zero, yaw, zero))
    ]
    return turns[0] @ turns[1] @ upright @ turns[2]


def sample_distances(hidden: Tensor, generator: torch.Generator) -> Tensor:
    """(B, 17) hidden points -> (B,) meters, 2 to 10 on a logarithmic scale; people cut by the frame stand nearer."""
    distance = 2 * 5 ** uniform(generator, 0, 1, len(hidden))
    return torch.where(hidden.sum(dim=1) >= 4, distance * 0.6, distance)


def place_in_view(points: Tensor, hidden: Tensor, distance: Tensor) -> Tensor:
    """Where the pelvis has to be for the box of the visible points to sit on the optical axis.

    Args:
        points: (B, 17, 3) meters relative to the pelvis.
        hidden: (B, 17) points that do not count for the box.
        distance: (B,) pelvis depth, meters; enlarged where a point would come nearer than 0.4 m.

    Returns:
        (B, 3) meters.
    """
    depth = torch.maximum(distance, 0.4 - points[..., 2].amin(dim=1))
    translation = torch.stack([torch.zeros_like(depth), torch.zeros_like(depth), depth], dim=-1)
    for _ in range(3):
        low, high = visible_box(project(points + translation[:, None]), hidden)
        translation[:, :2] -= (low + high) / 2 * depth[:, None]
    return translation
