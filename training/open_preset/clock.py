"""The optimization loop of the synthetic trainings, and its bar: it ends by the clock, not after a number of steps."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

WARM_UP_STEPS = 100
AVERAGED_STEPS = 500
"""Steps over which the moving average of the weights reaches back."""
WEIGHT_DECAY = 1e-3
GRADIENT_LIMIT = 5.0


def optimize(
    module: nn.Module,
    loss: Callable[[], Tensor],
    *,
    seconds: float,
    learning_rate: float,
    report: Callable[[int, Tensor], None],
) -> int:
    """Run AdamW on a cosine schedule that reaches zero at the deadline; the weights end as their moving average.

    Args:
        module: holds the parameters; those without gradients stay.
        loss: draws a batch and gives its loss.
        seconds: wall clock.
        learning_rate: the largest of the schedule.
        report: called with each step and its loss.

    Returns:
        The number of steps.

    Raises:
        FloatingPointError: the loss is not finite.
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, learning_rate, weight_decay=WEIGHT_DECAY, fused=True)
    average = AveragedModel(module, avg_fn=_moving_average)
    begin, steps = time.monotonic(), 0
    while (elapsed := (time.monotonic() - begin) / seconds) < 1 or steps == 0:
        warm_up = min(1.0, (steps + 1) / WARM_UP_STEPS)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * warm_up * 0.5 * (1 + math.cos(math.pi * min(1.0, elapsed)))
        value = loss()
        if not torch.isfinite(value):
            raise FloatingPointError(
                f"the loss is {value.item()} at step {steps}; lower the learning rate {learning_rate}"
            )
        optimizer.zero_grad()
        torch.autograd.backward(value)
        nn.utils.clip_grad_norm_(parameters, GRADIENT_LIMIT)
        optimizer.step()
        average.update_parameters(module)
        report(steps, value.detach())
        steps += 1
    module.load_state_dict(average.module.state_dict())
    return steps


def _moving_average(average: Tensor, current: Tensor, updates: Tensor | int) -> Tensor:
    """Early on the window grows with the number of updates, so that the random start is soon forgotten."""
    window = min(AVERAGED_STEPS, 1 + int(updates) / 8)
    return average + (current - average) / window


@contextmanager
def progress(description: str) -> Iterator[Callable[[int, Tensor], None]]:
    """A bar that counts steps and shows the loss now and then."""
    with tqdm(desc=description, unit="step") as bar:

        def report(step: int, loss: Tensor) -> None:
            bar.update()
            if step % 50 == 0:
                bar.set_postfix(loss=f"{loss.item():.3f}")

        yield report
