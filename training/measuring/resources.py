"""What an iteration of the training costs: memory and time, as in the paper's tables 1 and 6.

The paper gives "GPU memory usage and forward time of each iteration" and not the batch; of its 96 samples on four GPUs,
each saw 24. So the forward pass is timed by itself, and memory is the peak over the whole iteration: forward, backward
and the optimizer's step. Only a GPU has such a counter. Elsewhere the growth of the process's largest size is recorded,
which misses what the process had held before, an earlier network of the same table for one: tables leave it out.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

GIGABYTE = 1e9
GPU_MEMORY = "largest memory that torch allocated on the GPU"


@dataclass(frozen=True)
class Resources:
    """Cost of one iteration.

    Attributes:
        forward_seconds: median time of network and loss.
        iteration_seconds: median time of forward, backward and step.
        memory_gb: largest memory of the iterations in 10^9 bytes; see `memory_kind`.
        memory_kind: what was counted.
        batch: samples of an iteration.
        device: its name.
    """

    forward_seconds: float
    iteration_seconds: float
    memory_gb: float
    memory_kind: str
    batch: int
    device: str

    @property
    def numbers(self) -> dict[str, float]:
        """What a table shows; memory only of a GPU, as the paper's."""
        shown = {name: value for name, value in asdict(self).items() if isinstance(value, int | float)}
        if self.memory_kind != GPU_MEMORY:
            del shown["memory_gb"]
        return shown


def measure(
    loss: Callable[[], Tensor],
    optimizer: torch.optim.Optimizer,
    device: torch.device,
    *,
    batch: int,
    iterations: int = 10,
    warm_up: int = 3,
) -> Resources:
    """Run iterations and take their medians.

    Args:
        loss: forward pass and loss of the same batch each time.
        optimizer: of the network's parameters, which it changes.
        device: where all of it runs.
        batch: samples in it, for the record.
        iterations: how many are timed.
        warm_up: how many come before: the first ones choose algorithms and reserve memory.
    """
    start = _process_peak()
    for _ in range(warm_up):
        _iterate(loss, optimizer, device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    times = np.array([_iterate(loss, optimizer, device) for _ in range(iterations)])
    forward, iteration = np.median(times, axis=0).tolist()
    memory, kind = _memory(device, start)
    return Resources(forward, iteration, memory / GIGABYTE, kind, batch, _name(device))


def _iterate(loss: Callable[[], Tensor], optimizer: torch.optim.Optimizer, device: torch.device) -> tuple[float, float]:
    """Seconds of the forward pass and of the whole iteration."""
    optimizer.zero_grad(set_to_none=True)
    start = _now(device)
    value = loss()
    forward = _now(device)
    value.backward()
    optimizer.step()
    return forward - start, _now(device) - start


def _now(device: torch.device) -> float:
    """Seconds, once the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()


def _memory(device: torch.device, start: int) -> tuple[float, str]:
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device)), GPU_MEMORY
    return float(_process_peak() - start), "growth of the process's largest resident size"


def _process_peak() -> int:
    """Bytes of the largest resident size so far; 0 where the system does not count it so (Windows)."""
    if sys.platform == "win32":
        return 0
    import resource

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
