"""The body branch: PositionNet, pooling, RotationNet and the shape (paper section 3.1)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .boxes import Boxes
from .layers import ResidualMLP
from .mirror import Ask, ask_once
from .pooling import ConvolvedPooling, MapPooling, Standardization
from .position import CellGrid, HandOn, Positions, as_found, keypoint_vector


@dataclass(frozen=True)
class Palms:
    """What the hand branch passes to the body branch, the paper's v_m (section 3.2).

    Attributes:
        geometry: (B, P) the 3D positional pose of both hands' MCP joints.
        features: (B, 2, 4, C) features pooled at them; left, right; index, middle, ring, pinky.
    """

    geometry: Tensor
    features: Tensor


@dataclass(frozen=True)
class BodyPose:
    """Rotations (B, 22, 3, 3) local, the root in camera axes; betas (B, 10); translation (B, 3) meters or None."""

    rotations: Tensor
    betas: Tensor
    translation: Tensor | None


class PixelEncoding(nn.Module):
    """The paper's positional pose as a vector: x and y scaled to -1..1 over the picture, z in meters.

    Args:
        size: height and width of the picture in pixels.
    """

    def __init__(self, *, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, points: Tensor, scores: Tensor) -> Tensor:
        """(B, J, 3) points -> (B, 3J); the scores are not used."""
        half = points.new_tensor([self.size[1] / 2, self.size[0] / 2])
        return torch.cat([points[..., :2] / half - 1, points[..., 2:]], dim=2).flatten(1)


class CellEncoding(nn.Module):
    """The positional pose as the authors' release feeds it to the RotationNet: in cells of the 3D heat maps.

    Args:
        grid: what the cells mean.
    """

    def __init__(self, *, grid: CellGrid) -> None:
        super().__init__()
        self.grid = grid

    def forward(self, points: Tensor, scores: Tensor) -> Tensor:
        """(B, J, 3) points -> (B, 3J); the scores are not used."""
        return self.grid.cells(points).flatten(1)


class KeypointEncoding(nn.Module):
    """The positional pose of the preset `open` as a vector that does not change with the crop's place and size."""

    def forward(self, points: Tensor, scores: Tensor) -> Tensor:
        """(B, J, 3) points, (B, J) scores -> (B, 4J): normalized x, y joint by joint, all scores, all z in meters."""
        return torch.cat([keypoint_vector(points[..., :2], scores), points[..., 2]], dim=1)


class JointFeatures(nn.Module):
    """Features for the paper's RotationNet: pooled at the body joints and at the MCP joints, flattened."""

    def __init__(self, *, pooling: ConvolvedPooling) -> None:
        super().__init__()
        self.pooling = pooling

    def forward(self, positions: Positions, palm_features: Tensor) -> Tensor:
        """-> (B, J * C + 2 * 4 * C)."""
        pooled = self.pooling(positions.maps, positions.points)
        return torch.cat([pooled.flatten(1), palm_features.flatten(1)], dim=1)


class ProjectedFeatures(nn.Module):
    """Features of the preset `open`: pooled on all maps but the last one, whose mean is added as context.

    Every projection is linear without bias, so a training stage without pictures equals features of zero.

    Args:
        pooling: of the maps s8, s16, fpn4.
        joint_channels: their number of channels together.
        context_channels: channels of the last map, s32.
        palm_channels: channels of the hand branch's pooled features.
        projected: channels kept of a joint's feature, of the context, of an MCP joint's feature.
    """

    def __init__(
        self,
        *,
        pooling: MapPooling,
        joint_channels: int,
        context_channels: int,
        palm_channels: int,
        projected: tuple[int, int, int],
    ) -> None:
        super().__init__()
        self.pooling = pooling
        self.context = Standardization(context_channels)
        self.joint_projection = nn.Linear(joint_channels, projected[0], bias=False)
        self.context_projection = nn.Linear(context_channels, projected[1], bias=False)
        self.palm_projection = nn.Linear(palm_channels, projected[2], bias=False)

    def forward(self, positions: Positions, palm_features: Tensor) -> Tensor:
        """Maps and points, and the hand branch's (B, 2, 4, palm_channels) -> the feature vector (B, G)."""
        joints, context = self.pool(positions)
        return self.project(joints, context, palm_features)

    def pool(self, positions: Positions) -> tuple[Tensor, Tensor]:
        """Maps and points -> raw features of the joints (B, J, C) and of the picture (B, C'), to be cached."""
        *maps, deepest = positions.maps
        return self.pooling.pool(maps, positions.points), deepest.mean((2, 3))

    def project(self, joints: Tensor, context: Tensor, palm_features: Tensor) -> Tensor:
        """What `pool` gives, and the hand branch's (B, 2, 4, palm_channels) -> the feature vector (B, G)."""
        parts = (
            self.joint_projection(self.pooling.standardization(joints)),
            self.context_projection(self.context(context)),
            self.palm_projection(palm_features),
        )
        return torch.cat([part.flatten(1) for part in parts], dim=1)


class PooledShapeNet(nn.Module):
    """The paper's betas and translation: global average pooling of F_b and one fully connected layer.

    Args:
        channels: channels of F_b.
        distance: meters before the camera where the translation starts; at the default a person fills the picture at
            a focal length of 1500.
    """

    def __init__(self, channels: int, *, distance: float = 12.0) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, 13)
        with torch.no_grad():
            self.linear.bias.zero_()
            self.linear.bias[12] = distance

    def forward(self, positions: Positions, geometry: Tensor, features: Tensor) -> tuple[Tensor, Tensor | None]:
        """-> betas (B, 10), translation (B, 3) meters."""
        return self.pooled(positions.maps[-1].mean((2, 3)))

    def pooled(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C) means of F_b -> betas (B, 10), translation (B, 3) meters."""
        out = self.linear(features)
        return out[:, :10], out[:, 10:]


class WeakCameraShapeNet(nn.Module):
    """Betas and translation of the authors' release: two fully connected layers on the pooled F_b.

    Args:
        channels: channels of F_b.
        farthest: meters; the camera's third number gives a share of it between 0 and 1.
    """

    def __init__(self, channels: int, *, farthest: float) -> None:
        super().__init__()
        self.betas = nn.Linear(channels, 10)
        self.camera = nn.Linear(channels, 3)
        self.farthest = farthest

    def forward(self, positions: Positions, geometry: Tensor, features: Tensor) -> tuple[Tensor, Tensor | None]:
        """-> betas (B, 10), translation (B, 3) meters."""
        return self.pooled(positions.maps[-1].mean((2, 3)))

    def pooled(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C) means of F_b -> betas (B, 10), translation (B, 3) meters."""
        x, y, depth = self.camera(features).split(1, dim=1)
        return self.betas(features), torch.cat([x, y, depth.sigmoid() * self.farthest], dim=1)


class VectorShapeNet(nn.Module):
    """Betas of the preset `open`, from the same vectors as the rotations; the translation is solved outside."""

    def __init__(self, *, input_size: int, features: int, hidden: int, blocks: int) -> None:
        super().__init__()
        self.mlp = ResidualMLP(input_size, 10, hidden, blocks, features)

    def forward(
        self, positions: Positions | None, geometry: Tensor, features: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """-> betas (B, 10), None."""
        return self.mlp(geometry, features), None


class BodyBranch(nn.Module):
    """Composes the branch; see `presets.py` for the modules of each preset.

    Args:
        position: pictures -> `Positions`.
        boxes: `Positions` -> `Boxes` of the hands and the face.
        encoding: points, scores -> the positional part of v_b.
        features: `Positions`, MCP features -> the pooled part of v_b and v_m.
        rotation: geometry, features -> (B, 22, 3, 3).
        shape: `Positions`, geometry, features -> betas, translation or None.
        hand_on: what all of these get of the positional pose; `position.as_found` lets gradients through.
        ask: how `rotation` is asked: once, or about the person in a mirror as well.
    """

    def __init__(
        self,
        *,
        position: nn.Module,
        boxes: nn.Module,
        encoding: nn.Module,
        features: nn.Module,
        rotation: nn.Module,
        shape: nn.Module,
        hand_on: HandOn = as_found,
        ask: Ask = ask_once,
    ) -> None:
        super().__init__()
        self.position = position
        self.boxes = boxes
        self.encoding = encoding
        self.features = features
        self.rotation = rotation
        self.shape = shape
        self.hand_on = hand_on
        self.ask = ask

    def locate(self, images: Tensor) -> Positions:
        """(B, 3, 256, 192) pictures 0..1 -> the positional pose of the body."""
        out: Positions = self.position(images)
        return out

    def predict_boxes(self, positions: Positions) -> tuple[Tensor, Tensor]:
        """Boxes (B, 3, 5) of left hand, right hand, face in the 512x384 picture and their scores (B, 3)."""
        out: Boxes = self.boxes(self.hand_on(positions))
        return out.boxes, out.scores

    def forward(self, positions: Positions, palms: Palms) -> BodyPose:
        """The rotational pose from the positional pose of the body and the palms."""
        known = self.hand_on(positions)
        geometry = self.geometry(known.points, known.scores, palms.geometry)
        features = self.features(known, palms.features)
        betas, translation = self.shape(known, geometry, features)
        return BodyPose(self.ask(self.rotation, geometry, features), betas, translation)

    def geometry(self, points: Tensor, scores: Tensor, palm_geometry: Tensor) -> Tensor:
        """(B, J, 3) points, (B, J) scores, (B, P) palms -> the geometry vector that rotation and shape take."""
        return torch.cat([self.encoding(points, scores), palm_geometry], dim=1)
