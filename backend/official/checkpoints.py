"""The checkpoints that the paper's authors released: reading them safely, recognizing them, writing them.

A checkpoint is what `torch.save({"epoch", "network", "optimizer"})` wrote of a network inside `DataParallel`, so that
every name starts with `module.`. The tensors are the same here, under the names of this package's modules.
"""

import hashlib
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..body.joints import RIGHT_HAND21
from ..model.released import HAND_GRID
from ..weights import NAMES_SHOWN, WeightsError, differences
from .released_models import RELEASED, ReleasedModel

_PREFIX = "module."
_BEGINNINGS = {
    b"PK": "a zip file of something else, or without its end",
    b"\x80": "a pickle of something else, or without its end",
    b"<": "a web page",
}
"""What files are that come in the place of a checkpoint, by how they begin."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was recognized.

    Attributes:
        model: which one it is.
        tensors: by our names; 32-bit.
        sha256: of the file.
    """

    model: ReleasedModel
    tensors: dict[str, Tensor]
    sha256: str


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint. Nothing in it is run: only tensors and plain containers are opened.

    Raises:
        WeightsError: the file is missing, damaged, holds more than tensors, or is none of the four.
    """
    found = {name.removeprefix(_PREFIX): tensor for name, tensor in _network(path).items()}
    model = _recognize(found, path)
    broken = [name for name, tensor in found.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise WeightsError(
            f"{path} holds values that are not finite, in {', '.join(broken[:NAMES_SHOWN])}; take another snapshot"
        )
    tensors = {name: _plain(found[model.theirs(name)]) for name in model.expected()}
    with path.open("rb") as file:
        return Checkpoint(model, tensors, hashlib.file_digest(file, "sha256").hexdigest())


def write_checkpoint(model: ReleasedModel, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors by our names as the authors' code writes a network at the end of epoch 0.

    Raises:
        WeightsError: the file cannot be written.
    """
    network = {_PREFIX + model.theirs(name): tensor for name, tensor in tensors.items()}
    optimizer: dict[str, Any] = {"state": {}, "param_groups": []}
    partial = path.with_name(path.name + ".partial")
    try:
        torch.save({"epoch": 0, "network": network, "optimizer": optimizer}, partial)
        partial.replace(path)
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        raise WeightsError(f"cannot write {path}: {error}") from error


def with_hand(whole: Mapping[str, Tensor], hand: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Put the network of `pose2pose_hand` into that of `hand4whole`, as the authors do before their second training.

    The hand alone has 21 joints, the wrist first; the whole body's hands have the other 20. Backbone and pooling carry
    over as they are, heat maps without those of the wrist: the hands' positional pose is then exactly the hand model's.
    Of the RotationNet everything but the wrist's columns carries over, so fingers are only nearly right until trained.
    The hand's root rotation, shape and camera have no place in the whole body.

    Args:
        whole: tensors of `hand4whole` by our names.
        hand: tensors of `pose2pose_hand` by our names.

    Returns:
        All tensors of `hand4whole`.
    """
    wrist = hand["rotation.linears.1.weight"].shape[1] // len(RIGHT_HAND21)
    moved = {
        f"hand.{name}": tensor for name, tensor in hand.items() if name.startswith(("position.backbone.", "pooling."))
    }
    for kind in ("weight", "bias"):
        moved[f"hand.position.heatmaps.{kind}"] = hand[f"position.heatmaps.{kind}"][HAND_GRID.depth_bins :]
    moved["hand.rotation.linears.0.weight"] = hand["rotation.linears.1.weight"][:, wrist:]
    moved["hand.rotation.linears.0.bias"] = hand["rotation.linears.1.bias"]
    return {**whole, **{name: tensor.clone() for name, tensor in moved.items()}}


def _network(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise WeightsError(f"no checkpoint {path}; expected a file of the authors, such as snapshot_6.pth.tar")
    try:
        with warnings.catch_warnings(action="ignore"):  # what is wrong is said once, below
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever bytes somebody calls a checkpoint: no list of errors is complete
        raise WeightsError(_unreadable(path, error)) from error
    network = content.get("network") if isinstance(content, dict) else None
    if not isinstance(network, dict) or not all(_is_plain(value) for value in network.values()):
        kind = f"the keys {sorted(map(str, content))[:NAMES_SHOWN]}" if isinstance(content, dict) else "no dictionary"
        raise WeightsError(f"{path} has {kind}; expected a checkpoint of the authors, with tensors under 'network'")
    return {str(name): tensor for name, tensor in network.items()}


def _unreadable(path: Path, error: Exception) -> str:
    """One sentence. What the loader refuses to make of a pickle stands in its error as `GLOBAL module.name`."""
    foreign = re.search(r"(?:GLOBAL|global) ([\w.]+)", str(error))
    if foreign and type(error).__name__ == "UnpicklingError":
        return (
            f"{path} wants to use {foreign[1]}, which no checkpoint needs; nothing of it was run. It may be malicious: "
            "take the authors' own file"
        )
    with path.open("rb") as file:
        start = file.read(100)
    other = f"it begins with {start[:20]!r}" if start else "it is empty"
    what = next((what for beginning, what in _BEGINNINGS.items() if start.lstrip().startswith(beginning)), other)
    return f"{path} is damaged or no PyTorch checkpoint ({what}); download it again"


def _recognize(found: Mapping[str, Tensor], path: Path) -> ReleasedModel:
    """The model that has exactly these names and shapes."""
    differing = {}
    for model in RELEASED.values():
        expected = {model.theirs(name): tensor for name, tensor in model.expected().items()}
        differing[model.name] = differences(expected, found)
    nearest = min(differing, key=lambda name: len(differing[name]))
    if differing[nearest]:
        raise WeightsError(
            f"{path} is none of the authors' {len(RELEASED)} models. It is nearest to {nearest}, but "
            f"{len(differing[nearest])} names differ: {'; '.join(differing[nearest][:NAMES_SHOWN])}"
        )
    return RELEASED[nearest]


def _is_plain(value: object) -> bool:
    return (
        isinstance(value, Tensor) and value.layout is torch.strided and not (value.is_complex() or value.is_quantized)
    )


def _plain(tensor: Tensor) -> Tensor:
    """The tensor with memory of its own, floats with 32 bits."""
    return tensor.to(torch.float32 if tensor.is_floating_point() else tensor.dtype).contiguous().clone()
