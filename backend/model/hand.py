"""The hand branch (paper section 3.2). Left hands are mirrored into right ones and back."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .body import Palms
from .position import Positions, palm_vector
from .rotation import mirror_rotations

WRIST = 0
MCP = (5, 9, 13, 17)
"""Index, middle, ring and pinky knuckles among the 21 points."""


@dataclass(frozen=True)
class HandPose:
    """Both hands, left then right, each on its own side again.

    Attributes:
        points: (B, 2, 21, 3) x, y in pixels of the crops, z relative to the wrist (meters for 3D heat maps, crop pixels
            for `open`).
        scores: (B, 2) presence 0..1; always 1 where it is not predicted.
        rotations: (B, 2, 15, 3, 3) local, in the order of the body file: index, middle, pinky, ring, thumb.
        features: (B, 2, 21, C) pooled at the points, before any projection.
    """

    points: Tensor
    scores: Tensor
    rotations: Tensor
    features: Tensor


def hand_vector(points: Tensor) -> Tensor:
    """The positional pose of a right hand, free of the crop's place, size and rotation in the picture's plane.

    Args:
        points: (B, 21, 3) x, y, z in one unit.

    Returns:
        (B, 63): from the wrist, in units of the mean wrist-MCP distance, turned so that the mean of the MCP joints
        is straight up.
    """
    points = points - points[:, :1]
    palm = points[:, MCP]
    points = points / palm.norm(dim=2).mean(1).clamp_min(1e-6)[:, None, None]
    up = nn.functional.normalize(palm.mean(1)[:, :2], dim=1)
    x, y, z = points.unbind(2)
    sine, cosine = -up[:, :1], -up[:, 1:]
    return torch.stack([cosine * x - sine * y, sine * x + cosine * y, z], dim=2).flatten(1)


class HandEncoding(nn.Module):
    """`hand_vector` as the encoding of the preset `open`."""

    def forward(self, points: Tensor, scores: Tensor) -> Tensor:
        """(B, 21, 3) points -> (B, 63); the scores are not used."""
        return hand_vector(points)


class LandmarkPositionNet(nn.Module):
    """PositionNet of the preset `open`: MediaPipe's hand network.

    Args:
        backbone: the pretrained `HandLandmarkNet`.
    """

    def __init__(self, *, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, images: Tensor) -> Positions:
        """(B, 3, 224, 224) crops 0..1 of right hands -> 21 points, z in crop pixels; all scores are the presence."""
        maps = self.backbone(images)
        return Positions(maps.points, maps.presence[:, None].expand(-1, maps.points.shape[1]), maps.features[:1])


class CropPalms(nn.Module):
    """The paper's v_m: positional pose of the MCP joints as the hand branch gives it, encoded like the body's.

    Args:
        encoding: points, scores -> vector.
    """

    def __init__(self, *, encoding: nn.Module) -> None:
        super().__init__()
        self.encoding = encoding

    def forward(self, hands: HandPose, boxes: Tensor) -> Palms:
        """The boxes are not used."""
        geometry = self.encoding(hands.points[:, :, MCP].flatten(1, 2), hands.scores)
        return Palms(geometry, hands.features[:, :, MCP])


class ImagePalms(nn.Module):
    """v_m of the preset `open`: directions from the wrist to the MCP joints in the picture's axes (`palm_vector`)."""

    def forward(self, hands: HandPose, boxes: Tensor) -> Palms:
        """Turn the points by the boxes' angles (B, 2, 5); a hidden hand gives zeros."""
        x, y, z = hands.points[:, :, (WRIST, *MCP)].unbind(-1)
        cosine, sine = boxes[..., 4:].cos(), boxes[..., 4:].sin()
        turned = torch.stack([cosine * x - sine * y, sine * x + cosine * y, z], dim=-1)
        hidden = hands.scores[:, :, None, None] < 0.5
        return Palms(palm_vector(turned, hands.scores), torch.where(hidden, 0.0, hands.features[:, :, MCP]))


class HandBranch(nn.Module):
    """Composes the branch; see `presets.py` for the modules of each preset.

    Args:
        position: crops of right hands -> `Positions`.
        pooling: maps, points -> (B, 21, C).
        projection: (B, 21, C) -> (B, 21, C') for the RotationNet.
        encoding: points, scores -> the positional part of v_h.
        rotation: geometry, features -> (B, 15, 3, 3).
        palms: `HandPose`, boxes -> `Palms` for the body branch.
        size: height and width of the crops in pixels.
    """

    def __init__(
        self,
        *,
        position: nn.Module,
        pooling: nn.Module,
        projection: nn.Module,
        encoding: nn.Module,
        rotation: nn.Module,
        palms: nn.Module,
        size: tuple[int, int],
    ) -> None:
        super().__init__()
        self.position = position
        self.pooling = pooling
        self.projection = projection
        self.encoding = encoding
        self.rotation = rotation
        self.palms = palms
        self.size = size

    def forward(self, crops: Tensor) -> HandPose:
        """(B, 2, 3, H, W) crops of the left and the right hand as they are in the picture -> `HandPose`."""
        right = torch.stack([crops[:, 0].flip(-1), crops[:, 1]], dim=1).flatten(0, 1)
        points, scores, rotations, features = (part.view(-1, 2, *part.shape[1:]) for part in self.right_hands(right))
        mirrored = torch.cat([self.size[1] - points[:, :1, :, :1], points[:, :1, :, 1:]], dim=3)
        return HandPose(
            points=torch.cat([mirrored, points[:, 1:]], dim=1),
            scores=scores,
            rotations=torch.cat([mirror_rotations(rotations[:, :1]), rotations[:, 1:]], dim=1),
            features=features,
        )

    def right_hands(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(B, 3, H, W) right hands -> points (B, 21, 3), scores (B,), rotations (B, 15, 3, 3), features (B, 21, C)."""
        positions: Positions = self.position(crops)
        features = self.pooling(positions.maps, positions.points)
        geometry = self.encoding(positions.points, positions.scores)
        rotations = self.rotation(geometry, self.projection(features).flatten(1))
        return positions.points, positions.scores.mean(1), rotations, features
