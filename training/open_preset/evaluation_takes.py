"""How steady captured takes are: jitter, turns and swaps that nobody can make, frames a second of the capture."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...backend.body.joints import LIMBS12
from ...backend.motion.body_file import BodyFile
from ...backend.motion.rotations import matrix_from_axis_angle
from ...backend.motion.settings import KeySettings, moved
from ...backend.motion.skeleton import BODY_JOINTS, JOINT_COUNT, forward_kinematics
from ...backend.motion.take import Take, load_take
from .evaluation_measures import Rows

Array = NDArray[np.floating[Any]]

RATE = 30.0
"""Frames a second for which jitter is stated."""
FLIP = 120.0
"""Degrees from one frame to the next that no pelvis turns."""
SWAP = 0.5
"""Left and right were swapped if that explains the limbs with less than this share of the way."""
APART = 0.15
"""Meters, mean distance of left and right limbs below which a swap would not show."""


def take_rows(file: Path, body: BodyFile) -> Rows:
    """Steadiness of a take: as the network said it, refined, and as it is keyed by default.

    Jitter is the mean second difference of 22 joints relative to the pelvis, millimeters a frame squared at 30 frames
    a second; it includes the motion itself. Frames a second are those of `summary.json` beside the take, if there is
    one.

    Raises:
        TakeError: not a take.
    """
    take = load_take(file)
    joints = body_joints(take, body)
    minutes = max((take.times[-1] - take.times[0]) / 60, 1e-9)
    rows = {
        "frames": float(len(take)),
        "jitter, network": jitter(body_joints(take.with_raw_motion(), body), take.times),
        "jitter, refined": jitter(joints, take.times),
        "jitter, as keyed": jitter(body_joints(moved(take, KeySettings(), body.hands_mean), body), take.times),
        "facing flips a minute": facing_flips(take.poses[:, :3]) / minutes,
        "left-right swaps a minute": side_swaps(joints) / minutes,
    }
    summary = file.parent / "summary.json"
    if summary.is_file():
        rows["frames a second of the capture"] = float(json.loads(summary.read_text())["frames_per_second"])
    return rows


def body_joints(take: Take, body: BodyFile) -> Array:
    """(T, 22, 3) meters relative to the pelvis, in the take's world."""
    return posed_joints(take, body)[0][:, BODY_JOINTS]


def posed_joints(take: Take, body: BodyFile) -> tuple[Array, Array]:
    """(T, 55, 3) meters relative to the pelvis and (T, 55, 3, 3) rotations, both in the take's world."""
    rotations = matrix_from_axis_angle(take.poses.reshape(-1, JOINT_COUNT, 3).astype(np.float64))
    joints, turns = forward_kinematics(rotations, body.rest_joints(take.betas.astype(np.float64)))
    return joints - joints[:, :1], turns


def jitter(joints: Array, times: Array) -> float:
    """Mean second difference of (T, J, 3) meters at (T,) seconds; millimeters a frame squared at 30 frames a second."""
    if len(joints) < 3:
        return float("nan")
    step = (times[-1] - times[0]) / (len(times) - 1)
    second = np.linalg.norm(joints[2:] - 2 * joints[1:-1] + joints[:-2], axis=-1)
    return float(1000 * second.mean() / (step * RATE) ** 2)


def facing_flips(roots: Array) -> int:
    """How often (T, 3) root rotations turn by more than `FLIP` degrees from one frame to the next."""
    matrices = matrix_from_axis_angle(roots.astype(np.float64))
    between = np.swapaxes(matrices[:-1], -1, -2) @ matrices[1:]
    cosine = (np.trace(between, axis1=-2, axis2=-1) - 1) / 2
    return int((np.degrees(np.arccos(np.clip(cosine, -1, 1))) > FLIP).sum())


def side_swaps(joints: Array) -> int:
    """How often the left limbs of (T, 22, 3) joints jump to where the right ones were, and the other way round."""
    left, right = joints[:, list(LIMBS12[0::2])], joints[:, list(LIMBS12[1::2])]
    straight = _way(left[1:], left[:-1]) + _way(right[1:], right[:-1])
    crossed = _way(left[1:], right[:-1]) + _way(right[1:], left[:-1])
    return int(((crossed < SWAP * straight) & (_way(left[:-1], right[:-1]) > APART)).sum())


def _way(first: Array, second: Array) -> Array:
    """(T,) mean distance of limb joints."""
    return np.asarray(np.linalg.norm(first - second, axis=-1).mean(axis=1))
