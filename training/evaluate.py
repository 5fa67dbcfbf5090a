"""`pose2pose-train evaluate CONFIG WEIGHTS`: a network's errors on its configuration's test sets (section 5).

Into a folder go `results.json`, `results.md` (the paper's tables with the printed numbers beside ours), and for each
test set the errors of every sample (`SET_errors.csv`) and a sheet of the worst ones (`SET_worst.jpg`).
"""

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import nn
from torch.utils.data import default_collate

from ..backend.device import pick_device
from ..backend.weights import WeightsError
from .benchmarks.build import build_benchmark
from .body_models.human_models import HumanModel, build_human_model
from .checkpoint import load_weights
from .config import Config, ConfigError, Source, config_differences, load_config
from .datasets.build import build_samples
from .datasets.sample import Samples, Truth
from .engine import predict, weighted_sum
from .learning.distributed import Team
from .learning.learner import build_learner, build_view
from .learning.runs import CONFIG_FILE
from .measuring.evaluation import Evaluation, evaluate_samples, to_device
from .measuring.resources import Resources, measure
from .measuring.results import REPORT, write_errors, write_results
from .measuring.tables import RESOURCES
from .measuring.worst import SHOWN, worst_sheet
from .network.build import build_network
from .transforms import Prepare, PreparedSamples

BATCH = 32
PAPER_BATCH = 24
"""Samples of an iteration on one of the paper's four GPUs."""
SPLIT_SETS = ("stirling",)
"""Test sets whose splits are tests of their own in the paper."""
RAW = "-sequences"
"""End of the name of a set that is read from its release's own files."""


def add_command(subparsers: Any) -> None:
    """Add `evaluate` to the command line."""
    parser = subparsers.add_parser("evaluate", help="measure a network on the test sets of its configuration")
    parser.add_argument("config", help="TOML file, or the name of a published configuration")
    parser.add_argument("weights", type=Path, help="a run's folder, a checkpoint, or exported safetensors")
    parser.add_argument("changes", nargs="*", help="+NAME merges another file, table.key=value sets a value")
    parser.add_argument("-o", "--output", type=Path, help="folder (default: `evaluation` beside the weights)")
    parser.add_argument("--batch", type=int, default=BATCH, help="samples at once")
    parser.add_argument(
        "--resources", type=int, nargs="?", const=PAPER_BATCH, metavar="BATCH",
        help=f"also measure memory and time of a training iteration, of {PAPER_BATCH} samples if not said otherwise",
    )  # fmt: skip
    parser.set_defaults(run=run_evaluate)


def run_evaluate(options: argparse.Namespace) -> int:
    """`pose2pose-train evaluate`; returns the exit code."""
    config = load_config(options.config, options.changes)
    beside = options.weights if options.weights.is_dir() else options.weights.parent
    folder = options.output or beside / "evaluation"
    evaluate(config, options.weights, folder, name=Path(options.config).stem, batch=options.batch,
             resources=options.resources)  # fmt: skip
    print((folder / REPORT).read_text(encoding="utf-8"))
    return 0


def evaluate(
    config: Config, weights: Path, folder: Path, *, name: str, batch: int = BATCH, resources: int | None = None
) -> dict[str, Any]:
    """Measure trained weights on every test set of a configuration.

    Args:
        config: that the network was trained with.
        weights: a run's folder, a checkpoint, or exported safetensors.
        folder: where results go.
        name: of the configuration, by which its rows in the paper's tables are found.
        batch: samples at once.
        resources: samples of an iteration whose memory and time are measured; None leaves it.

    Returns:
        What stands in `results.json`.

    Raises:
        WeightsError: the weights do not fit the configuration, or belong to a run with another network; the differing
            parameters or values are named.
        ConfigError: there is no test set.
        MissingModelError, MissingDataError: licensed files are missing; it says which, and where to get them.
    """
    _check_network(config, weights)
    network = build_network(_untrained(config).network)
    load_weights(network, weights.parent if weights.suffix == ".safetensors" else weights)
    return evaluate_network(network, config, folder, name=name, weights=str(weights), batch=batch, resources=resources)


def evaluate_network(
    network: nn.Module,
    config: Config,
    folder: Path,
    *,
    name: str,
    weights: str,
    batch: int = BATCH,
    resources: int | None = None,
) -> dict[str, Any]:
    """`evaluate` for a network that has its weights; `weights` is what the results call them."""
    device = pick_device(config.schedule.device)
    network = network.to(device)
    sources = {set_name(source): source for source in config.data.test}
    if len(sources) < len(config.data.test) or not sources:
        raise ConfigError(f"data.test must name one or several different test sets. Got {list(config.data.test)}")
    models = Path(config.models.folder) if config.models.folder else None
    model = build_human_model(config.network.part, models).to(device)
    folder.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {"config": name, "weights": weights, "values": asdict(config), "datasets": {}}
    for key, source in sources.items():
        samples = build_samples(source, root=Path(config.data.root), model=model, models=models)
        examples = PreparedSamples(samples=samples, prepare=_prepare(config, model), seed=0)
        evaluation = evaluate_samples(
            network, samples, getattr(samples, "truth", _nothing), build_benchmark(source.name, model, models), model,
            examples, device=device, folder=folder, batch=batch, workers=config.data.workers, title=key,
        )  # fmt: skip
        write_errors(folder / f"{key}_errors.csv", evaluation)
        _draw_worst(folder / f"{key}_worst.jpg", network, examples, evaluation, model, config)
        results["datasets"][key] = {
            "samples": len(samples), "skipped": dict(samples.skipped), "numbers": evaluation.numbers,
        }  # fmt: skip
    if resources is not None:
        network.cpu()  # not to be counted with the one that is measured
        results[RESOURCES] = asdict(measure_resources(_untrained(config), model, samples, examples, resources))
    write_results(folder, results)
    return results


def set_name(source: Source) -> str:
    """What results call a test set."""
    name = source.name.removesuffix(RAW)
    return f"{name}-{source.split.lower()}" if name in SPLIT_SETS else name


def measure_resources(
    config: Config, model: HumanModel, samples: Samples, examples: PreparedSamples, batch: int
) -> Resources:
    """Memory and time of an iteration with the whole loss, on the first samples of a test set, repeated to a batch."""
    device = model.mean_pose.device
    learner = build_learner(config, model, samples, Team(0, 1, device))
    collated = default_collate([examples[k % len(examples), 0, 0] for k in range(batch)])
    moved = to_device(collated, device)
    moved["image"] = moved["image"].contiguous(memory_format=learner.memory_format)

    def loss() -> torch.Tensor:
        return weighted_sum(learner.losses(predict(learner, moved), moved), learner.weights)

    # a CPU takes a minute for an iteration of the paper's network and has no algorithms to try first
    iterations, warm_up = (10, 3) if device.type == "cuda" else (3, 1)
    return measure(loss, learner.optimizer, device, batch=batch, iterations=iterations, warm_up=warm_up)


def _nothing(index: int) -> Truth:
    """The truth of a set whose labels are all that is measured against, such as MSCOCO's boxes."""
    return Truth()


def _check_network(config: Config, weights: Path) -> None:
    """Networks of different configurations may have the same parameters, such as those of table 10."""
    run = next((folder for folder in (weights, *weights.parents) if (folder / CONFIG_FILE).is_file()), None)
    if run is None:
        return
    trained = replace(config, network=load_config(run / CONFIG_FILE).network.without_starts())
    differing = config_differences(trained, _untrained(config))
    if differing:
        raise WeightsError(
            f"{run} trained another network than this configuration has (there and here: {'; '.join(differing)}); "
            "evaluate it with its own, and give test sets as data.test=[...]"
        )


def _untrained(config: Config) -> Config:
    """Without the files that a training starts from, which a trained network no longer needs."""
    return replace(config, network=config.network.without_starts())


def _prepare(config: Config, model: HumanModel) -> Prepare:
    return Prepare(joint_set=model.joint_set, size=config.network.picture_size, augmentation=None)


def _draw_worst(
    file: Path, network: nn.Module, examples: PreparedSamples, evaluation: Evaluation, model: HumanModel, config: Config
) -> None:
    shown = evaluation.worst[:SHOWN]
    if not shown:
        return
    errors = evaluation.errors[evaluation.ranking]
    captions = [f"{evaluation.names[k]}: {evaluation.ranking} {errors[k]:.2f}" for k in shown]
    sheet = worst_sheet(network, examples, shown, captions, model, build_view(config.network), model.mean_pose.device)
    cv2.imwrite(str(file), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
