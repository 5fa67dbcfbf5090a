"""How far a capture is, and where its time goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from .protocol import Progress

__all__ = ["Meter", "Progress", "Report", "Stopwatch"]

Item = TypeVar("Item")

REPORT_SECONDS = 0.1

Report = Callable[[Progress], None]


class Meter:
    """Turns a count of frames into progress messages, a few a second at most."""

    def __init__(self, report: Report | None, *, stage: str, total: int | None, people: int = 0) -> None:
        self._report = report
        self._stage = stage
        self._total = total
        self._start = time.perf_counter()
        self._last = -REPORT_SECONDS
        self.people = people
        self.done = 0

    def advance(self, frames: int = 1) -> None:
        """Count frames, and report if it is time to, or if these were the last."""
        self.done += frames
        passed = time.perf_counter() - self._start
        if self._report is None or (passed - self._last < REPORT_SECONDS and self.done != self._total):
            return
        self._last = passed
        rate = self.done / max(passed, 1e-9)
        left = None if self._total is None or not self.done else max(self._total - self.done, 0) / rate
        self._report(Progress(self._stage, self.done, self._total, rate, left, self.people))


class Stopwatch:
    """Seconds spent in each stage of the work."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Count what happens inside the `with` block for a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - start

    def add(self, seconds: dict[str, float]) -> None:
        """Count what another watch measured."""
        for stage, spent in seconds.items():
            self.seconds[stage] += spent

    def each(self, items: Iterable[Item], stage: str) -> Iterator[Item]:
        """Iterate, counting the time that getting the items takes."""
        iterator = iter(items)
        while True:
            with self(stage):
                item = next(iterator, None)
            if item is None:
                return
            yield item
