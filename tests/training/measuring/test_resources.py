"""Memory and time of an iteration, measured on networks whose costs are known."""

import time

import pytest
import torch
from torch import Tensor

from pose2pose.training.measuring.resources import measure


def test_times_of_forward_and_whole_iteration_are_told_apart() -> None:
    weight = torch.nn.Parameter(torch.ones(3))
    slow = torch.optim.SGD([weight], 0.1)
    step = slow.step

    def slow_step() -> None:
        time.sleep(0.03)
        step()

    slow.step = slow_step  # type: ignore[method-assign,assignment]

    def loss() -> Tensor:
        time.sleep(0.02)
        return weight.square().sum()

    found = measure(loss, slow, torch.device("cpu"), batch=4, iterations=5, warm_up=1)
    assert found.forward_seconds >= 0.02
    assert found.iteration_seconds - found.forward_seconds >= 0.03
    assert found.batch == 4
    assert weight[0] < 1  # it did learn


def test_memory_of_a_cpu_is_the_growth_of_the_process_and_says_so() -> None:
    weight = torch.nn.Parameter(torch.ones(1))

    def loss() -> Tensor:
        return (weight * torch.ones(100 * 2**18)).sum()  # products and their gradients: 100 MiB each

    found = measure(loss, torch.optim.SGD([weight], 0.1), torch.device("cpu"), batch=1, iterations=1, warm_up=0)
    assert "resident" in found.memory_kind
    # what the process had held before and given back does not count again
    assert 0 <= found.memory_gb < 2
    # a second network in the same process would seem to need less: no number for a table
    assert set(found.numbers) == {"forward_seconds", "iteration_seconds", "batch"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_memory_of_a_gpu_is_the_peak_of_an_iteration() -> None:
    device = torch.device("cuda")
    weight = torch.nn.Parameter(torch.ones(64 * 2**18, device=device))  # 64 MiB, and as much for its gradient

    def loss() -> Tensor:
        return weight.square().sum()

    found = measure(loss, torch.optim.SGD([weight], 0.1), device, batch=1, iterations=2, warm_up=1)
    assert 2 * 64 * 2**20 < found.memory_gb * 1e9 < 6 * 64 * 2**20
    assert "GPU" in found.memory_kind
    assert "memory_gb" in found.numbers
