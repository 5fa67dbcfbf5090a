"""What a batch is compared with: labels, and the points of the fitted human model in the crop's axes (section 3.4).

Letters: B batch, J points and R rotations of the model's `JointSet`. The fit is posed here, in one go on the device of
the training, and follows the picture: mirrored first, then through the crop's affine map. What the map turns, the
camera's axes turn with, so that a point, its depth and its place in the crop stay together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..backend.model.camera import project
from ..backend.model.presets import PAPER_BODY_GRID, PAPER_HAND_GRID
from ..backend.motion.skeleton import BODY_JOINTS, JAW, LEFT_HAND, RIGHT_HAND
from .body_models.human_models import HumanModel
from .body_models.joint_sets import JointSet
from .rotation_vectors import matrix_from_axis_angle

Batch = Mapping[str, Tensor]

BRANCHES = {"body": "body", "left_hand": "hand", "right_hand": "hand", "hand": "hand", "face": "face"}
"""Which branch learns the points of a part."""
REGIONS = ("left_hand", "right_hand", "face")


@dataclass(frozen=True)
class Targets:
    """What is known of B samples; where a mask is False the value beside it means nothing.

    Attributes:
        rotations: (B, R, 3) axis-angle, radians, the root's in the axes of the crop's camera.
        rotations_valid: (B, R).
        betas: (B, 10).
        betas_valid: (B,).
        expression: (B, 10).
        expression_valid: (B,).
        positions: (B, J, 3) labels; x, y in pixels of the crop, z in meters from the root of the point's part.
        positions_valid: (B, J, 3), of each coordinate: pictures without motion capture have no depth.
        fit_positions: (B, J, 3) the same of the fitted model.
        fit_positions_valid: (B, J, 3).
        points_3d: (B, J, 3) labels in meters from the root of the point's part, axes of the crop's camera.
        points_3d_valid: (B, J).
        fit_points_3d: (B, J, 3) the same of the fitted model.
        fit_points_3d_valid: (B, J).
        boxes: (B, 3, 4) left hand, right hand, face: center, width and height in pixels of the crop.
        boxes_valid: (B, 3).
    """

    rotations: Tensor
    rotations_valid: Tensor
    betas: Tensor
    betas_valid: Tensor
    expression: Tensor
    expression_valid: Tensor
    positions: Tensor
    positions_valid: Tensor
    fit_positions: Tensor
    fit_positions_valid: Tensor
    points_3d: Tensor
    points_3d_valid: Tensor
    fit_points_3d: Tensor
    fit_points_3d_valid: Tensor
    boxes: Tensor
    boxes_valid: Tensor


@torch.no_grad()
def targets_of(batch: Batch, model: HumanModel) -> Targets:
    """The targets of a batch of examples (see `transforms.py`).

    Args:
        batch: collated examples, on the model's device.
        model: the human model that was fitted, with the joint set of the examples.
    """
    joint_set, size = model.joint_set, batch["image"].shape[-2:]
    fit_places, fit_points = _posed_fit(batch, model)
    fit_points = relative_to_roots(fit_points, joint_set)
    points = relative_to_roots(batch["points_3d"], joint_set)
    roots = root_indices(joint_set)
    known_3d = batch["points_3d_valid"] & batch["points_3d_valid"][:, roots]
    fit_positions = torch.cat([fit_places, fit_points[..., 2:]], dim=2)
    seen = batch["fit_points_valid"] & _inside(fit_places, size) & _near(fit_points, joint_set)
    labelled = batch["points_valid"] & (_near(points, joint_set) | ~known_3d)
    low, high = batch["regions"].split(2, dim=2)
    return Targets(
        rotations=batch["rotations"],
        rotations_valid=batch["rotations_valid"],
        betas=batch["betas"],
        betas_valid=batch["betas_valid"],
        expression=batch["expression"],
        expression_valid=batch["expression_valid"],
        positions=torch.cat([batch["points"], points[..., 2:]], dim=2),
        positions_valid=torch.stack([labelled, labelled, labelled & known_3d], dim=2),
        fit_positions=fit_positions,
        fit_positions_valid=seen[..., None].expand_as(fit_positions),
        points_3d=points,
        points_3d_valid=known_3d,
        fit_points_3d=fit_points,
        fit_points_3d_valid=batch["fit_points_valid"],
        boxes=torch.cat([(low + high) / 2, high - low], dim=2),
        boxes_valid=batch["regions_valid"],
    )


def only_branches(targets: Targets, joint_set: JointSet, branches: Sequence[str]) -> Targets:
    """Without what the other branches would learn: of the body-only variant, hands and face train nothing (Table 2).

    Args:
        targets: of whole people.
        joint_set: theirs.
        branches: of body, hand, face: those that learn.
    """
    device = targets.rotations.device
    points = torch.zeros(len(joint_set.points), dtype=torch.bool, device=device)
    for part in joint_set.parts:
        points[part.points] = BRANCHES[part.name] in branches
    rotations = torch.zeros(len(joint_set.rotations), dtype=torch.bool, device=device)
    rotations[BODY_JOINTS] = "body" in branches
    rotations[LEFT_HAND] = rotations[RIGHT_HAND] = "hand" in branches
    rotations[JAW] = "face" in branches
    boxes = torch.tensor([BRANCHES[region] in branches for region in REGIONS], device=device)
    return replace(
        targets,
        rotations_valid=targets.rotations_valid & rotations,
        betas_valid=targets.betas_valid & ("body" in branches),
        expression_valid=targets.expression_valid & ("face" in branches),
        positions_valid=targets.positions_valid & points[:, None],
        fit_positions_valid=targets.fit_positions_valid & points[:, None],
        points_3d_valid=targets.points_3d_valid & points,
        fit_points_3d_valid=targets.fit_points_3d_valid & points,
        boxes_valid=targets.boxes_valid & boxes,
    )


def root_indices(joint_set: JointSet) -> list[int]:
    """(J,) for each point the point that its part's coordinates are relative to."""
    roots = list(range(len(joint_set.points)))
    for part in joint_set.parts:
        roots[part.points] = [part.root] * len(roots[part.points])
    return roots


def relative_to_roots(points: Tensor, joint_set: JointSet) -> Tensor:
    """(B, J, 3) points -> the same, relative to the roots of their parts."""
    return points - points[:, root_indices(joint_set)]


def depth_ranges(joint_set: JointSet, like: Tensor) -> Tensor:
    """(J,) meters of depth around its root within which a point is predicted: 2 for a body, 0.3 for hands and face."""
    ranges = torch.full((len(joint_set.points),), PAPER_HAND_GRID.depth_range, device=like.device, dtype=like.dtype)
    for part in joint_set.parts:
        if part.name == "body":
            ranges[part.points] = PAPER_BODY_GRID.depth_range
    return ranges


def _posed_fit(batch: Batch, model: HumanModel) -> tuple[Tensor, Tensor]:
    """Where the fit's points are in the crop (B, J, 2), pixels, and in the axes of the crop's camera (B, J, 3)."""
    rotations = matrix_from_axis_angle(batch["fit_rotations"])
    points = model.points(rotations, batch["betas"], batch["expression"], batch["fit_trans"])
    places = project(points, batch["focal"], batch["principal_point"])
    mirrored = torch.stack([batch["picture_width"][:, None] - places[..., 0], places[..., 1]], dim=2)
    flipped = batch["flipped"][:, None, None]
    swap = _swapped(model.joint_set)
    places = torch.where(flipped, mirrored[:, swap], places)
    points = torch.where(flipped, (points * points.new_tensor([-1.0, 1.0, 1.0]))[:, swap], points)
    affine = batch["affine"]
    linear = affine[:, :, :2]
    # the map is a rotation with one scale, so the rotation is what is left without the scale
    turn = linear / torch.linalg.det(linear).abs().sqrt()[:, None, None]
    turned = torch.cat([points[..., :2] @ turn.transpose(1, 2), points[..., 2:]], dim=2)
    return places @ linear.transpose(1, 2) + affine[:, None, :, 2], turned


def _swapped(joint_set: JointSet) -> list[int]:
    order = list(range(len(joint_set.points)))
    for left, right in joint_set.point_pairs:
        order[left], order[right] = right, left
    return order


def _inside(places: Tensor, size: Sequence[int]) -> Tensor:
    """(B, J, 2) pixels -> (B, J) whether they are in a picture of that height and width."""
    return ((places >= 0) & (places < places.new_tensor([size[1], size[0]]))).all(-1)


def _near(points: Tensor, joint_set: JointSet) -> Tensor:
    """(B, J, 3) meters from the roots -> (B, J) whether the depth lies where heat maps reach."""
    return points[..., 2].abs() < depth_ranges(joint_set, points) / 2
