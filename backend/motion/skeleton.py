"""The 55 joints of SMPL-X: names, order and hierarchy. numpy only.

Sources: the public file layout of SMPL-X; joints are the body's 22, the jaw, the eyes, then 15 for each hand in the
order index, middle, pinky, ring, thumb.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

_BODY = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
)  # fmt: skip
_HEAD = ("jaw", "left_eye_smplhf", "right_eye_smplhf")
FINGERS = ("index", "middle", "pinky", "ring", "thumb")
_HANDS = tuple(f"{side}_{finger}{k}" for side in ("left", "right") for finger in FINGERS for k in (1, 2, 3))

JOINT_NAMES: tuple[str, ...] = _BODY + _HEAD + _HANDS
"""The 55 joints in file order."""

JOINT_INDEX: dict[str, int] = {name: i for i, name in enumerate(JOINT_NAMES)}

PARENTS: tuple[int, ...] = (
    -1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 15, 15, 15,
    20, 25, 26, 20, 28, 29, 20, 31, 32, 20, 34, 35, 20, 37, 38,
    21, 40, 41, 21, 43, 44, 21, 46, 47, 21, 49, 50, 21, 52, 53,
)  # fmt: skip
"""Index of each joint's parent; the pelvis has -1. A parent always stands before its children."""

JOINT_COUNT = len(JOINT_NAMES)
BODY_JOINTS = slice(0, 22)
JAW = JOINT_INDEX["jaw"]
EYES = slice(23, 25)
LEFT_HAND = slice(25, 40)
RIGHT_HAND = slice(40, 55)


def forward_kinematics(rotations: Array, rest_joints: Array) -> tuple[Array, Array]:
    """Pose a skeleton.

    Args:
        rotations: (..., J, 3, 3) local rotation matrices, J <= 55 in file order.
        rest_joints: (J, 3) or (..., J, 3) rest positions, meters.

    Returns:
        joints (..., J, 3) in meters with the pelvis at its rest position, and global rotations (..., J, 3, 3).
    """
    rest = np.broadcast_to(rest_joints, rotations.shape[:-1])
    positions = np.empty(rest.shape)
    globals_ = np.empty(rotations.shape)
    for joint in range(rotations.shape[-3]):
        parent = PARENTS[joint]
        if parent < 0:
            globals_[..., joint, :, :] = rotations[..., joint, :, :]
            positions[..., joint, :] = rest[..., joint, :]
            continue
        globals_[..., joint, :, :] = globals_[..., parent, :, :] @ rotations[..., joint, :, :]
        offset = rest[..., joint, :] - rest[..., parent, :]
        positions[..., joint, :] = positions[..., parent, :] + np.einsum(
            "...ij,...j->...i", globals_[..., parent, :, :], offset
        )
    return positions, globals_
