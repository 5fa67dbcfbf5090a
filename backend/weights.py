"""Weights of the network: loading with checks, saving with a metadata header. `weights_folders` says where they are.

Each branch of a preset is one safetensors file, `<preset>_<part>.safetensors`. Its header says which preset and body it
is for, the license, the training data and the metrics; and where the pretrained network inside the branch is in a file
of its own, which (`trunk`). Matrices may be stored as 16-bit floats; in memory all are 32-bit.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from .model.pose2pose import Pose2Pose
from .model.presets import build, preset
from .weights_folders import PARTS, WEIGHTS_FOLDER, WeightsError, find_weights, part_path

__all__ = [
    "NAMES_SHOWN", "PARTS", "TRUNK", "WEIGHTS_FOLDER", "WeightsError", "WeightsFile", "describe_weights", "differences",
    "find_weights", "has_weights", "identify_weights", "load_network", "load_part", "missing_files", "part_files",
    "part_path", "read_metadata", "read_part", "read_tensors", "save_part", "save_tensors",
]  # fmt: skip

NAMES_SHOWN = 4
"""Differing names in a message."""
TRUNK = "trunk"
"""Key of a branch's header: the file beside it that holds the pretrained network, by the branch's names."""
_HASH_SHOWN = 12
"""Hexadecimal digits by which weights are told apart."""


@dataclass(frozen=True)
class WeightsFile:
    """One file as `describe_weights` lists it: its path, size in bytes and metadata header."""

    path: Path
    size: int
    metadata: dict[str, str]


def load_network(preset_name: str, device: torch.device | str = "cpu", folder: Path | None = None) -> Pose2Pose:
    """Build a preset's network and fill it with its weights.

    Args:
        preset_name: a key of `PRESETS`.
        device: where the network goes.
        folder: of the files, or the name of an imported set; None for the preset's own (`find_weights`).

    Returns:
        The network in evaluation mode, 32-bit.

    Raises:
        ValueError: the preset does not exist.
        WeightsError: a file is missing, broken, or does not fit.
    """
    chosen = preset(preset_name)
    folder = find_weights(preset_name, folder)
    network = build(chosen)
    for part in PARTS:
        load_part(network.get_submodule(part), part_path(preset_name, part, folder), preset_name)
    # channels last is what convolutions are fastest in, on processors as on GPUs
    network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval()


def load_part(module: nn.Module, path: Path, preset_name: str | None = None) -> dict[str, str]:
    """Fill a branch from its file, and from its trunk's if that has one of its own.

    Args:
        module: the branch.
        path: the branch's file.
        preset_name: if given, the file's header must not name another preset.

    Returns:
        The metadata of the branch's file.

    Raises:
        WeightsError: a file is missing, broken, or its names and shapes differ from the module's.
    """
    tensors, metadata = read_part(path)
    named = metadata.get("preset", preset_name)
    if preset_name is not None and named != preset_name:
        raise WeightsError(f"{path} was made for the preset {named!r}, not for {preset_name!r}; choose that preset")
    expected = module.state_dict()
    differing = differences(expected, tensors)
    if differing:
        raise WeightsError(
            f"{path} does not fit the network ({len(differing)} of {len(expected)} names differ): "
            f"{'; '.join(differing[:NAMES_SHOWN])}. It was made by another version; train or download it again"
        )
    module.load_state_dict({name: tensor.to(expected[name].dtype) for name, tensor in tensors.items()})
    return metadata


def save_part(
    module: nn.Module, path: Path, metadata: Mapping[str, str], matrix_dtype: torch.dtype = torch.float16
) -> None:
    """Write a branch's weights.

    Args:
        module: the branch.
        path: the file, by convention `part_path(...)`.
        metadata: the header: preset, body, license, training data, metrics; all values are strings.
        matrix_dtype: of floating-point tensors with two or more dimensions. Vectors (biases, statistics) keep 32 bits.

    Raises:
        WeightsError: a value is not finite, or does not fit in `matrix_dtype`.
    """
    save_tensors(module.state_dict(), path, metadata, matrix_dtype)


def save_tensors(
    tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str], matrix_dtype: torch.dtype
) -> None:
    """`save_part` for tensors by their names in the branch."""
    tensors = {name: _stored(tensor, matrix_dtype) for name, tensor in tensors.items()}
    broken = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise WeightsError(f"not saving {path}: values not finite as {matrix_dtype} in {broken[:NAMES_SHOWN]}")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata=dict(metadata))
    path.chmod(0o644)  # safetensors leaves the file to its owner alone


def describe_weights(folder: Path | None = None) -> list[WeightsFile]:
    """All weights files of a folder (None: the package's own), sorted by name; [] if there is none."""
    paths = sorted((folder or WEIGHTS_FOLDER).glob("*.safetensors"))
    return [WeightsFile(path, path.stat().st_size, read_metadata(path)) for path in paths]


def identify_weights(preset_name: str, folder: Path) -> str:
    """What a take says about its weights: preset, hash of the values, and name of the set where it has one of its own.

    Args:
        preset_name: a key of `PRESETS`.
        folder: of the files.

    Returns:
        Such as `open 0123456789ab`, or `hand4whole 0123456789ab (studio)`.
    """
    digest = hashlib.sha256()
    for file in (file for part in PARTS for file in part_files(part_path(preset_name, part, folder))):
        content = memoryview(file.read_bytes())
        digest.update(content[8 + int.from_bytes(content[:8], "little") :])  # behind the header, which names the source
    name = folder.resolve().name
    named = "" if folder == WEIGHTS_FOLDER or name == preset_name else f" ({name})"
    return f"{preset_name} {digest.hexdigest()[:_HASH_SHOWN]}{named}"


def part_files(path: Path) -> list[Path]:
    """A branch's file and, if its trunk has one of its own, that one as well, whether it is there or not.

    Raises:
        WeightsError: the branch's file is missing or broken.
    """
    trunk = read_metadata(path).get(TRUNK)
    return [path, path.parent / Path(trunk).name] if trunk else [path]


def missing_files(preset_name: str, folder: Path) -> list[Path]:
    """The files of a preset that a folder lacks.

    Raises:
        WeightsError: a file is broken.
    """
    branches = [part_path(preset_name, part, folder) for part in PARTS]
    files = [file for path in branches for file in (part_files(path) if path.is_file() else [path])]
    return [file for file in files if not file.is_file()]


def has_weights(preset_name: str) -> bool:
    """Whether `find_weights` finds a preset's weights without being told where, and all of them are there."""
    try:
        return not missing_files(preset_name, find_weights(preset_name))
    except WeightsError:
        return False


def read_metadata(path: Path) -> dict[str, str]:
    """A file's metadata header.

    Raises:
        WeightsError: the file is missing or broken.
    """
    _check_exists(path)
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except SafetensorError as error:
        raise _broken(path, error) from error


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """A file's tensors and metadata.

    Raises:
        WeightsError: the file is missing or broken.
    """
    _check_exists(path)
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except SafetensorError as error:
        raise _broken(path, error) from error


def read_part(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """A branch's tensors, its trunk's among them, and the metadata of its own file.

    Raises:
        WeightsError: a file is missing or broken.
    """
    tensors, metadata = read_tensors(path)
    for trunk in part_files(path)[1:]:
        tensors |= read_tensors(trunk)[0]
    return tensors, metadata


def _check_exists(path: Path) -> None:
    if path.is_file():
        return
    found = sorted(other.name for other in path.parent.glob("*.safetensors"))
    packaged = path.parent == WEIGHTS_FOLDER
    way = "reinstall the package, it is part of it" if packaged else "give a --preset and --weights that fit together"
    raise WeightsError(f"no weights file {path}, the folder holds {', '.join(found) or 'no weights'}; {way}")


def _broken(path: Path, error: Exception) -> WeightsError:
    return WeightsError(f"{path} is not a readable safetensors file ({error}); copy or download it again")


def _stored(tensor: Tensor, matrix_dtype: torch.dtype) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    return tensor.to(matrix_dtype) if tensor.is_floating_point() and tensor.dim() > 1 else tensor.clone()


def differences(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """One sentence for each name that is missing, unknown or of another shape; in the network's order."""
    missing = [f"{name} is missing" for name in expected if name not in found]
    unknown = [f"{name} is unknown" for name in found if name not in expected]
    shapes = [
        f"{name} is {tuple(found[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in found and found[name].shape != tensor.shape
    ]
    return missing + shapes + unknown
