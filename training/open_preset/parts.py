"""What the training scripts of the hand and the face branch share: options, trunk, the header of the weights."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

HELD_OUT_EVERY = 10
"""Every so many rendered pictures one is kept for validation."""


def option_parser(name: str, *, renders: int, seconds: float) -> argparse.ArgumentParser:
    """The command line that the parts' scripts share; the number of pictures and the training time have defaults."""
    parser = argparse.ArgumentParser(
        prog=f"python -m pose2pose.training.open_preset.{name}",
        description=f"Train the {name} branch of the preset `open` on rendered pictures.",
    )
    parser.add_argument("--trunk", type=Path, help="pretrained network, safetensors (default: random weights)")
    parser.add_argument("--panoramas", type=Path, help=".npz of backgrounds (default: procedural ones)")
    parser.add_argument("--renders", type=int, default=renders, help="pictures to render (%(default)s)")
    parser.add_argument("--seconds", type=float, default=seconds, help="of training after rendering (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the renders and the weights")
    return parser


def load_trunk(backbone: nn.Module, path: Path | None) -> None:
    """Fill the pretrained network, if there is one, and freeze it."""
    if path is not None:
        backbone.load_state_dict({name: tensor.float() for name, tensor in load_file(path).items()})
    backbone.requires_grad_(False)


def written(options: argparse.Namespace) -> str:
    """The options as they could be typed again, files by their names."""
    words = []
    for name, value in sorted(vars(options).items()):
        values = value if isinstance(value, list) else [value]
        if name not in ("output", "device") and None not in values and values:
            words += [f"--{name.replace('_', '-')}", *(v.name if isinstance(v, Path) else f"{v}" for v in values)]
    return " ".join(words)


Record = TypeVar("Record")


def remembered(path: Path, key: str, kind: type[Record], make: Callable[[], Record]) -> Record:
    """A dataclass of tensors that takes long to make: from the file if that was made for the same key, or made now."""
    if path.exists():
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("key") == key:
                return kind(**{name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    record = make()
    save_file({name: tensor.contiguous() for name, tensor in vars(record).items()}, path, {"key": key})
    return record


def held_out(count: int, device: torch.device) -> Tensor:
    """(count,) bool, true for the samples that are kept for validation."""
    return torch.arange(count, device=device) % HELD_OUT_EVERY == 0


def header(part: str, body: str, options: argparse.Namespace, metrics: dict[str, float]) -> dict[str, str]:
    """The metadata of a part's weights file."""
    return {
        "preset": "open",
        "part": part,
        "body": body,
        "license": f"Apache-2.0 (MediaPipe's {part} landmark network, Google) and CC0-1.0 (head)",
        "command": f"python -m {__package__}.{part} {written(options)}",
        "seed": str(options.seed),
        "seconds": f"{options.seconds:g}",
        "metrics": json.dumps({name: round(value, 3) for name, value in metrics.items()}),
    }
