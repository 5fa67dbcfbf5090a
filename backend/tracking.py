"""Which detection is which person over time.

Each look at a frame assigns the people found to the tracks so far (Hungarian method) by how well boxes and keypoints
agree with where constant velocity puts each track. A track that is not found stays alive for a while, so short
occlusions and missed detections become gaps that are bridged, and people who cross keep their numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from .detection import Detections

Array = NDArray[np.float64]

MAX_GAP = 1.0
"""Seconds a person may be hidden and still be the same person."""
MIN_SIMILARITY = 0.2
MIN_BIRTH_SCORE = 0.25
"""Weaker detections continue a track but begin none."""
DUPLICATE_SIMILARITY = 0.6
"""Keypoint similarity from which two detections in one frame are the same person."""
MIN_SECONDS = 0.3
"""Shorter tracks are taken for false detections, unless the whole source is hardly longer."""
MIN_PRESENCE = 0.25
"""Share of the looks within a track's span at which it must have been found."""
VELOCITY_SECONDS = 0.15
"""Time constant of the running mean of a track's velocity."""
MIN_KEYPOINT_SCORE = 0.1
COCO_SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000
"""Spread of human annotators for each COCO keypoint, as a share of the square root of the person's area."""


@dataclass(frozen=True)
class Track:
    """One person from the first to the last frame in which they were found; no frame between is missing."""

    person: int
    """Number from 1; 1 is the largest and longest."""
    frames: NDArray[np.int64]
    """(T,) source frame numbers."""
    times: Array
    """(T,) seconds."""
    boxes: Array
    """(T, 4) pixels xyxy."""
    keypoints: Array
    """(T, 17, 3) x, y, score of the COCO points; the score is 0 where the person was not found."""
    seen: NDArray[np.bool_]
    """(T,) False where the track only bridges a gap."""

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True)
class Tracking:
    """What was tracked."""

    tracks: list[Track]
    dropped: int
    """How many short tracks were left out as false detections."""
    keys: tuple[int, ...] = ()
    """For each of the tracks, what `Tracker.update` called it while it grew."""


@dataclass
class _Candidate:
    """A track while it grows."""

    key: int
    looks: list[int] = field(default_factory=list)
    boxes: list[Array] = field(default_factory=list)
    keypoints: list[Array] = field(default_factory=list)
    velocity: Array = field(default_factory=lambda: np.zeros(2))
    time: float = 0.0

    def predict(self, time: float) -> tuple[Array, Array]:
        """(4,) box and (17, 3) keypoints moved on to a time."""
        shift = self.velocity * (time - self.time)
        return self.boxes[-1] + np.tile(shift, 2), self.keypoints[-1] + np.append(shift, 0.0)

    def add(self, look: int, time: float, box: Array, keypoints: Array) -> None:
        if self.boxes:
            passed = time - self.time
            moved = (box - self.boxes[-1]).reshape(2, 2).mean(axis=0)
            share = 1.0 - math.exp(-passed / VELOCITY_SECONDS)
            self.velocity = self.velocity + share * (moved / passed - self.velocity)
        self.looks.append(look)
        self.boxes.append(box)
        self.keypoints.append(keypoints)
        self.time = time


class Tracker:
    """Collects detections frame by frame; `finish` gives the tracks."""

    def __init__(self) -> None:
        self._frames: list[int] = []
        self._times: list[float] = []
        self._looked: list[bool] = []
        self._active: list[_Candidate] = []
        self._ended: list[_Candidate] = []
        self._count = 0

    def update(self, frame: int, time: float, detections: Detections | None) -> dict[int, Array]:
        """Add the next frame.

        Args:
            frame: source frame number.
            time: seconds, later than the frame before.
            detections: people found, or None for a frame in which nobody was looked for.

        Returns:
            Who was found: a number that stays with each track (not that of the person) -> (4,) box xyxy.
        """
        look = len(self._frames)
        self._frames.append(frame)
        self._times.append(time)
        self._looked.append(detections is not None)
        if detections is None:
            return {}
        self._retire(time)
        boxes, keypoints, scores = _without_duplicates(detections)
        continued = self._assign(time, boxes, keypoints)
        sightings = {}
        for candidate, found in continued.items():
            self._active[candidate].add(look, time, boxes[found], keypoints[found])
            sightings[self._active[candidate].key] = boxes[found]
        for found in set(range(len(boxes))) - set(continued.values()):
            if scores[found] >= MIN_BIRTH_SCORE:
                self._active.append(_Candidate(key=self._count))
                self._active[-1].add(look, time, boxes[found], keypoints[found])
                sightings[self._count] = boxes[found]
                self._count += 1
        return sightings

    def missing(self, time: float, detections: Detections) -> list[Array]:
        """Where the tracks should be that no sure detection of the next frame continues: (4,) boxes xyxy."""
        self._retire(time)
        sure = detections.scores >= MIN_BIRTH_SCORE
        known = Detections(detections.boxes[sure], detections.keypoints[sure], detections.scores[sure])
        boxes, keypoints, _ = _without_duplicates(known)
        continued = self._assign(time, boxes, keypoints)
        lost = (candidate for row, candidate in enumerate(self._active) if row not in continued)
        return [candidate.predict(time)[0] for candidate in lost]

    def finish(self) -> Tracking:
        """The tracks, the largest and longest person first."""
        candidates = self._ended + self._active
        kept = [candidate for candidate in candidates if self._is_person(candidate)]
        kept.sort(key=_importance, reverse=True)
        tracks = [self._track(number, candidate) for number, candidate in enumerate(kept, start=1)]
        keys = tuple(candidate.key for candidate in kept)
        return Tracking(tracks=tracks, dropped=len(candidates) - len(kept), keys=keys)

    def _retire(self, time: float) -> None:
        self._ended += [c for c in self._active if time - c.time > MAX_GAP]
        self._active = [c for c in self._active if time - c.time <= MAX_GAP]

    def _assign(self, time: float, boxes: list[Array], keypoints: list[Array]) -> dict[int, int]:
        """Index of the active track -> index of the detection that continues it."""
        similarity = np.zeros((len(self._active), len(boxes)))
        for row, candidate in enumerate(self._active):
            box, points = candidate.predict(time)
            slack = 1.0 + time - candidate.time
            for column in range(len(boxes)):
                pose = keypoint_similarity(points, keypoints[column], _area(box), tolerance=4.0 * slack)
                similarity[row, column] = 0.5 * (box_overlap(_grown(box, slack), _grown(boxes[column], slack)) + pose)
        rows, columns = linear_sum_assignment(-similarity)
        pairs = zip(rows.tolist(), columns.tolist(), strict=True)
        return {row: column for row, column in pairs if similarity[row, column] >= MIN_SIMILARITY}

    def _is_person(self, candidate: _Candidate) -> bool:
        looks = sum(self._looked)
        seconds = self._times[-1] - self._times[0]
        needed = min(MIN_SECONDS * looks / seconds if seconds > 0 else 1.0, 0.5 * looks)
        span = sum(self._looked[candidate.looks[0] : candidate.looks[-1] + 1])
        return len(candidate.looks) >= max(1.0, needed) and len(candidate.looks) >= MIN_PRESENCE * span

    def _track(self, person: int, candidate: _Candidate) -> Track:
        first, last = self._span(candidate)
        times = np.array(self._times[first : last + 1])
        known = np.array(candidate.looks) - first
        boxes = _interpolate(times, times[known], np.array(candidate.boxes))
        keypoints = _interpolate(times, times[known], np.array(candidate.keypoints))
        seen = self._seen(candidate)[first : last + 1]
        keypoints[~seen, :, 2] = 0.0
        frames = np.array(self._frames[first : last + 1], dtype=np.int64)
        return Track(person=person, frames=frames, times=times, boxes=boxes, keypoints=keypoints, seen=seen)

    def _span(self, candidate: _Candidate) -> tuple[int, int]:
        """First and last frame, with the frames around them in which nobody was looked for."""
        first, last = candidate.looks[0], candidate.looks[-1]
        while first > 0 and not self._looked[first - 1]:
            first -= 1
        while last + 1 < len(self._looked) and not self._looked[last + 1]:
            last += 1
        return first, last

    def _seen(self, candidate: _Candidate) -> NDArray[np.bool_]:
        """For all frames: True where found, and without a look where none of the neighboring looks missed."""
        missed = np.array(self._looked)
        missed[candidate.looks] = False
        seen = ~missed
        for frame in np.flatnonzero(~np.array(self._looked)):
            before, after = frame, frame
            while before >= 0 and not self._looked[before]:
                before -= 1
            while after < len(missed) and not self._looked[after]:
                after += 1
            seen[frame] = not (before >= 0 and missed[before]) and not (after < len(missed) and missed[after])
        return np.asarray(seen)


def box_overlap(first: Array, second: Array) -> float:
    """Intersection over union of two (4,) boxes xyxy."""
    sides = np.clip(np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2]), 0, None)
    shared = float(sides.prod())
    return shared / max(_area(first) + _area(second) - shared, 1e-9)


def keypoint_similarity(first: Array, second: Array, area: float, *, tolerance: float = 1.0) -> float:
    """COCO's object keypoint similarity of two (17, 3) poses, over the points that both have.

    Args:
        first: x, y, score.
        second: x, y, score.
        area: of the person's box, pixels squared.
        tolerance: factor on COCO's spreads.
    """
    weights = np.minimum(first[:, 2], second[:, 2])
    weights = np.where(weights >= MIN_KEYPOINT_SCORE, weights, 0.0)
    if weights.sum() == 0:
        return 0.0
    squared = np.sum((first[:, :2] - second[:, :2]) ** 2, axis=1)
    closeness = np.exp(-squared / (2 * max(area, 1.0) * (2 * tolerance * COCO_SIGMAS) ** 2))
    return float((weights * closeness).sum() / weights.sum())


def _without_duplicates(detections: Detections) -> tuple[list[Array], list[Array], list[float]]:
    boxes: list[Array] = []
    keypoints: list[Array] = []
    scores: list[float] = []
    for index in np.argsort(-detections.scores):
        box, pose = detections.boxes[index].astype(np.float64), detections.keypoints[index].astype(np.float64)
        if all(keypoint_similarity(pose, other, _area(box)) < DUPLICATE_SIMILARITY for other in keypoints):
            boxes.append(box)
            keypoints.append(pose)
            scores.append(float(detections.scores[index]))
    return boxes, keypoints, scores


def _area(box: Array) -> float:
    return float(max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0))


def _grown(box: Array, factor: float) -> Array:
    center, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * factor
    return np.concatenate([center - half, center + half])


def _importance(candidate: _Candidate) -> float:
    return float(sum(math.sqrt(_area(box)) for box in candidate.boxes))


def _interpolate(times: Array, known_times: Array, known: Array) -> Array:
    """(K, ...) values at (K,) times -> (T, ...) at (T,) times, linear."""
    flat = known.reshape(len(known), -1)
    columns = [np.interp(times, known_times, column) for column in flat.T]
    return np.stack(columns, axis=1).reshape(len(times), *known.shape[1:])
