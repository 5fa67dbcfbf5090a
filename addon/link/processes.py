"""Programs that the add-on starts: without Blender's variables, without a console window, ended with their children.

Plain Python, no bpy. The Windows branches follow Microsoft's and Python's documents and have not been run.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

POLL_SECONDS = 0.1
"""How often waiting looks whether somebody has cancelled."""

_FOREIGN = ("PYTHON", "BLENDER_", "VIRTUAL_ENV", "__PYVENV")
_OUR_PYTHONS = {"PYTHONNOUSERSITE": "1", "PYTHONSAFEPATH": "1", "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}


class StoppedError(Exception):
    """Somebody cancelled, and the program has been ended."""


def never() -> bool:
    """For callers who cannot cancel."""
    return False


def clean_environment() -> dict[str, str]:
    """The environment variables without those that would lead another Python to Blender's or a user's packages."""
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(_FOREIGN)}
    return inherited | _OUR_PYTHONS


def start_process(
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    *,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int | IO[bytes] = subprocess.STDOUT,
) -> subprocess.Popen[bytes]:
    """Start a program in a process group of its own.

    Raises:
        OSError: there is no such program, or it may not be started.
    """
    words = [str(word) for word in command]
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        return subprocess.Popen(
            words, env=dict(environment), stdin=stdin, stdout=stdout, stderr=stderr, creationflags=flags
        )
    return subprocess.Popen(
        words, env=dict(environment), stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True
    )


def end_process(process: subprocess.Popen[bytes], patience: float = 0.5) -> None:
    """End a program and everything that it started: politely, and after `patience` seconds by force."""
    if process.poll() is None:
        _signal_group(process, by_force=False)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
    _signal_group(process, by_force=True)
    with suppress(subprocess.TimeoutExpired):
        process.wait(2.0)


def _signal_group(process: subprocess.Popen[bytes], *, by_force: bool) -> None:
    if sys.platform == "win32":
        if process.poll() is None:
            _end_tree_on_windows(process.pid)
    else:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL if by_force else signal.SIGTERM)


def _end_tree_on_windows(pid: int) -> None:
    """Windows knows no polite way to end a program without a window."""
    command = ["taskkill", "/PID", str(pid), "/T", "/F"]
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            command, capture_output=True, timeout=5, creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0)
        )


def run_program(
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    *,
    on_line: Callable[[str], None],
    on_wait: Callable[[], None] = lambda: None,
    cancelled: Callable[[], bool] = never,
    timeout: float | None = None,
) -> int:
    """Run a program to its end.

    Args:
        command: the program and its arguments.
        environment: all its environment variables.
        on_line: gets every line of its output and errors, without the end of the line.
        on_wait: called about ten times a second meanwhile.
        cancelled: asked as often.
        timeout: seconds after which the program is ended as if somebody had cancelled; None for as long as it takes.

    Returns:
        Its exit code.

    Raises:
        StoppedError: cancelled, or it took too long.
        OSError: it could not be started.
    """
    process = start_process(command, environment)
    deadline = None if timeout is None else time.monotonic() + timeout
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_read_lines, args=(process, lines), daemon=True).start()
    try:
        while (line := _next_line(lines)) is not None:
            if line:
                on_line(line)
            on_wait()
            if cancelled() or (deadline is not None and time.monotonic() > deadline):
                raise StoppedError
        return process.wait()
    finally:
        end_process(process)


def _read_lines(process: subprocess.Popen[bytes], lines: queue.SimpleQueue[str | None]) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            lines.put(line.decode(errors="replace").rstrip())
    lines.put(None)


def _next_line(lines: queue.SimpleQueue[str | None]) -> str | None:
    """The next line, "" if there is none yet, None after the last."""
    try:
        return lines.get(timeout=POLL_SECONDS)
    except queue.Empty:
        return ""


def output_of(command: Sequence[str | Path], environment: Mapping[str, str], timeout: float) -> str | None:
    """What a program printed, or None if it cannot be started, failed, or took longer than `timeout` seconds."""
    lines: list[str] = []
    try:
        code = run_program(command, environment, on_line=lines.append, timeout=timeout)
    except (OSError, StoppedError):
        return None
    return "\n".join(lines) if code == 0 else None


def describe_exit(code: int | None) -> str:
    """Words for an exit code."""
    if code is None:
        return "is still running"
    if code < 0:
        with suppress(ValueError):
            return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def log_tail(log: Path, lines: int = 40) -> str:
    """The last lines of a log; "" if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 65536))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def last_words(log: Path) -> str:
    """The last line of a log that says something; of a traceback that is the error."""
    said = [line.strip() for line in log_tail(log).splitlines() if line.strip()]
    return said[-1] if said else "it wrote nothing to its log"
