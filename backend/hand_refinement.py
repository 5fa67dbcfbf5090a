"""Refinement of the hands of a take, after the body: wrists and fingers turn until their points lie on the seen ones.

The body's refinement (`refinement.py`) puts the wrists where they are seen and turns the palms. What is left is how the
hands of the body lie against the 21 points that the hand network finds: directions from the wrist, weighted by the
hand's presence and free of its size, since the body's hands are seldom as large as the person's. The wrist stays near
the refined one and the fingers near the network's, both without flicker, and nothing turns abruptly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .body.joints import LEFT_HAND21, RIGHT_HAND21
from .body.layer import BodyLayer
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
from .motion.skeleton import JOINT_INDEX, LEFT_HAND, RIGHT_HAND
from .refinement import DOUBTED_HAND, PALM_OF_HAND, STEADY_PULL, TRUSTED_HAND, RefinedMotion, RefinementInput

Array = NDArray[np.floating[Any]]

WRISTS = [JOINT_INDEX["left_wrist"], JOINT_INDEX["right_wrist"]]
TURNED = [*WRISTS, *range(LEFT_HAND.start, LEFT_HAND.stop), *range(RIGHT_HAND.start, RIGHT_HAND.stop)]
"""Joints that move here."""
HANDS = [list(LEFT_HAND21), list(RIGHT_HAND21)]

STEPS = 100
RATE = 0.02
REPROJECTION = 20.0
DELTA = 0.15
"""Palm lengths; a point farther off than this pulls with constant force."""
WRIST_PULL = 2.0
FINGER_PULL = 6.0
"""More, since a hand's 20 directions tell three angles of the wrist better than 45 of the fingers."""
PULL_SATURATION = 1.0
"""Squared 6D distance beyond which the pull fades."""
WRIST_ACCELERATION = 100.0
"""So much that wrists turn no more abruptly than the body's refinement leaves them; at 2 they do seven times more."""
FINGER_ACCELERATION = 2.0
LARGEST_SCALE = 2.0
"""A hand is taken for at most so many times as large, or as small, as the body's."""


def refine_hands(
    motion: RefinementInput, refined: RefinedMotion, layer: BodyLayer, *, report: Callable[[], None] = lambda: None
) -> RefinedMotion:
    """Fit wrists and fingers of a take whose body is refined; while no hand is seen they are only steadied.

    Args:
        motion: what was seen.
        refined: the refined body, with the network's fingers.
        layer: the body the rotations belong to.
        report: called many times a second; what it raises ends the work.

    Returns:
        The motion with other wrists and fingers; as it is if no hand is seen at all.
    """
    if not (motion.hands[..., 2] > DOUBTED_HAND).any():
        return refined
    rotations = np.array(refined.rotations, dtype=np.float32)
    seconds = tensor(np.asarray(motion.times) - motion.times[0])
    pull = steady(six_of(tensor(rotations[:, TURNED])), seconds, STEADY_PULL)
    six = pull.clone()
    for window, context, _ in windows(len(six)):
        energy = _HandEnergy(motion, refined, layer, window, six[context], pull[window])
        (six[window],) = descend(energy, [pull[window].clone()], [RATE], STEPS, lambda _share: report())
    rotations[:, TURNED] = matrix_from_6d(six).numpy()
    return RefinedMotion(rotations=rotations, trans=refined.trans)


class _HandEnergy:
    """The energy of one window as a function of the rotations of its wrists and fingers."""

    def __init__(
        self,
        motion: RefinementInput,
        refined: RefinedMotion,
        layer: BodyLayer,
        window: slice,
        context: Tensor,
        pull: Tensor,
    ) -> None:
        first = window.start - len(context)
        self.layer = layer
        self.context = context
        self.pull = pull
        self.times = tensor(np.asarray(motion.times[first : window.stop]) - motion.times[first]) / REFERENCE_STEP
        self.focal, self.principal_point = tensor(motion.focal), tensor(motion.principal_point)
        self.rotations, self.trans = tensor(refined.rotations[window]), tensor(refined.trans[window])
        self.betas = tensor(motion.betas).expand(len(self.trans), -1)
        seen = tensor(motion.hands[window])
        self.seen = directions(seen[..., :2])
        self.palms = directions(seen[:, :, PALM_OF_HAND, :2]).norm(dim=-1).mean(-1).clamp_min(1.0)
        self.trust = trust(seen[..., 0, 2], DOUBTED_HAND, TRUSTED_HAND)

    def __call__(self, six: Tensor) -> Tensor:
        """(W, 32, 6) -> the energy, a scalar."""
        rotations = self.rotations.index_copy(1, torch.tensor(TURNED), matrix_from_6d(six))
        points, _ = self.layer.skeleton(rotations, self.betas)
        pixels = project((points + self.trans[:, None])[:, HANDS], self.focal, self.principal_point)
        energy = REPROJECTION * self._reprojection(directions(pixels))
        change, wrists = six - self.pull, len(WRISTS)
        energy = energy + WRIST_PULL * robust(change[:, :wrists], PULL_SATURATION)
        energy = energy + FINGER_PULL * robust(change[:, wrists:], PULL_SATURATION)
        all_six = torch.cat([self.context, six])
        if len(all_six) < 3:
            return energy
        abruptness = acceleration(all_six, self.times)
        energy = energy + WRIST_ACCELERATION * abruptness[:, :wrists].sum(1).mean()
        return energy + FINGER_ACCELERATION * abruptness[:, wrists:].sum(1).mean()

    def _reprojection(self, turned: Tensor) -> Tensor:
        """(W, 2, 20, 2) directions of the body's hands -> how far they are from the seen ones, a scalar."""
        with torch.no_grad():
            scale = (turned * self.seen).sum((-1, -2)) / turned.square().sum((-1, -2)).clamp_min(1e-6)
            scale = scale.clamp(1 / LARGEST_SCALE, LARGEST_SCALE)
        errors = (turned * scale[..., None, None] - self.seen).norm(dim=-1) / self.palms[..., None]
        return (self.trust * huber(errors, DELTA).mean(-1)).sum(1).mean()
