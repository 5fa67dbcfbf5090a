"""Positional pose-guided pooling: features at the places of the joints (paper section 3.1, figure 4)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .position import CellGrid


def pool_at_cells(features: Tensor, cells: Tensor) -> Tensor:
    """Bilinear interpolation of a feature map.

    Args:
        features: (B, C, h, w).
        cells: (B, J, 2) x, y, counted from the middle of the first cell; a cell or more outside the map is zero.

    Returns:
        (B, J, C).
    """
    last = cells.new_tensor([max(features.shape[3] - 1, 1), max(features.shape[2] - 1, 1)])
    grid = cells / last * 2 - 1
    pooled = F.grid_sample(features, grid.unsqueeze(2), mode="bilinear", padding_mode="zeros", align_corners=True)
    return pooled[..., 0].transpose(1, 2)


def pool_at_points(features: Tensor, points: Tensor, size: tuple[int, int]) -> Tensor:
    """`pool_at_cells` at points of the picture that the map covers.

    Args:
        features: (B, C, h, w).
        points: (B, J, 2) x, y in pixels of the picture, 0..width and 0..height; outside the picture is zero.
        size: height and width of the picture in pixels.

    Returns:
        (B, J, C).
    """
    cell = points.new_tensor([size[1] / features.shape[3], size[0] / features.shape[2]])
    return pool_at_cells(features, points / cell - 0.5)


class ConvolvedPooling(nn.Module):
    """The paper's pooling: a 1-by-1 convolution (2048 to 512 channels), then interpolation at x, y of each joint.

    Args:
        reduce: the convolution, with what follows it.
        grid: of the heat maps that the points come from; they have the feature map's cells.
    """

    def __init__(self, *, reduce: nn.Module, grid: CellGrid) -> None:
        super().__init__()
        self.reduce = reduce
        self.grid = grid

    def forward(self, maps: Sequence[Tensor], points: Tensor) -> Tensor:
        """One map (B, C, h, w) and points (B, J, 2 or 3) in pixels -> (B, J, channels of `reduce`)."""
        return pool_at_cells(self.reduce(maps[0]), self.grid.cells_2d(points))


class Standardization(nn.Module):
    """Zero mean and unit deviation per channel with stored statistics.

    The maps of the pretrained networks differ 30-fold in scale, and their statistics belong to the weights.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))

    @torch.no_grad()
    def fit(self, samples: Tensor) -> None:
        """Take the statistics of (..., C) samples; channels that hardly vary get a deviation of at least 1e-3."""
        flat = samples.flatten(0, -2).float()
        self.mean.copy_(flat.mean(0))
        self.std.copy_(flat.std(0).clamp_min(1e-3))

    def forward(self, features: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        return (features - self.mean) / self.std


class MapPooling(nn.Module):
    """Pooling of the preset `open`: interpolation on several maps of a pretrained network, standardized.

    Args:
        channels: total channels of the maps that are pooled.
        size: height and width of the picture in pixels.
    """

    def __init__(self, *, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.standardization = Standardization(channels)
        self.size = size

    def pool(self, maps: Sequence[Tensor], points: Tensor) -> Tensor:
        """Maps (B, C_i, h_i, w_i), points (B, J, 2 or 3) in pixels -> raw features (B, J, sum of C_i), to be cached."""
        return torch.cat([pool_at_points(features, points[..., :2], self.size) for features in maps], dim=2)

    def forward(self, maps: Sequence[Tensor], points: Tensor) -> Tensor:
        """The same, standardized."""
        out: Tensor = self.standardization(self.pool(maps, points))
        return out
