"""The camera that filmed: what is known of its focal length."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .frames import Source, VideoError

FILM_WIDTH = 36.0
"""Millimeters."""
ASSUMED_FIELD_OF_VIEW = 60.0
"""Degrees over the longer side, about what phones and webcams see when they film. On the clips of the model card, whose
cameras see 60, a view assumed at 69 costs nothing and one assumed at 47, the picture's diagonal, 1 to 2 mm."""


@dataclass(frozen=True)
class Lens:
    """A pinhole camera with its principal point in the middle of the picture."""

    focal: float
    """Pixels."""
    size: tuple[int, int]
    """Width and height in pixels."""
    origin: str
    """Where the focal length comes from: `file`, `given` or `assumed`."""

    @property
    def focal_xy(self) -> NDArray[np.float64]:
        """(2,) pixels."""
        return np.full(2, self.focal)

    @property
    def principal_point(self) -> NDArray[np.float64]:
        """(2,) pixels."""
        return np.array(self.size) / 2

    def project(self, points: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """(..., 3) meters in camera axes -> (..., 2) pixels."""
        depth = np.maximum(points[..., 2:], 1e-3)
        return np.asarray(points[..., :2] / depth * self.focal + self.principal_point)

    @property
    def field_of_view(self) -> float:
        """Degrees over the longer side of the picture."""
        return math.degrees(2 * math.atan(max(self.size) / 2 / self.focal))

    @property
    def millimeters(self) -> float:
        """What photographers call it: the focal length of the same view on 36 mm film."""
        return self.focal / max(self.size) * FILM_WIDTH


def choose_lens(source: Source, *, focal: float | None = None, fov: float | None = None) -> Lens:
    """What the user gives counts first, then what the file records; else the view is assumed.

    Args:
        source: the video or picture.
        focal: pixels.
        fov: field of view over the longer side in degrees; not together with `focal`.

    Raises:
        VideoError: a focal length or a field of view that no camera has.
    """
    size = (source.width, source.height)
    if focal is not None and not focal > 0:
        raise VideoError(f"the focal length must be positive, got {focal:g} px")
    if fov is not None and not 0 < fov < 180:
        raise VideoError(f"the field of view must lie between 0 and 180 degrees, got {fov:g}")
    if focal is not None:
        return Lens(focal, size, "given")
    if fov is not None:
        return Lens(_focal(fov, size), size, "given")
    if source.focal is not None:
        return Lens(source.focal, size, "file")
    return Lens(_focal(ASSUMED_FIELD_OF_VIEW, size), size, "assumed")


def _focal(field_of_view: float, size: tuple[int, int]) -> float:
    """Pixels for a field of view in degrees over the longer side."""
    return max(size) / 2 / math.tan(math.radians(field_of_view) / 2)
