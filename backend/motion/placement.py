"""From camera axes to a z-up world: the one place where one becomes the other.

Camera axes are OpenCV's (x right, y down, z forward). The world is AMASS's and Blender's: z up, and a camera that
looks along +y, so that somebody who faces the camera faces -y, Blender's front. Meters throughout.

Takes are in the world of a camera that is level. In a scene people stand upright on the ground instead, and the camera
is tilted.
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
LEGS = (("left_hip", "left_knee", "left_ankle"), ("right_hip", "right_knee", "right_ankle"))

STRAIGHT = 35.0
"""Degrees that the knees and one hip of somebody who stands are bent at most."""
STEEPEST = 60.0
"""Degrees from upright beyond which nobody stands: people who lie have straight legs too."""
PITCHES: Array = np.radians(np.arange(-45, 45.5, 0.5))
"""What is tried for the camera."""
LEAN = 10.0
"""Degrees that people lean while they stand, one deviation."""
UNEVEN = 0.1
"""Meters that the lower foot of somebody who stands is off the ground, one deviation; bad depth among them."""


def world_from_camera(points: NDArray[np.floating[Any]]) -> Array:
    """(..., 3) points in camera axes -> (..., 3) in world axes, same origin."""
    return np.asarray(points, dtype=np.float64) @ WORLD_FROM_CAMERA.T


def camera_from_world(points: NDArray[np.floating[Any]]) -> Array:
    """(..., 3) points in world axes -> (..., 3) in camera axes, same origin."""
    return np.asarray(points, dtype=np.float64) @ WORLD_FROM_CAMERA


@dataclass(frozen=True)
class Placement:
    """Where takes stand in the scene."""

    offset: Array
    """(3,) meters. The camera itself stands there."""
    pitch: float = 0.0
    """Radians that the camera is turned around x: it looks down where this is negative."""

    @property
    def rotation(self) -> Array:
        """(3, 3), from the take's world to the scene's."""
        return _turned(self.pitch)

    def place(self, points: NDArray[np.floating[Any]]) -> Array:
        """(..., 3) points in the take's world -> (..., 3) in the scene's."""
        return np.asarray(np.asarray(points, dtype=np.float64) @ self.rotation.T + self.offset)


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


def camera_pitch(people: Sequence[NDArray[np.floating[Any]]]) -> float:
    """How the camera that saw people was tilted: they stand upright on average, and walk on level ground.

    Depth is seen worst of all, so the second alone would not do; the first alone would lay a ramp under somebody who
    leans and walks towards the camera.

    Args:
        people: for each person (T, 55, 3) joints in the world of a level camera, meters.

    Returns:
        Radians around x, for `Placement`; 0 where nobody stands on straight legs.
    """
    standing = [joints[_stands(joints)] for joints in people]
    axes = np.concatenate([_axis(joints) for joints in standing])
    feet = [joints[:, [JOINT_INDEX[name] for name in FEET]] for joints in standing if len(joints)]

    def doubt(pitch: float) -> float:
        upright = axes @ _turned(pitch).T
        lean = np.degrees(np.arctan2(upright[:, 1], upright[:, 2])) / LEAN
        uneven = [(places @ _turned(pitch).T)[..., 2].min(axis=1).std() / UNEVEN for places in feet]
        return float(np.mean(lean**2) + np.mean(np.square(uneven)))

    return min(PITCHES.tolist(), key=doubt) if len(axes) else 0.0


def _stands(joints: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """(T, 55, 3) -> (T,) whether somebody stands on straight legs, or walks."""
    place = {name: joints[:, index].astype(np.float64) for name, index in JOINT_INDEX.items()}
    knees = [_bend(place[hip], place[knee], place[ankle]) for hip, knee, ankle in LEGS]
    hips = [_bend(place["neck"], place[hip], place[knee]) for hip, knee, _ in LEGS]
    up = _axis(joints)[:, 2] > np.cos(np.radians(STEEPEST))
    return np.asarray(up & (np.maximum(*knees) < STRAIGHT) & (np.minimum(*hips) < STRAIGHT))


def _axis(joints: NDArray[np.floating[Any]]) -> Array:
    """(T, 55, 3) -> (T, 3) unit vectors from between the ankles to the neck."""
    neck, left, right = (joints[:, JOINT_INDEX[name]] for name in ("neck", "left_ankle", "right_ankle"))
    return _unit(neck.astype(np.float64) - (left + right) / 2)


def _bend(first: Array, middle: Array, last: Array) -> Array:
    """Three places (T, 3) -> (T,) degrees by which the way over the middle one turns."""
    cosine = (_unit(middle - first) * _unit(last - middle)).sum(axis=-1)
    return np.asarray(np.degrees(np.arccos(cosine.clip(-1, 1))))


def _unit(vectors: Array) -> Array:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-9))


def _turned(pitch: float) -> Array:
    return np.asarray(matrix_from_axis_angle(np.array([pitch, 0.0, 0.0])))


def on_ground(people: Sequence[NDArray[np.floating[Any]]], soles: Sequence[float], *, pitch: float = 0.0) -> Placement:
    """Put people's feet on the ground plane z = 0, the first one at the world's origin on its first frame.

    Everybody gets the same placement, so that they keep their places relative to each other and to their camera.

    Args:
        people: for each person (T, 55, 3) joints in their common world, meters.
        soles: for each person the height of the lowest of `FEET` above the sole in the rest pose, meters.
        pitch: of the camera, as `camera_pitch` finds it.

    Raises:
        ValueError: nobody is there.
    """
    if not people:
        raise ValueError("nobody to place on the ground: give the joints of at least one person")
    level = [joints @ _turned(pitch).T for joints in people]
    feet = [JOINT_INDEX[name] for name in FEET]
    heights = [joints[:, feet, 2].min(axis=1) - sole for joints, sole in zip(level, soles, strict=True)]
    ground = np.percentile(np.concatenate(heights), GROUND_PERCENTILE)
    start = level[0][0, 0]
    return Placement(offset=np.array([-start[0], -start[1], -ground]), pitch=pitch)


def sole_height(rest_vertices: NDArray[np.floating[Any]], rest_joints: NDArray[np.floating[Any]]) -> float:
    """Height of the lowest of `FEET` above the sole; (V, 3) and (55, 3) in the body file's axes, y up, meters."""
    feet = rest_joints[[JOINT_INDEX[name] for name in FEET], 1]
    return float(feet.min() - rest_vertices[:, 1].min())
