"""Heads that refine a first estimate, for the last but one row of Table 2.

From ExPose (Choutas et al. 2020) come: the part networks start from what the body network found instead of from a mean
pose; their regressor sees its own estimate beside the features and predicts a change, three times with the same weights
(the iterative regression of Kanazawa et al. 2018). The wrists, which ExPose refines too, stay with the body branch as
in the table's other rows, and features come from the positional pose-guided pooling as the paper says of all rows.
"""

import torch
from torch import Tensor, nn

from ...backend.model.rotation import matrix_from_6d

STEPS = 3
"""How often ExPose's regressors change their estimate."""
SMALL = 0.01
"""Gain of the first weights: a new network returns about what it starts from."""


class RefiningRotationNet(nn.Module):
    """RotationNet that changes given rotations.

    Args:
        input_size: length of positional pose and features together.
        joints: J.
    """

    def __init__(self, input_size: int, joints: int) -> None:
        super().__init__()
        self.linear = _small_linear(input_size + 6 * joints, 6 * joints)

    def forward(self, geometry: Tensor, features: Tensor, start: Tensor) -> Tensor:
        """Geometry (B, F), features (B, G), rotations (B, J, 3, 3) -> (B, J, 3, 3)."""
        estimate = _six(start)
        for _ in range(STEPS):
            estimate = estimate + self.linear(torch.cat([geometry, features, estimate], dim=1))
        return matrix_from_6d(estimate.unflatten(1, (-1, 6)))


class RefiningFaceHead(nn.Module):
    """The face's head that changes a given jaw rotation and expression.

    Args:
        channels: of the pooled feature.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = _small_linear(channels + 16, 16)

    def forward(self, features: Tensor, jaw: Tensor, expression: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C), rotations (B, 1, 3, 3), expression (B, 10) -> the same two, refined."""
        estimate = torch.cat([_six(jaw), expression], dim=1)
        for _ in range(STEPS):
            estimate = estimate + self.linear(torch.cat([features, estimate], dim=1))
        return matrix_from_6d(estimate[:, None, :6]), estimate[:, 6:]


def _six(rotations: Tensor) -> Tensor:
    """(B, J, 3, 3) -> (B, 6J), the first two columns of each."""
    return rotations[..., :2].transpose(2, 3).flatten(1)


def _small_linear(inputs: int, outputs: int) -> nn.Linear:
    linear = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(linear.weight, gain=SMALL)
    nn.init.zeros_(linear.bias)
    return linear
