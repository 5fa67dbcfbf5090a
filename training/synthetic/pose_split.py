"""The poses that training may see and the ones kept from it, from one or several libraries."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...backend.motion.body_file import BodyFile
from .poses import load_pose_library, straighten_legs

HELD_OUT_EVERY = 20
"""Every so many poses of a library one is kept for validation."""
STRAIGHTENED = 0.35
"""Share of the training poses whose legs are straightened."""


def split_poses(paths: list[Path], body: BodyFile) -> tuple[Tensor, Tensor]:
    """Poses for training and the ones held out for validation, (N, 22, 3, 3) each.

    Every file has the same share of the training, however many poses it holds: one of diverse poses and one of
    ordinary motion balance each other.

    The split is by number alone. Poses next to a held-out one in time are trained on, and where one library was
    selected from another, most held-out poses of the first are trained on as they are in the second: errors on
    held-out poses are those of unseen pictures, not of unseen poses. Only real video tells how unknown motion works.
    """
    libraries = [torch.from_numpy(load_pose_library(path, body)) for path in paths]
    held_out = torch.cat([library[::HELD_OUT_EVERY] for library in libraries])
    kept = [library[torch.arange(len(library)) % HELD_OUT_EVERY != 0] for library in libraries]
    longest = max(len(library) for library in kept)
    shared = torch.cat([library[torch.arange(longest) % len(library)] for library in kept])
    return with_straight_legs(shared, body), held_out


def with_straight_legs(library: Tensor, body: BodyFile) -> Tensor:
    """Straighten the legs of some of the poses (N, 22, 3, 3), mostly on both sides, by random amounts; in place."""
    random = np.random.default_rng(0)
    count = int(STRAIGHTENED * len(library))
    chosen = random.choice(len(library), count, replace=False)
    amounts = np.repeat(random.uniform(0.3, 1.0, (count, 1)), 2, axis=1)
    one_sided = random.random(count) < 0.25
    amounts[one_sided, random.integers(0, 2, one_sided.sum())] = 0
    straight = straighten_legs(library[chosen].double().numpy(), body.rest_joints(), amounts)
    library[chosen] = torch.from_numpy(straight).float()
    return library
