"""A network on a test set: examples in, errors of every sample and the protocol's numbers out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from ...backend.model.parts import PartOutput
from ...backend.model.pose2pose import Pose2PoseOutput
from ..benchmarks.prediction import Benchmark, Errors, Prediction
from ..body_models.human_models import HumanModel
from ..datasets.sample import Samples, Truth
from ..learning.loading import load_batches
from ..network.initial import TwoStageOutput
from ..pictures import SampleError
from ..transforms import PreparedSamples

Output = Pose2PoseOutput | PartOutput


class PredictionError(RuntimeError):
    """A network predicts something that is no number; the text names the samples."""


@dataclass(frozen=True)
class Evaluation:
    """What came out of a test set of N samples.

    Attributes:
        numbers: what the protocol reports.
        names: (N) of the samples.
        errors: (N,) of each metric.
        ranking: the metric by which samples are ranked.
        worst: indices of the samples, the one with the largest error first; without those that have none.
    """

    numbers: dict[str, float]
    names: list[str]
    errors: Errors
    ranking: str
    worst: list[int]


@torch.inference_mode()
def evaluate_samples(
    network: nn.Module,
    samples: Samples,
    truth: Callable[[int], Truth],
    benchmark: Benchmark,
    model: HumanModel,
    examples: PreparedSamples,
    *,
    device: torch.device,
    folder: Path,
    batch: int,
    workers: int,
    title: str,
) -> Evaluation:
    """Run a network over a test set.

    Args:
        network: on the device; it is put into evaluation mode.
        samples: the test set.
        truth: what it knows of a sample, by index.
        benchmark: its protocol.
        model: the human model, on the device.
        examples: the same samples, prepared without augmentation.
        device: where the network runs.
        folder: for files that the protocol asks for.
        batch: samples at once.
        workers: processes that prepare them.
        title: of the progress bar.

    Raises:
        SampleError: a picture cannot be read.
        PredictionError: a prediction is not finite.
        TruthError: the test set does not have what the protocol needs.
    """
    network.eval()
    items = [[(index, 0, 0) for index in range(start, min(start + batch, len(samples)))]
             for start in range(0, len(samples), batch)]  # fmt: skip
    if not items:
        raise ValueError(f"the test set {title} is empty")
    rows: list[Errors] = []
    pinned = device.type == "cuda"
    with tqdm(total=len(samples), desc=title, unit="sample", dynamic_ncols=True) as bar:
        for (part,) in load_batches(examples, items, parts=1, workers=workers, pinned=pinned):
            if isinstance(part, SampleError):
                raise part
            indices = part["index"].tolist()
            moved = to_device(part, device)
            prediction = predicted(run(network, moved["image"]), model)
            _check_finite(prediction, [samples[index].name for index in indices])
            rows.append(benchmark.measure(prediction, [truth(index) for index in indices], moved))
            bar.update(len(indices))
    errors = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    names = [samples[index].name for index in range(len(samples))]
    ranking = benchmark.ranking
    return Evaluation(benchmark.conclude(errors, folder), names, errors, ranking, ranked(errors[ranking]))


def to_device(part: Mapping[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """A batch on a device, its pictures (B, 3, H, W) as numbers 0..1."""
    batch = {name: value.to(device, non_blocking=True) for name, value in part.items()}
    return batch | {"image": batch["image"].float() / 255}


def run(network: nn.Module, images: Tensor) -> Output:
    """What a network says in the end about pictures (B, 3, H, W)."""
    output: Any = network(images)
    said: Output = output.final if isinstance(output, TwoStageOutput) else output
    return said


def predicted(output: Output, model: HumanModel) -> Prediction:
    """A network's output as meshes, points and boxes."""
    posed = model(output.rotations, output.betas, output.expression)
    if isinstance(output, PartOutput):
        return Prediction(posed.vertices, posed.points)
    center, size = output.boxes[..., :2], output.boxes[..., 2:4]
    return Prediction(posed.vertices, posed.points, torch.cat([center - size / 2, center + size / 2], dim=-1))


def ranked(errors: Any) -> list[int]:
    """Indices of (N,) errors, the largest first, those that are NaN left out."""
    order = [int(index) for index in np.argsort(-errors, kind="stable")]
    return [index for index in order if not np.isnan(errors[index])]


def _check_finite(prediction: Prediction, names: Sequence[str]) -> None:
    finite = torch.isfinite(prediction.vertices).flatten(1).all(1).tolist()
    broken = [name for name, fine in zip(names, finite, strict=True) if not fine]
    if broken:
        raise PredictionError(f"the network predicts no numbers for {', '.join(broken)}; are its weights damaged?")
