"""Every link of the chain from the add-on to a working backend, and a report that can be sent. Plain Python, no bpy.

The first broken link says what to do. Links that hang on it are not looked at, so that one cause gives one message.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...backend.motion.body_file import BodyFileError, load_body
from ...backend.protocol import PROTOCOL_VERSION, Code
from ..link.client import BackendError, Client
from ..link.connection import Connection
from ..link.exchange import travels_openly
from ..link.processes import StoppedError, log_tail, never
from .environment import damage, installed
from .environment_maker import SetupError, check_packages
from .pythons import probe
from .requirements import read_requirements

LEAST_FREE_GIGABYTES = 1.0
"""What takes, uploads and temporary pictures need for comfort."""

Finding = str
"""A sentence about what was found and is in order."""


@dataclass(frozen=True)
class Check:
    """One link."""

    name: str
    ok: bool | None
    """None: not looked at, because an earlier link is broken."""
    sentence: str

    def __str__(self) -> str:
        return f"{ {True: 'ok', False: 'BROKEN', None: 'not checked'}[self.ok]:11}  {self.name}: {self.sentence}"


class BrokenError(Exception):
    """A link is broken; the text says what was found and what to do."""


def diagnose(connection: Connection, body: Path | None, cancelled: Callable[[], bool] = never) -> Iterator[Check]:
    """Look at one link after the other; each is given out as soon as it is known.

    Args:
        connection: the backend that the preferences name.
        body: a licensed body file; None for the open body.
        cancelled: asked often.

    Raises:
        StoppedError: cancelled.
    """
    chain = _Chain(connection, cancelled)
    links = [("Address", chain.address)] if connection.kind == "SERVER" else list(chain.process_links().items())
    links += [("Service answers", chain.answer), ("Weights", chain.weights), ("Device", chain.device)]
    broken = ""
    for name, look in links:
        check = Check(name, None, f"needs {broken}") if broken else _look(name, look)
        if check.ok is False:
            broken = f"'{name}'"
        yield check
    yield _look("Body model", lambda: body_sentence(body))
    yield _look("Disk space", lambda: _disk_space(connection.folder))


def report_text(checks: Sequence[Check], facts: dict[str, str], logs: Sequence[Path], secrets: Sequence[str]) -> str:
    """Everything that somebody needs who shall help; without the secrets, wherever they stand."""
    lines = ["pose2pose report", ""]
    lines += [f"{name}: {value}" for name, value in {"system": platform.platform(), **facts}.items()]
    lines += ["", *map(str, checks)]
    for log in logs:
        lines += ["", f"--- the end of {log}", log_tail(log) or "(there is none)"]
    text = "\n".join(lines)
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return text


def body_sentence(path: Path | None) -> str:
    """What a body file is, with its license.

    Raises:
        BodyFileError: it is no body model.
    """
    body = load_body(path)
    if path is None:
        return f"the open body, {len(body.v_template)} vertices, CC0: free for every use"
    return f"{path.name}, {len(body.v_template)} vertices, under the license that came with it"


def _look(name: str, look: Callable[[], Finding]) -> Check:
    try:
        return Check(name, True, look())
    except BackendError as error:
        if error.failure.code == Code.CANCELLED:
            raise StoppedError from error
        return Check(name, False, str(error))
    except (BrokenError, SetupError, BodyFileError, OSError) as error:
        return Check(name, False, str(error))


class _Chain:
    """The links, each a function that returns what it found or raises; later ones use what earlier ones found."""

    def __init__(self, connection: Connection, cancelled: Callable[[], bool]) -> None:
        self._connection = connection
        self._cancelled = cancelled
        self._client: Client | None = None
        self._info: dict[str, Any] = {}

    def process_links(self) -> dict[str, Callable[[], Finding]]:
        links = {"Python starts": self.python, "Packages": self.packages, "Service starts": self.service}
        return {"Set up": self.environment, **links} if self._connection.kind == "MANAGED" else links

    def environment(self) -> Finding:
        folder = self._connection.environment
        if problem := damage(folder, read_requirements()):
            raise BrokenError(f"{problem} Press Set Up Backend.")
        return f"{installed(folder)}, in {folder}"

    def python(self) -> Finding:
        if not self._connection.python_path and self._connection.kind == "PYTHON":
            raise BrokenError("No Python is chosen. Choose the one of an environment that has the backend's packages.")
        found = probe(self._connection.python)
        if found is None:
            raise BrokenError(f"{self._connection.python} is no Python that starts. {self._repair('Choose another.')}")
        if found.version_problem:
            raise BrokenError(f"{found.version_problem} {self._repair('Choose another.')}")
        return f"{found.path}, Python {'.'.join(map(str, found.version))}"

    def packages(self) -> Finding:
        try:
            found = check_packages(self._connection.python, read_requirements(), cancelled=self._cancelled)
        except SetupError as error:
            raise BrokenError(f"{error} {self._repair('Install what is missing there.')}") from error
        return ", ".join(f"{name} {version}" for name, version in found["packages"].items())

    def service(self) -> Finding:
        self._client = self._connection.open(self._cancelled)
        backend = self._client.backend
        return f"process {backend.pid} at {backend.url}" if backend is not None else self._client.url

    def address(self) -> Finding:
        self._client = self._connection.open(self._cancelled)
        if travels_openly(self._client.url):
            return f"{self._client.url}; token and video travel unencrypted, so use it in a network you trust"
        return self._client.url

    def answer(self) -> Finding:
        assert self._client is not None
        self._info = self._client.info(self._cancelled)
        return f"pose2pose {self._info.get('version')}, protocol {self._info.get('protocol', PROTOCOL_VERSION)}"

    def weights(self) -> Finding:
        missing = self._info.get("missing", [])
        if missing:
            raise BrokenError(f"Missing where the service runs: {'; '.join(map(str, missing))}")
        return ", ".join(str(file.get("file")) for file in self._info.get("weights", []))

    def device(self) -> Finding:
        return f"{self._info.get('device')}; there are {', '.join(map(str, self._info.get('devices', [])))}"

    def _repair(self, otherwise: str) -> str:
        return "Press Set Up Backend." if self._connection.kind == "MANAGED" else otherwise


def _disk_space(folder: Path) -> Finding:
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(place).free / 1e9
    if free < LEAST_FREE_GIGABYTES:
        raise BrokenError(f"{place} has {free:.2f} GB free; free at least {LEAST_FREE_GIGABYTES:.0f} GB.")
    return f"{free:.0f} GB free in {place}"
