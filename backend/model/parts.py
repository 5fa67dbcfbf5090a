"""One part of the body alone: the networks of the paper's part-specific evaluations (section 9).

They are made of the same modules as the branches, but see the part from the beginning to the end: they also predict
its global rotation, its shape and its translation, for SMPL (body), MANO (right hand) and FLAME (face).
"""

from dataclasses import dataclass

from torch import Tensor, nn

from .body import PooledShapeNet, WeakCameraShapeNet
from .position import HandOn, Positions, as_found


@dataclass(frozen=True)
class PartOutput:
    """What a part's network says about B pictures.

    Attributes:
        rotations: (B, R, 3, 3) local, the root's first and in camera axes; of a body without the hand joints of SMPL.
        betas: (B, 10).
        translation: (B, 3) meters for the focal length of the network's kind on its picture: 5000 of the authors'
            release, 1500 of the paper (on a height of 256 pixels).
        expression: (B, 10) of a face, otherwise None.
        positions: the positional pose; None for a face.
    """

    rotations: Tensor
    betas: Tensor
    translation: Tensor
    expression: Tensor | None = None
    positions: Positions | None = None


class LimbNet(nn.Module):
    """A body or a hand alone: PositionNet, pooling, RotationNet.

    Args:
        position: pictures -> `Positions`.
        pooling: maps, points -> (B, J, C).
        encoding: points, scores -> (B, 3J).
        rotation: geometry, features -> (B, R, 3, 3).
        shape: `Positions`, geometry, features -> betas, translation.
        size: height and width of the pictures in pixels.
        hand_on: what all of these get of the positional pose; `position.as_found` lets gradients through.
    """

    def __init__(
        self,
        *,
        position: nn.Module,
        pooling: nn.Module,
        encoding: nn.Module,
        rotation: nn.Module,
        shape: nn.Module,
        size: tuple[int, int],
        hand_on: HandOn = as_found,
    ) -> None:
        super().__init__()
        self.position = position
        self.pooling = pooling
        self.encoding = encoding
        self.rotation = rotation
        self.shape = shape
        self.size = size
        self.hand_on = hand_on

    def forward(self, images: Tensor) -> PartOutput:
        """(B, 3, H, W) RGB 0..1, the body or the right hand in the middle."""
        positions: Positions = self.position(images)
        known = self.hand_on(positions)
        geometry = self.encoding(known.points, known.scores)
        features = self.pooling(known.maps, known.points).flatten(1)
        betas, translation = self.shape(known, geometry, features)
        return PartOutput(self.rotation(geometry, features), betas, translation, positions=positions)


class HeadNet(nn.Module):
    """A face alone: features pooled over the whole picture, fully connected layers.

    Args:
        backbone: (B, 3, H, W) -> (B, C, h, w).
        head: (B, C) -> rotations of head and jaw (B, 2, 3, 3), expression (B, 10).
        shape: pooled features -> betas, translation.
        size: height and width of the pictures in pixels.
    """

    def __init__(
        self, *, backbone: nn.Module, head: nn.Module, shape: WeakCameraShapeNet | PooledShapeNet, size: tuple[int, int]
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.shape = shape
        self.size = size

    def forward(self, images: Tensor) -> PartOutput:
        """(B, 3, H, W) RGB 0..1, the head in the middle."""
        features = self.backbone(images).mean((2, 3))
        rotations, expression = self.head(features)
        betas, translation = self.shape.pooled(features)
        return PartOutput(rotations, betas, translation, expression=expression)
