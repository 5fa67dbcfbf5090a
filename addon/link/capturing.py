"""The work of a capture and of a scan, for a thread: a connection, a request, a temporary folder, takes. No bpy."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from ...backend.motion.take import Take, load_take
from ...backend.protocol import CaptureRequest, Done, Event, Loading, Selection
from ..jobs import Cancelled, Report
from . import client
from .connection import Connection

STARTING = Loading("Starting the backend")
"""Reported first: until the backend answers, nobody else can say anything."""


@dataclass(frozen=True, eq=False)
class CapturedTakes:
    """What a capture brought."""

    takes: tuple[Take, ...]
    """By person; at least one."""
    done: Done


@dataclass(frozen=True, eq=False)
class FoundPeople:
    """What a scan brought."""

    folder: tempfile.TemporaryDirectory[str]
    """Goes, with the pictures in it, when nobody holds it any more."""
    thumbnails: dict[int, Path]
    """Pictures by person."""
    done: Done


def capture_takes(
    connection: Connection, path: Path, request: CaptureRequest, report: Report[Event], cancelled: Cancelled
) -> CapturedTakes:
    """Capture a source and read its takes.

    Raises:
        client.BackendError: the backend could not be reached, failed, or the capture was cancelled.
        TakeError: a take cannot be read.
    """
    report(STARTING)
    with tempfile.TemporaryDirectory(prefix="pose2pose-takes-") as folder:
        captured = client.capture(connection.open(cancelled), path, request, Path(folder), report, cancelled)
        takes = tuple(load_take(captured.takes[person]) for person in sorted(captured.takes))
    return CapturedTakes(takes=takes, done=captured.done)


def find_people(
    connection: Connection, path: Path, selection: Selection, report: Report[Event], cancelled: Cancelled
) -> FoundPeople:
    """Find the people in a source, with a picture of each.

    Raises:
        client.BackendError: the backend could not be reached, failed, or the scan was cancelled.
    """
    report(STARTING)
    folder = tempfile.TemporaryDirectory(prefix="pose2pose-people-", ignore_cleanup_errors=True)
    scanned = client.scan(connection.open(cancelled), path, selection, Path(folder.name), report, cancelled)
    return FoundPeople(folder=folder, thumbnails=scanned.thumbnails, done=scanned.done)
