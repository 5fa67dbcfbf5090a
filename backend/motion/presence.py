"""What is done with confidence: one curve for each part of the body, and hands and faces at rest while unseen."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .rotations import axis_angle_from_quaternion, quaternion_from_axis_angle, turn, turn_between
from .skeleton import BODY_JOINTS, JAW, JOINT_COUNT, LEFT_HAND, RIGHT_HAND
from .take import Take

Array = NDArray[np.float64]

PARTS = {"body": BODY_JOINTS, "left_hand": LEFT_HAND, "right_hand": RIGHT_HAND, "face": slice(JAW, LEFT_HAND.start)}
"""Joints whose confidence is shown and used together."""
SEEN = 0.35
"""Confidence from which a hand or face moves as captured; below it fades to rest."""
UNSEEN = 0.15
"""Confidence at which it is wholly at rest; in proportion where another threshold than `SEEN` is chosen."""
FADE_SECONDS = 0.3
"""Half the length of the way to rest and back."""


def confidence_by_part(confidence: NDArray[np.floating[Any]]) -> dict[str, Array]:
    """(T, 55) confidence of joints -> for each of `PARTS` the mean over its joints, (T,)."""
    return {part: np.asarray(confidence[:, joints], dtype=np.float64).mean(axis=1) for part, joints in PARTS.items()}


def fade_unseen(take: Take, hands_rest: NDArray[np.floating[Any]], threshold: float = SEEN) -> Take:
    """Let hands and face that were hardly seen go to rest, softly, instead of showing the network's guesses.

    Args:
        take: T frames.
        hands_rest: (2, 15, 3) relaxed left and right hand, axis-angle in radians. A face rests with its mouth shut.
        threshold: confidence below which a part fades; 0 = it never does.
    """
    times = np.asarray(take.times, dtype=np.float64)
    seen = {part: presence(values, times, threshold) for part, values in confidence_by_part(take.confidence).items()}
    rest = np.zeros((JOINT_COUNT, 3))
    rest[LEFT_HAND], rest[RIGHT_HAND] = hands_rest
    poses = take.poses.reshape(-1, JOINT_COUNT, 3).astype(np.float64)
    for part in ("left_hand", "right_hand", "face"):
        fading = seen[part] < 1
        joints = PARTS[part]
        share = seen[part][fading, None, None]
        poses[fading, joints] = _between(rest[joints], poses[fading, joints], share)
    return replace(
        take,
        poses=poses.reshape(take.poses.shape).astype(np.float32),
        expression=(take.expression * seen["face"][:, None]).astype(np.float32),
    )


def presence(confidence: Array, times: Array, threshold: float = SEEN) -> Array:
    """How much of a part's motion is shown: (T,) confidence at (T,) seconds -> (T,) 0..1, without jumps."""
    if threshold == 0:
        return np.ones(len(times))
    unseen = UNSEEN * (threshold / SEEN)
    seen = np.clip((confidence - unseen) / (threshold - unseen), 0.0, 1.0)
    first = np.searchsorted(times, times - FADE_SECONDS)
    last = np.searchsorted(times, times + FADE_SECONDS, side="right")
    ramp = np.empty(len(times))
    for frame, time in enumerate(times):
        near = slice(first[frame], last[frame])
        ramp[frame] = np.average(seen[near], weights=1.001 - np.abs(times[near] - time) / FADE_SECONDS)
    return ramp * ramp * (3 - 2 * ramp)


def _between(start: Array, end: Array, share: Array) -> Array:
    """Turn from axis-angle `start` towards `end` the short way; share 0..1."""
    from_rest = np.broadcast_to(quaternion_from_axis_angle(start), (*end.shape[:-1], 4))
    way = turn_between(quaternion_from_axis_angle(end), from_rest)
    return np.asarray(axis_angle_from_quaternion(turn(from_rest, share * way)))
