"""Distances of points to a surface of triangles, exact.

scipy has no such query, and a package that has one (trimesh) searches one point at a time through an index of boxes.
Here `cKDTree` names candidates by their middles and a bound says when no other triangle can be closer.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Array = NDArray[np.floating[Any]]
Indices = NDArray[np.integer[Any]]

GROUPS = 4
"""Triangles are searched by size: one large triangle makes the bound useless for all that share a search with it."""
CANDIDATES = 8
GROWTH = 4
CHUNK = 8192
"""Points at once, for memory."""
SMALLEST = 1e-30


def surface_distances(points: Array, vertices: Array, triangles: Indices) -> Array:
    """Distance of each point to the nearest point of any triangle.

    Args:
        points: (N, 3).
        vertices: (V, 3), in the same unit.
        triangles: (F, 3) indices of vertices.

    Returns:
        (N,).
    """
    corners = vertices[triangles].astype(np.float64)
    centers = corners.mean(axis=1)
    radii = np.linalg.norm(corners - centers[:, None], axis=2).max(axis=1)
    best: Array = cKDTree(corners.reshape(-1, 3)).query(points)[0]
    for group in np.array_split(np.argsort(radii), min(GROUPS, len(radii))):
        tree = cKDTree(centers[group])
        for start in range(0, len(points), CHUNK):
            part = slice(start, start + CHUNK)
            best[part] = _nearer(points[part], best[part], tree, corners[group], float(radii[group].max()))
    return best


def _nearer(points: Array, best: Array, tree: cKDTree, corners: Array, reach: float) -> Array:
    """The smaller of each point's distance so far and that to a group of triangles whose corners lie within reach."""
    best, first, last = best.copy(), 0, CANDIDATES
    left = np.arange(len(points))
    while len(left) and first < len(corners):
        last = min(last, len(corners))
        middles, found = tree.query(points[left], k=np.arange(first + 1, last + 1))
        close = middles - reach < best[left, None]
        rows, columns = np.nonzero(close)
        squares = np.full(close.shape, np.inf)
        squares[rows, columns] = squared_distances(points[left[rows]], corners[found[rows, columns]])
        best[left] = np.minimum(best[left], np.sqrt(squares.min(axis=1)))
        left = left[middles[:, -1] - reach < best[left]]
        first, last = last, last * GROWTH
    return best


def squared_distances(points: Array, corners: Array) -> Array:
    """Squared distance of each point to its own triangle.

    Args:
        points: (N, 3).
        corners: (N, 3, 3); triangles without area count as the lines or points that they are.

    Returns:
        (N,).
    """
    edges = np.roll(corners, -1, axis=1) - corners
    offsets = points[:, None] - corners
    along = (offsets * edges).sum(axis=2) / np.maximum((edges * edges).sum(axis=2), SMALLEST)
    to_edges = np.square(offsets - np.clip(along, 0, 1)[..., None] * edges).sum(axis=2).min(axis=1)
    normal = np.cross(edges[:, 0], -edges[:, 2])
    area = (normal * normal).sum(axis=1)
    inside = ((np.cross(edges, offsets) * normal[:, None]).sum(axis=2) >= 0).all(axis=1) & (area > SMALLEST)
    heights = np.square((offsets[:, 0] * normal).sum(axis=1)) / np.maximum(area, SMALLEST)
    squares: Array = np.where(inside, heights, to_edges)
    return squares
