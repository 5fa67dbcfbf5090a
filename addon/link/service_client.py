"""Speaks to one service over HTTP: information, uploads, jobs, their events and results. Plain Python, no bpy.

Everything that can take long runs on a thread of its own, so that cancelling works within a quarter of a second.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from ...backend.protocol import (
    LAST,
    PROTOCOL_VERSION,
    VERSION_HEADER,
    CaptureRequest,
    Code,
    Event,
    Progress,
    ProtocolError,
    Selection,
    event_from_line,
    failed_from_json,
)
from ..jobs import Cancelled, Job, Report
from ..pictures import source_files
from .exchange import Exchange, RefusedError, parse_address
from .processes import POLL_SECONDS, never
from .service import Backend, BackendError, backend_error
from .uploads import CHUNK, chunks

SILENCE_SECONDS = 10.0
"""A service that says nothing for this long is given up on."""
DELETE_SECONDS = 3.0
"""How long somebody who has cancelled waits for a service that hangs."""
WARM_UP_SECONDS = 180.0
"""How long reading the network and the body may take where a disk is slow."""

Answer = TypeVar("Answer")


class Client:
    """Speaks to one service. Any thread may use it; every request has a connection of its own.

    All methods raise `BackendError`: UNREACHABLE, CRASHED (our process is dead), CANCELLED, PROTOCOL (something else
    answers there), or what the service itself says.
    """

    def __init__(self, url: str, token: str, backend: Backend | None = None) -> None:
        """Remember where the service is; nothing is sent yet.

        Args:
            url: its address; `http://` may be left out.
            token: what it wants to see.
            backend: the process behind it if that was started here: then it is told paths, otherwise it is sent files.

        Raises:
            BackendError: UNREACHABLE, that is no address.
        """
        self.url = url
        self.backend = backend
        self._headers = {"Authorization": f"Bearer {token}", VERSION_HEADER: str(PROTOCOL_VERSION)}
        try:
            self._address = parse_address(url)
        except ValueError as error:
            raise backend_error(Code.UNREACHABLE, f"{error}.") from error

    def info(self, cancelled: Cancelled = never) -> dict[str, Any]:
        """What the service is and can. Waits until it is warm."""
        return self._json("GET", "/v1/info", timeout=WARM_UP_SECONDS, cancelled=cancelled)

    def start_capture(self, request: CaptureRequest, cancelled: Cancelled = never) -> str:
        """Begin a capture; returns the job's path within the service."""
        return str(self._json("POST", "/v1/captures", asdict(request), cancelled=cancelled)["url"])

    def start_scan(self, selection: Selection, cancelled: Cancelled = never) -> str:
        """Begin to look for people; returns the job's path within the service."""
        return str(self._json("POST", "/v1/scans", asdict(selection), cancelled=cancelled)["url"])

    def events(self, job: str) -> Iterator[Event | None]:
        """All events of a job from the beginning and then live, up to Done or Failed.

        None comes several times a second in between, for looking whether somebody has cancelled.
        """
        exchange = self._exchange("GET", f"{job}/events")
        reader: Job[Event, None] = Job(lambda pass_on, _: exchange.run(lambda answer: _read_events(answer, pass_on)))
        try:
            while True:
                finished = reader.wait(POLL_SECONDS)
                for event in reader.messages():
                    yield event
                    if isinstance(event, LAST):
                        return
                if finished:
                    self._result(reader)
                    raise self._lost(ConnectionResetError("the stream of events broke off"))
                yield None
        finally:
            exchange.interrupt()

    def last_event(self, job: str) -> Event:
        """The newest event of a job."""
        return self._ask(self._exchange("GET", job), lambda answer: event_from_line(answer.read().decode()), never)

    def take(self, job: str, person: int, path: Path, cancelled: Cancelled = never) -> None:
        """Download a take (.npz) to `path`."""
        self._download(f"{job}/takes/{person}", path, cancelled)

    def thumbnail(self, job: str, person: int, path: Path, cancelled: Cancelled = never) -> None:
        """Download the picture (.png) of somebody that a capture or a scan has found."""
        people = "takes" if job.startswith("/v1/captures/") else "people"
        self._download(f"{job}/{people}/{person}/thumbnail", path, cancelled)

    def delete(self, job: str) -> None:
        """Cancel a job, or remove the results of one that is done."""
        self._ask(self._exchange("DELETE", job, timeout=DELETE_SECONDS), HTTPResponse.read, never)

    def upload(self, path: Path, report: Report[Event], cancelled: Cancelled = never, *, sequence: bool = False) -> str:
        """Send a source from disk; returns the upload's name for a `SourceReference`.

        Args:
            path: a video, a picture, a folder of pictures, or a pattern such as `shot.####.png`.
            report: gets the progress in megabytes, with the stage `upload`.
            cancelled: asked often.
            sequence: whether one picture stands for the numbered sequence that begins with it.
        """
        try:
            sizes = {file: file.stat().st_size for file in source_files(path, sequence=sequence)}
        except OSError as error:
            raise backend_error(Code.SOURCE, f"{path} cannot be sent: {error.strerror or error}.") from error
        upload = str(self._json("POST", "/v1/uploads", cancelled=cancelled)["upload"])
        meter = _Meter(sum(sizes.values()), report)
        try:
            for file, size in sizes.items():
                self._send_file(f"/v1/uploads/{upload}/{quote(file.name)}", file, size, meter, cancelled)
        except BackendError:
            with suppress(BackendError):
                self.delete_upload(upload)
            raise
        return upload

    def delete_upload(self, upload: str) -> None:
        """Remove an upload from the service."""
        target = f"/v1/uploads/{upload}"
        self._ask(self._exchange("DELETE", target, timeout=DELETE_SECONDS), HTTPResponse.read, never)

    def _send_file(self, target: str, file: Path, size: int, meter: _Meter, cancelled: Cancelled) -> None:
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        exchange = self._exchange("PUT", target, headers, chunks(file, size, meter.add))
        self._ask(exchange, HTTPResponse.read, cancelled)

    def _download(self, source: str, path: Path, cancelled: Cancelled) -> None:
        self._ask(self._exchange("GET", source), lambda answer: _save(answer, path), cancelled)

    def _json(
        self,
        method: str,
        path: str,
        values: dict[str, Any] | None = None,
        *,
        timeout: float = SILENCE_SECONDS,
        cancelled: Cancelled = never,
    ) -> dict[str, Any]:
        headers = {} if values is None else {"Content-Type": "application/json"}
        body = None if values is None else json.dumps(values).encode()
        return self._ask(self._exchange(method, path, headers, body, timeout), _read_json, cancelled)

    def _exchange(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes | Iterator[bytes] | None = None,
        timeout: float = SILENCE_SECONDS,
    ) -> Exchange:
        return Exchange(self._address, method, path, {**self._headers, **(headers or {})}, body, timeout)

    def _ask(self, exchange: Exchange, read: Callable[[HTTPResponse], Answer], cancelled: Cancelled) -> Answer:
        job: Job[None, Answer] = Job(lambda report, _: exchange.run(read))
        while not job.wait(POLL_SECONDS):
            if cancelled():
                exchange.interrupt()
                raise cancelled_error()
        return self._result(job)

    def _result(self, job: Job[Any, Answer]) -> Answer:
        """What a finished exchange brought; the one place where its errors become sentences."""
        try:
            return job.result()
        except RefusedError as error:
            raise self._refusal(error) from error
        except (OSError, HTTPException) as error:
            raise self._lost(error) from error
        except ProtocolError as error:
            raise backend_error(
                Code.PROTOCOL, f"What answers at {self.url} is no pose2pose service: {error}."
            ) from error

    def _refusal(self, refused: RefusedError) -> BackendError:
        try:
            return BackendError(failed_from_json(json.loads(refused.body)))
        except ValueError:
            return self._stranger(f"HTTP status {refused.status}")

    def _stranger(self, answered: str) -> BackendError:
        message = f"What answers at {self.url} is no pose2pose service: {answered}."
        return backend_error(Code.PROTOCOL, message, "Check the address in the add-on's preferences.")

    def _lost(self, error: Exception) -> BackendError:
        if self.backend is not None and self.backend.ends_within(1.0):
            return self.backend.death()
        if isinstance(error, TimeoutError):
            return backend_error(Code.UNREACHABLE, f"The backend at {self.url} does not answer.")
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return backend_error(Code.UNREACHABLE, f"The backend at {self.url} cannot be reached: {reason}.")


def cancelled_error() -> BackendError:
    """What is raised when somebody has cancelled."""
    return backend_error(Code.CANCELLED, "Cancelled.")


class _Meter:
    """Turns bytes that were sent into progress."""

    def __init__(self, total: int, report: Report[Event]) -> None:
        self._sent = 0
        self._total = total
        self._report = report
        self._began = time.monotonic()
        self._reported = -1.0

    def add(self, count: int) -> None:
        self._sent += count
        now = time.monotonic()
        if now - self._reported < POLL_SECONDS and self._sent < self._total:
            return
        self._reported = now
        rate = self._sent / max(now - self._began, 1e-3)
        left = max(0, self._total - self._sent) / rate
        self._report(Progress("upload", self._sent >> 20, max(1, self._total >> 20), rate / 2**20, left, people=0))


def _read_events(answer: HTTPResponse, pass_on: Report[Event]) -> None:
    for line in answer:
        if text := line.decode(errors="replace").strip():
            pass_on(event_from_line(text))


def _read_json(answer: HTTPResponse) -> dict[str, Any]:
    body = answer.read()
    try:
        values = json.loads(body)
    except ValueError as error:
        raise ProtocolError(f"it answered {body[:80]!r}") from error
    if not isinstance(values, dict):
        raise ProtocolError(f"it answered {body[:80]!r}")
    return values


def _save(answer: HTTPResponse, path: Path) -> None:
    """Write an answer to a file that is complete or not there."""
    partial = path.with_name(f"{path.name}.part")
    expected, length = answer.length, 0
    try:
        with partial.open("wb") as file:
            while piece := answer.read(CHUNK):
                length += file.write(piece)
        if expected is not None and length < expected:
            raise ConnectionResetError(f"only {length} of {expected} bytes of {path.name} came")
        partial.replace(path)
    except (ConnectionError, TimeoutError):
        partial.unlink(missing_ok=True)
        raise
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise backend_error(Code.DISK_FULL, f"{path} cannot be written: {error.strerror}.") from error
