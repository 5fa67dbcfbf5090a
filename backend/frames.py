"""What every kind of source gives: frames with their numbers and times, whatever they were read from."""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

FILM_DIAGONAL = math.hypot(36.0, 24.0)
"""Millimeters; a focal length "equivalent to 35 mm film" refers to this diagonal."""


class VideoError(ValueError):
    """A source cannot be read. The message names it, what was found and the way out."""


@dataclass(frozen=True)
class Frame:
    """One picture of a source."""

    index: int
    """Number in the source, from 0."""
    time: float
    """Seconds since the source's first frame, from the source's own timestamps."""
    image: Image
    """(H, W, 3) RGB, upright."""


class Source(ABC):
    """A video, an image sequence or a picture; iterating reads it from the start, as often as wanted.

    Attributes:
        path: file, folder or pattern.
        width: of the upright picture, pixels.
        height: of the upright picture, pixels.
        frame_rate: frames a second, on average; what the container says.
        count: frames in the source as far as it says so, otherwise None.
        focal: focal length in pixels if the file records it, otherwise None.
        selected: source frame numbers that iterating gives.
        damage: a sentence about where reading had to stop early; None while nothing was found broken.
        notes: sentences about decisions a user may want to know of.
    """

    def __init__(
        self,
        *,
        path: Path,
        size: tuple[int, int],
        frame_rate: float,
        count: int | None,
        focal_35mm: float | None,
        start: int | None,
        end: int | None,
        step: int,
    ) -> None:
        self.path = path
        self.width, self.height = size
        self.frame_rate = frame_rate
        self.count = count
        self.focal = None if focal_35mm is None else focal_35mm * math.hypot(*size) / FILM_DIAGONAL
        self.damage: str | None = None
        self.notes: list[str] = []
        self.selected = self._select(start, end, step)

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self.path.name

    @property
    def expected(self) -> int | None:
        """How many frames iterating will give, None if the source does not say."""
        stop = min(self.selected.stop, sys.maxsize if self.count is None else self.count)
        return len(range(self.selected.start, stop, self.selected.step)) if stop < sys.maxsize else None

    def __iter__(self) -> Iterator[Frame]:
        """Give the selected frames in order.

        Raises:
            VideoError: nothing at all could be read of the selected frames.
        """
        last = -math.inf
        empty = True
        for frame in self._read():
            empty = False
            time = frame.time if frame.time > last else last + 0.1 / self.frame_rate
            last = time
            yield Frame(index=frame.index, time=time, image=frame.image)
        if empty:
            raise VideoError(self._nothing())

    @abstractmethod
    def _read(self) -> Iterator[Frame]:
        """Decode the selected frames; sets `damage` and `count` on the way."""

    def _select(self, start: int | None, end: int | None, step: int) -> range:
        """Frames from `start` to `end`, both included, every `step`-th; a source that ends before gives a note."""
        first = 0 if start is None else start
        if step < 1:
            raise VideoError(f"step must be at least 1, got {step}")
        if first < 0 or (end is not None and end < first):
            raise VideoError(f"frames {first} to {end} were asked for: the first must be at least 0, the last not less")
        count = sys.maxsize if self.count is None else self.count
        if first >= count:
            asked = f"{first} to {'the end' if end is None else end}"
            raise VideoError(f"frames {asked} were asked for, but {self.path} has frames 0 to {count - 1}")
        if end is not None and end >= count:
            self.notes.append(f"{self.name} has {count} frames: it ends before the range that was asked for")
        last = count - 1 if end is None else min(end, count - 1)
        return range(first, last + 1, step)

    def _nothing(self) -> str:
        if self.damage is not None:
            return f"no frame of {self.path} could be read: {self.damage}; copy the file again or convert it"
        found = "has no frames" if not self.count else f"has frames 0 to {self.count - 1}"
        return f"frames from {self.selected.start} on were asked for, but {self.path} {found}"
