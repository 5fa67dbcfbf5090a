"""Stand-ins for branches that a network does not have: the body-only Pose2Pose of Table 2 has no hands and no face."""

import torch
from torch import Tensor, nn

from ...backend.model.boxes import Boxes
from ...backend.model.face import FacePose
from ...backend.model.hand import HandPose
from ...backend.model.position import Positions
from .inputs import NoPalms

CROP = (1, 1)
"""Nobody looks at the crops."""


class AbsentHand(nn.Module):
    """Hands at rest, without positional pose, and nothing for the body.

    Args:
        rotations: of a hand.
    """

    def __init__(self, *, rotations: int) -> None:
        super().__init__()
        self.rotations = rotations
        self.palms = NoPalms()
        self.size = CROP

    def forward(self, crops: Tensor) -> HandPose:
        """(B, 2, 3, 1, 1) crops -> no points (B, 2, 0, 3), identity rotations, scores of 0."""
        batch = len(crops)
        return HandPose(
            points=crops.new_zeros(batch, 2, 0, 3),
            scores=crops.new_zeros(batch, 2),
            rotations=torch.eye(3).to(crops).expand(batch, 2, self.rotations, 3, 3),
            features=crops.new_zeros(batch, 2, 0, 0),
        )


class AbsentFace(nn.Module):
    """A face at rest."""

    def __init__(self) -> None:
        super().__init__()
        self.size = CROP

    def forward(self, crops: Tensor) -> FacePose:
        """(B, 3, 1, 1) crops -> identity, zeros, a score of 0: not seen."""
        batch = len(crops)
        return FacePose(torch.eye(3).to(crops).expand(batch, 3, 3), crops.new_zeros(batch, 10), crops.new_zeros(batch))


class WholePictureBoxes(nn.Module):
    """Boxes around all of the picture, where nothing is cut out and no box is learnt.

    Args:
        size: height and width of the network's input.
    """

    def __init__(self, *, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, positions: Positions) -> Boxes:
        """Every score 0."""
        height, width = self.size
        box = positions.points.new_tensor([width / 2, height / 2, width, height, 0.0])
        batch = len(positions.points)
        return Boxes(box.expand(batch, 3, 5), box.new_zeros(batch, 3))
