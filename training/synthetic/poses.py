"""The pose library: body poses from motion capture, brought to a body's rest pose, and made more diverse.

A library file holds `rotvec_i16 (N, 22, 3)`: local rotations of the first 22 joints as axis-angle times 32767 / pi,
relative to a strict T (arms along x, legs straight down). The body's rest pose is not a strict T: its arms hang a
little and its legs stand apart. The rotations are re-based so that every limb still points where the actor's did.
"""

import math
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...backend.motion.body_file import BodyFile
from ...backend.motion.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from ...backend.motion.skeleton import JOINT_INDEX, JOINT_NAMES, PARENTS
from .randomness import chance, choice, normal

BODY_JOINT_COUNT = 22
UPPER_BODY = tuple(range(JOINT_INDEX["neck"], BODY_JOINT_COUNT))
"""Joints that a recombined pose takes from a second pose: neck, collars, head and arms."""

STRICT_T_BONES = {
    "hip": ("knee", (0.0, -1.0, 0.0)),
    "knee": ("ankle", (0.0, -1.0, 0.0)),
    "shoulder": ("elbow", (1.0, 0.0, 0.0)),
    "elbow": ("wrist", (1.0, 0.0, 0.0)),
    "wrist": ("middle1", (1.0, 0.0, 0.0)),
}
"""Joint -> (end of its bone, the bone's direction in a strict T for the left side; the right one is mirrored)."""

_OTHER_SIDE = tuple(
    JOINT_INDEX[name.replace("left_", "right_") if name.startswith("left_") else name.replace("right_", "left_")]
    for name in JOINT_NAMES[:BODY_JOINT_COUNT]
)


class PoseLibraryError(ValueError):
    """A pose library that cannot be read."""


def load_pose_library(path: Path, body: BodyFile) -> NDArray[np.float32]:
    """Read a pose library and re-base it from the strict T to the rest pose of `body`.

    Args:
        path: `.npz` with `rotvec_i16 (N, 22, 3)`.
        body: the body that the poses are for.

    Returns:
        (N, 22, 3, 3) local rotation matrices.

    Raises:
        PoseLibraryError: the file has no `rotvec_i16` or it has another shape.
    """
    with np.load(path, allow_pickle=False) as file:
        if "rotvec_i16" not in file:
            raise PoseLibraryError(f"{path}: no 'rotvec_i16' among {sorted(file)}; this is not a pose library")
        packed = file["rotvec_i16"]
    if packed.ndim != 3 or packed.shape[1:] != (BODY_JOINT_COUNT, 3):
        raise PoseLibraryError(f"{path}: 'rotvec_i16' has shape {packed.shape}, expected (N, 22, 3)")
    local = matrix_from_axis_angle(packed.astype(np.float64) * (math.pi / 32767))
    rest = body.rest_joints(np.zeros(10))
    return rebase_from_strict_t(local, rest).astype(np.float32)


def rebase_from_strict_t(local: NDArray[np.float64], rest_joints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Local rotations relative to a strict T -> relative to another rest pose.

    With D the world rotation of a joint since the strict T and A the rotation that takes its strict-T bone to the
    rest bone, the world rotation since the rest pose is D A^T.

    Args:
        local: (..., 22, 3, 3).
        rest_joints: (55, 3) rest positions, meters.

    Returns:
        (..., 22, 3, 3).
    """
    return _turned(local, np.swapaxes(_strict_t_to_rest(rest_joints), -1, -2))


def rebase_to_strict_t(local: NDArray[np.float64], rest_joints: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of `rebase_from_strict_t`."""
    return _turned(local, _strict_t_to_rest(rest_joints))


def _turned(local: NDArray[np.float64], turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 22, 3, 3) local rotations whose world rotations are followed by (22, 3, 3) turns of their bones."""
    world = np.empty_like(local)
    for joint in range(BODY_JOINT_COUNT):
        parent = PARENTS[joint]
        world[..., joint, :, :] = local[..., joint, :, :]
        if parent >= 0:
            world[..., joint, :, :] = world[..., parent, :, :] @ local[..., joint, :, :]
    world = world @ turns
    rebased = world.copy()
    for joint in range(1, BODY_JOINT_COUNT):
        rebased[..., joint, :, :] = np.swapaxes(world[..., PARENTS[joint], :, :], -1, -2) @ world[..., joint, :, :]
    return rebased


def straighten_legs(
    local: NDArray[np.float64], rest_joints: NDArray[np.float64], amounts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Turn hips, knees and ankles part of the way to those of someone who stands upright.

    Captured actors keep their knees bent: both are bent by less than 15 degrees in 3 % of the motion and 1 % of the
    diverse poses, and a network that learnt from them alone bends the knees of everybody who stands.

    Args:
        local: (N, 22, 3, 3) local rotations relative to the rest pose.
        rest_joints: (55, 3) rest positions, meters.
        amounts: (N, 2) of the left and right leg, 0 as it is to 1 straight.

    Returns:
        (N, 22, 3, 3).
    """
    upright = rebase_from_strict_t(np.tile(np.eye(3), (BODY_JOINT_COUNT, 1, 1)), rest_joints)
    straightened = local.copy()
    for side, name in enumerate(("left", "right")):
        for joint in (JOINT_INDEX[f"{name}_{part}"] for part in ("hip", "knee", "ankle")):
            bend = axis_angle_from_matrix(local[:, joint] @ upright[joint].T)
            straightened[:, joint] = matrix_from_axis_angle(bend * (1 - amounts[:, side, None])) @ upright[joint]
    return straightened


def _strict_t_to_rest(rest_joints: NDArray[np.float64]) -> NDArray[np.float64]:
    """(22, 3, 3) smallest rotation from each strict-T bone to its rest bone; identity for the trunk and feet."""
    rotations = np.tile(np.eye(3), (BODY_JOINT_COUNT, 1, 1))
    for side, mirror in (("left", 1.0), ("right", -1.0)):
        for start, (end, direction) in STRICT_T_BONES.items():
            joint = JOINT_INDEX[f"{side}_{start}"]
            bone = rest_joints[JOINT_INDEX[f"{side}_{end}"]] - rest_joints[joint]
            strict = np.array([direction[0] * mirror, direction[1], direction[2]])
            rotations[joint] = shortest_rotation(strict, bone / np.linalg.norm(bone))
    return rotations


def shortest_rotation(start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """The (3, 3) rotation about start x end that takes the unit vector `start` to the unit vector `end`."""
    axis = np.cross(start, end)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-9:
        return np.eye(3)
    return matrix_from_axis_angle(axis / sine * math.atan2(sine, float(start @ end)))


def mirror_poses(rotations: Tensor) -> Tensor:
    """(..., 22, 3, 3) local rotations -> the same poses seen in a mirror: sides swapped, x reflected."""
    sign = torch.tensor([-1.0, 1.0, 1.0], dtype=rotations.dtype, device=rotations.device)
    return rotations[..., list(_OTHER_SIDE), :, :] * sign[:, None] * sign


def sample_poses(
    library: Tensor,
    count: int,
    generator: torch.Generator,
    *,
    recombined: float = 0.28,
    noise: float = 0.06,
    twist: float = 0.5,
    bend: float = 0.3,
) -> Tensor:
    """Draw poses at random and vary them.

    Args:
        library: (N, 22, 3, 3) local rotations.
        count: B.
        generator: source of randomness, on the library's device.
        recombined: share of poses whose upper body comes from a second pose.
        noise: standard deviation of a random rotation of every joint but the pelvis, radians per axis.
        twist: standard deviation of the forearm's twist, radians; captured motion has hardly any. 40 % of it
            turns the elbow and the rest the wrist, as in a real forearm.
        bend: standard deviation of the wrist's bend, radians per axis.

    Returns:
        (B, 22, 3, 3), half of them mirrored.
    """
    draws = choice(generator, len(library), 2, count)
    poses = library[draws[0]]
    mix = chance(generator, recombined, count)
    upper = list(UPPER_BODY)
    poses[:, upper] = torch.where(mix[:, None, None, None], library[draws[1]][:, upper], poses[:, upper])
    mirrored = chance(generator, 0.5, count)
    poses = torch.where(mirrored[:, None, None, None], mirror_poses(poses), poses)
    wiggle = normal(generator, noise, count, BODY_JOINT_COUNT, 3)
    wiggle[:, 0] = 0
    for side in ("left", "right"):
        turn = normal(generator, twist, count)
        wiggle[:, JOINT_INDEX[f"{side}_elbow"], 0] += 0.4 * turn
        wiggle[:, JOINT_INDEX[f"{side}_wrist"], 0] += 0.6 * turn
        wiggle[:, JOINT_INDEX[f"{side}_wrist"], 1:] += normal(generator, bend, count, 2)
    return poses @ rotation_vectors_to_matrices(wiggle)


def rotation_vectors_to_matrices(vectors: Tensor) -> Tensor:
    """(..., 3) axis-angle in radians -> (..., 3, 3), by the exponential of the cross product matrix (Rodrigues)."""
    angle = vectors.norm(dim=-1, keepdim=True).clamp_min(1e-8)[..., None]
    x, y, z = (vectors / angle[..., 0]).unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).view(*vectors.shape, 3)
    identity = torch.eye(3, dtype=vectors.dtype, device=vectors.device)
    matrices: Tensor = identity + angle.sin() * cross + (1 - angle.cos()) * (cross @ cross)
    return matrices
