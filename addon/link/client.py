"""Captures and scans from beginning to end, with a service on this machine or another one. Plain Python, no bpy."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ...backend.protocol import CaptureRequest, Code, Done, Event, Failed, Selection, SourceReference
from ..jobs import Cancelled, Report
from .processes import POLL_SECONDS
from .service import Backend, BackendError, start_backend
from .service_client import Client, cancelled_error

__all__ = ["Backend", "BackendError", "Captured", "Client", "Scanned", "capture", "scan", "start_backend"]

RECONNECT_SECONDS = 10.0
"""How long a stream of events that broke off is asked for again."""


@dataclass(frozen=True)
class Captured:
    """What a capture brought."""

    done: Done
    takes: dict[int, Path]
    """Take files by person."""


@dataclass(frozen=True)
class Scanned:
    """What a scan brought."""

    done: Done
    thumbnails: dict[int, Path]
    """Pictures by person."""


def capture(
    client: Client, path: Path, request: CaptureRequest, folder: Path, report: Report[Event], cancelled: Cancelled
) -> Captured:
    """Capture a source from beginning to end, and forget the job on the service's side whatever happens.

    Args:
        client: the service.
        path: the source on this machine; it takes the place of the request's own.
        request: what to capture. A service elsewhere cannot read the path of a body, which is left out for it.
        folder: where the takes go.
        report: gets every event, and the progress of an upload in megabytes with the stage `upload`.
        cancelled: asked at least every quarter of a second.

    Raises:
        BackendError: anything that went wrong; CANCELLED if somebody cancelled.
    """
    with _delivered(client, path, request.selection, report, cancelled) as selection:
        body = request.body if client.backend is not None else None
        job = client.start_capture(replace(request, selection=selection, body=body), cancelled)
        with _forgotten_afterwards(client, job):
            done = _follow(client, job, report, cancelled)
            takes = {one.person: folder / f"person_{one.person}.npz" for one in done.people}
            for person, take in takes.items():
                client.take(job, person, take, cancelled)
    return Captured(done, takes)


def scan(
    client: Client, path: Path, selection: Selection, folder: Path, report: Report[Event], cancelled: Cancelled
) -> Scanned:
    """Find the people in a source; arguments and errors as for `capture`."""
    with _delivered(client, path, selection, report, cancelled) as delivered:
        job = client.start_scan(delivered, cancelled)
        with _forgotten_afterwards(client, job):
            done = _follow(client, job, report, cancelled)
            thumbnails = {one.person: folder / f"person_{one.person}.png" for one in done.people}
            for person, thumbnail in thumbnails.items():
                client.thumbnail(job, person, thumbnail, cancelled)
    return Scanned(done, thumbnails)


@contextmanager
def _delivered(
    client: Client, path: Path, selection: Selection, report: Report[Event], cancelled: Cancelled
) -> Iterator[Selection]:
    """The selection with a source that the service can read."""
    if client.backend is not None:
        yield replace(selection, source=SourceReference(path=os.path.abspath(path)))
        return
    upload = client.upload(path, report, cancelled, sequence=selection.frame_rate is not None)
    try:
        yield replace(selection, source=SourceReference(upload=upload))
    finally:
        with suppress(BackendError):
            client.delete_upload(upload)


@contextmanager
def _forgotten_afterwards(client: Client, job: str) -> Iterator[None]:
    """Delete the job at the end, which also cancels it; whether the service still hears that matters to nobody."""
    try:
        yield
    finally:
        with suppress(BackendError):
            client.delete(job)


def _follow(client: Client, job: str, report: Report[Event], cancelled: Cancelled) -> Done:
    """Pass events on until the job is done. A stream that breaks off is asked for again: the job goes on meanwhile."""
    heard = time.monotonic()
    while True:
        answered = False
        try:
            for event in client.events(job):
                if cancelled():
                    raise cancelled_error()
                if event is not None:
                    answered = True
                    report(event)
                if answered:
                    heard = time.monotonic()
                if isinstance(event, Done):
                    return event
                if isinstance(event, Failed):
                    raise BackendError(event)
        except BackendError as error:
            silent = isinstance(error.__cause__, TimeoutError)
            too_long = time.monotonic() - heard > RECONNECT_SECONDS
            if error.failure.code != Code.UNREACHABLE or silent or too_long:
                raise
            _pause(0.5, cancelled)


def _pause(seconds: float, cancelled: Cancelled) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if cancelled():
            raise cancelled_error()
        time.sleep(POLL_SECONDS)
