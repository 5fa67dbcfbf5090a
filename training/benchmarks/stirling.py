"""Stirling/ESRC 3D faces (paper, table 9): distances of a scan's points to the predicted surface.

Feng et al., "Evaluation of dense 3D reconstruction from 2D face images in the wild", FG 2018: seven landmarks bring
the prediction onto the scan, mirroring allowed; points of the scan count within a sphere around the middle of the face.

Neither the paper nor any released code says how distances become one number. The rule here: mean, median and standard
deviation over the points of all scans pooled, as for RingNet, with which the table compares; the same three of each
picture for itself, averaged over the pictures, stand beside them as `..._per_image`.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..datasets.sample import Truth
from .alignment import fit_similarity
from .prediction import Errors, Prediction, TruthError, means
from .surface import surface_distances

Array = NDArray[np.floating[Any]]

LANDMARKS = (24, 27, 30, 33, 21, 36, 42)
"""Among FLAME's 73 points, in the order of the scans' seven: right eye outer, inner, left eye inner, outer, bottom of
the nose, right and left corner of the mouth."""


def statistics(distances: Array) -> dict[str, float]:
    """Mean, median and standard deviation (of the population)."""
    return {"mean": float(distances.mean()), "median": float(np.median(distances)), "std": float(distances.std())}


class StirlingBenchmark:
    """Mean, median and standard deviation of scan-to-surface distances, millimeters.

    Args:
        triangles: (F, 3) of the predicted mesh.
    """

    ranking = "mean"

    def __init__(self, *, triangles: NDArray[np.integer[Any]]) -> None:
        self.triangles = triangles
        self._distances: list[NDArray[np.float32]] = []

    def measure(self, prediction: Prediction, truths: Sequence[Truth], batch: Mapping[str, Tensor]) -> Errors:
        """Mean, median and standard deviation of each picture; its distances are kept for the pooled numbers."""
        points, meshes = (tensor.cpu().double().numpy() for tensor in (prediction.points, prediction.vertices))
        distances = [
            self._face(landmarks[list(LANDMARKS)], mesh, truth)
            for landmarks, mesh, truth in zip(points, meshes, truths, strict=True)
        ]
        self._distances.extend(face.astype(np.float32) for face in distances)
        rows = [statistics(face) for face in distances]
        return {name: np.array([row[name] for row in rows]) for name in rows[0]}

    def conclude(self, errors: Errors, folder: Path) -> dict[str, float]:
        """`mean`, `median`, `std` of all points pooled, and the means over the pictures of their own."""
        pooled = np.concatenate(self._distances).astype(np.float64)
        return statistics(pooled) | {f"{name}_per_image": value for name, value in means(errors).items()}

    def _face(self, landmarks: Array, vertices: Array, truth: Truth) -> Array:
        if truth.scan is None or truth.landmarks is None:
            raise TruthError("a Stirling picture needs its scan (.obj) and the seven landmarks on it (.lnd)")
        align = fit_similarity(landmarks, truth.landmarks)
        return surface_distances(face_points(truth.scan, truth.landmarks), align(vertices), self.triangles)


def face_points(scan: Path, landmarks: Array) -> Array:
    """Points of a scan that are measured, (N, 3) millimeters.

    Args:
        scan: the `.obj`.
        landmarks: (7, 3) on it.

    Raises:
        TruthError: none lie within the sphere.
    """
    center, radius = face_sphere(landmarks)
    points = scan_points(scan)
    inside: Array = points[np.linalg.norm(points - center, axis=1) <= radius]
    if not len(inside):
        raise TruthError(f"{scan} has no points near its landmarks; do the two belong together?")
    return inside


def face_sphere(landmarks: Array) -> tuple[Array, float]:
    """Center (3,) and radius of the measured part of a face with seven landmarks (7, 3)."""
    outer_right, inner_right, inner_left, outer_left, bottom = landmarks[:5]
    bridge = (inner_right + inner_left) / 2
    width, height = np.linalg.norm(outer_right - outer_left), np.linalg.norm(bridge - bottom)
    center: Array = bottom + 0.3 * (bridge - bottom)
    return center, float(1.2 * (width + height) / 2)


@lru_cache(maxsize=8)
def scan_points(scan: Path) -> Array:
    """The vertices (N, 3) of an `.obj`; pictures of one person follow each other, so a few are kept.

    Raises:
        TruthError: the file has none, or cannot be read.
    """
    try:
        with scan.open(encoding="utf-8", errors="replace") as lines:
            points = np.array([line.split()[1:4] for line in lines if line.startswith("v ")], dtype=np.float64)
    except (OSError, ValueError) as error:
        raise TruthError(f"cannot read the scan {scan}: {error}") from error
    if not len(points):
        raise TruthError(f"{scan} has no vertices")
    return points
