"""What protocols measure: a prediction turned into a mesh, and what they share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..datasets.sample import Truth

Array = NDArray[np.floating[Any]]
Errors = dict[str, Array]
"""Names of metrics -> (B,) one number for each sample, NaN where the sample has nothing to measure it by."""


@dataclass(frozen=True)
class Prediction:
    """What a network says about B samples, after the human model.

    Attributes:
        vertices: (B, V, 3) meters, camera axes, the root wherever the human model leaves it.
        points: (B, J, 3) the supervision points of the human model, in the same axes.
        boxes: (B, 3, 4) left hand, right hand, face: x, y, x, y in pixels of the crop, as predicted; None for a network
            of one part.
    """

    vertices: Tensor
    points: Tensor
    boxes: Tensor | None = None


class Benchmark(Protocol):
    """One protocol on one test set.

    Attributes:
        ranking: name of the error by which the worst samples are found.
    """

    ranking: str

    def measure(self, prediction: Prediction, truths: Sequence[Truth], batch: Mapping[str, Tensor]) -> Errors:
        """Errors of a batch, in the order of the test set.

        Args:
            prediction: of the batch.
            truths: what the test set knows about each sample.
            batch: the examples that the network saw, on the prediction's device.
        """

    def conclude(self, errors: Errors, folder: Path) -> dict[str, float]:
        """The numbers that the protocol reports.

        Args:
            errors: of all batches, joined.
            folder: where files go that the protocol itself asks for.
        """


class TruthError(ValueError):
    """A test set does not know what its protocol measures against."""


def means(errors: Errors) -> dict[str, float]:
    """The mean of each error over the samples that have it; an error that no sample has is left out."""
    return {name: float(np.nanmean(values)) for name, values in errors.items() if not np.isnan(values).all()}


def stacked(arrays: Sequence[Array | None], what: str, like: Tensor) -> Tensor:
    """Ground truth of a batch as a tensor of the prediction's type, on its device.

    Args:
        arrays: one for each sample.
        what: its name in the error.
        like: tells type and device.

    Raises:
        TruthError: a sample does not have it.
    """
    known = [array for array in arrays if array is not None]
    if len(known) < len(arrays):
        raise TruthError(f"the test set has no {what} for {len(arrays) - len(known)} of {len(arrays)} samples")
    return torch.from_numpy(np.stack(known)).to(like)


def numbers(values: Tensor) -> Array:
    """(B,) as an array of 64-bit numbers."""
    array: Array = values.cpu().double().numpy()
    return array
