"""Which backend to use, and the one that runs: started when first needed, restarted when dead. Plain Python, no bpy."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ...backend.protocol import Code
from ..setup.environment import damage, serve_command
from ..setup.environment_maker import environment_python
from ..setup.requirements import read_requirements
from .client import Client
from .processes import POLL_SECONDS, never
from .service import Backend, backend_error, start_backend

START_SECONDS = 60.0
_LOGS_KEPT = 5


@dataclass(frozen=True)
class Connection:
    """The preferences that lead to a backend, gathered on the main thread. Any thread may open it."""

    kind: str
    """MANAGED: the environment that Set Up Backend makes; PYTHON: somebody's own; SERVER: a service elsewhere."""
    folder: Path
    """Where this add-on keeps the environment and the logs."""
    python_path: str = ""
    server_url: str = ""
    server_token: str = field(default="", repr=False)
    device: str = "auto"

    @property
    def environment(self) -> Path:
        """The managed environment's folder; short, because paths may not be long on Windows."""
        return self.folder / "env"

    @property
    def setup_log(self) -> Path:
        """What Set Up Backend wrote last."""
        return self.folder / "setup.log"

    @property
    def service_log(self) -> Path:
        """What the service writes that this process starts."""
        return self.folder / f"service-{os.getpid()}.log"

    @property
    def previous_log(self) -> Path:
        """What the service before it wrote, which may have crashed."""
        return self.folder / f"service-{os.getpid()}-previous.log"

    @property
    def python(self) -> Path:
        """The Python in which the service runs."""
        return environment_python(self.environment) if self.kind == "MANAGED" else Path(self.python_path)

    def problem(self) -> str:
        """What must be entered or set up before it can be opened; "" if it can be tried. Reads two small files."""
        if self.kind == "SERVER":
            return "" if self.server_url else "Enter the service's URL in the add-on's preferences."
        if self.kind == "PYTHON":
            return "" if self.python_path else "Choose the backend's Python in the add-on's preferences."
        try:
            return damage(self.environment, read_requirements())
        except FileNotFoundError as error:
            return str(error)

    def open(self, cancelled: Callable[[], bool] = never) -> Client:
        """A client for the service, which is started if none runs, or another one than these preferences ask for.

        Raises:
            BackendError: NOT_STARTED, PROTOCOL, UNREACHABLE (the address is none) or CANCELLED.
        """
        if self.kind == "SERVER":
            if not self.server_url:
                raise backend_error(Code.UNREACHABLE, "The address of the service is missing.")
            return Client(self.server_url, self.server_token)
        backend = _RUNNING.get(self, cancelled)
        return Client(backend.url, backend.token, backend)

    def start(self, cancelled: Callable[[], bool]) -> Backend:
        """Start a service of its own for these preferences."""
        if problem := self.problem():
            raise backend_error(Code.NOT_STARTED, problem, "Press Set Up Backend in the add-on's preferences.")
        if self.service_log.exists():
            self.service_log.replace(self.previous_log)
        _remove_old_logs(self.folder)
        command, environment = serve_command(self.python, self.device)
        return start_backend(command, environment, self.service_log, cancelled=cancelled, timeout=START_SECONDS)


class _Running:
    """The service of this process and the preferences it was started with."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._backend: Backend | None = None
        self._stops = 0

    def get(self, connection: Connection, cancelled: Callable[[], bool]) -> Backend:
        stops = self._stops

        def give_up() -> bool:
            return cancelled() or self._stops != stops

        while not self._lock.acquire(timeout=POLL_SECONDS):  # somebody else is starting one
            if give_up():
                raise backend_error(Code.CANCELLED, "Cancelled.")
        try:
            if self._backend is not None and self._backend.alive() and self._connection == connection:
                return self._backend
            self._stop()
            self._backend, self._connection = connection.start(give_up), connection
            return self._backend
        finally:
            self._lock.release()

    def stop(self) -> None:
        self._stops += 1  # whoever is starting one gives up and releases the lock
        with self._lock:
            self._stop()

    def current(self) -> Backend | None:
        return self._backend if self._backend is not None and self._backend.alive() else None

    def _stop(self) -> None:
        backend, self._backend = self._backend, None
        if backend is not None:
            backend.stop()


_RUNNING = _Running()
atexit.register(_RUNNING.stop)


def running_backend() -> Backend | None:
    """The service that runs, if one was started here."""
    return _RUNNING.current()


def stop_backend() -> None:
    """End the service, if one was started here. The next `open` starts another."""
    _RUNNING.stop()


def _remove_old_logs(folder: Path) -> None:
    """Every Blender process writes a log of its own; the newest ones stay."""
    logs = sorted(folder.glob("service-*.log"), key=lambda log: log.stat().st_mtime)
    for log in logs[:-_LOGS_KEPT]:
        log.unlink(missing_ok=True)
