"""The service process that belongs to this Blender: start it, see whether it lives, stop it. Plain Python, no bpy."""

from __future__ import annotations

import queue
import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ...backend.protocol import (
    PROTOCOL_VERSION,
    TOKEN_VARIABLE,
    Code,
    Failed,
    ProtocolError,
    Ready,
    failure,
    ready_from_line,
)
from .processes import POLL_SECONDS, describe_exit, end_process, last_words, never, start_process

_STOP_SECONDS = 2.0
"""How long a service may take to end by itself after its stdin was closed."""


class BackendError(RuntimeError):
    """Whatever goes wrong between the add-on and the backend; `str` gives the sentence and what to do."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(str(failed))
        self.failure = failed


def backend_error(code: Code, message: str, remedy: str | None = None) -> BackendError:
    """An error with the usual remedy for its code, unless the caller knows a better one."""
    return BackendError(failure(code, message, remedy))


class Backend:
    """A service process that was started here. It ends when its stdin is closed, so it never outlives Blender."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, token: str, log: Path) -> None:
        self.url = url
        self.token = token
        self.pid = process.pid
        self.log = log
        self._process = process

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def ends_within(self, seconds: float) -> bool:
        """Whether the process has ended, or does so in this time: a connection breaks a moment before."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return not self.alive()

    def stop(self) -> None:
        """Let it end by itself, and end it and its worker if it does not within two seconds."""
        _close_stdin(self._process)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_SECONDS)
        end_process(self._process)

    def death(self) -> BackendError:
        """What to tell somebody who was waiting for an answer from a process that has ended."""
        ending = describe_exit(self._process.poll())
        return backend_error(Code.CRASHED, f"The backend {ending}; its log ends with: {last_words(self.log)}.")


def start_backend(
    command: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    *,
    cancelled: Callable[[], bool] = never,
    timeout: float = 60.0,
) -> Backend:
    """Start a service and wait until it listens.

    Args:
        command: program and arguments; nothing secret, everybody on the machine can read them.
        environment: all its environment variables; the token is added here.
        log: where its stderr goes; written anew.
        cancelled: asked about ten times a second.
        timeout: seconds until it must listen.

    Raises:
        BackendError: NOT_STARTED, PROTOCOL or CANCELLED. Nothing is left running then.
    """
    token = secrets.token_urlsafe(32)
    process = _launch(command, {**environment, TOKEN_VARIABLE: token}, log)
    try:
        ready = _await_ready(process, log, cancelled, timeout)
    except BaseException:
        _close_stdin(process)
        end_process(process)
        raise
    return Backend(process, ready.url, token, log)


def _launch(command: Sequence[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as errors:
            return start_process(command, environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
    except OSError as error:
        raise backend_error(
            Code.NOT_STARTED, f"The backend cannot be started with {command[0]}: {error.strerror or error}."
        ) from error


def _await_ready(process: subprocess.Popen[bytes], log: Path, cancelled: Callable[[], bool], timeout: float) -> Ready:
    first: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read_first_line, args=(process, first), daemon=True).start()
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if cancelled():
            raise backend_error(Code.CANCELLED, "Cancelled while the backend was starting.")
        with suppress(queue.Empty):
            line = first.get(timeout=POLL_SECONDS)
            return _understand(line, process, log)
    raise backend_error(
        Code.NOT_STARTED,
        f"The backend did not listen within {timeout:.0f} seconds; its log ends with: {last_words(log)}.",
    )


def _read_first_line(process: subprocess.Popen[bytes], first: queue.SimpleQueue[bytes]) -> None:
    """The first line, b"" if the process ends without one. What comes later is read so that the pipe never fills."""
    assert process.stdout is not None
    with process.stdout:
        first.put(process.stdout.readline(65536))
        while process.stdout.read(65536):
            pass


def _understand(printed: bytes, process: subprocess.Popen[bytes], log: Path) -> Ready:
    if not printed:
        raise _ended_at_once(process, log)
    line = printed.decode(errors="replace").strip()
    try:
        ready = ready_from_line(line)
    except ProtocolError as error:
        raise backend_error(
            Code.PROTOCOL, f"What was started is no pose2pose backend: it printed {line[:80]!r}."
        ) from error
    if ready.protocol != PROTOCOL_VERSION:
        raise backend_error(
            Code.PROTOCOL,
            f"The backend is pose2pose {ready.version} and speaks protocol {ready.protocol}; "
            f"this add-on speaks protocol {PROTOCOL_VERSION}.",
        )
    return ready


def _ended_at_once(process: subprocess.Popen[bytes], log: Path) -> BackendError:
    with suppress(subprocess.TimeoutExpired):  # stdout is closed a moment before the exit code is known
        process.wait(1.0)
    said = last_words(log)
    missing = "No module named" in said
    return backend_error(
        Code.NOT_STARTED,
        f"The backend {describe_exit(process.poll())} before it listened: {said}.",
        "Set Up Backend in the add-on's preferences installs what is missing." if missing else None,
    )


def _close_stdin(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
