"""Random numbers for the synthetic pictures: all drawn from one `torch.Generator`, on its device."""

import torch
from torch import Tensor


def uniform(generator: torch.Generator, low: float, high: float, *shape: int) -> Tensor:
    """Uniform numbers in [low, high) of the given shape."""
    return low + (high - low) * torch.rand(shape, generator=generator, device=generator.device)


def normal(generator: torch.Generator, deviation: float, *shape: int) -> Tensor:
    """Zero-mean normal numbers of the given shape."""
    return deviation * torch.randn(shape, generator=generator, device=generator.device)


def chance(generator: torch.Generator, probability: float, *shape: int) -> Tensor:
    """Booleans of the given shape, true with the given probability."""
    return torch.rand(shape, generator=generator, device=generator.device) < probability


def choice(generator: torch.Generator, count: int, *shape: int) -> Tensor:
    """Integers from 0 to count - 1 of the given shape."""
    return torch.randint(0, count, shape, generator=generator, device=generator.device)
