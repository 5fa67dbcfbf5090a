"""The service's end of its worker: starts it, talks to it, notices its death. See `worker.py` for what is said."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from collections import deque
from collections.abc import Callable
from typing import Any

from ..protocol import Code, Event, Failed, event_from_json, failure
from .job import within

log = logging.getLogger(__name__)

LINE_LIMIT = 2**24
"""Bytes of one message."""
LOG_LINES = 20
LAST_SECONDS = 0.5
"""How long a worker that says nothing more may take to end, and then its log."""
LAST_WORDS = 300
"""Characters of the log that are told to clients."""

Listener = Callable[[str | None, Event], None]


class WorkerDied(Exception):  # noqa: N818  it is what happened, and `failure` says what to do
    """The worker ended without being asked to."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(str(failed))
        self.failure = failed


class Worker:
    """At most one process, started when it is needed and again after it died."""

    def __init__(self, device: str, listener: Listener) -> None:
        """Does not start it yet.

        Args:
            device: for the worker's networks.
            listener: called with a job's id and an event; the id is None while the worker gets warm.
        """
        self._device = device
        self._listener = listener
        self._process: asyncio.subprocess.Process | None = None
        self._life: asyncio.Task[None] | None = None
        self._info: asyncio.Future[dict[str, Any]] | None = None
        self._log: deque[str] = deque(maxlen=LOG_LINES)

    async def warm(self) -> dict[str, Any]:
        """What the worker says about itself, as soon as it is warm; starts it if there is none.

        Raises:
            WorkerDied: before it was warm.
        """
        if self._info is None:
            self._info = asyncio.get_running_loop().create_future()
            self._life = asyncio.create_task(self._live(self._info, self._life))
        return await asyncio.shield(self._info)

    @property
    def is_warm(self) -> bool:
        """Whether `warm` would not wait."""
        return self._info is not None and self._info.done()

    def send(self, message: dict[str, Any]) -> None:
        """Give it a line. A dead worker gets nothing; whoever waits for the answer hears of its death."""
        if self._process is not None and self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(json.dumps(message).encode() + b"\n")

    def stop(self) -> None:
        """End the process at once, without telling the listener. The next `warm` starts another."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        if self._info is not None:
            self._forget(self._info, failure(Code.CANCELLED, "The process for captures was stopped."))

    async def gone(self) -> None:
        """Wait until a stopped process is no more."""
        if self._life is not None:
            await asyncio.wait({self._life})

    async def _live(self, info: asyncio.Future[dict[str, Any]], previous: asyncio.Task[None] | None) -> None:
        """One process from its start to its end; the previous one ends first, it may hold the device's memory."""
        if previous is not None:
            await asyncio.wait({previous})
        try:
            code = await self._run(info)
            failed = failure(Code.CRASHED, self._obituary(code))
        except OSError as error:
            failed = failure(Code.CRASHED, f"The process for captures cannot be started: {error}.")
        if self._info is info:
            self._forget(info, failed)
            self._listener(None, failed)

    async def _run(self, info: asyncio.Future[dict[str, Any]]) -> int:
        """Start the process, listen to it, return its exit code."""
        pipe = asyncio.subprocess.PIPE
        command = [sys.executable, "-m", f"{__package__}.worker", "--device", self._device]
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, limit=LINE_LIMIT)
        self._log.clear()
        copying = asyncio.create_task(self._copy_log(process))
        if self._info is info:  # not stopped while it started
            self._process = process
            await self._listen(process, info)
        # to signal a process that has just ended would take its exit code away from asyncio
        if not await within(LAST_SECONDS, process.wait()):
            process.kill()
        code = await process.wait()
        await asyncio.wait({copying}, timeout=LAST_SECONDS)
        return code

    async def _listen(self, process: asyncio.subprocess.Process, info: asyncio.Future[dict[str, Any]]) -> None:
        """Pass on what it says until it closes its stdout."""
        assert process.stdout is not None
        try:
            while line := await process.stdout.readline():
                message = json.loads(line)
                if "event" in message:
                    self._listener(message["job"], event_from_json(message["event"]))
                elif not info.done():
                    info.set_result(message["info"])
        except (ValueError, KeyError):
            log.exception("the worker said something that is no message")

    def _forget(self, info: asyncio.Future[dict[str, Any]], failed: Failed) -> None:
        self._process, self._info = None, None
        if not info.done():
            info.set_exception(WorkerDied(failed))
            info.exception()  # whether or not somebody waits for it

    async def _copy_log(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while line := await process.stderr.readline():
            text = line.decode(errors="replace").rstrip()
            self._log.append(text)
            print(text, file=sys.stderr, flush=True)

    def _obituary(self, code: int) -> str:
        how = f"with code {code}" if code >= 0 else f"by signal {_name(-code)}"
        why = " (often for lack of memory)" if code == -9 else ""
        last = next((line.strip() for line in reversed(self._log) if line.strip()), "")
        said = f"; its last words were: {last[:LAST_WORDS]}" if last else ""
        return f"The process for captures ended {how}{why}{said}."


def _name(number: int) -> str:
    """A signal's name; its number where it has none, as real-time signals."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
