"""What a capture works with: network, person detector and body, each read once and kept for the next capture."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from .detection import PersonDetector
from .device import pick_device
from .model.face import FacePose
from .model.pose2pose import Pose2Pose
from .motion.body_file import BodyFile, load_body
from .people import WEAK_DETECTION
from .weights import WeightsFile, describe_weights, find_weights, identify_weights, load_network


@dataclass(frozen=True, eq=False)
class Networks:
    """Networks in evaluation mode on their device."""

    device: torch.device
    preset: str
    network: Pose2Pose
    files: list[WeightsFile]
    """The weights that were read, with their metadata."""
    identity: str
    """Which weights these are, for the record: preset, hash, name."""


class NoFace(nn.Module):
    """In the place of the face branch where nobody wants its results: next to nothing is cut out, no face is seen."""

    size = (1, 1)

    def forward(self, crops: Tensor) -> FacePose:
        """(B, 3, 1, 1) -> a face at rest with scores of 0."""
        count = len(crops)
        return FacePose(torch.eye(3).to(crops).expand(count, 3, 3), crops.new_zeros(count, 10), crops.new_zeros(count))


@lru_cache(maxsize=1)
def load_networks(
    device: str = "auto", preset: str = "open", weights: Path | None = None, *, with_face: bool = True
) -> Networks:
    """Read the network of a preset.

    The hand branch is always part of it: the body's wrists are told from the knuckles it finds.

    Args:
        device: `auto`, `cpu`, `cuda` or `mps`.
        preset: a key of `PRESETS`.
        weights: another folder of weights, or the name of imported ones; None for the preset's own.
        with_face: whether the face branch computes.

    Raises:
        PresetError, WeightsError, DeviceError: a part is missing.
    """
    chip = pick_device(device)
    network = load_network(preset, chip, weights)
    if not with_face:
        network.add_module("face", NoFace())
    folder = find_weights(preset, weights)
    identity = identify_weights(preset, folder)
    return Networks(device=chip, preset=preset, network=network, files=describe_weights(folder), identity=identity)


@lru_cache(maxsize=1)
def load_detector(device: str = "auto") -> PersonDetector:
    """The detector of the first pass.

    Raises:
        WeightsError, DeviceError: a part is missing.
    """
    return PersonDetector(pick_device(device), min_score=WEAK_DETECTION)


def load_body_file(path: Path | None = None) -> BodyFile:
    """A body file, read again only when it has changed.

    Args:
        path: the file; None stands for the packaged open body.

    Raises:
        BodyFileError: it cannot be used.
    """
    return _body_file(path, os.stat(path).st_mtime_ns if path is not None and path.is_file() else 0)


@lru_cache(maxsize=1)
def _body_file(path: Path | None, _changed: int) -> BodyFile:
    return load_body(path)
