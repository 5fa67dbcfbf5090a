"""Sets of weights in the user's data directory: listed, added, checked, removed.

A set holds one network, as one safetensors file or as one for each branch. Every header repeats what is said about the
set, and a hash of its tensors by which damage is found later.
"""

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor

from .official.released_models import RELEASED, ReleasedModel
from .weights import (
    NAMES_SHOWN,
    TRUNK,
    WEIGHTS_FOLDER,
    WeightsError,
    WeightsFile,
    differences,
    read_metadata,
    read_tensors,
    save_tensors,
)
from .weights_folders import DATA_VARIABLE, set_folder, user_sets

PACKAGED = "open"
"""Name under which the package's own weights are listed."""
TENSORS_HASH = "tensors_sha256"


@dataclass(frozen=True)
class WeightsSet:
    """Weights under one name."""

    name: str
    folder: Path
    files: list[WeightsFile]

    @property
    def model(self) -> ReleasedModel | None:
        """Which of the authors' networks it is; None for another one."""
        names = {file.path.name for file in self.files}
        return next((model for model in RELEASED.values() if set(model.files.values()) <= names), None)

    @property
    def presets(self) -> list[str]:
        """What the files say they are for, sorted."""
        return sorted({file.metadata["preset"] for file in self.files if "preset" in file.metadata})

    @property
    def missing(self) -> list[Path]:
        """Files of which only others are there: of one of the authors' networks, or the trunk of a branch."""
        names = {file for preset in self.presets if preset in RELEASED for file in RELEASED[preset].files.values()}
        names |= {file.metadata[TRUNK] for file in self.files if TRUNK in file.metadata}
        return [self.folder / name for name in sorted(names - {file.path.name for file in self.files})]

    @property
    def megabytes(self) -> float:
        """Size of all files."""
        return sum(file.size for file in self.files) / 1e6


def list_sets() -> list[WeightsSet]:
    """The package's own weights first, then the user's sets by name."""
    return [find_set(name) for name in (PACKAGED, *user_sets())]


def find_set(name: str) -> WeightsSet:
    """The set of that name; also a folder that holds one.

    Raises:
        WeightsError: there is none.
    """
    if name == PACKAGED:
        return WeightsSet(name, WEIGHTS_FOLDER, _files(WEIGHTS_FOLDER))
    folder = set_folder(name) if name in user_sets() else Path(name)
    if folder.is_dir():
        return WeightsSet(name, folder, _files(folder))
    known = ", ".join([PACKAGED, *user_sets()])
    raise WeightsError(f"no weights are called {name!r}; there are: {known}")


def add_set(name: str, model: ReleasedModel, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> WeightsSet:
    """Store a network under a new name, whole or not at all.

    Args:
        name: of the set.
        model: the network's arrangement.
        tensors: by our names, all of them.
        metadata: what is said about them; `preset`, `body` and the hash are added.

    Raises:
        WeightsError: the name is taken or not possible, a value is not finite, or the folder cannot be written.
    """
    folder = set_folder(name)
    if name == PACKAGED:
        raise WeightsError(f"the package's own weights are called {name!r}; choose another --name")
    if folder.exists():
        raise WeightsError(
            f"there already are weights called {name!r}; choose another --name, or: pose2pose weights remove {name}"
        )
    partial = folder.with_name(f".{name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        for beginning, file in model.files.items():
            part = {key.removeprefix(beginning): value for key, value in tensors.items() if key.startswith(beginning)}
            header = {**metadata, "preset": model.name, TENSORS_HASH: tensors_hash(part)}
            save_tensors(part, partial / file, {"body": model.body, **header}, torch.float32)
        partial.rename(folder)
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"cannot write the weights to {folder}: {error}; make room there, or set {DATA_VARIABLE} to another folder"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return find_set(name)


def set_tensors(weights: WeightsSet, model: ReleasedModel) -> dict[str, Tensor]:
    """All tensors of a set by our names, 32-bit.

    Raises:
        WeightsError: a file is broken, or does not fit the model.
    """
    found = {
        beginning + name: tensor.to(torch.float32) if tensor.is_floating_point() else tensor
        for beginning, file in model.files.items()
        for name, tensor in read_tensors(weights.folder / file)[0].items()
    }
    differing = differences(model.expected(), found)
    if differing:
        raise WeightsError(f"{weights.folder} does not fit {model.name}: {'; '.join(differing[:NAMES_SHOWN])}")
    return {name: found[name] for name in model.expected()}


def verify_set(weights: WeightsSet) -> list[str]:
    """What is wrong with a set, one sentence for each; [] if nothing is."""
    wrong = [] if weights.files else [f"{weights.folder} holds no weights"]
    wrong += [f"{path} is missing; import it again" for path in weights.missing]
    for file in weights.files:
        try:
            tensors, metadata = read_tensors(file.path)
        except WeightsError as error:
            wrong.append(str(error))
            continue
        if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
            wrong.append(f"{file.path} holds values that are not finite")
        if metadata.get(TENSORS_HASH, tensors_hash(tensors)) != tensors_hash(tensors):
            wrong.append(f"{file.path} was changed since it was written; import it again")
    if weights.model and not wrong:
        try:
            set_tensors(weights, weights.model)
        except WeightsError as error:
            wrong.append(str(error))
    return wrong


def remove_set(name: str) -> Path:
    """Delete a set of the user's; returns its folder.

    Raises:
        WeightsError: there is none of that name, or it is the package's.
    """
    if name == PACKAGED:
        raise WeightsError(f"the weights {PACKAGED!r} are part of the package and cannot be removed")
    if name not in user_sets():
        raise WeightsError(f"no imported weights are called {name!r}; there are: {', '.join(user_sets()) or 'none'}")
    shutil.rmtree(set_folder(name))
    return set_folder(name)


def _files(folder: Path) -> list[WeightsFile]:
    """A folder's weights; a broken file has no metadata, `verify_set` says more about it."""
    files = []
    for path in sorted(folder.glob("*.safetensors")):
        try:
            metadata = read_metadata(path)
        except WeightsError:
            metadata = {}
        files.append(WeightsFile(path, path.stat().st_size, metadata))
    return files


def tensors_hash(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and values."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
