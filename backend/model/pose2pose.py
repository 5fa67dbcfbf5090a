"""The whole network: body, hands and face of one person (paper section 3, figure 2).

The body branch finds the positional pose and the boxes of hands and face. Hands and face are cut from the
high-resolution picture. The palms go back to the body branch, which then predicts the rotational pose.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..motion.skeleton import BODY_JOINTS, JAW, JOINT_COUNT, JOINT_INDEX, LEFT_HAND, RIGHT_HAND
from .body import BodyBranch, BodyPose
from .face import FaceBranch, FacePose
from .hand import HandBranch, HandPose, TellApart, as_seen
from .position import Positions
from .regions import crop_regions, points_to_image

IMAGE_SIZE = (512, 384)
"""Height and width of the input; the body branch sees it at half the size."""
BODY_SIZE = (256, 192)
SPINE = tuple(JOINT_INDEX[joint] for joint in ("pelvis", "spine1", "spine2", "spine3", "neck", "head"))
OTHER_FACE = math.cos(math.radians(60))
"""Cosine of the angle between the head by its face and by the body from which the face is somebody else's."""

Shrink = Callable[[Tensor], Tensor]
"""(B, C, 512, 384) -> (B, C, 256, 192)."""
Cut = Callable[[Tensor, Tensor, tuple[int, int]], Tensor]
"""Pictures (B, C, H, W), boxes (B, R, 5), height and width -> crops (B, R, C, height, width)."""


def shrink_by_average(images: Tensor) -> Tensor:
    """Half the size, each pixel the mean of four."""
    return F.avg_pool2d(images, 2)


def shrink_by_picking(images: Tensor) -> Tensor:
    """Half the size, every second pixel, as in the authors' release."""
    return F.interpolate(images, BODY_SIZE, mode="nearest")


@dataclass(frozen=True)
class Pose2PoseOutput:
    """Everything the network says about B crops of one person each.

    Attributes:
        rotations: (B, 55, 3, 3) local, the root in the axes of a camera that looks at the middle of the crop.
        betas: (B, 10).
        expression: (B, 10), zero where no face is seen.
        translation: (B, 3) meters for the preset's focal length on the 256x192 picture, or None for presets that leave
            it to `camera.solve_translation`.
        body_points: (B, J, 3) x, y in pixels of the 256x192 picture, z in meters relative to the pelvis; which points
            they are stands in the preset.
        body_scores: (B, J) 0..1.
        hand_points: (B, 2, P, 3) left, right; x, y in pixels of the 512x384 input, z as in `HandPose`.
        hand_scores: (B, 2) 0..1.
        face_score: (B,) 0..1; 0 where the face that is seen looks elsewhere than the body's head does.
        boxes: (B, 3, 5) left hand, right hand, face: center x, center y, width, height in pixels of the 512x384 input,
            angle in radians.
        head_turn: (B, 3, 3) rotation of the head as the face shows it, in the axes of a camera that looks at the middle
            of the face's box; None for presets whose face branch does not tell it.
    """

    rotations: Tensor
    betas: Tensor
    expression: Tensor
    translation: Tensor | None
    body_points: Tensor
    body_scores: Tensor
    hand_points: Tensor
    hand_scores: Tensor
    face_score: Tensor
    boxes: Tensor
    head_turn: Tensor | None = None


@dataclass(frozen=True)
class Sighting:
    """What the body branch finds before the hands and the face are cut out.

    Attributes:
        positions: positional pose of the body.
        boxes: (B, 3, 5) left hand, right hand, face in pixels of the input.
        scores: (B, 3) of the boxes.
    """

    positions: Positions
    boxes: Tensor
    scores: Tensor


class Pose2Pose(nn.Module):
    """Composes the branches; see `presets.py`.

    Args:
        body: positional pose, boxes, rotational pose of the body.
        hand: both hands, mirrored into right hands.
        face: crops -> `FacePose`.
        shrink: makes the body's picture.
        cut: cuts out hands and face.
        tell_apart: decides on the presence of hands.
        size: height and width of the input.
    """

    def __init__(
        self,
        *,
        body: BodyBranch,
        hand: HandBranch,
        face: FaceBranch,
        shrink: Shrink = shrink_by_average,
        cut: Cut = crop_regions,
        tell_apart: TellApart = as_seen,
        size: tuple[int, int] = IMAGE_SIZE,
    ) -> None:
        super().__init__()
        self.body = body
        self.hand = hand
        self.face = face
        self.shrink = shrink
        self.cut = cut
        self.tell_apart = tell_apart
        self.size = size

    def forward(self, images: Tensor) -> Pose2PoseOutput:
        """Predict one person per picture.

        Args:
            images: (B, 3, 512, 384) RGB 0..1, the person in the middle.

        Raises:
            ValueError: the pictures have another size.
        """
        return self.complete(images, self.sight(images))

    def sight(self, images: Tensor) -> Sighting:
        """The positional pose of the body and the boxes of hands and face.

        Raises:
            ValueError: the pictures have another size.
        """
        if images.shape[1:] != (3, *self.size):
            raise ValueError(f"images must be (B, 3, {self.size[0]}, {self.size[1]}). Got {tuple(images.shape)}")
        positions = self.body.locate(self.shrink(images))
        return Sighting(positions, *self.body.predict_boxes(positions))

    def complete(
        self,
        images: Tensor,
        sighting: Sighting,
        hand_start: tuple[Tensor, ...] = (),
        face_start: tuple[Tensor, ...] = (),
    ) -> Pose2PoseOutput:
        """Hands, face and the rotational pose of the body.

        Args:
            images: as for `forward`.
            sighting: of the same pictures.
            hand_start: what the hand branch takes besides its pictures, in a network that refines hands.
            face_start: the same for the face branch.
        """
        positions, boxes, box_scores = sighting.positions, sighting.boxes, sighting.scores
        # cutting out is no path for gradients, as in ROIAlign; boxes learn from their own loss (section 3.4)
        fixed = boxes.detach()
        hands: HandPose = self.hand(self.cut(images, fixed[:, :2], self.hand.size), *hand_start)
        hand_points = _hands_in_image(hands, fixed[:, :2], self.hand.size)
        hands = replace(hands, scores=self.tell_apart(hand_points, hands.scores * box_scores[:, :2]))
        face: FacePose = self.face(self.cut(images, fixed[:, 2:], self.face.size)[:, 0], *face_start)
        pose: BodyPose = self.body(positions, self.hand.palms(hands, fixed[:, :2]))
        face_score = face.scores * box_scores[:, 2]
        head_turn = None if face.head_turn is None else _rolled(face.head_turn, fixed[:, 2, 4])
        if head_turn is not None:
            face_score = face_score * _on_the_head(head_turn, pose.rotations)
        return Pose2PoseOutput(
            rotations=_assemble(pose, hands, face, seen=face_score >= 0.5),
            betas=pose.betas,
            expression=torch.where(face_score[:, None] >= 0.5, face.expression, 0.0),
            translation=pose.translation,
            body_points=positions.points,
            body_scores=positions.scores,
            hand_points=hand_points,
            hand_scores=hands.scores,
            face_score=face_score,
            boxes=boxes,
            head_turn=head_turn,
        )


def _assemble(pose: BodyPose, hands: HandPose, face: FacePose, seen: Tensor) -> Tensor:
    """All 55 local rotations (B, 55, 3, 3); the eyes, and the jaw of an unseen face, stay at rest."""
    rotations = torch.eye(3).to(pose.rotations).expand(len(seen), JOINT_COUNT, 3, 3).clone()
    rotations[:, BODY_JOINTS] = pose.rotations
    rotations[:, JAW] = torch.where(seen[:, None, None], face.jaw, rotations[:, JAW])
    rotations[:, LEFT_HAND], rotations[:, RIGHT_HAND] = hands.rotations.unbind(1)
    return rotations


def _rolled(rotations: Tensor, angles: Tensor) -> Tensor:
    """Rotations (B, 3, 3) in camera axes, turned about the viewing direction by (B,) radians, as boxes are."""
    x, y, z = rotations.unbind(1)
    cosine, sine = angles.cos()[:, None], angles.sin()[:, None]
    return torch.stack([cosine * x - sine * y, sine * x + cosine * y, z], dim=1)


def _on_the_head(turns: Tensor, rotations: Tensor) -> Tensor:
    """(B,) whether the head is turned alike by the face (B, 3, 3) and by the body (B, 22, 3, 3)."""
    posed = reduce(torch.matmul, (rotations[:, joint] for joint in SPINE))
    cosine = ((turns * posed).sum((1, 2)) - 1) / 2
    return cosine > OTHER_FACE


def _hands_in_image(hands: HandPose, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Crop pixels to picture pixels for x and y; z stays as it is."""
    return torch.cat([points_to_image(hands.points[..., :2], boxes, size), hands.points[..., 2:]], dim=-1)
