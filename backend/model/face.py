"""The face branch: jaw rotation and expression (paper section 3.3)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import softshrink

from .layers import ResidualMLP
from .pooling import Standardization
from .rotation import IDENTITY_6D, IDENTITY_ROWS, matrix_from_6d, matrix_from_rows

OUTPUTS = 6 + 10
"""Six numbers for the jaw, ten for the expression."""


AT_REST = 0.12
"""Of the preset `open`: smaller coefficients are none, larger ones count from here. So much of an expression cannot be
told from the proportions of somebody's face at rest."""


@dataclass(frozen=True)
class FacePose:
    """Jaw rotation (B, 3, 3) local, expression (B, 10), presence scores (B,) 0..1.

    `head_turn` is the rotation (B, 3, 3) of the head in the axes of a camera that looks at the middle of the crop, None
    from branches that do not tell it.
    """

    jaw: Tensor
    expression: Tensor
    scores: Tensor
    head_turn: Tensor | None = None


class LinearFaceHead(nn.Module):
    """The paper's head: one fully connected layer (section 3.3).

    Args:
        channels: C.
        rotations: R, the jaw's last.
    """

    def __init__(self, channels: int, rotations: int = 1) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, 6 * rotations + 10)
        _start_at_identity(self.linear)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C) -> rotations (B, R, 3, 3), expression (B, 10)."""
        out = self.linear(features)
        return matrix_from_6d(out[:, :-10].unflatten(1, (-1, 6))), out[:, -10:]


class SplitFaceHead(nn.Module):
    """The head of the authors' release: one fully connected layer each for rotations and expression.

    Args:
        channels: C.
        rotations: how many, the jaw's last.
    """

    def __init__(self, channels: int, *, rotations: int) -> None:
        super().__init__()
        self.rotations = nn.Linear(channels, 6 * rotations)
        self.expression = nn.Linear(channels, 10)
        with torch.no_grad():
            self.rotations.bias.copy_(torch.tensor(IDENTITY_ROWS).repeat(rotations))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C) -> rotations (B, `rotations`, 3, 3), expression (B, 10)."""
        six = self.rotations(features).unflatten(1, (-1, 6))
        return matrix_from_rows(six), self.expression(features)


class PooledFaceBranch(nn.Module):
    """The paper's face branch: ResNet-18, global average pooling, fully connected layers.

    Args:
        backbone: (B, 3, H, W) -> (B, C, h, w).
        head: (B, C) -> rotations (B, R, 3, 3), the jaw's last, and expression (B, 10); one that refines takes both
            as well.
        size: height and width of the crops in pixels.
    """

    def __init__(self, *, backbone: nn.Module, head: nn.Module, size: tuple[int, int]) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.size = size

    def forward(self, crops: Tensor, *start: Tensor) -> FacePose:
        """The face, with scores of 1: whether there is one at all is not predicted.

        Args:
            crops: (B, 3, H, W) 0..1.
            start: rotations and expression, for a head that refines some.
        """
        rotations, expression = self.head(self.backbone(crops).mean((2, 3)), *start)
        return FacePose(rotations[:, -1], expression, expression.new_ones(len(expression)))


def align_points(points: Tensor, target: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Remove rotation, scale and translation: the weighted similarity transform onto the target (Umeyama 1991).

    The transform counts as constant in the backward pass; only the points carry gradients.

    Args:
        points: (B, P, 3).
        target: (P, 3).
        weights: (P,), not negative.

    Returns:
        (B, P, 3) in the target's frame and unit, and the rotation (B, 3, 3) from that frame to the points'.
    """
    share = (weights / weights.sum())[:, None]
    with torch.no_grad():
        center, target_center = (share * points).sum(1, keepdim=True), (share * target).sum(0)
        spread = points - center
        covariance = spread.transpose(1, 2) @ (share * (target - target_center))
        u, singular, vt = torch.linalg.svd(covariance.float())
        signs = torch.ones_like(singular)
        # two determinants of single precision: under autocast the product would be of half precision, which has none
        signs[:, 2] = (torch.linalg.det(u) * torch.linalg.det(vt)).sign()
        rotation = ((u * signs[:, None]) @ vt).to(points.dtype)
        variance = (share * spread.square()).sum((1, 2)).clamp_min(1e-12)
        scale = ((singular * signs).sum(1).to(points.dtype) / variance)[:, None, None]
    return scale * (points - center) @ rotation + target_center, rotation


class LandmarkFaceBranch(nn.Module):
    """Face branch of the preset `open`: 468 landmarks in a canonical frame, pooled features, a residual network.

    The buffers `canonical` (P, 3), the mean face in the axes of the head at rest, and `rigidity` (P,), the weight of
    each point in the alignment, belong to the weights; so do the statistics of the aligned points and of the features.
    An untrained branch has a flat disk as its canonical face.

    Args:
        backbone: the pretrained `FaceLandmarkNet`.
        points: P.
        channels: channels of its two maps together.
        hidden: width of the head.
        blocks: number of its residual blocks.
        size: height and width of the crops in pixels.
    """

    canonical: Tensor
    rigidity: Tensor

    def __init__(
        self, *, backbone: nn.Module, points: int, channels: int, hidden: int, blocks: int, size: tuple[int, int]
    ) -> None:
        super().__init__()
        self.backbone = backbone
        turn = torch.arange(points) * 2.4
        radius = (torch.arange(points) / points).sqrt()
        self.register_buffer("canonical", torch.stack([radius * turn.cos(), radius * turn.sin(), 0 * turn], dim=1))
        self.register_buffer("rigidity", torch.ones(points))
        self.point_statistics = Standardization(3 * points)
        self.feature_statistics = Standardization(channels)
        self.head = ResidualMLP(3 * points, OUTPUTS, hidden, blocks, features=channels)
        _start_at_identity(self.head.output)
        self.size = size

    def forward(self, crops: Tensor) -> FacePose:
        """(B, 3, 192, 192) crops 0..1 with level eyes -> `FacePose`."""
        maps = self.backbone(crops)
        jaw, expression, head_turn = self.pose(maps.points, self.pool(maps.features))
        return FacePose(jaw, expression, maps.presence, head_turn)

    def pool(self, features: tuple[Tensor, ...]) -> Tensor:
        """Maps (B, C_i, h_i, w_i) -> raw features (B, sum of C_i), which training can cache with the points."""
        return torch.cat([part.mean((2, 3)) for part in features], dim=1)

    def pose(self, points: Tensor, features: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Jaw, expression and the head's own rotation.

        Args:
            points: (B, P, 3) landmarks, in the axes of a camera: x right, y down, z away from it.
            features: (B, C) raw, or None.

        Returns:
            jaw (B, 3, 3) local, expression (B, 10), rotation (B, 3, 3) of the head in the landmarks' axes.
        """
        aligned, head_turn = align_points(points, self.canonical, self.rigidity)
        known = None if features is None else self.feature_statistics(features)
        out = self.head(self.point_statistics(aligned.flatten(1)), known)
        return matrix_from_6d(out[:, :6]), softshrink(out[:, 6:], AT_REST), head_turn


FaceBranch = PooledFaceBranch | LandmarkFaceBranch


def _start_at_identity(linear: nn.Linear) -> None:
    with torch.no_grad():
        rotations = (linear.out_features - 10) // 6
        linear.bias.copy_(torch.tensor(IDENTITY_6D * rotations + (0.0,) * 10))
