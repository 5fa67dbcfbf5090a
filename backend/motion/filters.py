"""The filters behind smoothing: One-Euro, Savitzky-Golay, Butterworth, over uneven times. numpy only.

None of them delays the motion: what is filtered is complete, so those that look back run in both directions.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DERIVATIVE_CUTOFF = 1.0
"""Hz; how fast One-Euro notices a change of speed. The value of its authors."""
POLYNOMIAL_ORDER = 2


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


def one_euro(
    values: Array, times: Array, min_cutoff: Array | float, speed: Array | float, move: Move, difference: Move
) -> Array:
    """Casiez et al. 2012: a low-pass that opens with speed; here forward and backward, and the middle of the two.

    Args:
        values: (T, G, D) values of G groups, each with one speed.
        times: (T,) seconds.
        min_cutoff: Hz, at rest; (G, 1), or one for all groups.
        speed: Hz per unit of `difference` and second; likewise.
        move: what takes a value on by a difference.
        difference: what leads to the first value from the second.
    """

    def way(values: Array, steps: Array) -> Array:
        result = values.copy()
        velocity = np.zeros_like(difference(values[0], values[0]))
        for frame, step in enumerate(steps, start=1):
            measured = difference(values[frame], values[frame - 1]) / step
            velocity = velocity + _share(DERIVATIVE_CUTOFF, step) * (measured - velocity)
            cutoff = min_cutoff + speed * np.linalg.norm(velocity, axis=-1, keepdims=True)
            ahead = difference(values[frame], result[frame - 1])
            result[frame] = move(result[frame - 1], _share(cutoff, step) * ahead)
        return result

    steps = np.diff(times)
    forward, backward = way(values, steps), way(values[::-1], steps[::-1])[::-1]
    return move(forward, difference(backward, forward) / 2)


def _share(cutoff: NDArray[np.floating[Any]] | float, step: float) -> Array:
    """How much of a new value a first-order low-pass takes; `cutoff` in Hz, `step` in seconds."""
    return np.asarray(1 / (1 + 1 / (2 * np.pi * cutoff * step)))
