"""Networks whose body branch predicts initial hands and face (Table 2, section 5.2)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ...backend.model.boxes import HIGH_RESOLUTION
from ...backend.model.face import LinearFaceHead
from ...backend.model.pose2pose import Pose2Pose, Pose2PoseOutput
from ...backend.model.position import Positions
from ...backend.model.rotation import LinearRotationNet
from ...backend.motion.skeleton import JAW, LEFT_HAND, RIGHT_HAND
from .positions import hand_points


@dataclass(frozen=True)
class InitialParts:
    """Hands (B, 2, 15, 3, 3) left and right, jaw (B, 3, 3), expression (B, 10), from the body's picture."""

    hands: Tensor
    jaw: Tensor
    expression: Tensor


@dataclass(frozen=True)
class TwoStageOutput:
    """What a network with initial hands and face says; both stages are trained with the same losses.

    Attributes:
        final: hands and face from their own branches; its positional pose is the body's.
        initial: the same body, boxes and translation with the hands and the face that the body branch found itself.
    """

    final: Pose2PoseOutput
    initial: Pose2PoseOutput


class InitialHead(nn.Module):
    """Fully connected layers on the body branch's own vector v_b, as its RotationNet.

    Args:
        input_size: length of v_b, of body and hands.
        hand_rotations: of one hand.
    """

    def __init__(self, *, input_size: int, hand_rotations: int) -> None:
        super().__init__()
        self.hands = LinearRotationNet(input_size, 2 * hand_rotations)
        self.face = LinearFaceHead(input_size)

    def forward(self, geometry: Tensor, features: Tensor) -> InitialParts:
        """Geometry (B, F), features (B, G)."""
        jaw, expression = self.face(torch.cat([geometry, features], dim=1))
        return InitialParts(self.hands(geometry, features).unflatten(1, (2, -1)), jaw[:, 0], expression)


Starts = tuple[tuple[Tensor, ...], tuple[Tensor, ...]]


def start_anew(parts: InitialParts) -> Starts:
    """Hand and face branches get nothing of the initial parts ("with initial prediction")."""
    return (), ()


def start_from(parts: InitialParts) -> Starts:
    """They refine the initial parts ("with initial prediction + refine")."""
    return (parts.hands,), (parts.jaw[:, None], parts.expression)


class TwoStagePose2Pose(nn.Module):
    """A network whose body branch finds body, hands and face, and whose hand and face branches look closer.

    Args:
        network: its body's positional pose is that of body, left and right hand.
        head: the initial hands and face.
        starts: what hand and face branches get of them.
        body_joints: points of the body alone.
        wrists: left and right among them.
    """

    def __init__(
        self,
        *,
        network: Pose2Pose,
        head: InitialHead,
        starts: Callable[[InitialParts], Starts],
        body_joints: int,
        wrists: tuple[int, int],
    ) -> None:
        super().__init__()
        self.network = network
        self.head = head
        self.starts = starts
        self.body_joints = body_joints
        self.wrists = wrists

    def forward(self, images: Tensor) -> TwoStageOutput:
        """(B, 3, H, W) RGB 0..1, the person in the middle."""
        sighting = self.network.sight(images)
        parts = self._initial(sighting.positions)
        out = self.network.complete(images, sighting, *self.starts(parts))
        count = self.body_joints
        final = replace(out, body_points=out.body_points[:, :count], body_scores=out.body_scores[:, :count])
        return TwoStageOutput(final, self._first(final, parts, sighting.positions))

    def _initial(self, positions: Positions) -> InitialParts:
        body = self.network.body
        known = body.hand_on(positions)
        features = body.features.pooling(known.maps, known.points).flatten(1)  # type: ignore[operator]
        parts: InitialParts = self.head(body.encoding(known.points, known.scores), features)
        return parts

    def _first(self, final: Pose2PoseOutput, parts: InitialParts, positions: Positions) -> Pose2PoseOutput:
        rotations = final.rotations.clone()
        rotations[:, LEFT_HAND], rotations[:, RIGHT_HAND] = parts.hands.unbind(1)
        rotations[:, JAW] = parts.jaw
        hands = hand_points(positions.points, self.body_joints, self.wrists)
        in_input = torch.cat([hands[..., :2] * HIGH_RESOLUTION, hands[..., 2:]], dim=3)
        scores = positions.scores[:, self.body_joints :].unflatten(1, (2, -1)).mean(2)
        return replace(
            final, rotations=rotations, expression=parts.expression, hand_points=in_input, hand_scores=scores
        )
