"""What people wear over their painted clothes, drawn at random."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...backend.motion.skeleton import JOINT_INDEX
from .randomness import chance, uniform

SKIRT, SHIRT = 0.14, 0.4
LONG_HAIR, TAIL = 0.3, 0.2
GLASSES, DARK = 0.2, 0.3
"""Shares of the people who wear them; of those with glasses, dark ones."""


@dataclass(frozen=True)
class Outfit:
    """What B people wear; lengths in meters.

    Attributes:
        skirt: (B,) bool; the hem hangs from the waist, a skirt's or dress's.
        shirt: (B,) bool; the top hangs over the trousers.
        hem: (B, 2) height of its upper and lower edge on the mean body.
        flare: (B, 3) how much wider it gets, depth and number of its folds.
        clearance: (B,) distance from the body.
        long_hair: (B,) bool.
        hair: (B, 2) length and thickness.
        tail: (B,) bool.
        tail_size: (B, 3) half axes.
        glasses: (B,) bool.
        dark: (B,) bool.
        tint: (B, 3) color of the frame.
    """

    skirt: Tensor
    shirt: Tensor
    hem: Tensor
    flare: Tensor
    clearance: Tensor
    long_hair: Tensor
    hair: Tensor
    tail: Tensor
    tail_size: Tensor
    glasses: Tensor
    dark: Tensor
    tint: Tensor


def sample_outfit(generator: torch.Generator, joints: Tensor, waist: Tensor, bald: Tensor) -> Outfit:
    """Draw outfits.

    Args:
        generator: of the random numbers.
        joints: (55, 3) rest joints of the mean body.
        waist: (B,) height of the waistline over the pelvis, meters.
        bald: (B,) bool.
    """
    batch = len(waist)
    skirt = chance(generator, SKIRT, batch)
    shirt = chance(generator, SHIRT, batch) & ~skirt
    top = joints[0, 1] + waist
    hip, ankle = joints[JOINT_INDEX["left_hip"], 1], joints[JOINT_INDEX["left_ankle"], 1]
    long = torch.lerp(hip - 0.12, ankle, uniform(generator, 0, 1, batch) ** 1.5)
    short = hip - uniform(generator, -0.05, 0.15, batch)
    hair = torch.stack([uniform(generator, 0.2, 0.5, batch), uniform(generator, 0.008, 0.03, batch)], dim=1)
    folds = torch.where(skirt, uniform(generator, 0, 0.12, batch), uniform(generator, 0, 0.04, batch))
    wider = torch.where(skirt, uniform(generator, 0, 0.6, batch) ** 1.5, uniform(generator, 0, 0.2, batch))
    number = uniform(generator, 4, 14, batch).round()
    long_hair = chance(generator, LONG_HAIR, batch) & ~bald
    ball = uniform(generator, 0.025, 0.05, batch, 1)
    slim = chance(generator, 0.5, batch, 1)
    stretch = torch.tensor([0.8, 3.0, 0.8], device=ball.device).where(slim, torch.ones(3, device=ball.device))
    return Outfit(
        skirt=skirt,
        shirt=shirt,
        hem=torch.stack([top + torch.where(shirt, 0.06, 0.01), torch.where(skirt, long, short)], dim=1),
        flare=torch.stack([wider, folds, number], dim=1),
        clearance=uniform(generator, 0.012, 0.035, batch),
        long_hair=long_hair,
        hair=hair,
        tail=chance(generator, TAIL, batch) & ~long_hair & ~bald,
        tail_size=ball * stretch,
        glasses=chance(generator, GLASSES, batch),
        dark=chance(generator, DARK, batch),
        tint=uniform(generator, 0.005, 0.4, batch, 1) ** 2 * uniform(generator, 0.5, 1, batch, 3),
    )
