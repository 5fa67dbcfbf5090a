"""The mean hand of a body file, and rotations of fingers that are relative to it.

SMPL-X and MANO can be posed relative to flat hands or to the mean of their scans (`flat_hand_mean` of the `smplx`
package). Then the 45 numbers of a hand's mean, axis-angle in radians, are added to the 45 of the pose. Everything here
is relative to flat hands (`Take.flat_hand_mean`); this module is the only place where one becomes the other.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .rotations import axis_angle_from_matrix, matrix_from_axis_angle
from .skeleton import JOINT_COUNT, LEFT_HAND, RIGHT_HAND
from .take import Take

Array = NDArray[np.floating[Any]]

HANDS = slice(LEFT_HAND.start, RIGHT_HAND.stop)


def matrices_relative_to_flat(hands: Array, hands_mean: Array) -> Array:
    """Finger rotations relative to the mean hand -> the same relative to flat hands.

    Args:
        hands: (..., 30, 3, 3) rotations of the joints of the left and the right hand.
        hands_mean: (2, 15, 3) of the body file, axis-angle in radians.
    """
    return matrix_from_axis_angle(axis_angle_from_matrix(hands) + hands_mean.reshape(-1, 3))


def with_flat_hands(take: Take, hands_mean: Array) -> Take:
    """The take with finger rotations relative to flat hands; itself if they are.

    Args:
        take: of either rule.
        hands_mean: (2, 15, 3) of the body file that the take was made for.
    """
    return take if take.flat_hand_mean else _shifted(take, hands_mean.reshape(-1, 3))


def with_mean_hands(take: Take, hands_mean: Array) -> Take:
    """The take with finger rotations relative to the mean hand, as programs with `flat_hand_mean=False` want them."""
    return _shifted(take, -hands_mean.reshape(-1, 3)) if take.flat_hand_mean else take


def _shifted(take: Take, shift: Array) -> Take:
    raw = dict(take.raw)
    if "poses_raw" in raw:
        raw["poses_raw"] = _shifted_poses(raw["poses_raw"], shift)
    return replace(take, poses=_shifted_poses(take.poses, shift), raw=raw, flat_hand_mean=not take.flat_hand_mean)


def _shifted_poses(poses: Array, shift: Array) -> Array:
    """(T, 165) -> (T, 165)."""
    joints = np.array(poses).reshape(-1, JOINT_COUNT, 3)
    joints[:, HANDS] += shift
    return joints.reshape(poses.shape)
