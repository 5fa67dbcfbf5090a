"""From camera axes to a z-up world: the one place where one becomes the other.

Camera axes are OpenCV's (x right, y down, z forward). The world is AMASS's and Blender's: z up, and a camera that
looks along +y, so that somebody who faces the camera faces -y, Blender's front. Meters throughout.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .rotations import matrix_from_axis_angle
from .skeleton import JOINT_COUNT, JOINT_INDEX, forward_kinematics
from .take import Take

Array = NDArray[np.float64]

WORLD_FROM_CAMERA: Array = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""Rotation that takes camera axes to world axes."""

WORLD_FROM_BODY: Array = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""Rotation that takes the body file's rest axes (y up, facing +z) to the world's (z up, facing -y)."""

GROUND_PERCENTILE = 5.0
"""Of the lowest foot heights over time: robust against a few bad frames and low enough not to sink standing feet."""

FEET = ("left_ankle", "right_ankle", "left_foot", "right_foot")


def world_from_camera(points: NDArray[np.floating[Any]]) -> Array:
    """(..., 3) points in camera axes -> (..., 3) in world axes, same origin."""
    return np.asarray(points, dtype=np.float64) @ WORLD_FROM_CAMERA.T


def camera_from_world(points: NDArray[np.floating[Any]]) -> Array:
    """(..., 3) points in world axes -> (..., 3) in camera axes, same origin."""
    return np.asarray(points, dtype=np.float64) @ WORLD_FROM_CAMERA


@dataclass(frozen=True)
class Placement:
    """Where takes stand in the scene: world position = `offset` + (take's world position)."""

    offset: Array
    """(3,) meters. The camera itself stands at `offset`."""


AS_RECORDED = Placement(offset=np.zeros(3))
"""Of takes that know no camera: their world is the scene's already."""


def posed_joints(take: Take, rest_joints: NDArray[np.floating[Any]]) -> Array:
    """Where the joints of a take are, from its poses: observed joints (`joints_cam`) know nothing of smoothing.

    Args:
        take: T frames.
        rest_joints: (55, 3) rest positions for the take's betas, in the body file's axes.

    Returns:
        (T, 55, 3) meters in the take's world.
    """
    rotations = matrix_from_axis_angle(take.poses.reshape(-1, JOINT_COUNT, 3))
    joints, _ = forward_kinematics(rotations, rest_joints)
    return np.asarray(joints + np.asarray(take.trans, dtype=np.float64)[:, None])


def on_ground(people: Sequence[NDArray[np.floating[Any]]], soles: Sequence[float]) -> Placement:
    """Put people's feet on the ground plane z = 0, the first one at the world's origin on its first frame.

    Everybody gets the same offset, so that they keep their places relative to each other and to their camera.

    Args:
        people: for each person (T, 55, 3) joints in their common world, meters.
        soles: for each person the height of the lowest of `FEET` above the sole in the rest pose, meters.

    Raises:
        ValueError: nobody is there.
    """
    if not people:
        raise ValueError("nobody to place on the ground: give the joints of at least one person")
    feet = [JOINT_INDEX[name] for name in FEET]
    heights = [joints[:, feet, 2].min(axis=1) - sole for joints, sole in zip(people, soles, strict=True)]
    ground = np.percentile(np.concatenate(heights), GROUND_PERCENTILE)
    start = people[0][0, 0]
    return Placement(offset=np.array([-start[0], -start[1], -ground]))


def sole_height(rest_vertices: NDArray[np.floating[Any]], rest_joints: NDArray[np.floating[Any]]) -> float:
    """Height of the lowest of `FEET` above the sole; (V, 3) and (55, 3) in the body file's axes, y up, meters."""
    feet = rest_joints[[JOINT_INDEX[name] for name in FEET], 1]
    return float(feet.min() - rest_vertices[:, 1].min())
