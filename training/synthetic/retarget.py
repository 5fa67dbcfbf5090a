"""From the skeleton of a BVH file to the 22 body joints, relative to a strict T: arms along x, legs straight down.

With G the world rotation of a joint and B its rotation in a T-pose, the world rotation since the strict T is G B^T.
Files of CMU begin with a T-pose. Where the first frame is none, the pose without rotations stands in for it, and every
limb is turned the shortest way from the strict T to where that pose has it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...backend.motion.skeleton import JOINT_INDEX, JOINT_NAMES, PARENTS
from .bvh import BvhError, BvhMotion
from .poses import BODY_JOINT_COUNT, STRICT_T_BONES, shortest_rotation

Array = NDArray[np.float64]

_SPINES = (("LowerBack", "Spine", "Spine1"), ("Spine", "Spine1", "Spine2"))
"""spine1 to spine3 of CMU's skeleton and of Mixamo's."""
_SIDES = {
    "hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "foot": "ToeBase",
    "collar": "Shoulder", "shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand",
}  # fmt: skip
T_POSE = 0.95
"""Cosine of the angle up to which limbs may point elsewhere than in a strict T for a frame to be a T-pose."""


def strict_t_rotations(motion: BvhMotion, name: str) -> Array:
    """(T, 22, 3, 3) local rotations relative to a strict T that looks along +z with y up; frame 0 left out if a T-pose.

    Args:
        motion: of a file.
        name: of the file, for errors.

    Raises:
        BvhError: joints are missing.
    """
    columns = _columns(motion.skeleton.names, name)
    axes = _axes(motion.positions()[columns])
    first = _axes(motion.positions(0)[columns])
    if len(motion.rotations) > 1 and _is_t(motion.positions(0)[columns] @ first.T):
        since = motion.rotations[1:, columns] @ np.swapaxes(motion.rotations[0, columns], -1, -2)
        world = first @ since @ first.T
    else:
        rest = motion.positions()[columns] @ axes.T
        world = axes @ motion.rotations[:, columns] @ axes.T @ _from_strict_t(rest)
    local = world.copy()
    for joint in range(1, BODY_JOINT_COUNT):
        local[:, joint] = np.swapaxes(world[:, PARENTS[joint]], -1, -2) @ world[:, joint]
    return local


def _columns(names: tuple[str, ...], file: str) -> list[int]:
    spine = next((spine for spine in _SPINES if set(spine) <= set(names)), _SPINES[0])
    wanted = {"pelvis": "Hips", "neck": "Neck", "head": "Head", **dict(zip(("spine1", "spine2", "spine3"), spine))}  # noqa: B905
    for side, prefix in (("left", "Left"), ("right", "Right")):
        wanted |= {f"{side}_{joint}": prefix + name for joint, name in _SIDES.items()}
    missing = [name for name in wanted.values() if name not in names]
    if missing:
        raise BvhError(f"{file}: no joint {', '.join(missing)}; known are the names of CMU's and Mixamo's skeletons")
    return [names.index(wanted[joint]) for joint in JOINT_NAMES[:BODY_JOINT_COUNT]]


def _axes(joints: Array) -> Array:
    """(22, 3) joints of someone upright -> (3, 3) rotation that brings their left to +x and their top to +y."""
    left = joints[JOINT_INDEX["left_hip"]] - joints[JOINT_INDEX["right_hip"]]
    up = joints[JOINT_INDEX["neck"]] - joints[JOINT_INDEX["pelvis"]]
    left = left / np.linalg.norm(left)
    up = up - (up @ left) * left
    up = up / np.linalg.norm(up)
    return np.stack([left, up, np.cross(left, up)])


def _bones(joints: Array) -> list[tuple[int, Array, Array]]:
    """Limbs that end in another of the 22 joints: joint, its direction in a strict T, and its direction here."""
    bones = []
    for side, mirror in (("left", 1.0), ("right", -1.0)):
        for start, (end, direction) in STRICT_T_BONES.items():
            if f"{side}_{end}" in JOINT_NAMES[:BODY_JOINT_COUNT]:
                joint = JOINT_INDEX[f"{side}_{start}"]
                bone = joints[JOINT_INDEX[f"{side}_{end}"]] - joints[joint]
                bones.append((joint, np.array(direction) * [mirror, 1, 1], bone / np.linalg.norm(bone)))
    return bones


def _is_t(joints: Array) -> bool:
    return all(strict @ bone > T_POSE for _, strict, bone in _bones(joints))


def _from_strict_t(joints: Array) -> NDArray[Any]:
    """(22, 3, 3) shortest rotation from each strict-T bone to the bone of these joints; hands go with the forearm."""
    rotations = np.tile(np.eye(3), (BODY_JOINT_COUNT, 1, 1))
    for joint, strict, bone in _bones(joints):
        rotations[joint] = shortest_rotation(strict, bone)
    for side in ("left", "right"):
        rotations[JOINT_INDEX[f"{side}_wrist"]] = rotations[JOINT_INDEX[f"{side}_elbow"]]
    return rotations
