"""The similarity transform of the part benchmarks, which, unlike `metrics.procrustes_align`, may mirror."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import orthogonal_procrustes

Array = NDArray[np.floating[Any]]
SMALLEST = 1e-16
"""Squared length below which a set of points has no extent; its best scale is then 0."""


@dataclass(frozen=True)
class Similarity:
    """x -> scale * x @ matrix + translation; the matrix (3, 3) is orthogonal, of either sign."""

    matrix: Array
    scale: float
    translation: Array

    def __call__(self, points: Array) -> Array:
        """(P, 3) -> (P, 3)."""
        moved: Array = self.scale * (points @ self.matrix) + self.translation
        return moved


def fit_similarity(source: Array, target: Array) -> Similarity:
    """The orthogonal matrix, scale and translation that bring source onto target with the least squared error.

    FreiHAND's toolbox divides both sets by their Frobenius norms first; the transform is the same. Points that all
    coincide (a prediction of zeros) end up in the middle of the target.

    Args:
        source: (P, 3).
        target: (P, 3).
    """
    middles = source.mean(axis=0), target.mean(axis=0)
    centered = source - middles[0]
    matrix, stretch = orthogonal_procrustes(centered, target - middles[1])
    extent = float(np.square(centered).sum())
    scale = float(stretch) / extent if extent > SMALLEST else 0.0
    return Similarity(matrix, scale, middles[1] - scale * middles[0] @ matrix)
