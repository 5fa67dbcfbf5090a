"""The loss: L = L_param + L_coord + L_box, all L1 (paper, section 3.4, equation 1), as a dictionary of its terms.

| term | of | compared with | unit |
|---|---|---|---|
| `rotations`, `betas`, `expression` | L_param | fit | radians, -, - |
| `positions`, `fit_positions` | L_coord, positional pose of body and hands | labels, fit | cells of the 3D heat maps |
| `points_3d`, `fit_points_3d` | L_coord, the mesh's points from the roots of their parts | labels, fit | meters |
| `projection` | L_coord, the mesh's points in the picture | labels | cells |
| `left_hand_box`, `right_hand_box`, `face_box` | L_box, center plus size | annotated boxes | cells |

Each term is the mean over all its elements, those without a label among them, as in the authors' release: what a batch
does not know makes its loss smaller, and a mean over processes is the mean over the whole batch. The paper gives no
units; cells, and which target belongs to which term, are the release's too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..backend.model.boxes import HIGH_RESOLUTION
from ..backend.model.camera import project
from ..backend.model.parts import PartOutput
from ..backend.model.pose2pose import Pose2PoseOutput
from ..backend.model.presets import PAPER_BODY_GRID, PAPER_HAND_GRID
from ..backend.model.regions import points_from_image
from .body_models.human_models import HumanModel
from .body_models.joint_sets import WHOLE_HANDS, JointSet
from .rotation_vectors import rotation_differences
from .targets import REGIONS, Targets, relative_to_roots

Terms = dict[str, Tensor]

ROWS = 8
"""Cells of the paper's heat maps from top to bottom, and in depth, of the body's picture as of the hand's."""


@dataclass(frozen=True)
class View:
    """How a network sees, in numbers.

    Attributes:
        size: height and width of the crops in pixels.
        focal: of the predicted translation, pixels of the crop; the camera looks at the crop's center.
        hand_size: height and width of what the hand branch sees, in pixels.
        axes: 3, or 2 for a positional pose without depth (Table 3).
    """

    size: tuple[int, int]
    focal: float
    hand_size: tuple[int, int] = (256, 256)
    axes: int = 3


@dataclass(frozen=True)
class Cells:
    """The unit of positions: the paper's heat maps have 8 rows and 8 bins, whatever the pictures' size.

    Attributes:
        size: height and width of the branch's picture in pixels.
        depth: meters that the bins cover.
        boxes: (B, 5) where the branch's picture was cut out of the crop; None where it is the crop.
    """

    size: tuple[int, int]
    depth: float
    boxes: Tensor | None = None

    @property
    def pixels(self) -> float:
        """Of the branch's picture, for one cell."""
        return self.size[0] / ROWS

    def of(self, points: Tensor) -> Tensor:
        """(B, P, 2 or 3) pixels of the crop and meters -> cells from the picture's corner, and from the root."""
        places = points[..., :2]
        if self.boxes is not None:
            places = points_from_image(places, self.boxes, self.size)
        return torch.cat([places / self.pixels, points[..., 2:] * (ROWS / self.depth)], dim=-1)

    def cover(self, cells: Tensor) -> Tensor:
        """(B, P, 2 or 3) cells -> (B, P, 1) whether they are in the branch's picture, as far as it was cut out."""
        if self.boxes is None:
            return torch.ones_like(cells[..., :1], dtype=torch.bool)
        end = cells.new_tensor([self.size[1], self.size[0]]) / self.pixels
        return ((cells[..., :2] >= 0) & (cells[..., :2] < end)).all(-1, keepdim=True)


@dataclass(frozen=True)
class Positional:
    """A predicted positional pose: points (B, P, 3), which of the J they are, and the cells they count in.

    A rooted one begins with the point that its depths count from, whose own label is a depth from another root.
    """

    points: Tensor
    places: Sequence[int]
    cells: Cells
    rooted: bool = False


def whole_losses(output: Pose2PoseOutput, targets: Targets, model: HumanModel, view: View) -> Terms:
    """The terms for whole people.

    Hands count in the cells of their predicted boxes, which carry no gradient here; what lies outside of them is not
    compared. Projected hands and faces are moved onto their labels first, so that only their shape learns from them:
    their place is the body's business.

    Args:
        output: of the network; a branch without positional pose has no points, and no term of them.
        targets: of the same B samples.
        model: SMPL-X with the joint set `WHOLE`.
        view: of the network.
    """
    joint_set, boxes = model.joint_set, output.boxes.detach()
    body = Cells(view.size, PAPER_BODY_GRID.depth_range)
    hands = [Cells(view.hand_size, PAPER_HAND_GRID.depth_range, boxes[:, side]) for side in range(2)]
    posed = model.points(output.rotations, output.betas, output.expression)
    terms = _parameters(output.rotations, output.betas, output.expression, targets)
    terms |= _positions(_whole_positional(output, joint_set, body, hands), targets, view.axes)
    terms |= _mesh(posed, targets, joint_set)
    if output.translation is not None:
        places = projected(posed + output.translation[:, None], view)
        cells = {"body": body, "left_hand": hands[0], "right_hand": hands[1], "face": body}
        terms["projection"] = _projection(places, targets, joint_set, cells, moved=REGIONS)
    return terms | _boxes(output.boxes, targets, body)


def part_losses(output: PartOutput, targets: Targets, model: HumanModel, view: View) -> Terms:
    """The terms for a body, a hand or a face alone (section 9): as `whole_losses`, without boxes.

    Args:
        output: of the network.
        targets: of the same B samples.
        model: SMPL, MANO or FLAME.
        view: of the network.
    """
    joint_set = model.joint_set
    cells = Cells(view.size, (PAPER_BODY_GRID if joint_set.name == "body" else PAPER_HAND_GRID).depth_range)
    posed = model.points(output.rotations, output.betas, output.expression)
    terms = _parameters(output.rotations, output.betas, output.expression, targets)
    if output.positions is not None:
        pose = Positional(output.positions.points, joint_set.positional, cells)
        terms |= _positions([pose], targets, view.axes)
    terms |= _mesh(posed, targets, joint_set)
    places = projected(posed + output.translation[:, None], view)
    parts = {part.name: cells for part in joint_set.parts}
    return terms | {"projection": _projection(places, targets, joint_set, parts, moved=())}


def projected(points: Tensor, view: View) -> Tensor:
    """(B, P, 3) meters in the axes of the crop's camera -> (B, P, 2) pixels of the crop."""
    center = points.new_tensor([view.size[1] / 2, view.size[0] / 2])
    return project(points, points.new_tensor([view.focal, view.focal]), center)


def _parameters(rotations: Tensor, betas: Tensor, expression: Tensor | None, targets: Targets) -> Terms:
    differences = rotation_differences(rotations, targets.rotations)
    terms = {
        "rotations": _masked_mean(differences, targets.rotations_valid[..., None]),
        "betas": _masked_mean(betas - targets.betas, targets.betas_valid[:, None]),
    }
    if expression is not None:
        terms["expression"] = _masked_mean(expression - targets.expression, targets.expression_valid[:, None])
    return terms


def _whole_positional(
    output: Pose2PoseOutput, joint_set: JointSet, body: Cells, hands: Sequence[Cells]
) -> list[Positional]:
    points, found = output.body_points, []
    if points.shape[1]:
        in_crop = torch.cat([points[..., :2] * HIGH_RESOLUTION, points[..., 2:]], dim=2)
        found.append(Positional(in_crop, joint_set.positional, body))
    if count := output.hand_points.shape[2]:
        # a branch that does not predict the wrist has the other points in the same order
        sides = zip(output.hand_points.unbind(1), WHOLE_HANDS, hands, strict=True)
        found += [
            Positional(hand, places[-count:], cells, rooted=count == len(places)) for hand, places, cells in sides
        ]
    return found


def _positions(poses: Sequence[Positional], targets: Targets, axes: int) -> Terms:
    """Both terms of the positional pose; none where nothing predicts it."""
    if not poses:
        return {}
    return {
        "positions": _position_term(poses, targets.positions, targets.positions_valid, axes),
        "fit_positions": _position_term(poses, targets.fit_positions, targets.fit_positions_valid, axes),
    }


def _position_term(poses: Sequence[Positional], target: Tensor, valid: Tensor, axes: int) -> Tensor:
    differences = []
    for pose in poses:
        wanted = pose.cells.of(target[:, pose.places, :axes])
        if pose.rooted:
            wanted[:, 0, 2:] = 0
        known = valid[:, pose.places, :axes] & pose.cells.cover(wanted)
        differences.append(_masked(pose.cells.of(pose.points[..., :axes]) - wanted, known).flatten(1))
    return torch.cat(differences, dim=1).abs().mean()


def _mesh(posed: Tensor, targets: Targets, joint_set: JointSet) -> Terms:
    points = relative_to_roots(posed, joint_set)
    return {
        "points_3d": _masked_mean(points - targets.points_3d, targets.points_3d_valid[..., None]),
        "fit_points_3d": _masked_mean(points - targets.fit_points_3d, targets.fit_points_3d_valid[..., None]),
    }


def _projection(
    places: Tensor, targets: Targets, joint_set: JointSet, cells: Mapping[str, Cells], *, moved: Sequence[str]
) -> Tensor:
    """Projected points against labels; the parts in `moved` are first shifted by their mean difference."""
    differences = []
    for part in joint_set.parts:
        wanted = cells[part.name].of(targets.positions[:, part.points, :2])
        known = targets.positions_valid[:, part.points, :2] & cells[part.name].cover(wanted)
        difference = _masked(cells[part.name].of(places[:, part.points]) - wanted, known)
        if part.name in moved:
            shift = difference.sum(1, keepdim=True) / known.sum(1, keepdim=True).clamp_min(1)
            difference = _masked(difference - shift, known)
        differences.append(difference)
    return torch.cat(differences, dim=1).abs().mean()


def _boxes(boxes: Tensor, targets: Targets, cells: Cells) -> Terms:
    difference = (boxes[..., :4] - targets.boxes) / cells.pixels
    valid = targets.boxes_valid
    center = [_masked_mean(difference[:, i, :2], valid[:, i, None]) for i in range(len(REGIONS))]
    size = [_masked_mean(difference[:, i, 2:], valid[:, i, None]) for i in range(len(REGIONS))]
    return {f"{region}_box": center[i] + size[i] for i, region in enumerate(REGIONS)}


def _masked(difference: Tensor, valid: Tensor) -> Tensor:
    """Zero, value and gradient, where nothing is known."""
    return torch.where(valid, difference, 0.0)


def _masked_mean(difference: Tensor, valid: Tensor) -> Tensor:
    return _masked(difference, valid).abs().mean()
