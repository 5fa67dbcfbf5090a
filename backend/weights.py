"""Weights of the network: where they are, loading with checks, saving with a metadata header.

Each branch of a preset is one safetensors file, `<preset>_<part>.safetensors`. Its header says which preset and body it
is for, the license, the training data and the metrics. Matrices may be stored as 16-bit floats; in memory all are
32-bit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from .model.pose2pose import Pose2Pose
from .model.presets import build, preset

WEIGHTS_FOLDER = Path(__file__).parent / "model" / "weights"
PARTS = ("body", "hand", "face")
"""The branches, which are also the names of their modules in `Pose2Pose`."""

_NAMES_SHOWN = 4


class WeightsError(RuntimeError):
    """A weights file is missing, broken, or made for another network."""


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
        folder: of the three files; None for the ones that come with the package.

    Returns:
        The network in evaluation mode, 32-bit.

    Raises:
        ValueError: the preset does not exist.
        WeightsError: a file is missing, broken, or does not fit.
    """
    network = build(preset(preset_name))
    for part in PARTS:
        load_part(network.get_submodule(part), part_path(preset_name, part, folder), preset_name)
    # channels last is what convolutions are fastest in, on processors as on GPUs
    network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval()


def part_path(preset_name: str, part: str, folder: Path | None = None) -> Path:
    """Where the weights of a part are; folder None is the package's own."""
    return (folder or WEIGHTS_FOLDER) / f"{preset_name}_{part}.safetensors"


def load_part(module: nn.Module, path: Path, preset_name: str | None = None) -> dict[str, str]:
    """Fill a branch from its file.

    Args:
        module: the branch.
        path: the file.
        preset_name: if given, the file's header must not name another preset.

    Returns:
        The file's metadata.

    Raises:
        WeightsError: the file is missing, broken, or its names and shapes differ from the module's.
    """
    tensors, metadata = _read(path)
    named = metadata.get("preset", preset_name)
    if preset_name is not None and named != preset_name:
        raise WeightsError(f"{path} was made for the preset {named!r}, not for {preset_name!r}; choose that preset")
    expected = module.state_dict()
    differences = _differences(expected, tensors)
    if differences:
        raise WeightsError(
            f"{path} does not fit the network ({len(differences)} of {len(expected)} names differ): "
            f"{'; '.join(differences[:_NAMES_SHOWN])}. It was made by another version; train or download it again"
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
    tensors = {name: _stored(tensor, matrix_dtype) for name, tensor in module.state_dict().items()}
    broken = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise WeightsError(f"not saving {path}: values not finite as {matrix_dtype} in {broken[:_NAMES_SHOWN]}")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata=dict(metadata))
    path.chmod(0o644)  # safetensors leaves the file to its owner alone


def describe_weights(folder: Path | None = None) -> list[WeightsFile]:
    """All weights files of a folder (None: the package's own), sorted by name; [] if there is none."""
    paths = sorted((folder or WEIGHTS_FOLDER).glob("*.safetensors"))
    return [WeightsFile(path, path.stat().st_size, read_metadata(path)) for path in paths]


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


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    _check_exists(path)
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except SafetensorError as error:
        raise _broken(path, error) from error


def _check_exists(path: Path) -> None:
    if path.is_file():
        return
    found = sorted(other.name for other in path.parent.glob("*.safetensors"))
    raise WeightsError(
        f"no weights file {path}. The folder holds {found or 'no weights'}. Weights of the preset `open` come with the "
        "package (reinstall it); those of other presets are trained, or converted, and their folder is given"
    )


def _broken(path: Path, error: Exception) -> WeightsError:
    return WeightsError(f"{path} is not a readable safetensors file ({error}); copy or download it again")


def _stored(tensor: Tensor, matrix_dtype: torch.dtype) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    return tensor.to(matrix_dtype) if tensor.is_floating_point() and tensor.dim() > 1 else tensor.clone()


def _differences(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """One sentence for each name that is missing, unknown or of another shape; in the network's order."""
    missing = [f"{name} is missing" for name in expected if name not in found]
    unknown = [f"{name} is unknown" for name in found if name not in expected]
    shapes = [
        f"{name} is {tuple(found[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in found and found[name].shape != tensor.shape
    ]
    return missing + shapes + unknown
