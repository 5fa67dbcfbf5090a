"""RotationNet: from the positional pose and the pooled features to rotations and shape (paper sections 3.1, 3.2, 4).

Rotations leave the last layer as six numbers, the first two columns of the matrix before orthonormalization (Zhou et
al. 2019), as the paper's section 4 says.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import ResidualMLP

IDENTITY_6D = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
IDENTITY_ROWS = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
"""The same where the two columns alternate, see `matrix_from_rows`."""


def matrix_from_6d(six: Tensor) -> Tensor:
    """(..., 6) two unnormalized columns -> (..., 3, 3) rotation matrices by Gram-Schmidt.

    At least in single precision, in which alone they are rotations: those of bfloat16 are off by some thousandths.
    """
    six = six.to(torch.promote_types(six.dtype, torch.float32))
    first = F.normalize(six[..., :3], dim=-1)
    second = six[..., 3:]
    second = F.normalize(second - (first * second).sum(-1, keepdim=True) * first, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=-1)


def matrix_from_rows(six: Tensor) -> Tensor:
    """(..., 6) the rows of a 3x2 matrix of two unnormalized columns, as in the authors' release -> (..., 3, 3)."""
    return matrix_from_6d(six.unflatten(-1, (3, 2)).transpose(-1, -2).flatten(-2))


def mirror_rotations(rotations: Tensor) -> Tensor:
    """(..., 3, 3) rotations of one side -> those of the other, mirrored in the plane x = 0 (S R S, S = diag(-1,1,1)).

    The axis-angle keeps its x and changes the sign of y and z.
    """
    signs = rotations.new_tensor([-1.0, 1.0, 1.0])
    return rotations * signs[:, None] * signs


class LinearRotationNet(nn.Module):
    """The paper's RotationNet: one fully connected layer on [positions, features] (sections 3.1 and 3.2)."""

    def __init__(self, input_size: int, joints: int) -> None:
        super().__init__()
        self.linear = nn.Linear(input_size, 6 * joints)
        with torch.no_grad():
            self.linear.bias.copy_(torch.tensor(IDENTITY_6D).repeat(joints))

    def forward(self, geometry: Tensor, features: Tensor | None = None) -> Tensor:
        """Predict rotations; geometry (B, F) and features (B, G) are concatenated -> (B, joints, 3, 3)."""
        vector = geometry if features is None else torch.cat([geometry, features], dim=1)
        return matrix_from_6d(self.linear(vector).view(len(geometry), -1, 6))


class JointwiseRotationNet(nn.Module):
    """The RotationNet of the authors' release: one vector that holds, joint by joint, its features and its place.

    Args:
        joints: J.
        channels: C of a joint's features.
        rotations: how many rotations each of the fully connected layers predicts.
    """

    def __init__(self, *, joints: int, channels: int, rotations: tuple[int, ...]) -> None:
        super().__init__()
        self.joints = joints
        linears = [nn.Linear(joints * (channels + 3), 6 * count) for count in rotations]
        with torch.no_grad():
            for linear, count in zip(linears, rotations, strict=True):
                linear.bias.copy_(torch.tensor(IDENTITY_ROWS).repeat(count))
        self.linears = nn.ModuleList(linears)

    def forward(self, geometry: Tensor, features: Tensor) -> Tensor:
        """Geometry (B, 3J) and features (B, J * C) -> (B, sum of `rotations`, 3, 3)."""
        joints = [part.reshape(len(part), self.joints, -1) for part in (features, geometry)]
        vector = torch.cat(joints, dim=2).flatten(1)
        six = torch.cat([linear(vector) for linear in self.linears], dim=1)
        return matrix_from_rows(six.view(len(six), -1, 6))


class ResidualRotationNet(nn.Module):
    """A deeper RotationNet for the preset `open`, where geometry is learnt from motion capture without pictures.

    Args:
        input_size: length F of the geometry vector.
        joints: number of rotations.
        hidden: width of the residual network.
        blocks: number of its residual blocks.
        features: length G of the picture features, injected through weights that start at zero; 0 for none.
        feature_drop: probability of dropping a sample's whole feature vector while training.
    """

    def __init__(
        self, input_size: int, joints: int, hidden: int, blocks: int, features: int = 0, feature_drop: float = 0.25
    ) -> None:
        super().__init__()
        self.mlp = ResidualMLP(input_size, 6 * joints, hidden, blocks, features, feature_drop)
        with torch.no_grad():
            self.mlp.output.bias.copy_(torch.tensor(IDENTITY_6D).repeat(joints))

    def forward(self, geometry: Tensor, features: Tensor | None = None) -> Tensor:
        """Predict rotations from geometry (B, F) and, if given, features (B, G) -> (B, joints, 3, 3).

        A freshly built network gives identity rotations for a zero vector.
        """
        return matrix_from_6d(self.mlp(geometry, features).view(len(geometry), -1, 6))
