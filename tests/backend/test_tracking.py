"""Tracking: people keep their numbers through crossing, occlusion and noise."""

import numpy as np
import pytest

from pose2pose.backend.detection import Detections
from pose2pose.backend.tracking import Tracker, Tracking, box_overlap, keypoint_similarity

SHAPE = np.random.default_rng(3).uniform(0.05, 0.95, (17, 2))
"""Places of the keypoints in a standing person's box."""


def person(x: float, y: float = 300.0, height: float = 200.0, mirrored: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """A box around (x, y) and keypoints inside it."""
    size = np.array([0.4 * height, height])
    shape = SHAPE * [-1, 1] + [1, 0] if mirrored else SHAPE
    corner = np.array([x, y]) - size / 2
    points = np.concatenate([corner + shape * size, np.full((17, 1), 0.8)], axis=1)
    return np.concatenate([corner, corner + size]), points


def detections(*people: tuple[np.ndarray, np.ndarray], scores: tuple[float, ...] | None = None) -> Detections:
    boxes = np.array([p[0] for p in people], dtype=np.float32).reshape(-1, 4)
    keypoints = np.array([p[1] for p in people], dtype=np.float32).reshape(-1, 17, 3)
    return Detections(boxes=boxes, keypoints=keypoints, scores=np.array(scores or [0.8] * len(people), np.float32))


def track(looks: list[Detections | None], rate: float = 30.0) -> Tracking:
    tracker = Tracker()
    for frame, found in enumerate(looks):
        tracker.update(frame, frame / rate, found)
    return tracker.finish()


def centers(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 0] + boxes[:, 2]) / 2


def test_crossing_people_keep_their_numbers():
    left, right = 100 + 8.0 * np.arange(60), 580 - 8.0 * np.arange(60)
    looks = [
        detections(*[person(left[t], height=210), person(right[t], mirrored=True)][:: 1 if t % 2 else -1])
        for t in range(60)
    ]
    first, second = track(looks).tracks
    np.testing.assert_allclose(centers(first.boxes), left, atol=1e-3)
    np.testing.assert_allclose(centers(second.boxes), right, atol=1e-3)


def test_crossing_with_the_one_behind_hidden():
    left, right = 100 + 8.0 * np.arange(60), 580 - 8.0 * np.arange(60)
    looks = [
        detections(person(left[t], height=210), *([] if 24 <= t < 37 else [person(right[t], mirrored=True)]))
        for t in range(60)
    ]
    result = track(looks)
    first, second = result.tracks
    np.testing.assert_allclose(centers(first.boxes), left, atol=1e-3)
    np.testing.assert_allclose(centers(second.boxes), right, atol=1e-3)
    assert second.seen.tolist() == [not 24 <= t < 37 for t in range(60)]
    assert np.all(second.keypoints[~second.seen, :, 2] == 0)


def test_short_occlusion_is_bridged_between_the_ends():
    x = 200 + 3.0 * np.arange(40)
    looks = [detections() if 15 <= t < 30 else detections(person(x[t])) for t in range(40)]
    (only,) = track(looks).tracks
    assert len(only) == 40
    np.testing.assert_allclose(centers(only.boxes), x, atol=1e-3)
    assert only.seen.sum() == 25


def test_someone_leaves_and_another_arrives_much_later():
    looks = [detections(person(200))] * 30 + [detections()] * 40 + [detections(person(210))] * 25
    first, second = track(looks).tracks
    assert (first.frames[-1], second.frames[0]) == (29, 70)


def test_someone_arrives_elsewhere_while_another_leaves():
    looks = [detections(person(100))] * 20 + [detections(person(600))] * 20
    first, second = track(looks).tracks
    assert (len(first), len(second)) == (20, 20)


def test_jitter_and_missed_frames_do_not_split_a_person():
    rng = np.random.default_rng(0)
    looks = []
    for t in range(90):
        box, points = person(300 + 40 * np.sin(t / 12))
        box, points = box + rng.normal(0, 8, 4), points + rng.normal(0, 8, (17, 3)) * [1, 1, 0]
        looks.append(detections((box, points)) if rng.random() > 0.2 else detections())
    result = track(looks)
    assert [t.person for t in result.tracks] == [1]
    assert result.dropped == 0


def test_duplicates_are_one_person():
    twice = detections(person(300), person(303, height=204), scores=(0.5, 0.9))
    (only,) = track([twice] * 20).tracks
    np.testing.assert_allclose(centers(only.boxes), 303, atol=1e-3)


def test_short_false_detections_are_dropped_and_counted():
    looks = [detections(person(300), *([person(50, height=60)] if t in (10, 11) else [])) for t in range(40)]
    result = track(looks)
    assert (len(result.tracks), result.dropped) == (1, 1)


def test_the_largest_and_longest_is_number_one():
    looks = [detections(person(100, height=100), person(400, height=250)) for _ in range(30)]
    assert centers(track(looks).tracks[0].boxes)[0] == pytest.approx(400)
    looks = [detections(person(100, height=200), *([person(400, height=220)] if t > 20 else [])) for t in range(40)]
    assert [round(centers(t.boxes)[0]) for t in track(looks).tracks] == [100, 400]


def test_one_frame_is_enough_for_a_picture():
    (only,) = track([detections(person(100))]).tracks
    assert only.seen.tolist() == [True]


def test_frames_without_a_look_count_as_seen_between_two_finds():
    looks = [detections(person(100 + 2 * t)) if t % 2 == 0 and not 10 <= t < 16 else None for t in range(31)]
    looks[10] = looks[12] = looks[14] = detections()
    (only,) = track(looks).tracks
    np.testing.assert_allclose(centers(only.boxes), 100 + 2 * np.arange(31), atol=1e-3)
    assert np.flatnonzero(~only.seen).tolist() == [9, 10, 11, 12, 13, 14, 15]


def test_frames_without_a_look_at_the_ends_belong_to_the_track():
    looks = [detections(person(100)) if t % 3 == 1 else None for t in range(30)]
    (only,) = track(looks).tracks
    assert (len(only), only.seen.all()) == (30, True)


def test_weak_detections_continue_a_track_but_begin_none():
    weak, strong = detections(person(100), scores=(0.15,)), detections(person(100))
    assert track([weak] * 20).tracks == []
    (only,) = track([strong] * 5 + [weak] * 20).tracks
    assert len(only) == 25


def test_missing_people_are_expected_where_they_were_going():
    tracker = Tracker()
    for t in range(10):
        tracker.update(t, t / 30, detections(person(100 + 6 * t), person(500)))
    (box,) = tracker.missing(12 / 30, detections(person(500)))
    assert centers(box[None])[0] == pytest.approx(172, abs=3)
    assert tracker.missing(10 / 30, detections(person(160), person(500))) == []
    assert tracker.missing(5.0, detections()) == []


def test_nobody_gives_no_track():
    assert track([detections()] * 5) == Tracking(tracks=[], dropped=0)
    assert Tracker().finish().tracks == []


def test_overlap_and_similarity_by_hand():
    assert box_overlap(np.array([0, 0, 2, 2.0]), np.array([1, 0, 3, 2.0])) == pytest.approx(1 / 3)
    assert box_overlap(np.array([0, 0, 1, 1.0]), np.array([2, 2, 3, 3.0])) == 0
    box, points = person(100)
    area = (box[2] - box[0]) * (box[3] - box[1])
    assert keypoint_similarity(points, points, area) == pytest.approx(1)
    nose = np.zeros((17, 3))
    nose[0] = [*points[0, :2], 1.0]
    moved = nose + np.array([2 * 0.026 * np.sqrt(area), 0, 0])
    assert keypoint_similarity(nose, moved, area) == pytest.approx(np.exp(-0.5))
