"""Progress bars and Ctrl-C in a terminal."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .progress import Progress

STAGES = {"detect": "finding people", "capture": "capturing", "refine": "refining", "overlay": "drawing overlay"}


class Bars:
    """One progress bar for each stage, with frames a second and the time left."""

    def __init__(self) -> None:
        self._stage = ""
        self._bar: Any = None

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, message: Progress) -> None:
        """Move the bar of the message's stage; a new stage begins a new bar."""
        from tqdm import tqdm

        if message.stage != self._stage:
            self.__exit__()
            self._stage = message.stage
            self._bar = tqdm(desc=f"{STAGES[message.stage]:15}", total=message.total, unit="frame", dynamic_ncols=True)
        self._bar.set_postfix_str(f"{message.people} people" if message.people != 1 else "1 person", refresh=False)
        self._bar.update(message.done - self._bar.n)

    def note(self, text: str) -> None:
        """Say a sentence without breaking the bar."""
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr)


class Interrupts:
    """Within the block the first Ctrl-C only asks to stop; the second one ends the program."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._asked = False

    def __enter__(self) -> Callable[[], bool]:
        self._before = signal.signal(signal.SIGINT, self._ask)
        return lambda: self._asked

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _ask(self, _signal: int, _frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        self._note("stopping; what is done is kept (Ctrl-C again to leave at once)")
