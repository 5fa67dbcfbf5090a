"""What the worker does with a request: scan or capture, and write the files that clients fetch."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..capture import capture, scan
from ..crops import CROP_HEIGHT, CROP_WIDTH
from ..device import DeviceError, pick_device
from ..equipment import load_body_file, load_detector, load_networks
from ..failures import capture_failure
from ..info import service_facts
from ..motion.body_file import BodyFileError
from ..motion.take import Take, save_take
from ..people import Found
from ..progress import Report
from ..protocol import (
    CaptureRequest,
    Code,
    Done,
    Failed,
    Loading,
    Person,
    Progress,
    Selection,
    failure,
    request_from_json,
)
from ..summary import take_name, thumbnail_name
from ..thumbnails import save_png
from ..tracking import Track
from ..weights import WeightsError

if TYPE_CHECKING:
    from .worker import Mailbox

BODY_JOINTS = 22


class Cancelled(Exception):  # noqa: N818  it is no error
    """Somebody wants the work to stop, and nothing kept."""


class Workbench:
    """Networks and the last first pass, kept from one request to the next."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._passed: tuple[Any, Found] | None = None

    def warm_up(self) -> dict[str, Any]:
        """Load the default network and let it run once. What is missing is said by each capture, not here.

        Returns:
            What the worker says about itself.
        """
        try:
            networks, detector = load_networks(self._device), load_detector(self._device)
            load_body_file()
            detector.detect([np.zeros((288, 384, 3), dtype=np.uint8)])
            with torch.inference_mode():
                networks.network(torch.zeros(1, 3, CROP_HEIGHT, CROP_WIDTH, device=networks.device))
        except (DeviceError, WeightsError, BodyFileError):
            pass
        return service_facts(self._device)

    def work(self, message: dict[str, Any], mailbox: Mailbox) -> None:
        """Do what a message asks for, and say how it went."""
        job = message["job"]

        def check() -> bool:
            if job in mailbox.cancelled:
                raise Cancelled
            return False

        def report(progress: Progress) -> None:
            check()
            mailbox.say(progress, job)

        last: Done | Failed
        try:
            check()
            folder = Path(message["folder"])
            if "scan" in message:
                last = self._scan(request_from_json(Selection, message["scan"]), folder, report, check)
            else:
                mailbox.say(Loading("Loading the network"), job)
                last = self._capture(request_from_json(CaptureRequest, message["capture"]), folder, report, check)
        except Cancelled:
            last = failure(Code.CANCELLED, f"The {'scan' if 'scan' in message else 'capture'} was cancelled.")
        except Exception as error:
            last = capture_failure(error)
        mailbox.cancelled.discard(job)
        mailbox.say(last, job)

    def _scan(self, selection: Selection, folder: Path, report: Report, check: Callable[[], bool]) -> Done:
        key = _key(selection)
        found = self._remembered(key) or scan(
            _path(selection),
            start=selection.start,
            end=selection.end,
            step=selection.step,
            frame_rate=selection.frame_rate,
            device=self._device,
            progress=report,
            cancelled=check,
        )
        self._passed = key, found
        _save_portraits(found, [track.person for track in found.tracking.tracks], folder)
        return Done(
            people=tuple(_tracked(track) for track in found.tracking.tracks),
            notes=tuple(found.notes),
            frames=found.frames,
            frames_per_second=found.frames / max(sum(found.seconds.values()), 1e-9),
            device=str(pick_device(self._device)),
        )

    def _capture(self, request: CaptureRequest, folder: Path, report: Report, check: Callable[[], bool]) -> Done:
        selection = request.selection
        key = _key(selection)
        result = capture(
            _path(selection),
            people=request.people,
            start=selection.start,
            end=selection.end,
            step=selection.step,
            frame_rate=selection.frame_rate,
            parts=request.parts,
            focal=request.focal,
            fov=request.fov,
            device=self._device,
            preset=request.preset,
            body=None if request.body is None else Path(request.body),
            found=self._remembered(key),
            progress=report,
            cancelled=check,
        )
        self._passed = key, result.found
        for take in result.takes:
            save_take(take, folder / take_name(take.person))
        _save_portraits(result.found, [take.person for take in result.takes], folder)
        return Done(
            people=tuple(_captured(take) for take in result.takes),
            notes=tuple(result.notes),
            frames=result.frames,
            frames_per_second=result.frames_per_second,
            device=result.device,
        )

    def _remembered(self, key: Any) -> Found | None:
        """The last first pass, if it was over the same frames of the same files."""
        return self._passed[1] if self._passed is not None and self._passed[0] == key else None


def _path(selection: Selection) -> Path:
    assert selection.source.path is not None, "the service turns uploads into paths"
    return Path(selection.source.path)


def _key(selection: Selection) -> Any:
    """What a first pass depends on: the selection, and the names, times and sizes of the files it is of."""
    path = _path(selection)
    try:
        place = path if path.exists() else path.parent  # a pattern names files of its folder
        with os.scandir(place if place.is_dir() else place.parent) as entries:
            stats = [(entry.name, entry.stat()) for entry in entries if place.is_dir() or entry.name == place.name]
    except OSError:
        return selection, None  # capturing it will say what is wrong
    return selection, sorted((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)


def _save_portraits(found: Found, people: list[int], folder: Path) -> None:
    for person in people:
        save_png(found.portraits[person], folder / thumbnail_name(person))


def _tracked(track: Track) -> Person:
    scores = track.keypoints[track.seen, :, 2]
    return _person(track.person, track.frames, float(scores.mean()) if len(scores) else 0.0)


def _captured(take: Take) -> Person:
    return _person(take.person, take.frames, float(take.confidence[:, :BODY_JOINTS].mean()))


def _person(number: int, frames: np.ndarray[Any, Any], confidence: float) -> Person:
    confidence = round(min(max(confidence, 0.0), 1.0), 3)
    return Person(number, first=int(frames[0]), last=int(frames[-1]), frames=len(frames), confidence=confidence)
