"""FreiHAND (paper, table 8), as the data set's own toolbox measures: alignment, F-scores, areas under curves.

Joints and vertices are aligned separately, mirroring allowed. `pred.json` is what its evaluation server reads.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from ..datasets.sample import Truth
from .alignment import fit_similarity
from .prediction import Errors, Prediction, TruthError, means

Array = NDArray[np.floating[Any]]

F_THRESHOLDS = {"f_5": 0.005, "f_15": 0.015}
"""Meters."""
CURVE = np.linspace(0.0, 0.05, 100)
"""Meters at which the share of correct points is taken."""
PREDICTIONS = "pred.json"
WRIST = 0


class FreiHandBenchmark:
    """PA MPJPE, PA MPVPE, F@5 mm, F@15 mm and AUC; keeps the predictions for `pred.json`."""

    ranking = "pa_mpvpe"

    def __init__(self) -> None:
        self._points: list[Array] = []
        self._vertices: list[Array] = []

    def measure(self, prediction: Prediction, truths: Sequence[Truth], batch: Mapping[str, Tensor]) -> Errors:
        """Errors of each hand.

        Raises:
            TruthError: a sample has no joints or no mesh.
        """
        points, vertices = (tensor.cpu().double().numpy() for tensor in (prediction.points, prediction.vertices))
        self._points.extend(points)
        self._vertices.extend(vertices)
        rows = [hand_errors(*hand) for hand in zip(points, vertices, truths, strict=True)]
        return {name: np.array([row[name] for row in rows]) for name in rows[0]}

    def conclude(self, errors: Errors, folder: Path) -> dict[str, float]:
        """Means over the hands, which equal the toolbox's means over joints of means over hands; writes `pred.json`."""
        write_predictions(folder / PREDICTIONS, self._points, self._vertices)
        return means(errors)


def hand_errors(points: Array, vertices: Array, truth: Truth) -> dict[str, float]:
    """All errors of one hand; lengths in millimeters.

    Args:
        points: (21, 3) meters.
        vertices: (778, 3) meters.
        truth: with points and vertices.
    """
    if truth.points is None or truth.vertices is None:
        raise TruthError("the evaluation set of FreiHAND needs evaluation_xyz.json and evaluation_verts.json")
    aligned = fit_similarity(points, truth.points)(points)
    surface = fit_similarity(vertices, truth.vertices)(vertices)
    joints = np.linalg.norm(aligned - truth.points, axis=1)
    distances = np.linalg.norm(surface - truth.vertices, axis=1)
    lengths = {"pa_mpjpe": 1000 * float(joints.mean()), "pa_mpvpe": 1000 * float(distances.mean())}
    areas = {"auc_joints": area_under_curve(joints), "auc_vertices": area_under_curve(distances)}
    return lengths | areas | f_scores(surface, truth.vertices)


def f_scores(predicted: Array, target: Array) -> dict[str, float]:
    """Harmonic mean of precision and recall at 5 and 15 mm, both (V, 3) meters.

    A point is right if the nearest vertex of the other mesh is closer than the threshold.
    """
    to_target = cKDTree(target).query(predicted)[0]
    to_predicted = cKDTree(predicted).query(target)[0]
    scores = {}
    for name, threshold in F_THRESHOLDS.items():
        precision, recall = float((to_target < threshold).mean()), float((to_predicted < threshold).mean())
        scores[name] = 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0
    return scores


def area_under_curve(distances: Array) -> float:
    """Area under the share of points within 0 to 5 cm, 0..1; distances (P,) meters."""
    shares = (distances[None] <= CURVE[:, None]).mean(axis=1)
    heights = (shares[1:] + shares[:-1]) / 2
    return float((heights * np.diff(CURVE)).sum() / (CURVE[-1] - CURVE[0]))


def write_predictions(file: Path, points: Sequence[Array], vertices: Sequence[Array]) -> None:
    """The two lists that FreiHAND's `eval.py` reads: joints and vertices in meters, relative to the wrist."""
    roots = [hand[WRIST] for hand in points]
    lists = [[np.round(part - root, 6).tolist() for part, root in zip(kind, roots, strict=True)]
             for kind in (points, vertices)]  # fmt: skip
    file.write_text(json.dumps(lists), encoding="utf-8")
