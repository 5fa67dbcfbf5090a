"""Body poses without motion capture: limbs mixed from a table of postures inside the joints' limits.

A stand-in for a pose library, for tests and first runs: postures are plausible, but nobody balances or acts, so a
network for real use needs recorded motion (`motion_library.py`).
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ...backend.motion.body_file import BodyFile
from ...backend.motion.skeleton import JOINT_INDEX
from .hand_poses import rotation_about
from .poses import BODY_JOINT_COUNT, rebase_from_strict_t
from .randomness import chance, choice, normal, uniform

ARMS: dict[str, tuple[int, int, int, int]] = {
    # swing to the front, height over the horizon, turn inwards, bend of the elbow; degrees, of a left arm in a T
    "hanging": (5, -80, 0, 15),
    "swinging forward": (35, -78, 0, 30),
    "swinging back": (-35, -78, 0, 15),
    "reaching": (75, -78, 0, 10),
    "reaching up": (10, 70, 0, 15),
    "aside": (0, -5, 0, 5),
    "pointing ahead": (85, -60, 0, 5),
    "on the hip": (-15, -50, 80, 95),
    "folded": (40, -72, 55, 105),
    "at the face": (60, -72, 20, 140),
    "on the head": (30, 40, -10, 120),
    "waving": (15, -20, -60, 85),
    "in the lap": (25, -75, 40, 60),
    "behind the back": (-40, -72, 85, 80),
    "typing": (15, -78, 10, 85),
}
LEGS: dict[str, tuple[int, int, int, int, int]] = {
    # thigh forward, thigh outward, turn outward, bend of the knee, toes up; degrees
    "standing": (0, 4, 5, 2, 0),
    "striding": (28, 3, 3, 10, 5),
    "pushing off": (-22, 3, 3, 18, -15),
    "swinging": (35, 3, 3, 60, 0),
    "apart": (5, 22, 10, 4, 0),
    "sitting": (88, 8, 5, 85, 0),
    "sitting stretched": (82, 8, 5, 30, -5),
    "squatting": (105, 22, 15, 125, 20),
    "crouching": (60, 12, 8, 80, 15),
    "kneeling": (5, 6, 3, 95, -25),
    "lunging": (75, 6, 3, 75, 0),
    "kicking": (75, 5, 3, 8, -10),
    "cross-legged": (80, 35, 35, 115, 0),
}
TRUNK = ((10, 8, 6), (14, 12, 8))
"""Standard deviation of the trunk's and of the head's bend, turn and lean, degrees."""


def sample_key_poses(generator: torch.Generator, body: BodyFile, count: int) -> Tensor:
    """(count, 22, 3, 3) local rotations relative to the rest pose of `body`; half of them alike on both sides."""
    local = torch.eye(3).repeat(count, BODY_JOINT_COUNT, 1, 1)
    spine, head = (normal(generator, 1, count, 3) * torch.tensor(spread).float() for spread in TRUNK)
    for name in ("spine1", "spine2", "spine3"):
        local[:, JOINT_INDEX[name]] = _turned(spine / 3 + torch.tensor([4.0, 0.0, 0.0]), "yzx", (1, 2, 0))
    for name in ("neck", "head"):
        local[:, JOINT_INDEX[name]] = _turned(head / 2, "yzx", (1, 2, 0))
    arms, legs = _both_sides(generator, ARMS, count), _both_sides(generator, LEGS, count)
    for side, name in enumerate(("left", "right")):
        for part, rotation in {**_arm(arms[:, side]), **_leg(legs[:, side])}.items():
            mirror = torch.tensor([1.0 if name == "left" else -1.0, 1.0, 1.0])
            local[:, JOINT_INDEX[f"{name}_{part}"]] = rotation * mirror[:, None] * mirror
    rebased = rebase_from_strict_t(local.double().numpy(), body.rest_joints(np.zeros(10)))
    return torch.from_numpy(rebased).float()


def _both_sides(generator: torch.Generator, table: Mapping[str, tuple[int, ...]], count: int) -> Tensor:
    """(count, 2, C) angles: two postures mixed for each side, with noise; half the people have both sides alike."""
    postures = torch.tensor(list(table.values())).float()
    share = uniform(generator, 0, 1, count, 2, 1) ** 2
    picked = postures[choice(generator, len(postures), count, 2, 2)]
    mixed = picked[:, :, 0] * (1 - share / 2) + picked[:, :, 1] * share / 2
    alike = chance(generator, 0.5, count, 1)
    mixed[:, 1] = torch.where(alike, mixed[:, 0], mixed[:, 1])
    return mixed + normal(generator, 5, *mixed.shape)


def _arm(angles: Tensor) -> dict[str, Tensor]:
    swing, height, turn, bend = angles.unbind(1)
    bend = bend.clamp(0, 150)
    shoulder = _turned(torch.stack([-swing, height, turn], dim=1), "xzx", (0, 1, 2))
    return {"shoulder": shoulder, "elbow": _turned(-bend[:, None], "y", (0,))}


def _leg(angles: Tensor) -> dict[str, Tensor]:
    forward, outward, turn, bend, toes = angles.unbind(1)
    hip = _turned(torch.stack([-forward, outward, turn], dim=1), "xzy", (0, 1, 2))
    knee, ankle = bend.clamp(0, 150), -toes
    return {"hip": hip, "knee": _turned(knee[:, None], "x", (0,)), "ankle": _turned(ankle[:, None], "x", (0,))}


def _turned(degrees: Tensor, axes: str, columns: tuple[int, ...]) -> Tensor:
    """(B, C) angles -> (B, 3, 3): the product of the turns about the named axes by the given columns."""
    product = torch.eye(3).expand(len(degrees), 3, 3)
    for axis, column in zip(axes, columns, strict=True):
        product = product @ rotation_about(torch.eye(3)["xyz".index(axis)], torch.deg2rad(degrees[:, column]))
    return product
