"""Axis-angle and matrices as differentiable tensors, and the distance in which the paper's loss compares rotations."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_SMALL = 1e-12


def matrix_from_axis_angle(vectors: Tensor) -> Tensor:
    """(..., 3) radians -> (..., 3, 3) (Rodrigues), exact at zero too."""
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    angle = vectors.norm(dim=-1)[..., None, None]
    identity = torch.eye(3, dtype=vectors.dtype, device=vectors.device)
    # torch's sinc(x) is sin(pi x) / (pi x)
    first, second = torch.sinc(angle / math.pi), torch.sinc(angle / (2 * math.pi)).square() / 2
    matrices: Tensor = identity + first * skew + second * skew @ skew
    return matrices


def axis_angle_from_matrix(matrices: Tensor) -> Tensor:
    """(..., 3, 3) rotations -> (..., 3) radians, the angle at most pi; gradients are finite at 0 and at pi.

    By quaternions: of the four rows of 4 q q^T, which are sums of the matrix's elements, the longest one is at least 2
    long, so nothing is ever divided by a small number.
    """
    m00, m01, m02, m10, m11, m12, m20, m21, m22 = matrices.flatten(-2).unbind(-1)
    ww, xx, yy, zz = 1 + m00 + m11 + m22, 1 + m00 - m11 - m22, 1 - m00 + m11 - m22, 1 - m00 - m11 + m22
    wx, wy, wz, xy, xz, yz = m21 - m12, m02 - m20, m10 - m01, m10 + m01, m02 + m20, m21 + m12
    products = torch.stack([ww, wx, wy, wz, wx, xx, xy, xz, wy, xy, yy, yz, wz, xz, yz, zz], dim=-1).unflatten(
        -1, (4, 4)
    )
    longest = torch.stack([ww, xx, yy, zz], dim=-1).argmax(-1)
    row = products.gather(-2, longest[..., None, None].expand(*longest.shape, 1, 4)).squeeze(-2)
    quaternion = F.normalize(row, dim=-1)
    quaternion = torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    cosine, axis = quaternion[..., :1], quaternion[..., 1:]
    square = axis.square().sum(-1, keepdim=True)
    tiny = square < _SMALL
    sine = torch.where(tiny, 1.0, square).sqrt()
    return axis * torch.where(tiny, 2.0, 2 * torch.atan2(sine, cosine) / sine)


def rotation_differences(predicted: Tensor, target: Tensor) -> Tensor:
    """What L_param compares: axis-angle vectors, as in the authors' release (section 3.4).

    A rotation by an angle near pi has two such vectors that point in nearly opposite directions, and the root of an
    upright person is always near pi in camera axes. Of the target's two the nearer one counts: where both rotations are
    far from pi, that is the plain difference.

    Args:
        predicted: (..., 3, 3) matrices.
        target: (..., 3) axis-angle, radians, any angle.

    Returns:
        (..., 3) predicted minus target, radians.
    """
    vectors = axis_angle_from_matrix(predicted)
    angle = target.norm(dim=-1, keepdim=True)
    axis = target / angle.clamp_min(_SMALL)
    turned = angle.remainder(2 * math.pi)
    one, other = vectors - axis * turned, vectors - axis * (turned - 2 * math.pi)
    nearer = one.abs().sum(-1, keepdim=True) <= other.abs().sum(-1, keepdim=True)
    return torch.where(nearer, one, other)
