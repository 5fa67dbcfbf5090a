"""One capture or scan of the service, and what was said about it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

from ..protocol import ALIVE_SECONDS, LAST, CaptureRequest, Event, Progress, Queued, Selection

CONDENSED = (Progress, Queued)
"""Of several of these in a row only the newest is kept."""


class Job:
    """One capture or scan: what it was asked, what was said about it, where its files are."""

    def __init__(self, request: CaptureRequest | Selection, folder: Path) -> None:
        self.id = secrets.token_hex(8)
        self.request = request
        self.folder = folder / self.id
        self.begun = 0.0
        self.sent = False
        self._said: list[tuple[int, Event]] = []
        self._changed = asyncio.Event()

    @property
    def kind(self) -> str:
        """`capture` or `scan`."""
        return "capture" if isinstance(self.request, CaptureRequest) else "scan"

    @property
    def last(self) -> Event:
        """What was said last."""
        return self._said[-1][1]

    @property
    def ended(self) -> bool:
        """Whether nothing more will be said."""
        return bool(self._said) and isinstance(self.last, LAST)

    def say(self, event: Event) -> None:
        """Add an event for everybody who follows, unless the last one was said already."""
        if self.ended:
            return
        number = self._said[-1][0] + 1 if self._said else 1
        if self._said and isinstance(event, CONDENSED) and type(self.last) is type(event):
            self._said.pop()
        self._said.append((number, event))
        self._changed.set()
        self._changed = asyncio.Event()

    async def follow(self) -> AsyncIterator[Event | None]:
        """All events from the beginning, and on as they come until the last; None for each second of silence."""
        seen = 0
        while True:
            changed = self._changed
            fresh = [said for said in self._said if said[0] > seen]
            for number, event in fresh:
                seen = number
                yield event
            if self.ended and seen == self._said[-1][0]:
                return
            if not fresh and not await within(ALIVE_SECONDS, changed.wait()):
                yield None

    async def end(self) -> None:
        """Wait until the last event was said."""
        while not self.ended:
            await self._changed.wait()


async def within(seconds: float, awaitable: Awaitable[Any]) -> bool:
    """Whether something happened in time."""
    try:
        await asyncio.wait_for(awaitable, seconds)
    except TimeoutError:
        return False
    return True
