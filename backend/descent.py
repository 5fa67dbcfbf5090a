"""What fits of motion over time share: the descent, and the terms of their energies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter
from torch import Tensor

ADAM_MEMORY = (0.9, 0.9)
"""Of gradients and of their squares. The squares' usual 0.999 outlasts the whole descent: its first, steep steps would
keep all later ones short."""
STEADY_FRAMES = 5
"""Frames of the median filter that takes flips out of a motion."""
WINDOW = 200
"""Frames optimized at once, so that memory stays flat in long takes."""
OVERLAP = 30
"""Frames at a window's end that only give context and are optimized again by the next window."""
CONTEXT = 2
"""Frames before a window whose motion is settled; with them the window's own begins without a jerk."""
REFERENCE_STEP = 1 / 30
"""Seconds; accelerations are measured per squared step of this length, whatever the source's frame rate."""


def windows(count: int) -> Iterator[tuple[slice, slice, int]]:
    """Windows over a take of so many frames, the settled frames before each, and the frame up to which it settles."""
    start = 0
    while start < count:
        stop = min(start + WINDOW, count)
        after = count if stop == count else stop - OVERLAP
        yield slice(start, stop), slice(max(0, start - CONTEXT), start), after
        start = after


def descend(
    energy: Callable[..., Tensor],
    start: Sequence[Tensor],
    rates: Sequence[float],
    steps: int,
    report: Callable[[float], None],
) -> list[Tensor]:
    """Minimize an energy with Adam, its rates falling to next to nothing.

    Args:
        energy: the unknowns -> a scalar.
        start: the unknowns to begin with; they are changed.
        rates: of each unknown.
        steps: how many.
        report: called after each with the share that is done.

    Returns:
        The unknowns at the end.
    """
    unknowns = [value.requires_grad_() for value in start]
    groups = [{"params": [value], "lr": rate} for value, rate in zip(unknowns, rates, strict=True)]
    optimizer = torch.optim.Adam(groups, betas=ADAM_MEMORY, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=1e-4)
    for step in range(steps):
        optimizer.zero_grad()
        energy(*unknowns).backward()
        optimizer.step()
        schedule.step()
        report((step + 1) / steps)
    return [value.detach() for value in unknowns]


def trust(scores: Tensor, doubted: float, trusted: float) -> Tensor:
    """0 up to the first score, 1 from the second on, and in proportion between."""
    return ((scores - doubted) / (trusted - doubted)).clamp(0, 1)


def huber(errors: Tensor, delta: float) -> Tensor:
    """Huber's loss of errors of at least 0, with a slope of 1 from `delta` on."""
    return torch.nn.functional.huber_loss(errors, torch.zeros_like(errors), delta=delta, reduction="none") / delta


def robust(differences: Tensor, saturation: float, shares: Tensor | float = 1.0) -> Tensor:
    """(W, J, 6) -> mean over frames of the joints' squared lengths, none over the saturation, times (J,) or (W, 1)."""
    distance = differences.square().sum(-1)
    return (shares * distance / (1 + distance / saturation)).sum(1).mean()


def acceleration(values: Tensor, times: Tensor) -> Tensor:
    """(N, ..., C) at (N,) reference steps -> (N - 2, ...) squared second derivative by unevenly spaced differences."""
    steps = times.diff().view(-1, *[1] * (values.dim() - 1))
    velocity = values.diff(dim=0) / steps
    between = (steps[1:] + steps[:-1]) / 2
    return (velocity.diff(dim=0) / between).square().sum(-1)


def directions(points: Tensor) -> Tensor:
    """(..., P, 2) points of a hand, the wrist first -> (..., P - 1, 2) from the wrist to the others."""
    return points[..., 1:, :] - points[..., :1, :]


def steady(values: Tensor, times: Tensor, seconds: float) -> Tensor:
    """(W, ...) values over time, medians of a few frames smoothed by a Gaussian of that deviation."""
    if len(values) < 3:
        return values.clone()
    frames = seconds / float(times.diff().median())
    medians = median_filter(values.numpy(), size=(STEADY_FRAMES, *[1] * (values.dim() - 1)), mode="nearest")
    return torch.from_numpy(gaussian_filter1d(medians, frames, axis=0, mode="nearest"))


def six_of(rotations: Tensor) -> Tensor:
    """(..., 3, 3) -> (..., 6), the first two columns."""
    return torch.cat([rotations[..., 0], rotations[..., 1]], dim=-1)


def tensor(values: NDArray[np.floating[Any]]) -> Tensor:
    """In single precision, on the CPU."""
    return torch.as_tensor(np.asarray(values), dtype=torch.float32)
