"""A small depth buffer of the face seen from the front, in which landmarks are looked up."""

from dataclasses import dataclass

import numpy as np

from .geometry import Flags, Floats, Integers

_PIXEL = 0.00025
_HALF_WIDTH, _HALF_HEIGHT = 0.11, 0.15
_FACE_DEPTH, _LIP_DEPTH = 0.025, 0.008


@dataclass(frozen=True)
class Seen:
    """The visible pixels of one area."""

    x: Floats
    """(N,) meters."""
    y: Floats
    """(N,) meters."""

    def x_range(self, margin: float = 0.0) -> tuple[float, float]:
        """Leftmost and rightmost place, moved in by a margin."""
        return float(self.x.min() + margin), float(self.x.max() - margin)

    def column(self, x: float) -> Floats:
        """Heights of the area's pixels nearest to x, from low to high."""
        nearest = self.x[np.argmin(np.abs(self.x - x))]
        return np.sort(self.y[self.x == nearest])

    def top(self, x: float) -> tuple[float, float]:
        """Upper edge at x."""
        return x, float(self.column(x)[-1])

    def bottom(self, x: float) -> tuple[float, float]:
        """Lower edge at x."""
        return x, float(self.column(x)[0])

    def middle(self, x: float) -> tuple[float, float]:
        """Halfway between the edges at x."""
        return x, float(np.median(self.column(x)))


class FrontView:
    """Orthographic view along -z of the part of a mesh around a center.

    Args:
        vertices: (V, 3) meters, facing +z.
        faces: (F, 3).
        center: (3,) middle of the picture.
    """

    def __init__(self, vertices: Floats, faces: Integers, center: Floats) -> None:
        self._vertices, self._faces = vertices, faces
        # Pixel centers mirror each other about x = 0.
        self._xs = (np.arange(round(2 * _HALF_WIDTH / _PIXEL)) + 0.5) * _PIXEL - _HALF_WIDTH
        self._ys = center[1] + (np.arange(round(2 * _HALF_HEIGHT / _PIXEL)) + 0.5) * _PIXEL - _HALF_HEIGHT
        self._depth = np.full((len(self._ys), len(self._xs)), -np.inf)
        self._triangle = np.full(self._depth.shape, -1)
        for triangle in self._candidates(center):
            self._draw(triangle)

    def hit(self, x: float, y: float) -> tuple[int, Floats]:
        """Foremost triangle at a place and the barycentric coordinates (3,) in it.

        Raises:
            ValueError: if no triangle is there.
        """
        triangle = int(self._triangle[self._row(y), self._column(x)])
        if triangle < 0:
            raise ValueError(f"no skin in front of x = {x:.4f}, y = {y:.4f} m: the landmark's rule missed the face")
        corners = self._vertices[self._faces[triangle]]
        place = np.clip(_barycentric(corners, np.array([x]), np.array([y]))[:, 0, 0], 0.0, None)
        return triangle, place / place.sum()

    def seen(self, area: Flags) -> Seen:
        """Pixels whose triangle belongs to an area of vertices (V,), without what lies deep in the mouth."""
        shown = (self._triangle >= 0) & area[self._faces[self._triangle]].all(axis=2)
        shown &= self._depth > self._depth[shown].max() - _FACE_DEPTH
        rows, columns = np.nonzero(shown)
        return Seen(x=self._xs[columns], y=self._ys[rows])

    def nearest_on_middle(self, top: float, bottom: float) -> tuple[float, float]:
        """Depth and height of the foremost place on x = 0 between two heights."""
        depths, heights = self._middle(top, bottom)
        return float(depths.max()), float(heights[depths.argmax()])

    def deepest_on_middle(self, top: float, bottom: float) -> tuple[float, float]:
        """Height and depth of the place farthest back on x = 0 between two heights."""
        depths, heights = self._middle(top, bottom)
        return float(heights[depths.argmin()]), float(depths.min())

    def seam(self, lips: Seen, x: float) -> tuple[float, float]:
        """The deepest place in the middle half of the lips at x, but not what is seen between them."""
        heights = lips.column(x)
        inner = heights[len(heights) // 4 : 3 * len(heights) // 4 + 1]
        depths = self._depth[[self._row(y) for y in inner], self._column(x)]
        on_lips = np.where(depths > depths.max() - _LIP_DEPTH, depths, np.inf)
        return x, float(inner[on_lips.argmin()])

    def _middle(self, top: float, bottom: float) -> tuple[Floats, Floats]:
        rows = np.nonzero((self._ys <= top) & (self._ys >= bottom))[0]
        return self._depth[rows, self._column(0.0)], self._ys[rows]

    def _row(self, y: float) -> int:
        return int(np.argmin(np.abs(self._ys - y)))

    def _column(self, x: float) -> int:
        return int(np.argmin(np.abs(self._xs - x)))

    def _candidates(self, center: Floats) -> Integers:
        """Triangles inside the picture that face the viewer."""
        corners = self._vertices[self._faces]
        middles = corners.mean(axis=1)
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        inside = (np.abs(middles - center)[:, :2] < (_HALF_WIDTH - 0.01, _HALF_HEIGHT - 0.01)).all(axis=1)
        return np.nonzero(inside & (normals[:, 2] > 0))[0]

    def _draw(self, triangle: int) -> None:
        corners = self._vertices[self._faces[triangle]]
        low, high = corners.min(axis=0), corners.max(axis=0)
        columns = slice(np.searchsorted(self._xs, low[0]), np.searchsorted(self._xs, high[0]))
        rows = slice(np.searchsorted(self._ys, low[1]), np.searchsorted(self._ys, high[1]))
        place = _barycentric(corners, self._xs[columns], self._ys[rows])
        depth = np.tensordot(corners[:, 2], place, axes=1)
        front = (place >= -1e-9).all(axis=0) & (depth > self._depth[rows, columns])
        self._depth[rows, columns][front] = depth[front]
        self._triangle[rows, columns][front] = triangle


def _barycentric(corners: Floats, xs: Floats, ys: Floats) -> Floats:
    """Coordinates (3, len(ys), len(xs)) of a grid of places in the triangle (3, 3) seen along z."""
    (ax, ay), (bx, by), (cx, cy) = corners[:, :2]
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    x, y = xs[None, :], ys[:, None]
    a = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
    b = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
    return np.stack([a, b, 1 - a - b])
