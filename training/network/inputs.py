"""What the RotationNets of the ablations take instead of the paper's inputs (Tables 1, 3, 4 and 6).

Every module has the interface of the one that it replaces: encodings that of `backend.model.body.PixelEncoding`,
poolings that of `backend.model.pooling.ConvolvedPooling`, palms that of `backend.model.hand.CropPalms`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...backend.model.body import Palms
from ...backend.model.hand import HandPose
from ...backend.model.pooling import pool_at_cells
from ...backend.model.position import CellGrid


class NoEncoding(nn.Module):
    """No positional pose among the inputs: joint-level features alone (Table 3)."""

    def forward(self, points: Tensor, scores: Tensor) -> Tensor:
        """-> (B, 0)."""
        return points.new_zeros(len(points), 0)


class GivenEncoding(nn.Module):
    """An encoding through which no gradient reaches the points.

    Args:
        encoding: points, scores -> vector.
    """

    def __init__(self, *, encoding: nn.Module) -> None:
        super().__init__()
        self.encoding = encoding

    def forward(self, points: Tensor, scores: Tensor) -> Tensor:
        """As the encoding."""
        out: Tensor = self.encoding(points.detach(), scores.detach())
        return out


class NoPooling(nn.Module):
    """No features among the inputs: the positional pose alone (Table 3)."""

    def forward(self, maps: Sequence[Tensor], points: Tensor) -> Tensor:
        """-> (B, J, 0)."""
        return points.new_zeros(*points.shape[:2], 0)


class MeanPooling(nn.Module):
    """Global average pooling (GAP, Table 1)."""

    def forward(self, maps: Sequence[Tensor], points: Tensor) -> Tensor:
        """One map (B, C, h, w) -> (B, 1, C)."""
        return maps[0].mean((2, 3)).unsqueeze(1)


class MeanAndJointPooling(nn.Module):
    """Positional pose-guided pooling and global average pooling together (GAP+PPP, Table 1).

    Args:
        reduce: the 1-by-1 convolution before the interpolation; its channels divide those of the map.
        channels: C' of `reduce`.
        grid: of the heat maps that the points come from.
    """

    def __init__(self, *, reduce: nn.Module, channels: int, grid: CellGrid) -> None:
        super().__init__()
        self.reduce = reduce
        self.channels = channels
        self.grid = grid

    def forward(self, maps: Sequence[Tensor], points: Tensor) -> Tensor:
        """One map (B, C, h, w) and points (B, J, 2 or 3) -> (B, J + C / C', C'): the joints, then the map's mean."""
        joints = pool_at_cells(self.reduce(maps[0]), self.grid.cells_2d(points))
        mean = maps[0].mean((2, 3)).unflatten(1, (-1, self.channels))
        return torch.cat([joints, mean], dim=1)


class MapCells(nn.Module):
    """No pooling (Table 6): the map after the 1-by-1 convolution, cell by cell.

    Args:
        reduce: the convolution.
    """

    def __init__(self, *, reduce: nn.Module) -> None:
        super().__init__()
        self.reduce = reduce

    def forward(self, maps: Sequence[Tensor], points: Tensor) -> Tensor:
        """One map (B, C, h, w) -> (B, h * w, channels of `reduce`)."""
        cells: Tensor = self.reduce(maps[0])
        return cells.flatten(2).transpose(1, 2)


class NoPalms(nn.Module):
    """The body's RotationNet takes nothing from the hand branch (Table 4)."""

    def forward(self, hands: HandPose, boxes: Tensor) -> Palms:
        """Empty vectors."""
        empty = hands.points.new_zeros(len(hands.points), 0)
        return Palms(empty, empty)


class FeaturePalms(nn.Module):
    """All features of the hands, where none belongs to an MCP joint: GAP (section 5.2) and the flattened map.

    Args:
        encoding: points, scores -> vector.
        knuckles: MCP joints among the points of the hand; none where it has no positional pose.
    """

    def __init__(self, *, encoding: nn.Module, knuckles: Sequence[int]) -> None:
        super().__init__()
        self.encoding = encoding
        self.knuckles = list(knuckles)

    def forward(self, hands: HandPose, boxes: Tensor) -> Palms:
        """The boxes are not used."""
        geometry = self.encoding(hands.points[:, :, self.knuckles].flatten(1, 2), hands.scores)
        return Palms(geometry, hands.features)
