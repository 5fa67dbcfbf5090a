"""Rotations as arrays: axis-angle (radians), matrices, quaternions (w, x, y, z), 6D. numpy only.

Axis-angle stands in files, matrices in the mathematics, quaternions in Blender. Every function takes and returns
arrays with any leading shape.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


def matrix_from_axis_angle(axis_angle: Array) -> Array:
    """(..., 3) axis-angle in radians -> (..., 3, 3) rotation matrices (Rodrigues)."""
    return matrix_from_quaternion(quaternion_from_axis_angle(axis_angle))


def axis_angle_from_matrix(matrix: Array) -> Array:
    """(..., 3, 3) rotation matrices -> (..., 3) axis-angle in radians with an angle of at most pi."""
    return axis_angle_from_quaternion(quaternion_from_matrix(matrix))


def quaternion_from_axis_angle(axis_angle: Array) -> Array:
    """(..., 3) axis-angle in radians -> (..., 4) unit quaternions (w, x, y, z)."""
    axis_angle = np.asarray(axis_angle, dtype=np.float64)
    half = np.linalg.norm(axis_angle, axis=-1, keepdims=True) / 2
    return np.concatenate([np.cos(half), axis_angle * np.sinc(half / np.pi) / 2], axis=-1)


def axis_angle_from_quaternion(quaternion: Array) -> Array:
    """(..., 4) unit quaternions (w, x, y, z) -> (..., 3) axis-angle in radians with an angle of at most pi."""
    quaternion = np.asarray(quaternion, dtype=np.float64)
    quaternion = np.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    sine = np.linalg.norm(quaternion[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, quaternion[..., :1])
    scale = np.divide(angle, sine, out=np.full_like(sine, 2.0), where=sine > 1e-12)
    return np.asarray(quaternion[..., 1:] * scale)


def matrix_from_quaternion(quaternion: Array) -> Array:
    """(..., 4) quaternions (w, x, y, z), normalized here -> (..., 3, 3) rotation matrices."""
    quaternion = np.asarray(quaternion, dtype=np.float64)
    w, x, y, z = np.moveaxis(quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True), -1, 0)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def quaternion_from_matrix(matrix: Array) -> Array:
    """(..., 3, 3) rotation matrices -> (..., 4) unit quaternions (w, x, y, z) with w >= 0.

    Bar-Itzhack's method: the quaternion is the eigenvector of the largest eigenvalue of a symmetric 4x4 matrix,
    which also projects a slightly non-orthogonal input and has no special cases at an angle of pi.
    """
    m = np.asarray(matrix, dtype=np.float64)
    k = np.empty((*m.shape[:-2], 4, 4))
    k[..., 0, 0] = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    k[..., 1:, 1:] = m + np.swapaxes(m, -1, -2) - np.eye(3) * k[..., :1, :1]
    skew = np.stack([m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]], axis=-1)
    k[..., 0, 1:] = skew
    k[..., 1:, 0] = skew
    quaternion = np.linalg.eigh(k)[1][..., -1]
    return np.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def matrix_from_6d(six: Array) -> Array:
    """(..., 6) two unnormalized columns -> (..., 3, 3) rotation matrices (Zhou et al. 2019, paper section 4)."""
    first = six[..., :3] / np.linalg.norm(six[..., :3], axis=-1, keepdims=True)
    second = six[..., 3:] - np.sum(first * six[..., 3:], axis=-1, keepdims=True) * first
    second = second / np.linalg.norm(second, axis=-1, keepdims=True)
    return np.stack([first, second, np.cross(first, second)], axis=-1)


def continuous_quaternions(quaternions: Array) -> Array:
    """Choose signs so that neighbors in time lie on the same hemisphere.

    Args:
        quaternions: (T, ..., 4) unit quaternions.

    Returns:
        (T, ..., 4), the same rotations; interpolating between neighbors now takes the short way.
    """
    flips = np.sign(np.sum(quaternions[1:] * quaternions[:-1], axis=-1, keepdims=True))
    signs = np.cumprod(np.concatenate([np.ones_like(quaternions[:1, ..., :1]), np.where(flips < 0, -1.0, 1.0)]), axis=0)
    return np.asarray(quaternions * signs)


def turn(start: Array, by: Array) -> Array:
    """Turn (..., 4) quaternions by (..., 3) rotation vectors, in the axes that the joint is in."""
    return _product(quaternion_from_axis_angle(by), start)


def turn_between(end: Array, start: Array) -> Array:
    """The (..., 3) rotation vector that turns `start` into `end`."""
    return np.asarray(axis_angle_from_quaternion(_product(end, start * np.array([1.0, -1.0, -1.0, -1.0]))))


def _product(left: Array, right: Array) -> Array:
    w, v = left[..., :1], left[..., 1:]
    w2, v2 = right[..., :1], right[..., 1:]
    scalar = w * w2 - np.sum(v * v2, axis=-1, keepdims=True)
    return np.concatenate([scalar, w * v2 + w2 * v + np.cross(v, v2)], axis=-1)
