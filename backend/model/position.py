"""PositionNet: from a picture to the positional pose (paper sections 3.1, 3.2), and its normalization for the heads.

x and y are in pixels of the branch's own input picture, counted continuously: 0 is its left edge, 0.5 the middle of the
first pixel, its width the right edge. z is in meters relative to the root joint. Two kinds exist: the paper's 3D heat
maps with soft-argmax, and the keypoint heads of a pretrained CenterNet with learnt depth.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from .layers import ResidualMLP

CONFIDENT = 0.2
"""Points with a lower score take no part in the normalization and enter the heads as zeros."""

NEAR_CELLS = 1.0
"""Probability this far from the found place, in cells, speaks for it; up to twice as far it does so less and less."""

_FAR = 1e6
_CENTER_FALLOFF = 1.8
"""MoveNet weighs its center and keypoint maps by 1 / (distance + this), in cells, as the original decoder does."""


@dataclass(frozen=True)
class Positions:
    """What a PositionNet found.

    Attributes:
        points: (B, J, 3) x, y in input pixels, z in meters relative to the root.
        scores: (B, J) 0..1.
        maps: feature maps (B, C, H, W) of the whole picture, for pooling.
        heatmaps: (B, J, D, H, W) where each joint is, sums of 1; None where there are no 3D heat maps.
    """

    points: Tensor
    scores: Tensor
    maps: tuple[Tensor, ...]
    heatmaps: Tensor | None = None


HandOn = Callable[[Positions], Positions]
"""What the rest of a branch gets of its positional pose."""


def as_found(positions: Positions) -> Positions:
    """All of it, gradients too: the branch is trained end to end (paper section 3.4)."""
    return positions


def without_gradient(positions: Positions) -> Positions:
    """Places and heat maps as given numbers, feature maps as they are: as the authors' release trains."""
    heatmaps = None if positions.heatmaps is None else positions.heatmaps.detach()
    return replace(positions, points=positions.points.detach(), scores=positions.scores.detach(), heatmaps=heatmaps)


@dataclass(frozen=True)
class CellGrid:
    """What the cells of a 3D heat map mean: pixels of the branch's picture and meters from the root joint.

    The default counts a cell from its middle. The authors' release counts it from its first corner, so that nothing
    can lie in the last half of the last cell.

    Attributes:
        depth_bins: D.
        depth_range: meters that the D bins cover, centered at the root.
        stride: pixels per cell.
        first_pixel: x and y of cell 0.
        first_bin: depth of bin 0 in bins from the range's near end.
    """

    depth_bins: int
    depth_range: float
    stride: int = 32
    first_pixel: float = 16.0
    first_bin: float = 0.5

    def points(self, cells: Tensor) -> Tensor:
        """(..., 3) x, y, z in cells -> (..., 3) x, y in pixels, z in meters."""
        z = ((cells[..., 2:] + self.first_bin) / self.depth_bins - 0.5) * self.depth_range
        return torch.cat([cells[..., :2] * self.stride + self.first_pixel, z], dim=-1)

    def cells(self, points: Tensor) -> Tensor:
        """The inverse of `points`."""
        z = (points[..., 2:] / self.depth_range + 0.5) * self.depth_bins - self.first_bin
        return torch.cat([self.cells_2d(points), z], dim=-1)

    def cells_2d(self, points: Tensor) -> Tensor:
        """(..., 2 or 3) points -> (..., 2) x, y in cells."""
        return (points[..., :2] - self.first_pixel) / self.stride

    def mirrored_width(self, cells: int) -> float:
        """The sum of a point's x and its mirrored x, in pixels, where the map is so many cells wide."""
        return (cells - 1) * self.stride + 2 * self.first_pixel


def soft_argmax(heatmaps: Tensor) -> Tensor:
    """Expected cell under the softmax of 3D heat maps (Sun et al. 2018, paper section 3.1).

    Args:
        heatmaps: (B, J, D, H, W) unnormalized.

    Returns:
        (B, J, 3) x, y, z in cells: 0 is the first cell, H - 1 the last one.
    """
    return expected_cell(softmax_3d(heatmaps))


def softmax_3d(heatmaps: Tensor) -> Tensor:
    """(B, J, D, H, W) unnormalized -> the same shape, the sum of each joint's cells is 1."""
    return heatmaps.flatten(2).softmax(dim=2).view_as(heatmaps)


def expected_cell(heatmaps: Tensor) -> Tensor:
    """(B, J, D, H, W) with sums of 1 -> (B, J, 3) expected x, y, z in cells."""
    marginals = (heatmaps.sum((2, 3)), heatmaps.sum((2, 4)), heatmaps.sum((3, 4)))
    return torch.stack([(m * torch.arange(m.shape[2], device=m.device)).sum(2) for m in marginals], dim=2)


def concentration(heatmaps: Tensor, cells: Tensor) -> Tensor:
    """How much of each heat map lies around the place that was read from it: a confidence.

    Args:
        heatmaps: (B, J, D, H, W) with sums of 1.
        cells: (B, J, 2) x, y.

    Returns:
        (B, J) 0..1: 1 where the map is a peak, 0 where it is flat or has peaks elsewhere.
    """
    rows = torch.arange(heatmaps.shape[3], device=heatmaps.device)
    columns = torch.arange(heatmaps.shape[4], device=heatmaps.device)
    beside = (2 - (columns - cells[..., :1]).abs() / NEAR_CELLS).clamp(0, 1)
    above = (2 - (rows - cells[..., 1:]).abs() / NEAR_CELLS).clamp(0, 1)
    near = torch.einsum("bjhw,bjh,bjw->bj", heatmaps.sum(2), above, beside)
    near_if_flat = above.mean(2) * beside.mean(2)
    return ((near - near_if_flat) / (1 - near_if_flat)).clamp(0, 1)


def normalize_points(points: Tensor, scores: Tensor) -> Tensor:
    """Center and scale keypoints so that the crop's own position and size do not matter.

    The middle and the larger side of the box around the confident points become the origin and the unit.

    Args:
        points: (B, J, 2), any unit.
        scores: (B, J); points scored at most `CONFIDENT` are left out of the box.

    Returns:
        (B, J, 2) within -0.5..0.5; points without confidence are zero.
    """
    middle, size = keypoint_box(points, scores)
    return torch.where((scores > CONFIDENT).unsqueeze(-1), (points - middle) / size, 0.0)


def keypoint_box(points: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """(B, J, 2), (B, J) -> middle (B, 1, 2) and larger side (B, 1, 1) of the box around the confident points."""
    confident = (scores > CONFIDENT).unsqueeze(-1)
    low = torch.where(confident, points, _FAR).amin(1, keepdim=True)
    high = torch.where(confident, points, -_FAR).amax(1, keepdim=True)
    return (low + high) / 2, (high - low).amax(2, keepdim=True).clamp_min(1e-6)


def keypoint_vector(points: Tensor, scores: Tensor) -> Tensor:
    """(B, J, 2) keypoints and (B, J) scores -> (B, 3J): normalized x, y of each joint in turn, then all scores."""
    return torch.cat([normalize_points(points, scores).flatten(1), scores], dim=1)


def palm_vector(points: Tensor, scores: Tensor) -> Tensor:
    """The geometric half of the paper's v_m, free of the hand crops' position, size and rotation (section 3.2).

    Args:
        points: (B, 2, 5, 3) wrist, then the index, middle, ring and pinky MCP joints of the left and right hand in
            the body picture's axes; x, y, z in one unit, the same for all points of a hand.
        scores: (B, 2) presence of the hands; below 0.5 a hand is hidden.

    Returns:
        (B, 26): per hand 4 x (x, y, z) from the wrist in units of the mean wrist-MCP distance, then the presence. All
        13 numbers of a hidden hand are zero.
    """
    directions = points[:, :, 1:] - points[:, :, :1]
    length = directions.norm(dim=3).mean(2).clamp_min(1e-6)
    vector = torch.cat([(directions / length[..., None, None]).flatten(2), scores.unsqueeze(2)], dim=2)
    return torch.where(scores.unsqueeze(2) < 0.5, 0.0, vector).flatten(1)


def decode_keypoints(heatmap: Tensor, center: Tensor, regression: Tensor, offset: Tensor) -> Tensor:
    """Keypoints of the person nearest the middle of the picture, as MoveNet's single-pose decoder finds them.

    Args:
        heatmap: (B, J, H, W) keypoint logits.
        center: (B, 1, H, W) person-center logits.
        regression: (B, 2J, H, W) y, x from the center to each joint, in cells.
        offset: (B, 2J, H, W) y, x inside the cell, in cells.

    Returns:
        (B, J, 3): x, y in cells and the score.
    """
    batch, joints, height, width = heatmap.shape
    rows = torch.arange(height, device=heatmap.device, dtype=heatmap.dtype)[:, None]
    columns = torch.arange(width, device=heatmap.device, dtype=heatmap.dtype)
    middle = ((rows - height / 2).square() + (columns - width / 2).square()).sqrt() + _CENTER_FALLOFF
    person = (center[:, 0].sigmoid() / middle).flatten(1).argmax(1)
    coarse = regression.flatten(2).gather(2, person.view(-1, 1, 1).expand(-1, 2 * joints, 1)).view(batch, joints, 2)
    y = coarse[..., 0] + (person // width)[:, None]
    x = coarse[..., 1] + (person % width)[:, None]
    distance = ((rows - y[..., None, None]).square() + (columns - x[..., None, None]).square()).sqrt()
    probability = heatmap.sigmoid()
    peak = (probability / (distance + _CENTER_FALLOFF)).flatten(2).argmax(2, keepdim=True)
    fine = offset.view(batch, joints, 2, -1).gather(3, peak[:, :, None].expand(-1, -1, 2, 1))[..., 0]
    score = probability.flatten(2).gather(2, peak)
    return torch.cat([(peak % width) + fine[..., 1:], (peak // width) + fine[..., :1], score], dim=2)


class HeatmapPositionNet(nn.Module):
    """The paper's PositionNet: backbone, 1-by-1 convolution to 3D heat maps, soft-argmax (sections 3.1 and 3.2).

    Args:
        backbone: (B, 3, H, W) -> (B, C, H / stride, W / stride).
        channels: C.
        joints: J.
        grid: what the heat maps' cells mean.
        axes: coordinates of a point; 2 leaves the depth out.
    """

    def __init__(self, *, backbone: nn.Module, channels: int, joints: int, grid: CellGrid, axes: int = 3) -> None:
        super().__init__()
        self.backbone = backbone
        self.heatmaps = nn.Conv2d(channels, joints * grid.depth_bins, kernel_size=1)
        self.joints = joints
        self.grid = grid
        self.axes = axes

    def forward(self, images: Tensor) -> Positions:
        """(B, 3, H, W) pictures 0..1 -> the positional pose; the scores say how concentrated the heat maps are."""
        features = self.backbone(images)
        maps = self.heatmaps(features)
        heatmaps = softmax_3d(maps.reshape(-1, self.joints, self.grid.depth_bins, *maps.shape[2:]))
        cells = expected_cell(heatmaps)
        scores = concentration(heatmaps, cells[..., :2])
        return Positions(self.grid.points(cells)[..., : self.axes], scores, (features,), heatmaps)


class DepthLifter(nn.Module):
    """Depth of each keypoint from all of them: a residual network learnt on projected motion capture.

    Args:
        joints: J.
        hidden: width.
        blocks: number of residual blocks.
    """

    def __init__(self, joints: int = 17, hidden: int = 512, blocks: int = 2) -> None:
        super().__init__()
        self.mlp = ResidualMLP(3 * joints, joints, hidden, blocks)

    def forward(self, points: Tensor, scores: Tensor) -> Tensor:
        """(B, J, 2) keypoints in any unit, (B, J) scores -> (B, J) depths in meters relative to the pelvis."""
        out: Tensor = self.mlp(keypoint_vector(points, scores))
        return out


class CenterNetPositionNet(nn.Module):
    """PositionNet of the preset `open`: MoveNet's keypoints give x, y and the score, `DepthLifter` gives z.

    Args:
        backbone: the pretrained `MoveNet`.
        lifter: depths from keypoints.
        sides: for each keypoint its counterpart of the other side; the lifter is asked about the person in a mirror as
            well, and the mean is taken (`mirror.py`).
        stride: input pixels per cell of the keypoint maps.
    """

    def __init__(self, *, backbone: nn.Module, lifter: DepthLifter, sides: Sequence[int], stride: int = 4) -> None:
        super().__init__()
        self.backbone = backbone
        self.lifter = lifter
        self.sides = list(sides)
        self.stride = stride

    def forward(self, images: Tensor) -> Positions:
        """(B, 3, H, W) pictures 0..1 -> the 17 COCO points, depths relative to the pelvis; maps s8, s16, fpn4, s32."""
        maps = self.backbone(images)
        decoded = decode_keypoints(maps.heatmap, maps.center, maps.regression, maps.offset)
        points, scores = decoded[..., :2] * self.stride, decoded[..., 2]
        depth = self.lift(points, scores)
        return Positions(
            torch.cat([points, depth.unsqueeze(2)], dim=2), scores, (maps.s8, maps.s16, maps.fpn4, maps.s32)
        )

    def lift(self, points: Tensor, scores: Tensor) -> Tensor:
        """(B, J, 2) keypoints, (B, J) scores -> (B, J) depths in meters relative to the pelvis."""
        mirrored = (points * points.new_tensor([-1.0, 1.0]))[:, self.sides]
        depth: Tensor = self.lifter(points, scores) + self.lifter(mirrored, scores[:, self.sides])[:, self.sides]
        return depth / 2
