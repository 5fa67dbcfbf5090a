"""How sure each joint is: the probability that it is right, told from the scores of the points the network saw.

A body joint is right if it lies within `BODY_TOLERANCE` of where it is, pelvis on pelvis, in camera axes; a hand if it
is seen and its 21 points are off by less than `HAND_TOLERANCE` of its length, however it is turned; a face if it is
seen and jaw and expression move its skin less than `FACE_TOLERANCE` away from where it is. How scores become these
probabilities was measured on rendered people (`pose2pose-train open calibrate`) and stands in the header of each
weights file, under `confidence`: numbers of other weights would mean nothing. Weights without it keep raw scores.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from .body.joints import COCO17, POINT_NAMES
from .motion.skeleton import EYES, JAW, JOINT_COUNT, JOINT_INDEX, JOINT_NAMES, LEFT_HAND, RIGHT_HAND
from .weights_folders import WeightsError

Array = NDArray[np.float64]

BODY_TOLERANCE = 0.1
"""Meters."""
HAND_TOLERANCE = 0.1
"""Mean distance of a hand's points over its length from the wrist to the tip of the middle finger."""
FACE_TOLERANCE = 0.0025
"""Meters, mean over the skin that jaw and expressions move."""
HEADER = "confidence"
"""Where a weights file's metadata holds its calibration."""

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

BODY_GROUPS: dict[str, tuple[str, ...]] = {
    "hips": ("pelvis", *_HIPS),
    "spine": ("spine1", "spine2", "spine3"),
    "shoulders": ("neck", "left_collar", "right_collar", *_SHOULDERS),
    "head": ("head",),
    "elbows": ("left_elbow", "right_elbow"),
    "wrists": ("left_wrist", "right_wrist"),
    "knees": ("left_knee", "right_knee"),
    "ankles": ("left_ankle", "right_ankle", "left_foot", "right_foot"),
}
"""Joints that share a calibration."""
HANDS, FACE = "hands", "face"
GROUPS = (*BODY_GROUPS, HANDS, FACE)
_WAY = "write it again with `pose2pose-train open calibrate FOLDER --write`"
_FLOOR = 0.01
"""Keeps the evidence of scores of 0 and 1 finite."""


@dataclass(frozen=True)
class Sureness:
    """From scores to the probability of being right, for one group of joints.

    Attributes:
        bias: at scores of one half.
        own: weight of the joint's own score, not negative.
        whole: weight of the person's mean score, not negative.
    """

    bias: float
    own: float
    whole: float

    def probability(self, own: Array, whole: Array) -> Array:
        """Scores 0..1 of a joint and of the whole person, of shapes that fit together -> 0..1 (logistic)."""
        raised = self.bias + self.own * evidence(own) + self.whole * evidence(whole)
        return np.asarray(1 / (1 + np.exp(-raised)))


Calibration = Mapping[str, Sureness]
"""By the names of `GROUPS`; a group that is missing keeps its scores."""


def evidence(scores: Array) -> Array:
    """Scores 0..1 as log odds within about -4.6..4.6."""
    return np.asarray(np.log((scores + _FLOOR) / (1 - scores + _FLOOR)))


def _body_weights() -> Array:
    """(55, 17) mean of the keypoints next to each joint; rows of hands and face are zero."""
    weights = np.zeros((JOINT_COUNT, len(COCO_NAMES)))
    for name in JOINT_NAMES[:JAW]:
        nearest = [COCO_NAMES.index(point) for point in _NEAREST.get(name, (name,))]
        weights[JOINT_INDEX[name], nearest] = 1 / len(nearest)
    return weights


BODY_WEIGHTS = _body_weights()


def joint_confidence(
    keypoint_scores: Array, hand_scores: Array, face_scores: Array, calibration: Calibration | None = None
) -> Array:
    """How sure each joint is, 0..1.

    Args:
        keypoint_scores: (T, 17); all zero where the person was not found.
        hand_scores: (T, 2) left and right; zero where a hand was not looked for.
        face_scores: (T,) the same.
        calibration: of the weights; None for raw scores.

    Returns:
        (T, 55). What has no score at all has a confidence of exactly 0. A hand's joints are as sure as the hand is,
        jaw and eyes as the face is.
    """
    scores = np.clip(keypoint_scores, 0, 1)
    known, whole = calibration or {}, scores.mean(axis=1, keepdims=True)
    confidence: Array = scores @ BODY_WEIGHTS.T
    for group, names in BODY_GROUPS.items():
        joints = [JOINT_INDEX[name] for name in names]
        confidence[:, joints] = _calibrated(known.get(group), confidence[:, joints], whole) * (whole > 0)
    hands = _calibrated(known.get(HANDS), hand_scores, whole) * (hand_scores > 0)
    face = _calibrated(known.get(FACE), face_scores[:, None], whole) * (face_scores[:, None] > 0)
    confidence[:, JAW : EYES.stop] = face
    confidence[:, LEFT_HAND], confidence[:, RIGHT_HAND] = hands[:, :1], hands[:, 1:]
    return np.clip(confidence, 0, 1)


def read_calibration(headers: Iterable[Mapping[str, str]], preset: str) -> dict[str, Sureness]:
    """The calibration that the metadata of weights files hold together; empty if none does.

    Args:
        headers: of the files of a folder.
        preset: whose files count.

    Raises:
        WeightsError: one cannot be read.
    """
    found: dict[str, Sureness] = {}
    for header in headers:
        text = header.get(HEADER, "{}") if header.get("preset") == preset else "{}"
        try:
            groups = {name: Sureness(*map(float, numbers)) for name, numbers in json.loads(text).items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise WeightsError(f"the header {HEADER!r} of weights is no calibration: {text[:80]!r}; {_WAY}") from error
        found |= {name: fit for name, fit in groups.items() if name in GROUPS}
    return found


def write_calibration(calibration: Calibration, groups: Iterable[str]) -> str:
    """Some groups as a weights file's header keeps them."""
    kept = {name: astuple(calibration[name]) for name in groups if name in calibration}
    return json.dumps({name: [round(number, 4) for number in numbers] for name, numbers in kept.items()})


def _calibrated(fit: Sureness | None, own: Array, whole: Array) -> Array:
    return own if fit is None else fit.probability(np.clip(own, 0, 1), whole)
