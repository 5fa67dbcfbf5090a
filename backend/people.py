"""First pass over a source: who is in it, and whose motion is wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .detection import Detections, PersonDetector
from .frames import Frame, Image, Source
from .progress import Meter, Report, Stopwatch
from .thumbnails import Portraits
from .tracking import Track, Tracker, Tracking, box_overlap

DETECTIONS_PER_SECOND = 12.5
"""Faster videos are searched for people in every second, third, ... frame; boxes between are interpolated."""
WEAK_DETECTION = 0.1
"""Detections from this score on are shown to the tracker."""

CLOSER_DETECTION = 0.15
"""Least score of somebody found in a closer look."""
CLOSER_OVERLAP = 0.2
"""Least overlap of their box with where they should be."""
CLOSER_MARGIN = 2.0
"""Side of the region looked at, in sizes of the person."""
MIN_REGION = 16
"""Pixels."""


class CaptureError(ValueError):
    """The source was read, but there is nothing to make a take of."""


class ChoiceError(CaptureError):
    """Somebody was asked for who is not in the source."""


@dataclass(frozen=True, eq=False)
class Found:
    """What the first pass over a source found."""

    source: Source
    """Read to its end by now: knows its length and its damage."""
    tracking: Tracking
    """At least one track."""
    portraits: dict[int, Image]
    """For each person a thumbnail, (H, W, 3) RGB."""
    frames: int
    """That were read."""
    seconds: dict[str, float]
    """Time spent by stage: decode, detect."""

    @property
    def notes(self) -> list[str]:
        """Sentences a user should read."""
        notes = list(self.source.notes)
        if self.source.damage is not None:
            notes.append(f"{self.source.damage}; the frames before are kept")
        if self.tracking.dropped:
            notes.append(f"{self.tracking.dropped} short detections were left out as false")
        return notes


def find_people(
    source: Source,
    detector: PersonDetector,
    *,
    progress: Report | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Found:
    """First pass: detect and track everybody.

    Raises:
        CaptureError: nobody was found, or it was cancelled before anybody was captured.
    """
    stride = max(1, int(source.frame_rate / source.selected.step / DETECTIONS_PER_SECOND))
    tracker, portraits, clock = Tracker(), Portraits(), Stopwatch()
    meter = Meter(progress, stage="detect", total=source.expected)
    for count, frame in enumerate(clock.each(source, "decode")):
        if cancelled():
            raise CaptureError(f"stopped at frame {frame.index} while looking for people: nothing was captured yet")
        with clock("detect"):
            detections = look(detector, tracker, frame) if count % stride == 0 else None
            portraits.update(frame.image, tracker.update(frame.index, frame.time, detections))
        meter.people = max(meter.people, 0 if detections is None else len(detections.scores))
        meter.advance()
    tracking = tracker.finish()
    if not tracking.tracks:
        raise CaptureError(
            f"no person was found in the {meter.done} frames of {source.path} that were read; "
            "a person should be at least a tenth of the picture's height and seen for a third of a second"
        )
    pictures = {track.person: portraits.of(key) for track, key in zip(tracking.tracks, tracking.keys, strict=True)}
    return Found(source, tracking, portraits=pictures, frames=meter.done, seconds=dict(clock.seconds))


def look(detector: PersonDetector, tracker: Tracker, frame: Frame) -> Detections:
    """Detect people in the whole frame, and look again, closer, where somebody should be who was not found.

    Small people, and people in poses that the detector seldom sees, are often found only in the closer look.
    """
    found = detector.detect([frame.image])[0]
    for expected in tracker.missing(frame.time, found):
        left, top, right, bottom = region = _region(expected, frame.image)
        if right - left < MIN_REGION or bottom - top < MIN_REGION:
            continue
        closer = detector.detect([np.ascontiguousarray(frame.image[top:bottom, left:right])])[0]
        found = _with_best(found, closer, expected, region)
    return found


def _region(box: NDArray[np.float64], image: Image) -> tuple[int, int, int, int]:
    """The square around a box to look at again, cut at the image's borders: left, top, right, bottom."""
    center, half = (box[:2] + box[2:]) / 2, max(box[2:] - box[:2]) * CLOSER_MARGIN / 2
    corners = np.clip(np.concatenate([center - half, center + half]), 0, [*image.shape[1::-1]] * 2)
    left, top, right, bottom = corners.round().astype(int).tolist()
    return left, top, right, bottom


def _with_best(
    found: Detections, closer: Detections, expected: NDArray[np.float64], region: tuple[int, int, int, int]
) -> Detections:
    """Add the one of the closer detections that lies where it is expected, if there is one."""
    offset = np.array(region[:2], dtype=np.float32)
    boxes = closer.boxes + np.tile(offset, 2)
    overlaps = np.array([box_overlap(expected, box.astype(np.float64)) for box in boxes])
    overlaps = np.where(closer.scores >= CLOSER_DETECTION, overlaps, 0.0)
    if not len(overlaps) or overlaps.max() < CLOSER_OVERLAP:
        return found
    best = int(overlaps.argmax())
    keypoints = closer.keypoints[best] + np.append(offset, np.float32(0))
    return Detections(
        boxes=np.concatenate([found.boxes, boxes[best : best + 1]]),
        keypoints=np.concatenate([found.keypoints, keypoints[None]]),
        scores=np.concatenate([found.scores, closer.scores[best : best + 1]]),
    )


def choose_people(tracks: list[Track], people: str, source: Source) -> list[Track]:
    """The tracks of `all`, the `largest`, or numbered people as in `1,3`.

    Raises:
        ChoiceError: a number that nobody has, or another word.
    """
    if people == "all":
        return tracks
    if people == "largest":
        return tracks[:1]
    try:
        wanted = {int(number) for number in people.split(",")}
    except ValueError:
        raise ChoiceError(f"people must be 'all', 'largest' or numbers such as 1,3; got '{people}'") from None
    missing = sorted(wanted - {track.person for track in tracks})
    if missing:
        raise ChoiceError(f"person {missing[0]} was asked for, but {source.path} has persons 1 to {len(tracks)}")
    return [track for track in tracks if track.person in wanted]
