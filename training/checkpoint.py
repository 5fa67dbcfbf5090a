"""What is kept of a training: checkpoints to go on from, and weights to work with.

A checkpoint holds tensors and plain values only, so that it can be loaded without running anything that is in it. It
appears whole or not at all: it is written beside its place, forced to the disk and then renamed.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..backend.weights import PARTS, WeightsError, load_part, part_path, save_part

CHECKPOINTS = "checkpoints"
WEIGHTS = "weights"
"""Folders of a run."""
EXPERIMENT = "experiment"
"""Beginning of the file names, and `preset` in their headers, where the network is none of the presets."""


class CheckpointError(RuntimeError):
    """A checkpoint cannot be read or written."""


def save_checkpoint(run: Path, step: int, state: Mapping[str, Any], *, keep: int) -> Path:
    """Write a checkpoint and remove the oldest ones.

    Args:
        run: folder of the run.
        step: number of optimization steps done.
        state: tensors, numbers, texts, and lists and dictionaries of them.
        keep: how many checkpoints stay.

    Raises:
        CheckpointError: it cannot be written.
    """
    path = run / CHECKPOINTS / f"step_{step:08d}.pt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as partial:
            torch.save(dict(state), partial)
        for old in checkpoints(run)[:-keep]:
            old.unlink()
    except (OSError, RuntimeError) as error:  # torch's own writer raises RuntimeError where the disk is full
        raise CheckpointError(
            f"{path} cannot be written ({error}); make room, then run the same command again"
        ) from error
    return path


def checkpoints(run: Path) -> list[Path]:
    """The checkpoints of a run, oldest first."""
    return sorted((run / CHECKPOINTS).glob("step_*.pt"))


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU.

    Raises:
        CheckpointError: it cannot be read.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged archive raises whatever its reader stumbles over
        raise CheckpointError(f"{path} cannot be read ({error}); remove it to go on from the one before") from error
    return state


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A place to write to; what is there at the end of the block takes the name `path` at once."""
    partial = path.with_name(f"{path.name}.partial")
    yield partial
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    partial.replace(path)
    if os.name == "posix":  # the new name must be on the disk too
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def export_weights(network: nn.Module, folder: Path, preset: str | None, metadata: Mapping[str, str]) -> list[Path]:
    """Write the weights as safetensors, 32-bit: one file for each branch, or one for a network of another kind.

    Args:
        network: with the branches body, hand and face, or any other.
        folder: where the files go.
        preset: for which `pose2pose capture` can use them; None for an experiment.
        metadata: what their headers say besides.
    """
    name = preset or EXPERIMENT
    header = {"preset": name, **metadata}
    files = _files(network, folder, name)
    for path, module in files.items():
        save_part(module, path, header, torch.float32)
    return list(files)


def load_weights(network: nn.Module, path: Path) -> None:
    """Fill a network built from the same configuration with what a training gave.

    Args:
        network: as `network.build.build_network` makes it.
        path: a run, its folder of weights, or a checkpoint.

    Raises:
        WeightsError: nothing is there, or it does not fit the network.
        CheckpointError: the checkpoint cannot be read.
    """
    if path.is_file():
        _load_from_checkpoint(network, path)
        return
    folder = path / WEIGHTS if (path / WEIGHTS).is_dir() else path
    for name in sorted({file.stem.rpartition("_")[0] for file in folder.glob("*.safetensors")}):
        files = _files(network, folder, name)
        if all(file.is_file() for file in files):
            for file, module in files.items():
                load_part(module, file)
            return
    raise WeightsError(f"{folder} holds no weights of this network; give the folder of a run that is finished")


def _files(network: nn.Module, folder: Path, name: str) -> dict[Path, nn.Module]:
    children = dict(network.named_children())
    if set(children) == set(PARTS):
        return {part_path(name, part, folder): children[part] for part in PARTS}
    return {part_path(name, "network", folder): network}


def _load_from_checkpoint(network: nn.Module, path: Path) -> None:
    state = load_checkpoint(path)
    tensors = state.get("network")
    if state.get("average"):  # as torch's AveragedModel names them
        beginning = "module."
        average = state["average"].items()
        tensors = {name.removeprefix(beginning): value for name, value in average if name.startswith(beginning)}
    if not isinstance(tensors, dict):
        raise WeightsError(f"{path} is no checkpoint of a training; give one of a run's folder {CHECKPOINTS}")
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise WeightsError(f"{path} does not fit the network of this configuration: {error}") from error
