r"""`pose2pose-train open train`: body, hands and face of the preset `open`, one after the other, by the clock.

    pose2pose-train open train -o run --hours 8 --poses pose_library.npz motion_30fps.npz --panoramas panoramas.npz

Each part is trained by its own script with its share of the time that is left. A run that was stopped goes on with
the part that was not finished: what it had rendered stays, its optimization begins again, as its schedule ends by the
clock. Rendering and validation come on top of a part's time and are taken from those after it.
At the end the folder holds the weights files (16-bit matrices) and `metrics.json`; measure and calibrate them
with `pose2pose-train open evaluate` and `calibrate --weights run --write`.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from ...backend.weights import PARTS, part_path, read_metadata, read_part
from . import body, face, hand
from .calibration import add_arguments as add_calibration_arguments
from .evaluation import add_arguments as add_measuring_arguments
from .evaluation import add_evaluation_arguments, run_calibrate, run_evaluate
from .evaluation_films import add_film_arguments, run_films

SHARES = {"body": 0.55, "hand": 0.3, "face": 0.15}
"""Of the time, for parts that are all to be trained."""
STAGES = {
    "body": {"seconds": 0.6, "detection-seconds": 0.2, "feature-seconds": 0.2},
    "hand": {"tuning-seconds": 0.7, "corrector-seconds": 0.05, "seconds": 0.25},
    "face": {"seconds": 1.0},
}
"""Of a part's time; the scripts of body and hand train several things in turn."""
LEAST = 0.5
"""Of a part's share: so much it gets even where the pictures of those before took longer than planned."""
TRUNKS = {"body": body.TRUNK_NAMES, "hand": "position.backbone.", "face": "backbone."}
"""Names of the pretrained network inside each branch."""
TRAINERS: dict[str, Callable[[list[str]], None]] = {"body": body.main, "hand": hand.main, "face": face.main}
PROGRESS = "progress.json"


class TrainingError(ValueError):
    """A training that cannot be done as asked."""


def add_command(subparsers: Any) -> None:
    """Add `open` with `train`, `evaluate`, `films` and `calibrate` to the command line."""
    parser: argparse.ArgumentParser = subparsers.add_parser("open", help="train and measure the default weights")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    evaluate = commands.add_parser("evaluate", help="the table of the model card, on rendered people and takes")
    add_evaluation_arguments(evaluate)
    evaluate.set_defaults(run=run_evaluate)
    films = commands.add_parser("films", help="whole captures of rendered films, beside the truth")
    add_film_arguments(films)
    films.set_defaults(run=run_films)
    calibrate = commands.add_parser("calibrate", help="make confidence the probability of being right")
    add_measuring_arguments(calibrate)
    add_calibration_arguments(calibrate)
    calibrate.set_defaults(run=run_calibrate)
    train = commands.add_parser("train", help="body, hands and face one after the other, by the clock")
    add_arguments(train)
    train.set_defaults(run=run_train)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `train`."""
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the run; one that exists goes on")
    parser.add_argument("--hours", type=float, required=True, help="wall clock of all parts together")
    parser.add_argument("--poses", type=Path, nargs="+", required=True, help="pose libraries, .npz")
    parser.add_argument("--panoramas", type=Path, help=".npz of backgrounds (default: procedural ones)")
    parser.add_argument("--renders", type=int, help="pictures of hands and faces (default: those of each script)")
    parser.add_argument("--people", type=int, default=2000, help="pictures of people for body and hands (%(default)s)")
    parser.add_argument("--footage", type=Path, nargs="*", default=[], help="videos without labels for the hands")
    parser.add_argument("--trunks", type=Path, help="folder with pretrained hand.safetensors and the others")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")


def run_train(options: argparse.Namespace) -> int:
    """`pose2pose-train open train`; returns the exit code.

    Raises:
        TrainingError: no time, or files that are missing.
    """
    _check(options)
    done = [part for part in PARTS if part_path("open", part, options.output).is_file()]
    spent = {part: seconds for part, seconds in _read(options.output / PROGRESS).items() if part in done}
    left = options.hours * 3600 - sum(spent.values())
    for part in PARTS:
        if part in spent:
            print(f"{part}: trained before, {spent[part]:.0f} seconds")
            continue
        waiting = sum(SHARES[other] for other in PARTS if other not in spent)
        begin = time.monotonic()
        least = LEAST * SHARES[part] * options.hours * 3600
        TRAINERS[part](part_options(part, options, max(left * SHARES[part] / waiting, least)))
        spent[part] = time.monotonic() - begin
        left -= spent[part]
        _write(options.output / PROGRESS, spent)
    metrics = {part: json.loads(read_metadata(part_path("open", part, options.output))["metrics"]) for part in PARTS}
    _write(options.output / "metrics.json", metrics)
    print(json.dumps(metrics, indent=1))
    return 0


def part_options(part: str, options: argparse.Namespace, seconds: float) -> list[str]:
    """The command line of a part's own script."""
    line = [word for name, share in STAGES[part].items() for word in (f"--{name}", f"{share * seconds:.1f}")]
    line += ["--seed", str(options.seed), "-o", str(options.output), "--trunk", str(trunk_file(part, options))]
    if options.panoramas:
        line += ["--panoramas", str(options.panoramas)]
    if part != "face":
        line += ["--poses", *map(str, options.poses)]
    line += ["--device", options.device]
    if part == "body":
        return [*line, "--renders", str(options.people)]
    if part == "hand":
        line += ["--people", str(options.people), "--footage", *map(str, options.footage)]
    if options.renders:
        line += ["--renders", str(options.renders)]
    return line


def trunk_file(part: str, options: argparse.Namespace) -> Path:
    """The network that a part begins with: the file that is given, or the one inside the package's weights.

    The package's hand network was trained further than the published one; give `--trunks` to begin with that.
    """
    if options.trunks:
        return Path(options.trunks) / f"{part}.safetensors"
    path: Path = options.output / "trunks" / f"{part}.safetensors"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        tensors, _ = read_part(part_path("open", part))
        inside = [name for name in tensors if name.startswith(TRUNKS[part])]
        save_file({name.removeprefix(TRUNKS[part]): tensors[name] for name in inside}, path)
    return path


def _check(options: argparse.Namespace) -> None:
    if options.hours <= 0:
        raise TrainingError(f"--hours must be above 0, got {options.hours:g}")
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        raise TrainingError("--device cuda: torch sees no CUDA GPU here; leave the option out to train on the CPU")
    given = [*options.poses, *options.footage, *([options.panoramas] if options.panoramas else [])]
    given += [options.trunks / f"{part}.safetensors" for part in PARTS] if options.trunks else []
    absent = [str(path) for path in given if not path.is_file()]
    if absent:
        raise TrainingError(f"no such file: {', '.join(absent)}")
    options.output.mkdir(parents=True, exist_ok=True)


def _read(path: Path) -> dict[str, float]:
    return dict(json.loads(path.read_text())) if path.is_file() else {}


def _write(path: Path, values: dict[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(values, indent=1) + "\n")
    partial.replace(path)
