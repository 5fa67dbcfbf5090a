"""Refinement of a whole take: the body is moved until its joints lie on the detected points, smoothly over time.

The network sees one frame at a time, so its depth flickers. Here the rotations and the translation of all frames are
optimized together (Adam on 6D rotations): the projected COCO points, moved to where people mark them (`marks.py`),
against the detected ones, weighted by their scores; the palms of hands that are seen, turned to the directions from
their wrists to their knuckles on the picture; the head, turned as the landmarks of a face that is large enough show it;
a robust pull to the network's rotations without their flicker, which saturates so that a flipped frame gives way to its
neighbors; the accelerations of the joints; and a weak wish for straight knees, since the bend of a standing leg hardly
shows. Long takes are refined in overlapping windows, so memory stays flat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .body.joints import COCO17, LEFT_PALM5, RIGHT_HAND21, RIGHT_PALM5
from .body.layer import BodyLayer
from .body.marks import marked
from .descent import (
    REFERENCE_STEP,
    acceleration,
    descend,
    directions,
    huber,
    robust,
    six_of,
    steady,
    tensor,
    trust,
    windows,
)
from .model.camera import project
from .model.rotation import matrix_from_6d
from .motion.skeleton import JOINT_INDEX

Array = NDArray[np.floating[Any]]

BODY_JOINTS = 22
PALMS = [LEFT_PALM5, RIGHT_PALM5]
PALM_OF_HAND = [RIGHT_HAND21.index(point) for point in RIGHT_PALM5]
"""Wrist and knuckles among the points of a hand."""
SIDES = ("left", "right")
KNEES = [JOINT_INDEX[f"{side}_knee"] for side in SIDES]
HEAD = JOINT_INDEX["head"]
ARMS = [JOINT_INDEX[f"{side}_{joint}"] for joint in ("collar", "shoulder", "elbow", "wrist") for side in SIDES]
STEPS = 300
RATES = (0.01, 0.02)
"""Of the descent: 6D rotations, translation."""
PULL_SHARES = torch.ones(BODY_JOINTS)
"""Of each joint in the pull to the network."""
PULL_SHARES[[*ARMS, *KNEES]] = 0.25  # what they do shows on the picture better than the network tells it
STEADY_PULL = 0.08
"""Seconds, deviation of the Gaussian over the rotations that pull. A keypoint holds most joints in place, but the turns
of wrists and limbs around themselves would follow the network's flicker."""
STEADY_ROTATION = 0.03
STEADY_TRANSLATION = 0.3
"""Seconds, deviation of the Gaussian over the starting point. Descent removes flicker slowly but adds motion fast, so
it starts from a motion that is too smooth."""
DOUBTED_SCORE, TRUSTED_SCORE = 0.3, 0.7
"""A keypoint is not believed below the first score, more and more from there, and wholly from the second on."""
DOUBTED_HAND, TRUSTED_HAND = 0.5, 0.8
"""The same for the presence of hands."""
DOUBTED_FACE, TRUSTED_FACE = 0.9, 0.99
"""The same for the presence of faces."""
SMALL_FACE, LARGE_FACE = 50.0, 90.0
"""The same for the width of their boxes in pixels."""
PROFILE, FRONT = 0.5, 0.75
"""The same for the cosine of the angle between face and camera: a profile comes out as half a profile."""
NO_ROTATION = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""In 6D."""


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
    hands: Array
    """(T, 2, 21, 3) points of the left and the right hand: x, y in pixels of the frame, presence 0..1."""
    head_turns: Array
    """(T, 3, 3) rotation of the head as the face shows it, camera axes."""
    faces: Array
    """(T, 2) presence of the face 0..1, and the width of its box in pixels."""
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
    head: float = 12.0
    """To the rotation of the head that the face shows."""
    head_saturation: float = 0.5
    """Squared 6D distance beyond which it may be another face, or none."""
    pull: float = 8.0
    """To the network's rotations. Less would fit poses to points that guess at what is hidden; more would not look."""
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
    """Fit a take to what was seen of it over time; fingers, jaw and eyes stay as they are.

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
    for window, context, after in windows(count):
        energy = _Energy(motion, layer, window, (rotations[context], trans[context]), weights or Weights())
        report = _within(window.start, after, count, progress)
        six, place = descend(energy, energy.start(), RATES, STEPS, report)
        rotations[window, :BODY_JOINTS], trans[window] = matrix_from_6d(six).numpy(), place.numpy()
    return RefinedMotion(rotations=rotations, trans=trans)


def _within(start: int, after: int, count: int, progress: Callable[[int, int], None] | None) -> Callable[[float], None]:
    """Turn a window's share of its work, 0..1, into frames done of all."""

    def report(share: float) -> None:
        if progress is not None:
            progress(start + int(share * (after - start)), count)

    return report


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
        self.focal = tensor(motion.focal)
        self.principal_point = tensor(motion.principal_point)
        self.keypoints = tensor(motion.keypoints[window, :, :2])
        self.trust = trust(tensor(motion.keypoints[window, :, 2]), DOUBTED_SCORE, TRUSTED_SCORE)
        palms = tensor(motion.hands[window][:, :, PALM_OF_HAND])
        self.palms = directions(palms[..., :2])
        self.palm_trust = trust(palms[:, :, 1:, 2], DOUBTED_HAND, TRUSTED_HAND)
        presence, width = tensor(motion.faces[window]).split(1, dim=1)
        turns = tensor(motion.head_turns[window, None])
        self.head_turns = six_of(turns)
        self.head_trust = trust(presence, DOUBTED_FACE, TRUSTED_FACE) * trust(width, SMALL_FACE, LARGE_FACE)
        self.head_trust = self.head_trust * trust(-turns[..., 2, 2], PROFILE, FRONT)
        self.times = tensor(np.asarray(motion.times[first : window.stop]) - motion.times[first]) / REFERENCE_STEP
        self.seconds = self.times[len(context[0]) :] * REFERENCE_STEP
        self.initial = (six_of(tensor(motion.rotations[window, :BODY_JOINTS])), tensor(motion.trans[window]))
        self.pull = steady(self.initial[0], self.seconds, STEADY_PULL)
        self.context = (six_of(tensor(context[0][:, :BODY_JOINTS])), tensor(context[1]))
        self.betas = tensor(motion.betas).expand(window.stop - first, -1)
        self.heights = self._heights()

    def __call__(self, six: Tensor, trans: Tensor) -> Tensor:
        """(W, 22, 6), (W, 3) -> the energy, a scalar."""
        weights = self.weights
        known = len(self.context[0])
        all_six, all_trans = torch.cat([self.context[0], six]), torch.cat([self.context[1], trans])
        points, turns = self.layer.skeleton(matrix_from_6d(all_six), self.betas)
        placed = (points + all_trans[:, None])[known:]
        energy = weights.reprojection * self._reprojection(placed) + weights.palms * self._palms(placed)
        heads = six_of(turns[known:, [HEAD]]) - self.head_turns
        energy = energy + weights.head * robust(heads, weights.head_saturation, self.head_trust)
        energy = energy + weights.pull * robust(six - self.pull, weights.pull_saturation, PULL_SHARES)
        bends = six[:, KNEES] - six.new_tensor(NO_ROTATION)
        energy = energy + weights.straight_knees * robust(bends, weights.straight_saturation)
        if len(all_six) < 3:
            return energy
        joints = points[:, :BODY_JOINTS] - points[:, :1]
        energy = energy + weights.joint_acceleration * acceleration(joints, self.times).sum(1).mean()
        energy = energy + weights.root_acceleration * acceleration(all_trans, self.times).mean()
        return energy + weights.rotation_acceleration * acceleration(all_six, self.times).sum(1).mean()

    def start(self) -> tuple[Tensor, Tensor]:
        """(W, 22, 6), (W, 3): the network's motion without its flicker."""
        six, trans = self.initial
        return steady(six, self.seconds, STEADY_ROTATION), steady(trans, self.seconds, STEADY_TRANSLATION)

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
        turned = directions(pixels.unflatten(1, (2, -1)))
        return self._huber((turned - self.palms).norm(dim=-1).flatten(1), self.palm_trust.flatten(1))

    def _huber(self, pixels: Tensor, counts: Tensor) -> Tensor:
        """(W, P) distances on the picture and how much they count -> a scalar."""
        return (counts * huber(pixels / self.heights, self.weights.huber)).mean()
