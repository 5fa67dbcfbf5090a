"""Smoothing of a take, in physical units (seconds and Hz), on rotations as rotations. numpy only.

Three methods: One-Euro (Casiez et al. 2012; follows fast motion, calms slow motion), Savitzky-Golay and Butterworth.
None of them delays the motion: a take is complete when it is smoothed, so One-Euro runs in both directions. Times may
be uneven. Linear filters act on sign-continuous quaternions, which are normalized afterwards.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .rotations import axis_angle_from_quaternion, continuous_quaternions, quaternion_from_axis_angle
from .skeleton import BODY_JOINTS, JAW, JOINT_COUNT, LEFT_HAND
from .take import Take

Array = NDArray[np.float64]

METHODS = ("one-euro", "savitzky-golay", "butterworth", "none")

DERIVATIVE_CUTOFF = 1.0
"""Hz; how fast One-Euro notices a change of speed. The value of its authors."""
POLYNOMIAL_ORDER = 2
BUTTERWORTH_ORDER = 2
"""Of each of the two passes."""


@dataclass(frozen=True)
class Strength:
    """How much one group of joints is smoothed."""

    min_cutoff: float
    """Hz; One-Euro's cutoff at rest. Lower is calmer."""
    speed: float
    """Hz per rad/s (m/s, units/s); how much One-Euro opens with motion. Higher follows fast motion better."""
    window: float
    """Seconds of Savitzky-Golay's window."""
    cutoff: float
    """Hz; Butterworth's."""


ROOT = Strength(min_cutoff=1.5, speed=2.5, window=0.30, cutoff=5.0)
BODY = Strength(min_cutoff=2.0, speed=2.0, window=0.25, cutoff=6.0)
HANDS = Strength(min_cutoff=1.8, speed=1.5, window=0.30, cutoff=5.0)
FACE = Strength(min_cutoff=2.5, speed=2.0, window=0.20, cutoff=7.0)
DEPTH = Strength(min_cutoff=0.5, speed=0.2, window=1.0, cutoff=0.7)
"""Distance from the camera, in place of ROOT: one camera hardly sees it, and its errors swing with every step."""
EXPRESSION = Strength(min_cutoff=2.0, speed=0.3, window=0.20, cutoff=7.0)


def smooth_take(take: Take, method: str = "one-euro") -> Take:
    """The take with smooth poses, translation and expression; what was observed (joints, confidence) stays.

    Args:
        take: T frames.
        method: one of `METHODS`.

    Raises:
        ValueError: an unknown method.
    """
    if method not in METHODS:
        raise ValueError(f"unknown smoothing '{method}': choose from {', '.join(METHODS)}")
    if method == "none" or len(take) < 3:
        return take
    times = np.asarray(take.times, dtype=np.float64)
    turns = continuous_quaternions(quaternion_from_axis_angle(take.poses.reshape(-1, JOINT_COUNT, 3)))
    for joints, strength in _groups():
        turns[:, joints] = smooth_rotations(turns[:, joints], times, method, strength)
    return replace(
        take,
        poses=axis_angle_from_quaternion(turns).reshape(take.poses.shape).astype(np.float32),
        trans=_smooth_path(take, times, method).astype(np.float32),
        expression=smooth_values(take.expression, times, method, EXPRESSION).astype(np.float32),
    )


def _groups() -> tuple[tuple[slice, Strength], ...]:
    return (
        (slice(0, 1), ROOT),
        (slice(1, BODY_JOINTS.stop), BODY),
        (slice(JAW, LEFT_HAND.start), FACE),
        (slice(LEFT_HAND.start, JOINT_COUNT), HANDS),
    )


def _smooth_path(take: Take, times: Array, method: str) -> Array:
    """(T, 3) translation. Where a camera saw it, the way over the picture and the distance are smoothed apart."""
    path = np.asarray(take.trans, dtype=np.float64)
    depth = path[:, 1:2]  # the take's world looks along y
    if not take.has_camera or depth.min() <= 0:
        return smooth_values(path, times, method, ROOT)
    typical = float(np.median(depth))
    across = smooth_values(path / depth * typical, times, method, ROOT) / typical
    return across * smooth_values(depth, times, method, DEPTH)


def smooth_values(values: NDArray[np.floating[Any]], times: Array, method: str, strength: Strength) -> Array:
    """Smooth (T, C) values at (T,) seconds. One-Euro's speed is that of the C values together."""
    values = np.asarray(values, dtype=np.float64)
    if method == "one-euro":
        return _one_euro(values[:, None], times, strength, _add, _subtract)[:, 0]
    return _linear(values, times, method, strength)


def smooth_rotations(quaternions: Array, times: Array, method: str, strength: Strength) -> Array:
    """Smooth (T, J, 4) sign-continuous unit quaternions at (T,) seconds."""
    if method == "one-euro":
        return continuous_quaternions(_one_euro(quaternions, times, strength, turn, turn_between))
    flat = _linear(quaternions.reshape(len(times), -1), times, method, strength)
    smooth = flat.reshape(quaternions.shape)
    return np.asarray(smooth / np.linalg.norm(smooth, axis=-1, keepdims=True))


def _linear(values: Array, times: Array, method: str, strength: Strength) -> Array:
    if method == "savitzky-golay":
        return savitzky_golay(values, times, strength.window)
    return butterworth(values, times, strength.cutoff)


def savitzky_golay(values: Array, times: Array, window: float) -> Array:
    """Fit a polynomial over time around every frame and read it there.

    Args:
        values: (T, C).
        times: (T,) seconds, increasing; even spacing gives the classic filter with fitted ends.
        window: seconds; at least five frames are used, where there are as many.

    Returns:
        (T, C).
    """
    count = len(times)
    width = min(max(5, 2 * round(window / float(np.median(np.diff(times))) / 2) + 1), count)
    first = np.clip(np.arange(count) - width // 2, 0, count - width)
    frames = first[:, None] + np.arange(width)
    distance = (times[frames] - times[:, None]) / (times[frames[:, -1]] - times[frames[:, 0]])[:, None]
    powers = distance[..., None] ** np.arange(min(POLYNOMIAL_ORDER, width - 1) + 1)
    # The polynomial's constant term is its value at the frame itself.
    weights = np.linalg.pinv(powers)[:, 0]
    smooth: Array = np.einsum("tw,twc->tc", weights, values[frames])
    return smooth


def butterworth(values: Array, times: Array, cutoff: float) -> Array:
    """Low-pass without delay: a Butterworth filter forward, then backward.

    Args:
        values: (T, C).
        times: (T,) seconds; uneven ones are resampled to an even grid and back.
        cutoff: Hz; at or above half the frame rate there is nothing to remove.

    Returns:
        (T, C).
    """
    step = float(np.median(np.diff(times)))
    if cutoff * step >= 0.5:
        return values
    grid = np.linspace(times[0], times[-1], max(3, round((times[-1] - times[0]) / step) + 1))
    even = _interpolate(values, times, grid)
    b, a = _butterworth_coefficients(cutoff * step)
    pad = min(3 * len(b), len(grid) - 1)
    padded = np.concatenate([2 * even[0] - even[pad:0:-1], even, 2 * even[-1] - even[-2 : -pad - 2 : -1]])
    forward = _filter(padded, b, a)
    backward = _filter(forward[::-1], b, a)[::-1]
    return _interpolate(backward[pad : pad + len(grid)], grid, times)


def _butterworth_coefficients(cutoff: float) -> tuple[Array, Array]:
    """Second order by the bilinear transform; `cutoff` in cycles per frame. Returns b (3,) and a (3,)."""
    k = np.tan(np.pi * cutoff)
    scale = 1 / (1 + np.sqrt(2) * k + k * k)
    b = k * k * scale * np.array([1.0, 2.0, 1.0])
    return b, np.array([1.0, 2 * (k * k - 1) * scale, (1 - np.sqrt(2) * k + k * k) * scale])


def _filter(values: Array, b: Array, a: Array) -> Array:
    """(T, C) -> (T, C), starting as if the first value had lasted forever."""
    result = np.empty_like(values)
    second = (b[2] - a[2]) * values[0]
    first = (b[1] - a[1]) * values[0] + second
    for frame, value in enumerate(values):
        result[frame] = b[0] * value + first
        first = b[1] * value - a[1] * result[frame] + second
        second = b[2] * value - a[2] * result[frame]
    return result


def _interpolate(values: Array, times: Array, wanted: Array) -> Array:
    return np.stack([np.interp(wanted, times, column) for column in values.T], axis=-1)


Move = Callable[[Array, Array], Array]


def _one_euro(values: Array, times: Array, strength: Strength, move: Move, difference: Move) -> Array:
    """(T, G, D) values of G groups, forward and backward; the middle of the two has no delay."""
    forward = _one_euro_pass(values, times, strength, move, difference)
    backward = _one_euro_pass(values[::-1], -times[::-1], strength, move, difference)[::-1]
    return move(forward, difference(backward, forward) / 2)


def _one_euro_pass(values: Array, times: Array, strength: Strength, move: Move, difference: Move) -> Array:
    steps = np.diff(times)
    result = values.copy()
    velocity = np.zeros_like(difference(values[0], values[0]))
    for frame, step in enumerate(steps, start=1):
        measured = difference(values[frame], values[frame - 1]) / step
        velocity = velocity + _share(DERIVATIVE_CUTOFF, step) * (measured - velocity)
        cutoff = strength.min_cutoff + strength.speed * np.linalg.norm(velocity, axis=-1, keepdims=True)
        ahead = difference(values[frame], result[frame - 1])
        result[frame] = move(result[frame - 1], _share(cutoff, step) * ahead)
    return result


def _share(cutoff: NDArray[np.floating[Any]] | float, step: float) -> Array:
    """How much of a new value a first-order low-pass takes; `cutoff` in Hz, `step` in seconds."""
    return np.asarray(1 / (1 + 1 / (2 * np.pi * cutoff * step)))


def _add(start: Array, by: Array) -> Array:
    return start + by


def _subtract(end: Array, start: Array) -> Array:
    return end - start


def turn(start: Array, by: Array) -> Array:
    """Turn (..., 4) quaternions by (..., 3) rotation vectors, in the axes that the joint is in."""
    return _product(quaternion_from_axis_angle(by), start)


def turn_between(end: Array, start: Array) -> Array:
    """The (..., 3) rotation vector that turns `start` into `end`."""
    return np.asarray(axis_angle_from_quaternion(_product(end, start * np.array([1.0, -1.0, -1.0, -1.0]))))


def _product(left: Array, right: Array) -> Array:
    w, v = left[..., :1], left[..., 1:]
    w2, v2 = right[..., :1], right[..., 1:]
    scalar = w * w2 - np.sum(v * v2, axis=-1, keepdims=True)
    return np.concatenate([scalar, w * v2 + w2 * v + np.cross(v, v2)], axis=-1)
