"""What the network said about one person, frame by frame, as small arrays; and how gaps in it are bridged."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .crops import CropTransform, ray_rotation, smooth_boxes
from .lens import Lens
from .motion.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from .motion.skeleton import JAW, JOINT_COUNT, LEFT_HAND, RIGHT_HAND
from .tracking import Track, box_overlap

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SURE_SCORE = 0.2
"""A keypoint from this score on counts as seen."""
SURE_POINTS = 4
"""So many keypoints must be seen, or the frame says nothing about where the person is."""
FOUND_SCORE = 0.3
"""Mean score from which the network finds a person whom the detector missed."""
CONTESTED_OVERLAP = 0.3
"""A bridged box that overlaps somebody else's this much may show that person instead."""
MAX_TURN = 90.0
"""Degrees that two rotations of a pelvis may lie apart however near in time: the network's own error."""
TURN_SPEED = 180.0
"""Degrees a second that they may lie apart further, after frames that were left out."""
TUMBLED = 0.5
"""Cosine of the angle between two upward axes of the pelvis below which they lie apart for another reason than a back
that was taken for a front."""


class Observations:
    """One person's raw results; row i belongs to frame `track.frames[i]`.

    Attributes:
        track: the person's boxes over time.
        boxes: (T, 4) smoothed, what the crops are cut by.
        contested: (T,) where a bridged box overlaps somebody else's.
        filled: (T,) rows that the network has been asked about.
        rotations: (T, 55, 3, 3) local, the root's in camera axes of the frame.
        betas: (T, 10).
        expression: (T, 10).
        keypoints: (T, 17, 3) pixels of the frame and score.
        hands: (T, 2, 21, 3) points of the left and the right hand, pixels of the frame, and the hand's presence, which
            is 0 for networks that do not say where the wrist is.
        hand_scores: (T, 2) presence of the left and the right hand.
        face_scores: (T,).
        head_turns: (T, 3, 3) rotation of the head as the face shows it, camera axes of the frame.
        head_places: (T, 2) middle of the face, pixels of the frame.
        head_sizes: (T,) width of the face's box in pixels, of the crop or, where they are larger, of the frame; 0 for
            networks that do not say how the head is turned.
    """

    def __init__(self, track: Track, others: list[Track], lens: Lens) -> None:
        count = len(track)
        self.track = track
        self.lens = lens
        self.boxes = smooth_boxes(track.boxes, track.times)
        self.contested = _contested(track, others)
        self.filled: Mask = np.zeros(count, dtype=bool)
        self.rotations = np.zeros((count, JOINT_COUNT, 3, 3), dtype=np.float32)
        self.betas = np.zeros((count, 10), dtype=np.float32)
        self.expression = np.zeros((count, 10), dtype=np.float32)
        self.keypoints = np.zeros((count, 17, 3), dtype=np.float32)
        self.hands = np.zeros((count, 2, 21, 3), dtype=np.float32)
        self.hand_scores = np.zeros((count, 2), dtype=np.float32)
        self.face_scores = np.zeros(count, dtype=np.float32)
        self.head_turns = np.zeros((count, 3, 3), dtype=np.float32)
        self.head_places = np.zeros((count, 2), dtype=np.float32)
        self.head_sizes = np.zeros(count, dtype=np.float32)

    def row(self, frame: int) -> int | None:
        """The row of a source frame; None if the person is not in it."""
        row = int(np.searchsorted(self.track.frames, frame))
        return row if row < len(self.track) and self.track.frames[row] == frame else None

    def fill(self, row: int, transform: CropTransform, results: dict[str, NDArray[np.float32]]) -> None:
        """Store the network's results for one crop, turned and moved from the crop into the frame.

        Args:
            row: of the arrays.
            transform: of the crop.
            results: `rotations` (55, 3, 3), `betas`, `expression`, `keypoints` (17, 3) in pixels of the crop,
                `hands` (2, 21, 3) likewise, `hand_scores` (2,), `face_scores` (), and from networks that say how the
                head is turned `head_turns` (3, 3) in the axes of a camera that looks at the middle of the face,
                `head_places` (2,) and `head_sizes` () in pixels of the crop.
        """
        for name, value in results.items():
            getattr(self, name)[row] = value
        self.rotations[row, 0] = self._toward(transform.center) @ results["rotations"][0]
        self.keypoints[row, :, :2] = transform.to_frame(results["keypoints"][:, :2])
        self.hands[row, ..., :2] = transform.to_frame(results["hands"][..., :2])
        self.head_places[row] = transform.to_frame(self.head_places[row])
        self.head_turns[row] = self._toward(self.head_places[row]) @ self.head_turns[row]
        self.head_sizes[row] /= max(1.0, transform.scale)
        self.filled[row] = True

    def _toward(self, place: Array) -> Array:
        """(3, 3) from the axes of a camera that looks at a place in the frame to those of the frame's camera."""
        return ray_rotation(place, self.lens.focal_xy, self.lens.principal_point)

    def drop_shape(self) -> None:
        """Forget betas and expression: they mean nothing to another body than the one the weights were trained on."""
        self.betas[:] = 0.0
        self.expression[:] = 0.0

    def keep_parts(self, parts: Collection[str], hands_rest: NDArray[np.floating[Any]]) -> None:
        """Put what is not captured to rest, as if it had never been seen.

        Args:
            parts: `hands` and `face`, if they are captured.
            hands_rest: (2, 15, 3) relaxed left and right hand, axis-angle in radians.
        """
        if "hands" not in parts:
            self.hand_scores[:] = 0.0
            self.rotations[:, LEFT_HAND], self.rotations[:, RIGHT_HAND] = matrix_from_axis_angle(hands_rest)
        if "face" not in parts:
            self.face_scores[:] = 0.0
            self.expression[:] = 0.0
            self.rotations[:, JAW] = np.eye(3)

    @property
    def found(self) -> Mask:
        """(T,) rows that say where the person is: tracked there, or found by the network where nobody else stands.

        Rows in which the network took a back for a front are none.
        """
        scores = self.keypoints[..., 2]
        rescued = ~self.contested & (scores.mean(axis=1) >= FOUND_SCORE)
        sure = (scores >= SURE_SCORE).sum(axis=1) >= SURE_POINTS
        found = self.filled & sure & (self.track.seen | rescued)
        found[found] = possible_turns(self.rotations[found, 0], self.track.times[found])
        return np.asarray(found)


def possible_turns(rotations: NDArray[np.floating[Any]], times: Array) -> Mask:
    """The most frames through which a person can have turned; without them the others would be flips.

    Each frame follows the longest chain of frames before it that it goes together with.

    Args:
        rotations: (T, 3, 3) of the pelvis in camera axes.
        times: (T,) seconds, rising.

    Returns:
        (T,) True for the frames of the longest chain.
    """
    count = len(times)
    # From such a distance in time on any two rotations go together.
    free = np.searchsorted(times, times - (180.0 - MAX_TURN) / TURN_SPEED, side="right")
    longest, before = np.ones(count, dtype=np.int64), np.full(count, -1)
    ends = np.zeros(count, dtype=np.int64)  # Where the longest chain among the frames up to each ends.
    for row in range(count):
        near = np.arange(free[row], row)
        cosines = (np.einsum("nij,ij->n", rotations[near], rotations[row]) - 1) / 2
        apart = np.degrees(np.arccos(cosines.clip(-1, 1)))
        tumbled = rotations[near, :, 1] @ rotations[row, :, 1] < TUMBLED
        near = near[tumbled | (apart <= MAX_TURN + TURN_SPEED * (times[row] - times[near]))]
        candidates = np.append(ends[free[row] - 1], near) if free[row] else near
        if len(candidates):
            # Of equal ones the latest, lest frames be left out for nothing.
            best = candidates[len(candidates) - 1 - longest[candidates][::-1].argmax()]
            longest[row], before[row] = longest[best] + 1, best
        ends[row] = row if not row or longest[row] >= longest[ends[row - 1]] else ends[row - 1]
    possible = np.zeros(count, dtype=bool)
    row = int(ends[-1]) if count else -1
    while row >= 0:
        possible[row] = True
        row = int(before[row])
    return possible


def bridge_rotations(rotations: NDArray[np.floating[Any]], known: Mask, times: Array) -> Array:
    """Rotations of unknown frames from their known neighbors: turned evenly between them, held at the ends.

    Args:
        rotations: (T, J, 3, 3).
        known: (T,), at least one True.
        times: (T,) seconds.

    Returns:
        (T, J, 3, 3).
    """
    bridged = np.array(rotations, dtype=np.float64)
    rows = np.flatnonzero(known)
    gaps = np.flatnonzero(~known)
    after = np.searchsorted(rows, gaps).clip(0, len(rows) - 1)
    before = (np.searchsorted(rows, gaps) - 1).clip(0, len(rows) - 1)
    first, second = rows[before], rows[after]
    span = np.maximum(times[second] - times[first], 1e-9)
    share = np.where(first == second, 0.0, (times[gaps] - times[first]) / span)
    turn = axis_angle_from_matrix(np.swapaxes(bridged[first], -1, -2) @ bridged[second])
    bridged[gaps] = bridged[first] @ matrix_from_axis_angle(turn * share[:, None, None])
    return bridged


def bridge_values(values: NDArray[np.floating[Any]], known: Mask, times: Array) -> Array:
    """(T, C) values of unknown frames from their known neighbors: linear between them, held at the ends."""
    return np.stack([np.interp(times, times[known], column[known]) for column in np.asarray(values).T], axis=1)


def _contested(track: Track, others: list[Track]) -> Mask:
    contested = np.zeros(len(track), dtype=bool)
    for row in np.flatnonzero(~track.seen):
        frame = track.frames[row]
        for other in others:
            place = int(np.searchsorted(other.frames, frame))
            if place < len(other) and other.frames[place] == frame:
                contested[row] |= box_overlap(track.boxes[row], other.boxes[place]) > CONTESTED_OVERLAP
    return contested
