"""Takes of motion that no capture of ours recorded."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .skeleton import JOINT_COUNT
from .take import Take, TakeError, shapes

Array = NDArray[np.floating[Any]]


def take_from_elsewhere(poses: Array, trans: Array, times: Array, rate: float, **known: Any) -> Take:
    """A take of motion that no capture of ours recorded: joints, boxes and camera hold NaN unless they are `known`.

    Args:
        poses: (T, 165).
        trans: (T, 3).
        times: (T,) seconds.
        rate: frames a second.
        known: further fields of `Take`.

    Raises:
        TakeError: as `Take`.
    """
    count = len(poses)
    unknown: dict[str, Any] = {name: np.full(shape, np.nan, np.float32) for name, shape in shapes(count).items()}
    usual: dict[str, Any] = {
        "betas": np.zeros(10, np.float32),
        "expression": np.zeros((count, 10), np.float32),
        "frames": np.arange(count),
        "confidence": np.ones((count, JOINT_COUNT), np.float32),
        "image_size": np.zeros(2, np.int64),
        "body": "smplx",
    }
    motion = {"poses": np.asarray(poses, np.float32), "trans": np.asarray(trans, np.float32), "times": times}
    return Take(**{**unknown, **usual, **motion, **known}, mocap_frame_rate=rate)


def ten(numbers: Any) -> Array:
    """(..., N) betas or expressions of any number -> (..., 10): further ones are left out, missing ones are zero."""
    values = np.asarray(numbers, dtype=np.float32)[..., :10]
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, 10 - values.shape[-1])])


def asked_rate(frame_rate: float | None) -> float:
    """The frames a second that a user gave for a file that does not say its own.

    Raises:
        TakeError: nobody gave it, or it is none.
    """
    if frame_rate is None:
        raise TakeError(
            "'mocap_frame_rate' is missing: give the source's frames a second (--frame-rate; in Blender: Frame Rate)"
        )
    if not 0 < frame_rate < np.inf:
        raise TakeError(f"the frames a second must be a positive number, got {frame_rate}")
    return frame_rate
