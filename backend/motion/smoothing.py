"""Smoothing of a take, in physical units (seconds and Hz), on rotations as rotations. numpy only.

Three methods: One-Euro (Casiez et al. 2012; follows fast motion, calms slow motion), Savitzky-Golay and Butterworth.
None of them delays the motion: a take is complete when it is smoothed, so One-Euro runs in both directions. Times may
be uneven. The filters themselves are in `filters`.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .filters import butterworth, one_euro, savitzky_golay
from .rotations import (
    axis_angle_from_quaternion,
    continuous_quaternions,
    quaternion_from_axis_angle,
    turn,
    turn_between,
)
from .skeleton import BODY_JOINTS, JAW, JOINT_COUNT, LEFT_HAND
from .take import Take

Array = NDArray[np.float64]

METHODS = ("one-euro", "savitzky-golay", "butterworth", "none")


@dataclass(frozen=True)
class Strength:
    """How much one group of joints is smoothed.

    Raises:
        ValueError: a value that no filter can work with.
    """

    min_cutoff: float
    """Hz; One-Euro's cutoff at rest. Lower is calmer."""
    speed: float
    """Hz per rad/s (m/s, units/s); how much One-Euro opens with motion. Higher follows fast motion better."""
    window: float
    """Seconds of Savitzky-Golay's window."""
    cutoff: float
    """Hz; Butterworth's."""

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            if not number or value < 0 or (value == 0 and name != "speed"):
                least = "not below 0" if name == "speed" else "above 0"
                raise ValueError(f"'{name}' of a smoothing strength must be a number {least}, got {value!r}")


ROOT = Strength(min_cutoff=1.5, speed=2.5, window=0.30, cutoff=5.0)
BODY = Strength(min_cutoff=2.0, speed=2.0, window=0.25, cutoff=6.0)
HANDS = Strength(min_cutoff=1.8, speed=1.5, window=0.30, cutoff=5.0)
FACE = Strength(min_cutoff=2.5, speed=2.0, window=0.20, cutoff=7.0)
_DEPTH = Strength(min_cutoff=0.5, speed=0.2, window=1.0, cutoff=0.7)
"""Distance from the camera at ROOT's strength: one camera hardly sees it, and its errors swing with every step."""
_EXPRESSION = Strength(min_cutoff=2.0, speed=0.3, window=0.20, cutoff=7.0)
"""Coefficients of the expression at FACE's strength: other units than the jaw's."""


@dataclass(frozen=True)
class Smoothing:
    """A method, and its strength for each group of what moves.

    Raises:
        ValueError: an unknown method.
    """

    method: str = METHODS[0]
    root: Strength = ROOT
    """Way and turning of the pelvis. The distance from the camera is smoothed more, in proportion to it."""
    body: Strength = BODY
    hands: Strength = HANDS
    face: Strength = FACE
    """Jaw and eyes; the expression's coefficients in proportion to it."""

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"unknown smoothing '{self.method}': choose from {', '.join(METHODS)}")

    @property
    def depth(self) -> Strength:
        """Of the distance from the camera: moves with `root`, field by field."""
        return _in_proportion(_DEPTH, self.root, ROOT)

    @property
    def expression(self) -> Strength:
        """Of the expression's coefficients: moves with `face`, field by field."""
        return _in_proportion(_EXPRESSION, self.face, FACE)


def _in_proportion(typical: Strength, chosen: Strength, usual: Strength) -> Strength:
    """`typical`, changed as much as `chosen` differs from `usual`."""
    names = [field.name for field in fields(Strength)]
    return Strength(**{n: getattr(typical, n) * (getattr(chosen, n) / getattr(usual, n)) for n in names})


def smooth_take(take: Take, smoothing: Smoothing = Smoothing()) -> Take:
    """The take with smooth poses, translation and expression; what was observed (joints, confidence) stays."""
    method = smoothing.method
    if method == "none" or len(take) < 3:
        return take
    times = np.asarray(take.times, dtype=np.float64)
    turns = continuous_quaternions(quaternion_from_axis_angle(take.poses.reshape(-1, JOINT_COUNT, 3)))
    turns = smooth_rotations(turns, times, method, _by_joint(smoothing))
    return replace(
        take,
        poses=axis_angle_from_quaternion(turns).reshape(take.poses.shape).astype(np.float32),
        trans=_smooth_path(take, times, smoothing).astype(np.float32),
        expression=smooth_values(take.expression, times, method, smoothing.expression).astype(np.float32),
    )


def _by_joint(smoothing: Smoothing) -> list[Strength]:
    strengths = [smoothing.hands] * JOINT_COUNT
    strengths[BODY_JOINTS] = [smoothing.body] * BODY_JOINTS.stop
    strengths[0] = smoothing.root
    strengths[JAW : LEFT_HAND.start] = [smoothing.face] * (LEFT_HAND.start - JAW)
    return strengths


def _smooth_path(take: Take, times: Array, smoothing: Smoothing) -> Array:
    """(T, 3) translation. Where a camera saw it, the way over the picture and the distance are smoothed apart."""
    method = smoothing.method
    path = np.asarray(take.trans, dtype=np.float64)
    depth = path[:, 1:2]  # the take's world looks along y
    if not take.has_camera or depth.min() <= 0:
        return smooth_values(path, times, method, smoothing.root)
    typical = float(np.median(depth))
    across = smooth_values(path / depth * typical, times, method, smoothing.root) / typical
    return across * smooth_values(depth, times, method, smoothing.depth)


def smooth_values(values: NDArray[np.floating[Any]], times: Array, method: str, strength: Strength) -> Array:
    """Smooth (T, C) values at (T,) seconds. One-Euro's speed is that of the C values together."""
    values = np.asarray(values, dtype=np.float64)
    if method == "one-euro":
        return one_euro(values[:, None], times, strength.min_cutoff, strength.speed, np.add, np.subtract)[:, 0]
    return _linear(values, times, method, strength)


def smooth_rotations(quaternions: Array, times: Array, method: str, strengths: Sequence[Strength]) -> Array:
    """Smooth (T, J, 4) sign-continuous unit quaternions at (T,) seconds, each of the J joints with its strength."""
    if method == "one-euro":
        min_cutoff = np.array([[strength.min_cutoff] for strength in strengths])
        speed = np.array([[strength.speed] for strength in strengths])
        return continuous_quaternions(one_euro(quaternions, times, min_cutoff, speed, turn, turn_between))
    smooth = np.empty_like(quaternions)
    for strength in set(strengths):
        joints = [joint for joint, own in enumerate(strengths) if own == strength]
        flat = _linear(quaternions[:, joints].reshape(len(times), -1), times, method, strength)
        smooth[:, joints] = flat.reshape(len(times), len(joints), 4)
    return np.asarray(smooth / np.linalg.norm(smooth, axis=-1, keepdims=True))


def _linear(values: Array, times: Array, method: str, strength: Strength) -> Array:
    if method == "savitzky-golay":
        return savitzky_golay(values, times, strength.window)
    return butterworth(values, times, strength.cutoff)
