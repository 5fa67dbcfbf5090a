"""Rotations between directions, twists, and dual quaternion skinning, for building the body. numpy and scipy."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


def aligning(start: Floats, end: Floats) -> Floats:
    """Smallest rotation (3, 3) that takes direction `start` to direction `end`, not opposite to it."""
    a, b = start / np.linalg.norm(start), end / np.linalg.norm(end)
    axis = np.cross(a, b)
    skew = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.asarray(np.eye(3) + skew + skew @ skew / (1 + a @ b))


def frame(along: Floats, up: Floats) -> Floats:
    """Rotation whose first column is `along` and whose second lies toward `up`."""
    x = along / np.linalg.norm(along)
    z = np.cross(x, up)
    z /= np.linalg.norm(z)
    return np.stack([x, np.cross(z, x), z], axis=1)


def twist_about(rotation: Floats, axis: Floats) -> float:
    """Angle in radians, -pi..pi, by which a rotation (3, 3) turns about a unit axis."""
    quaternion = Rotation.from_matrix(rotation).as_quat()
    angle = 2 * np.arctan2(quaternion[:3] @ axis, quaternion[3])
    return float((angle + np.pi) % (2 * np.pi) - np.pi)


def about(rotation: Floats, center: Floats) -> tuple[Floats, Floats]:
    """The rigid transform (rotation, translation) that turns about a center."""
    return rotation, center - rotation @ center


def dual_quaternion_skinning(rotations: Floats, translations: Floats, vertices: Floats, weights: Floats) -> Floats:
    """Skin vertices so that twists and deep bends keep their volume (Kavan et al. 2007).

    Args:
        rotations: (K, 3, 3) of the bones.
        translations: (K, 3).
        vertices: (V, 3).
        weights: (V, K), rows sum to 1.

    Returns:
        (V, 3).
    """
    real = Rotation.from_matrix(rotations).as_quat()
    dual = _quaternion_product(np.concatenate([translations, np.zeros((len(real), 1))], axis=1), real) / 2
    main = real[weights.argmax(axis=1)]
    signed = weights * np.where(main @ real.T < 0, -1.0, 1.0)
    blended, moment = signed @ real, signed @ dual
    length = np.linalg.norm(blended, axis=1, keepdims=True)
    blended, moment = blended / length, moment / length
    conjugate = blended * np.array([-1.0, -1.0, -1.0, 1.0])
    shifts = 2 * _quaternion_product(moment, conjugate)[:, :3]
    x, w = blended[:, :3], blended[:, 3:]
    turned = vertices + 2 * np.cross(x, np.cross(x, vertices) + w * vertices)
    return np.asarray(turned + shifts)


def _quaternion_product(a: Floats, b: Floats) -> Floats:
    """(N, 4) times (N, 4), scalar last."""
    vector = a[:, 3:] * b[:, :3] + b[:, 3:] * a[:, :3] + np.cross(a[:, :3], b[:, :3])
    scalar = a[:, 3:] * b[:, 3:] - np.sum(a[:, :3] * b[:, :3], axis=1, keepdims=True)
    return np.concatenate([vector, scalar], axis=1)
