"""The hand branch (paper section 3.2). Left hands are mirrored into right ones and back."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .body import Palms
from .layers import ResidualMLP
from .mediapipe import HandLandmarkNet
from .pooling import Standardization
from .position import HandOn, Positions, as_found, palm_vector
from .rotation import mirror_rotations

WRIST = 0
MCP = (5, 9, 13, 17)
"""Index, middle, ring and pinky knuckles among the 21 points."""
SMALLEST_PALM = 10.0
"""Pixels; a unit for points that fall together."""
PRESENT = 0.5
"""Presence from which a hand counts as seen."""
SAME_HAND = 0.5
"""Palms; points of two hands that are nearer on average are those of one: hands that touch are .6 apart and more."""

TellApart = Callable[[Tensor, Tensor], Tensor]
"""Points of both hands (B, 2, P, 3) in one picture, their presence (B, 2) -> their presence."""


@dataclass(frozen=True)
class HandPose:
    """Both hands, left then right, each on its own side again.

    Attributes:
        points: (B, 2, P, 3) x, y in pixels of the crops, z relative to the wrist (meters for 3D heat maps, crop pixels
            for `open`); which points they are stands in the preset.
        scores: (B, 2) presence 0..1; of 3D heat maps how concentrated they are.
        rotations: (B, 2, 15, 3, 3) local, in the order of the body file: index, middle, pinky, ring, thumb.
        features: (B, 2, P, C) pooled at the points, before any projection.
        maps: feature maps (B, 2, C', h, w); the left hand's are still mirrored.
    """

    points: Tensor
    scores: Tensor
    rotations: Tensor
    features: Tensor
    maps: tuple[Tensor, ...] = ()


def as_seen(points: Tensor, scores: Tensor) -> Tensor:
    """Leave the presence of the hands as it is."""
    return scores


def each_once(points: Tensor, scores: Tensor) -> Tensor:
    """Where one hand was found at both wrists, it stays where it was found more surely; the other hand is hidden.

    Args:
        points: (B, 2, 21, 3) x, y in one picture for both.
        scores: (B, 2) presence.

    Returns:
        (B, 2) presence.
    """
    palms = (points[:, :, MCP, :2] - points[:, :, WRIST, None, :2]).norm(dim=-1).mean(2)
    apart = (points[:, 0, :, :2] - points[:, 1, :, :2]).norm(dim=-1).mean(1)
    twice = (apart < SAME_HAND * palms.amin(1)) & (scores >= PRESENT).all(1)
    left_surer = scores[:, 0] >= scores[:, 1]
    return scores.masked_fill(twice[:, None] & torch.stack([~left_surer, left_surer], dim=1), 0.0)


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


class PointCorrector(nn.Module):
    """What rendered hands teach beyond the published network's points, above all their depth.

    Args:
        points: P.
        channels: length of the network's pooled features.
        hidden: width.
    """

    def __init__(self, *, points: int, channels: int, hidden: int) -> None:
        super().__init__()
        self.statistics = Standardization(channels)
        self.mlp = ResidualMLP(3 * points, 3 * points, hidden, blocks=1, features=channels, feature_drop=0)
        nn.init.zeros_(self.mlp.output.weight)

    def forward(self, points: Tensor, pooled: Tensor) -> Tensor:
        """(B, P, 3) points in pixels, (B, channels) -> the points where they should be; untrained, where they are."""
        return self.correct(points, self.statistics(pooled))

    def correct(self, points: Tensor, features: Tensor) -> Tensor:
        """The same with standardized features."""
        unit = (points[:, MCP] - points[:, :1]).norm(dim=2).mean(1).clamp_min(SMALLEST_PALM)[:, None, None]
        relative = (points - points[:, :1]) / unit
        corrected: Tensor = points + unit * self.mlp(relative.flatten(1), features).view_as(points)
        return corrected


class LandmarkPositionNet(nn.Module):
    """PositionNet of the preset `open`: MediaPipe's hand network, corrected.

    Args:
        backbone: the pretrained `HandLandmarkNet`.
        corrector: points, pooled features -> points.
    """

    def __init__(self, *, backbone: HandLandmarkNet, corrector: PointCorrector) -> None:
        super().__init__()
        self.backbone = backbone
        self.corrector = corrector

    def forward(self, images: Tensor) -> Positions:
        """(B, 3, 224, 224) crops 0..1 of right hands -> 21 points, z in crop pixels; all scores are the presence."""
        return self.answer(self.backbone.early(images))

    def answer(self, s16: Tensor) -> Positions:
        """The same from the map of the network's early layers."""
        maps = self.backbone.late(s16)
        points = self.corrector(maps.points, maps.pooled)
        return Positions(points, maps.presence[:, None].expand(-1, points.shape[1]), maps.features[:1])


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


class MapPalms(nn.Module):
    """v_m of the authors' release: cells of the MCP joints, and features pooled there by the body's own convolutions.

    Args:
        encoding: points, scores -> vector.
        left: pooling of the left hand's map.
        right: pooling of the right hand's map.
        knuckles: index, middle, ring and pinky MCP joints among the hand's points.
    """

    def __init__(self, *, encoding: nn.Module, left: nn.Module, right: nn.Module, knuckles: tuple[int, ...]) -> None:
        super().__init__()
        self.encoding = encoding
        self.left = left
        self.right = right
        self.knuckles = knuckles

    def forward(self, hands: HandPose, boxes: Tensor) -> Palms:
        """The boxes are not used."""
        points = hands.points[:, :, self.knuckles]
        left = self.left([features[:, 0].flip(-1) for features in hands.maps], points[:, 0])
        right = self.right([features[:, 1] for features in hands.maps], points[:, 1])
        return Palms(self.encoding(points.flatten(1, 2), hands.scores), torch.stack([left, right], dim=1))


class ImagePalms(nn.Module):
    """v_m of the preset `open`: directions from the wrist to the MCP joints in the picture's axes (`palm_vector`)."""

    def forward(self, hands: HandPose, boxes: Tensor) -> Palms:
        """Turn the points by the boxes' angles (B, 2, 5); a hidden hand gives zeros."""
        x, y, z = hands.points[:, :, (WRIST, *MCP)].unbind(-1)
        cosine, sine = boxes[..., 4:].cos(), boxes[..., 4:].sin()
        turned = torch.stack([cosine * x - sine * y, sine * x + cosine * y, z], dim=-1)
        hidden = hands.scores[:, :, None, None] < PRESENT
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
        mirrored_width: the sum of a point's x and its mirrored x, in pixels; None for the crops' width.
        hand_on: what pooling and encoding get of the positional pose; `position.as_found` lets gradients through.
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
        mirrored_width: float | None = None,
        hand_on: HandOn = as_found,
    ) -> None:
        super().__init__()
        self.position = position
        self.pooling = pooling
        self.projection = projection
        self.encoding = encoding
        self.rotation = rotation
        self.palms = palms
        self.size = size
        self.mirrored_width = size[1] if mirrored_width is None else mirrored_width
        self.hand_on = hand_on

    def forward(self, crops: Tensor, *start: Tensor) -> HandPose:
        """Both hands.

        Args:
            crops: (B, 2, 3, H, W) of the left and the right hand as they are in the picture.
            start: (B, 2, 15, 3, 3) rotations, for a RotationNet that refines some.
        """
        right = torch.stack([crops[:, 0].flip(-1), crops[:, 1]], dim=1).flatten(0, 1)
        mirrored_start = (torch.stack([mirror_rotations(s[:, 0]), s[:, 1]], dim=1).flatten(0, 1) for s in start)
        positions, features, rotations = self.right_hands(right, *mirrored_start)
        points, scores = _pairs(positions.points), _pairs(positions.scores.mean(1))
        mirrored = torch.cat([self.mirrored_width - points[:, :1, :, :1], points[:, :1, :, 1:]], dim=3)
        sides = _pairs(rotations)
        return HandPose(
            points=torch.cat([mirrored, points[:, 1:]], dim=1),
            scores=scores,
            rotations=torch.cat([mirror_rotations(sides[:, :1]), sides[:, 1:]], dim=1),
            features=_pairs(features),
            maps=tuple(_pairs(part) for part in positions.maps),
        )

    def right_hands(self, crops: Tensor, *start: Tensor) -> tuple[Positions, Tensor, Tensor]:
        """(B, 3, H, W) right hands -> positional pose, features (B, P, C), rotations (B, 15, 3, 3)."""
        positions: Positions = self.position(crops)
        known = self.hand_on(positions)
        features = self.pooling(known.maps, known.points)
        geometry = self.encoding(known.points, known.scores)
        return positions, features, self.rotation(geometry, self.projection(features).flatten(1), *start)


def _pairs(values: Tensor) -> Tensor:
    """(2B, ...) left and right hands in turn -> (B, 2, ...)."""
    return values.view(len(values) // 2, 2, *values.shape[1:])
