"""Progress and Ctrl-C for whoever runs Blender without a window. Plain Python; everything goes to stderr."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import TextIO

from ..backend.protocol import Event, Loading, Progress, Queued
from .texts import duration, stage_words, unit_of

LINE_SECONDS = 5.0
"""Between two lines of progress where lines cannot be rewritten."""
BAR_WIDTH = 24
PREFIX = "pose2pose: "


def say(sentence: str) -> None:
    """One line for the user."""
    print(PREFIX + sentence, file=sys.stderr, flush=True)


class ProgressLines:
    """Shows events: one line rewritten in place in a terminal, a line every few seconds elsewhere."""

    def __init__(self, label: str, stream: TextIO | None = None) -> None:
        self._label = label
        self._stream = stream or sys.stderr
        self._in_place = self._stream.isatty()
        self._last_time, self._last_stage, self._width = float("-inf"), "", 0

    def __enter__(self) -> ProgressLines:
        return self

    def __exit__(self, *_: object) -> None:
        if self._in_place and self._width:
            print(file=self._stream, flush=True)

    def show(self, event: Event) -> None:
        """Show an event, unless one was shown a moment ago."""
        stage, text = _describe(event)
        if not text:
            return
        now = time.monotonic()
        if self._in_place:
            line = f"{self._label}: {text}"
            print("\r" + line.ljust(self._width), end="", file=self._stream, flush=True)
            self._width = len(line)
        elif stage != self._last_stage or now - self._last_time >= LINE_SECONDS:
            print(f"{self._label}: {text}", file=self._stream, flush=True)
            self._last_stage, self._last_time = stage, now


def _describe(event: Event) -> tuple[str, str]:
    """Stage and line of an event; an empty line for those that are not progress."""
    if isinstance(event, Loading):
        return event.what, event.what
    if isinstance(event, Queued) and event.ahead:
        return "queued", f"waiting, {event.ahead} ahead"
    if not isinstance(event, Progress):
        return "", ""
    words = stage_words(event.stage)
    parts = [f"{words.lower():16}"]
    if event.total:
        filled = round(BAR_WIDTH * min(1.0, event.done / event.total))
        parts.append(f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}]")
    parts.append(f"{event.done}/{event.total or '?'} {unit_of(words)}, {event.rate:.1f} a second")
    if event.seconds_left is not None:
        parts.append(f"{duration(event.seconds_left)} left")
    return event.stage, " ".join(parts)


class Interrupts:
    """Within the block the first Ctrl-C only asks to stop; the second one raises `KeyboardInterrupt`."""

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> Callable[[], bool]:
        self._before = signal.signal(signal.SIGINT, self._ask)
        return lambda: self.asked

    def __exit__(self, *_: object) -> None:
        # None: the handler was not installed from Python (Blender's own), and cannot be set from here.
        signal.signal(signal.SIGINT, self._before if self._before is not None else signal.default_int_handler)

    def _ask(self, _signal: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        say("stopping (Ctrl-C again to leave at once)")
