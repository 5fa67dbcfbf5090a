"""Takes at other times than they were recorded at."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .rotations import axis_angle_from_quaternion, quaternion_from_axis_angle, turn, turn_between
from .skeleton import JOINT_COUNT
from .take import Take

Array = NDArray[np.float64]

EXACT = 0.02
"""Frames; a take whose times differ no more from even ones is left as it is. Containers round to milliseconds."""


def evenly(take: Take, rate: float) -> Take:
    """A take with `rate` frames a second without gaps, from its first time to its last.

    Rotations are interpolated the short way around. Where the times are even already, nothing is computed.
    """
    times = np.asarray(take.times, dtype=np.float64)
    count = int(np.floor((times[-1] - times[0]) * rate + EXACT)) + 1
    grid = times[0] + np.arange(count) / rate
    if count == len(times) and np.abs(grid - times).max() * rate <= EXACT:
        return replace(take, mocap_frame_rate=rate, times=grid)
    after = np.clip(np.searchsorted(times, grid), 1, max(1, len(times) - 1))
    before = after - 1
    after = np.minimum(after, len(times) - 1)
    share = np.clip((grid - times[before]) / np.where(after > before, times[after] - times[before], 1.0), 0.0, 1.0)
    nearest = np.where(share < 0.5, before, after)
    between = {"trans", "expression", "joints_cam", "joints_img", "confidence", "boxes"}
    values: dict[str, Any] = {
        name: _blended(np.asarray(getattr(take, name)), before, after, share).astype(np.float32) for name in between
    }
    poses = _blended_poses(take.poses, before, after, share)
    return replace(take, **values, poses=poses, times=grid, frames=take.frames[nearest], raw={}, mocap_frame_rate=rate)


def _blended(values: NDArray[Any], before: NDArray[Any], after: NDArray[Any], share: Array) -> Array:
    weight = share.reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray(values[before] * (1 - weight) + values[after] * weight)


def _blended_poses(poses: NDArray[Any], before: NDArray[Any], after: NDArray[Any], share: Array) -> NDArray[np.float32]:
    quaternions = quaternion_from_axis_angle(poses.reshape(-1, JOINT_COUNT, 3))
    start = quaternions[before]
    way = turn_between(quaternions[after], start)
    turned = axis_angle_from_quaternion(turn(start, share[:, None, None] * way))
    return np.asarray(turned, dtype=np.float32).reshape(len(share), -1)
