"""Work on a thread of its own, so that Blender's window never waits. Plain Python, no bpy.

Blender's data must be touched on the main thread alone: the work gets plain values, and reports plain values.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Message = TypeVar("Message")
Result = TypeVar("Result")

TICK = 0.1
"""Seconds between two looks of a modal operator at its job."""
Report = Callable[[Message], None]
Cancelled = Callable[[], bool]


class Job(Generic[Message, Result]):
    """Runs `work(report, cancelled)` on a daemon thread.

    The work calls `report` with whatever the main thread shall see, in order, and asks `cancelled` often. What it
    returns or raises is what `result` returns or raises.
    """

    def __init__(self, work: Callable[[Report[Message], Cancelled], Result]) -> None:
        self._messages: deque[Message] = deque()
        self._cancel = threading.Event()
        self._result: Result | None = None
        self._error: BaseException | None = None
        self._work = work
        self._thread = threading.Thread(target=self._run, name="pose2pose job", daemon=True)
        self._thread.start()

    @property
    def finished(self) -> bool:
        """Whether `result` returns at once. Messages may still wait in `messages`."""
        return not self._thread.is_alive()

    @property
    def cancelled(self) -> bool:
        """Whether somebody called `cancel`."""
        return self._cancel.is_set()

    def messages(self) -> list[Message]:
        """What was reported since the last call, oldest first."""
        drained = []
        while self._messages:
            drained.append(self._messages.popleft())
        return drained

    def cancel(self) -> None:
        """Ask the work to stop. It then usually raises an error of its own, which `result` raises again."""
        self._cancel.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end, at most `seconds` long. Returns `finished`."""
        self._thread.join(seconds)
        return self.finished

    def result(self) -> Result:
        """What the work returned; waits for it.

        Raises:
            Whatever the work raised.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]

    def _run(self) -> None:
        try:
            self._result = self._work(self._messages.append, self._cancel.is_set)
        except BaseException as error:  # raised again where `result` is asked for
            self._error = error
