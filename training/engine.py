"""The training loop. What it works with is put together in `train.py`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from .datasets.sample import Samples
from .learning.distributed import Team
from .losses import Terms
from .pictures import SampleError
from .targets import Batch

Part = Mapping[str, Tensor] | SampleError
"""A process's share of a batch, or a piece of it; or why there is none."""

SEED_STRIDE = 1_000_003
"""Keeps the random numbers of steps, processes and runs apart."""
NAMES_SHOWN = 8


class NotFiniteError(RuntimeError):
    """A loss or a gradient is no number; the text names the samples."""


@dataclass(frozen=True)
class Learner:
    """Everything that takes part in a step.

    Attributes:
        network: what learns; `module` is the same, or a wrapper that averages gradients over processes.
        module: what is called.
        optimizer: of the network's parameters.
        average: moving average of the weights, if there is one.
        losses: the network's output and a batch -> terms.
        weights: of the terms.
        precision: of the network's own computations.
        memory_format: of the pictures.
        frozen_norm: whether batch norm stays as it started.
        team: the processes that learn together.
        samples: what the batches are made of, for the names in errors.
    """

    network: nn.Module
    module: nn.Module
    optimizer: torch.optim.Optimizer
    average: AveragedModel | None
    losses: Callable[[Any, Batch], Terms]
    weights: Mapping[str, float]
    precision: torch.dtype
    memory_format: torch.memory_format
    frozen_norm: bool
    team: Team
    samples: Samples


def train_one_epoch(
    learner: Learner,
    batches: Iterable[Sequence[Part]],
    *,
    seed: int,
    step: int,
    record: Callable[[int, dict[str, float], Batch], None],
    interrupted: Callable[[], bool],
) -> bool:
    """Learn from batches, one step each.

    Args:
        learner: what learns.
        batches: the parts of each batch that are this process's.
        seed: of the run. What a step draws at random follows from it, the step's number and the process alone.
        step: number of the first step.
        record: called after every step with its number, its terms, and the last of its parts.
        interrupted: whether to stop; asked after every step, and it is enough that one process wants to.

    Returns:
        Whether it was interrupted.

    Raises:
        SampleError: a sample cannot be used; its name is in the text.
        NotFiniteError: a loss or a gradient is not finite; the samples' names are in the text.
    """
    set_training(learner.network, frozen_norm=learner.frozen_norm)
    for number, parts in enumerate(batches, start=step):
        torch.manual_seed((seed * SEED_STRIDE + number) * SEED_STRIDE + learner.team.rank)
        learner.optimizer.zero_grad(set_to_none=True)
        sums: Terms = {}
        for i, part in enumerate(parts):
            with learner.team.alone(learner.module) if i < len(parts) - 1 else nullcontext():
                batch = on_device(part, learner)
                terms = learner.losses(predict(learner, batch), batch)
                terms["loss"] = weighted_sum(terms, learner.weights)
                (terms["loss"] / len(parts)).backward()
            sums = {name: sums.get(name, 0) + value.detach() / len(parts) for name, value in terms.items()}
        sums["gradient"] = gradient_length(learner.network)
        values = learner.team.mean(sums | {"interrupted": torch.tensor(float(interrupted()))})
        stop = values.pop("interrupted") > 0
        if not all(torch.isfinite(torch.tensor(list(values.values())))):
            raise NotFiniteError(explain(learner, parts, number, values))
        learner.optimizer.step()
        if learner.average is not None:
            learner.average.update_parameters(learner.network)
        record(number, values, batch)
        if stop:
            return True
    return False


def set_training(network: nn.Module, *, frozen_norm: bool) -> None:
    """Training mode; frozen batch norm keeps its statistics, its scale and its shift."""
    network.train()
    if frozen_norm:
        for module in network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()


def on_device(part: Part, learner: Learner) -> dict[str, Tensor]:
    """A part of a batch on the learner's device, its pictures (B, 3, H, W) as numbers 0..1.

    Raises:
        SampleError: there is none because a sample could not be read.
    """
    if isinstance(part, SampleError):
        raise part
    batch = {name: value.to(learner.team.device, non_blocking=True) for name, value in part.items()}
    batch["image"] = (batch["image"].float() / 255).contiguous(memory_format=learner.memory_format)
    return batch


def predict(learner: Learner, batch: Batch) -> Any:
    """The network's output in single precision, whatever the network computes in."""
    autocast = learner.precision is not torch.float32
    with torch.autocast(learner.team.device.type, learner.precision, enabled=autocast):
        output = learner.module(batch["image"])
    return each_tensor(output, lambda tensor: tensor.float() if tensor.is_floating_point() else tensor)


@torch.no_grad()
def predict_alone(learner: Learner, batch: Batch) -> Any:
    """The output of this process's network in evaluation mode; nothing is learnt and no other process takes part."""
    learner.network.eval()
    return predict(replace(learner, module=learner.network), batch)


def weighted_sum(terms: Terms, weights: Mapping[str, float]) -> Tensor:
    """The loss (equation 1); a term's weight is that of its name's last part, such as `initial.betas`."""
    return torch.stack([weights[name.rpartition(".")[2]] * term for name, term in terms.items()]).sum()


def gradient_length(network: nn.Module) -> Tensor:
    """The length of the whole gradient as one vector."""
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    lengths = torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients])
    length: Tensor = torch.linalg.vector_norm(lengths)
    return length


def each_tensor(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A copy of nested dataclasses and tuples with every tensor changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, tuple):
        return tuple(each_tensor(item, change) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: each_tensor(getattr(value, each.name), change) for each in fields(value)})
    return value


@torch.no_grad()
def explain(learner: Learner, parts: Sequence[Part], step: int, values: Mapping[str, float]) -> str:
    """Why a step's numbers are not finite: which terms, and which of this process's samples."""
    learner = replace(learner, module=learner.network)  # the other processes have their own samples to look at
    guilty: list[int] = []
    involved: list[int] = []
    for part in parts:
        batch = on_device(part, learner)
        output = predict(learner, batch)
        involved += batch["index"].tolist()
        for row, index in enumerate(batch["index"].tolist()):
            terms = learner.losses(_only(output, row), {name: value[row : row + 1] for name, value in batch.items()})
            guilty += [] if all(torch.isfinite(term).all() for term in terms.values()) else [index]
    broken = [name for name, value in values.items() if not torch.isfinite(torch.tensor(value))]
    names = [learner.samples[index].name for index in (guilty or involved)[:NAMES_SHOWN]]
    rest = len(guilty or involved) - len(names)
    others = " or those of another process, which names its own" if not guilty and learner.team.count > 1 else ""
    return (
        f"step {step}: {', '.join(broken)} not finite, with the samples {', '.join(names)}"
        f"{f' and {rest} more' if rest else ''} of process {learner.team.rank}{others}; look at them "
        "with check-data and leave them out, or lower schedule.rate"
    )


def _only(output: Any, row: int) -> Any:
    """A network's output for one sample of a batch."""
    return each_tensor(output, lambda tensor: tensor[row : row + 1])
