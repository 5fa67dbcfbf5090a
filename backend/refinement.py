"""Refinement of a whole take: the body is moved until its joints lie on the detected points, smoothly over time.

The network sees one frame at a time, so its depth flickers. Here the rotations and the translation of all frames are
optimized together (Adam on 6D rotations): the projected COCO points, moved to where people mark them (`marks.py`),
against the detected ones, weighted by their scores; the palms of hands that are seen, turned to the directions from
their wrists to their knuckles on the picture; a robust pull to the network's rotations without their flicker, which
saturates so that a flipped frame gives way to its neighbors; the accelerations of the joints; and a weak wish for
straight knees, since the bend of a standing leg hardly shows. Long takes are refined in overlapping windows, so memory
stays flat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter
from torch import Tensor

from .body.joints import COCO17, LEFT_PALM5, RIGHT_PALM5
from .body.layer import BodyLayer
from .body.marks import marked
from .model.camera import project
from .model.rotation import matrix_from_6d
from .motion.skeleton import JOINT_INDEX

Array = NDArray[np.floating[Any]]

BODY_JOINTS = 22
PALMS = [LEFT_PALM5, RIGHT_PALM5]
KNEES = [JOINT_INDEX["left_knee"], JOINT_INDEX["right_knee"]]
WINDOW = 200
"""Frames optimized at once."""
OVERLAP = 30
"""Frames at a window's end that only give context and are optimized again by the next window."""
STEPS = 300
ROTATION_RATE = 0.01
TRANSLATION_RATE = 0.02
ADAM_MEMORY = (0.9, 0.9)
"""Of gradients and of their squares. The squares' usual 0.999 outlasts the whole descent: its first, steep steps would
keep all later ones short."""
STEADY_FRAMES = 5
"""Frames of the median filter that takes flips out of the starting point."""
STEADY_PULL = 0.12
"""Seconds, deviation of the Gaussian over the rotations that pull. A keypoint holds most joints in place, but the turns
of wrists and limbs around themselves would follow the network's flicker."""
STEADY_ROTATION = 0.03
STEADY_TRANSLATION = 0.3
"""Seconds, deviation of the Gaussian over the starting point. Descent removes flicker slowly but adds motion fast, so
it starts from a motion that is too smooth."""
DOUBTED_SCORE, TRUSTED_SCORE = 0.2, 0.6
"""A keypoint is not believed below the first score, more and more from there, and wholly from the second on."""
DOUBTED_HAND, TRUSTED_HAND = 0.5, 0.8
"""The same for the presence of hands."""
NO_ROTATION = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""In 6D."""
REFERENCE_STEP = 1 / 30
"""Seconds; accelerations are measured per squared step of this length, whatever the source's frame rate."""


@dataclass(frozen=True)
class RefinementInput:
    """The network's motion of one person over T frames, camera axes."""

    rotations: Array
    """(T, 55, 3, 3) local rotations, the root's in camera axes."""
    trans: Array
    """(T, 3) meters: pelvis minus rest pelvis."""
    betas: Array
    """(10,)."""
    keypoints: Array
    """(T, 17, 3) COCO points: x, y in pixels of the frame, score 0..1 (0 where nothing was detected)."""
    palms: Array
    """(T, 2, 5, 3) wrist and knuckles of the left and the right hand: x, y in pixels of the frame, presence 0..1."""
    times: Array
    """(T,) seconds."""
    focal: Array
    """(2,) pixels."""
    principal_point: Array
    """(2,) pixels."""


@dataclass(frozen=True)
class RefinedMotion:
    """The refined motion, shapes and units as in `RefinementInput`."""

    rotations: Array
    trans: Array


@dataclass(frozen=True)
class Weights:
    """Weights of the energy's terms; distances on the picture are in person heights, in space in meters."""

    reprojection: float = 160.0
    huber: float = 0.03
    """Person heights; a detected point farther off than this pulls with constant force."""
    palms: float = 30.0
    """On the directions from the wrists to the knuckles, with the same Huber loss."""
    pull: float = 0.5
    pull_saturation: float = 0.25
    """Squared 6D distance beyond which the pull to the network's rotation fades."""
    straight_knees: float = 1.5
    straight_saturation: float = 0.25
    """Squared 6D distance beyond which a knee counts as bent on purpose and is let go."""
    joint_acceleration: float = 40.0
    """On joints relative to the pelvis, (meters per squared reference step)^2; more would flatten fast motion."""
    root_acceleration: float = 1000.0
    """On the pelvis itself; depth is the least certain of all, and this is what steadies it."""
    rotation_acceleration: float = 2.0
    """On local rotations: twists that move no joint (wrists, head) would flicker otherwise."""


def refine(
    motion: RefinementInput,
    layer: BodyLayer,
    *,
    weights: Weights | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> RefinedMotion:
    """Fit a take to its detected points over time; fingers, jaw and eyes stay as they are.

    Args:
        motion: the network's motion.
        layer: the body the rotations belong to.
        weights: weights of the terms; None for the defaults.
        progress: called with (frames done, frames in all) many times a second; what it raises ends the work.

    Returns:
        The refined motion. Takes of fewer than three frames have no acceleration, so nothing steadies them.
    """
    count = len(motion.rotations)
    rotations = np.array(motion.rotations, dtype=np.float32)
    trans = np.array(motion.trans, dtype=np.float32)
    start = 0
    while start < count:
        stop = min(start + WINDOW, count)
        window = slice(start, stop)
        context = slice(max(0, start - 2), start)
        energy = _Energy(motion, layer, window, (rotations[context], trans[context]), weights or Weights())
        after = count if stop == count else stop - OVERLAP
        rotations[window, :BODY_JOINTS], trans[window] = _minimize(energy, _within(start, after, count, progress))
        start = after
    return RefinedMotion(rotations=rotations, trans=trans)


def _within(start: int, after: int, count: int, progress: Callable[[int, int], None] | None) -> Callable[[float], None]:
    """Turn a window's share of its work, 0..1, into frames done of all."""

    def report(share: float) -> None:
        if progress is not None:
            progress(start + int(share * (after - start)), count)

    return report


def _minimize(energy: _Energy, report: Callable[[float], None]) -> tuple[Array, Array]:
    """Adam on the window's 6D rotations and translations -> (W, 22, 3, 3) and (W, 3)."""
    six, trans = energy.start()
    six.requires_grad_()
    trans.requires_grad_()
    optimizer = torch.optim.Adam(
        [{"params": [six], "lr": ROTATION_RATE}, {"params": [trans], "lr": TRANSLATION_RATE}],
        betas=ADAM_MEMORY,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS, eta_min=1e-4)
    for step in range(STEPS):
        optimizer.zero_grad()
        energy(six, trans).backward()
        optimizer.step()
        schedule.step()
        report((step + 1) / STEPS)
    return matrix_from_6d(six.detach()).numpy(), trans.detach().numpy()


class _Energy:
    """The energy of one window as a function of its rotations and translations."""

    def __init__(
        self,
        motion: RefinementInput,
        layer: BodyLayer,
        window: slice,
        context: tuple[Array, Array],
        weights: Weights,
    ) -> None:
        first = window.start - len(context[0])
        self.layer = layer
        self.weights = weights
        self.focal = _tensor(motion.focal)
        self.principal_point = _tensor(motion.principal_point)
        self.keypoints = _tensor(motion.keypoints[window, :, :2])
        self.trust = _trust(_tensor(motion.keypoints[window, :, 2]), DOUBTED_SCORE, TRUSTED_SCORE)
        self.palms = _directions(_tensor(motion.palms[window, ..., :2]))
        self.palm_trust = _trust(_tensor(motion.palms[window, :, 1:, 2]), DOUBTED_HAND, TRUSTED_HAND)
        self.times = _tensor(np.asarray(motion.times[first : window.stop]) - motion.times[first]) / REFERENCE_STEP
        self.seconds = self.times[len(context[0]) :] * REFERENCE_STEP
        self.initial = (_six(_tensor(motion.rotations[window, :BODY_JOINTS])), _tensor(motion.trans[window]))
        self.pull = _steady(self.initial[0], self.seconds, STEADY_PULL)
        self.context = (_six(_tensor(context[0][:, :BODY_JOINTS])), _tensor(context[1]))
        self.betas = _tensor(motion.betas).expand(window.stop - first, -1)
        self.heights = self._heights()

    def __call__(self, six: Tensor, trans: Tensor) -> Tensor:
        """(W, 22, 6), (W, 3) -> the energy, a scalar."""
        weights = self.weights
        known = len(self.context[0])
        all_six, all_trans = torch.cat([self.context[0], six]), torch.cat([self.context[1], trans])
        points, _ = self.layer.skeleton(matrix_from_6d(all_six), self.betas)
        placed = (points + all_trans[:, None])[known:]
        energy = weights.reprojection * self._reprojection(placed) + weights.palms * self._palms(placed)
        energy = energy + weights.pull * _robust(six - self.pull, weights.pull_saturation)
        bends = six[:, KNEES] - six.new_tensor(NO_ROTATION)
        energy = energy + weights.straight_knees * _robust(bends, weights.straight_saturation)
        if len(all_six) < 3:
            return energy
        joints = points[:, :BODY_JOINTS] - points[:, :1]
        energy = energy + weights.joint_acceleration * self._acceleration(joints).sum(1).mean()
        energy = energy + weights.root_acceleration * self._acceleration(all_trans).mean()
        return energy + weights.rotation_acceleration * self._acceleration(all_six).sum(1).mean()

    def start(self) -> tuple[Tensor, Tensor]:
        """(W, 22, 6), (W, 3): the network's motion without its flicker."""
        six, trans = self.initial
        return _steady(six, self.seconds, STEADY_ROTATION), _steady(trans, self.seconds, STEADY_TRANSLATION)

    def _heights(self) -> Tensor:
        """(W, 1) size of the person on the picture, pixels: the larger side of the box around the projected points."""
        six, trans = self.initial
        with torch.no_grad():
            points, _ = self.layer.skeleton(matrix_from_6d(six), self.betas[-len(six) :])
            pixels = self._marks(points + trans[:, None])
        return (pixels.amax(1) - pixels.amin(1)).amax(-1, keepdim=True).clamp_min(1.0)

    def _marks(self, points: Tensor) -> Tensor:
        return project(marked(points[:, list(COCO17)]), self.focal, self.principal_point)

    def _reprojection(self, points: Tensor) -> Tensor:
        return self._huber((self._marks(points) - self.keypoints).norm(dim=-1), self.trust)

    def _palms(self, points: Tensor) -> Tensor:
        """Where a hand is, its wrist's keypoint says; the hand says how it is turned, though it may be another hand."""
        pixels = project(points[:, PALMS].flatten(1, 2), self.focal, self.principal_point)
        turned = _directions(pixels.unflatten(1, (2, -1)))
        return self._huber((turned - self.palms).norm(dim=-1).flatten(1), self.palm_trust.flatten(1))

    def _huber(self, pixels: Tensor, trust: Tensor) -> Tensor:
        """(W, P) distances on the picture and how much they count -> a scalar."""
        error, delta = pixels / self.heights, self.weights.huber
        huber = torch.nn.functional.huber_loss(error, torch.zeros_like(error), delta=delta, reduction="none")
        return (trust * huber).mean() / delta

    def _acceleration(self, values: Tensor) -> Tensor:
        """(N, ..., C) -> (N - 2, ...) squared second derivative by unevenly spaced differences."""
        steps = self.times.diff().view(-1, *[1] * (values.dim() - 1))
        velocity = values.diff(dim=0) / steps
        between = (steps[1:] + steps[:-1]) / 2
        return (velocity.diff(dim=0) / between).square().sum(-1)


def _trust(scores: Tensor, doubted: float, trusted: float) -> Tensor:
    return ((scores - doubted) / (trusted - doubted)).clamp(0, 1)


def _directions(palms: Tensor) -> Tensor:
    """(W, 2, 5, 2) pixels -> (W, 2, 4, 2) from the wrists to the knuckles."""
    return palms[:, :, 1:] - palms[:, :, :1]


def _robust(differences: Tensor, saturation: float) -> Tensor:
    """(W, J, 6) -> mean over frames of the joints' squared lengths, each no larger than the saturation."""
    distance = differences.square().sum(-1)
    return (distance / (1 + distance / saturation)).sum(1).mean()


def _steady(values: Tensor, times: Tensor, seconds: float) -> Tensor:
    """(W, ...) values over time, medians of a few frames smoothed by a Gaussian of that deviation."""
    if len(values) < 3:
        return values.clone()
    frames = seconds / float(times.diff().median())
    medians = median_filter(values.numpy(), size=(STEADY_FRAMES, *[1] * (values.dim() - 1)), mode="nearest")
    return torch.from_numpy(gaussian_filter1d(medians, frames, axis=0, mode="nearest"))


def _six(rotations: Tensor) -> Tensor:
    """(..., 3, 3) -> (..., 6), the first two columns."""
    return torch.cat([rotations[..., 0], rotations[..., 1]], dim=-1)


def _tensor(values: Array) -> Tensor:
    return torch.as_tensor(np.asarray(values), dtype=torch.float32)
