"""How sure the network is of each joint: from the scores of the points it saw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .body.joints import COCO17, POINT_NAMES
from .motion.skeleton import EYES, JAW, JOINT_COUNT, JOINT_INDEX, JOINT_NAMES, LEFT_HAND, RIGHT_HAND

Array = NDArray[np.float64]

COCO_NAMES = tuple(POINT_NAMES[point] for point in COCO17)
_HIPS = ("left_hip", "right_hip")
_SHOULDERS = ("left_shoulder", "right_shoulder")
_NEAREST: dict[str, tuple[str, ...]] = {
    "pelvis": _HIPS,
    "spine1": _HIPS,
    "spine2": _HIPS + _SHOULDERS,
    "spine3": _SHOULDERS,
    "neck": _SHOULDERS,
    "left_collar": ("left_shoulder",),
    "right_collar": ("right_shoulder",),
    "head": ("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    "left_foot": ("left_ankle",),
    "right_foot": ("right_ankle",),
}
"""Which keypoints speak for a joint that is none itself."""


def _body_weights() -> Array:
    """(55, 17) mean of the keypoints next to each joint; rows of hands and face are zero."""
    weights = np.zeros((JOINT_COUNT, len(COCO_NAMES)))
    for name in JOINT_NAMES[:JAW]:
        nearest = [COCO_NAMES.index(point) for point in _NEAREST.get(name, (name,))]
        weights[JOINT_INDEX[name], nearest] = 1 / len(nearest)
    return weights


BODY_WEIGHTS = _body_weights()


def joint_confidence(keypoint_scores: Array, hand_scores: Array, face_scores: Array) -> Array:
    """(T, 17) keypoints, (T, 2) left and right hand, (T,) face -> (T, 55) joints, all 0..1.

    A hand's joints are as sure as the hand is present; jaw and eyes as the face is.
    """
    confidence: Array = np.clip(keypoint_scores, 0, 1) @ BODY_WEIGHTS.T
    confidence[:, JAW] = face_scores
    confidence[:, EYES] = face_scores[:, None]
    confidence[:, LEFT_HAND] = hand_scores[:, :1]
    confidence[:, RIGHT_HAND] = hand_scores[:, 1:]
    return np.clip(confidence, 0, 1)
