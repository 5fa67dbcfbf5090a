"""Reading people out of MoveNet MultiPose's maps, as its original graph does."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .movenet import STRIDE, MoveNetMaps

MAX_PEOPLE = 6
KEYPOINTS = 17
KEYPOINT_SPREAD = 0.3
"""Variance of a keypoint around the place its person's center predicts, in cells per cell of the map's short side."""
KEYPOINT_THRESHOLD = 0.127
"""Keypoints below it do not count in a person's score."""
CENTER_WINDOW = 5
"""Only the highest center in a window of this many cells is a person."""


@dataclass(frozen=True)
class DecodedPeople:
    """The six best people of each of B images, N = 6; pixels of the network's input."""

    boxes: Tensor
    """(B,N,4) x, y, x, y."""
    keypoints: Tensor
    """(B,N,17,3) x, y and score."""
    scores: Tensor
    """(B,N)."""


def decode_people(maps: MoveNetMaps) -> DecodedPeople:
    """MultiPose's own decoding of its head maps.

    A person is a local maximum of the center map. From there `regression` points at each keypoint; the keypoint is the
    best cell of its heat map near that place and inside the person's box, refined by `offset`. The person's score is
    that of the center times the mean score of the visible keypoints.

    Raises:
        ValueError: if the maps are those of a network without box heads.
    """
    if maps.box_size is None or maps.box_offset is None:
        raise ValueError("the maps have no boxes; only MoveNet MultiPose predicts them")
    height, width = maps.center.shape[-2:]
    center_scores, cells = _peaks(torch.sigmoid(maps.center[:, 0].float()))
    centers = torch.stack([cells // width, cells % width], -1).float()
    limits = torch.tensor([height, width], device=cells.device)
    corners = _corners(centers + _at(maps.box_offset, cells), _at(maps.box_size, cells).clamp(min=0), limits)
    regressed = centers[:, :, None] + _at(maps.regression, cells).view(*cells.shape, KEYPOINTS, 2)
    keypoints, scores = _refine(maps, regressed, corners)
    counted = torch.where(scores > KEYPOINT_THRESHOLD, scores, 0)
    mean_score = counted.sum(-1) / (counted > 0).sum(-1).clamp(min=1)
    return DecodedPeople(
        boxes=torch.cat([corners[..., 0, :].flip(-1), corners[..., 1, :].flip(-1)], -1) * STRIDE,
        keypoints=torch.cat([keypoints.flip(-1) * STRIDE, scores[..., None]], -1),
        scores=center_scores * mean_score,
    )


def _peaks(centers: Tensor) -> tuple[Tensor, Tensor]:
    """(B,h,w) -> scores and cell numbers (B,6) of the highest local maxima."""
    highest = F.max_pool2d(centers, CENTER_WINDOW, stride=1, padding=CENTER_WINDOW // 2)
    scores, cells = torch.where(centers == highest, centers, 0).flatten(1).topk(MAX_PEOPLE)
    return scores, cells


def _at(values: Tensor, cells: Tensor) -> Tensor:
    """(B,C,h,w) at cells (B,N) -> (B,N,C)."""
    flat = values.float().flatten(2).transpose(1, 2)
    return flat.gather(1, cells[..., None].expand(-1, -1, flat.shape[-1]))


def _corners(middle: Tensor, size: Tensor, limits: Tensor) -> Tensor:
    """Boxes (B,N,2) y, x -> (B,N,2,2): first and last corner, clipped to the map; cells."""
    corners = torch.stack([middle - size / 2, middle + size / 2], -2)
    return torch.minimum(corners.clamp(min=0), limits.float())


def _refine(maps: MoveNetMaps, regressed: Tensor, corners: Tensor) -> tuple[Tensor, Tensor]:
    """Keypoints (B,N,17,2) y, x in cells and their scores (B,N,17) from the heat maps."""
    height, width = maps.heatmap.shape[-2:]
    heat = torch.sigmoid(maps.heatmap.float())[:, None]
    rows = torch.arange(height, device=heat.device).float()
    columns = torch.arange(width, device=heat.device).float()
    variance = KEYPOINT_SPREAD * min(height, width)
    near_rows = torch.exp(-((rows - regressed[..., :1]) ** 2) / variance)
    near_columns = torch.exp(-((columns - regressed[..., 1:]) ** 2) / variance)
    in_rows = (rows >= corners[..., :1, 0]) & (rows < corners[..., 1:, 0])
    in_columns = (columns >= corners[..., :1, 1]) & (columns < corners[..., 1:, 1])
    near_rows = near_rows * in_rows[:, :, None]
    near_columns = near_columns * in_columns[:, :, None]
    weighted = heat * near_rows[..., :, None] * near_columns[..., None, :]
    cells = weighted.flatten(3).argmax(3)
    # As in the original, a place that two people claim has the score of the better claim.
    scores = weighted.amax(1).flatten(2).gather(2, cells.transpose(1, 2)).transpose(1, 2)
    offsets = maps.offset.float().reshape(-1, KEYPOINTS, 2, height * width).transpose(2, 3)
    picked = offsets.gather(2, cells.transpose(1, 2)[..., None].expand(-1, -1, -1, 2)).transpose(1, 2)
    return torch.stack([cells // width, cells % width], -1) + picked, scores
