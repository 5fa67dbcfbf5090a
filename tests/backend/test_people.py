"""Finding people in a real clip, with a closer look at those who would be lost."""

import numpy as np
import pytest
import torch

from pose2pose.backend.detection import Detections, PersonDetector
from pose2pose.backend.frames import Frame
from pose2pose.backend.people import WEAK_DETECTION, choose_people, find_people, look
from pose2pose.backend.tracking import Tracker, box_overlap
from pose2pose.backend.video import open_source


@pytest.fixture(scope="module")
def detector() -> PersonDetector:
    return PersonDetector(torch.device("cpu"), min_score=WEAK_DETECTION)


def test_two_people_are_tracked_through_the_clip(clip, detector):
    messages = []
    tracking = find_people(open_source(clip), detector, progress=messages.append).tracking
    assert [track.person for track in tracking.tracks] == [1, 2]
    assert all(track.frames.tolist() == list(range(24)) for track in tracking.tracks)
    assert tracking.dropped == 0
    walking = tracking.tracks[0].boxes
    assert walking[-1, 0] < walking[0, 0] - 80, "she walks to the left"
    assert (messages[-1].done, messages[-1].total, messages[-1].people) == (24, 24, 2)


def test_a_closer_look_finds_who_is_too_small_in_the_whole_frame(clip_frames, detector):
    offset = np.array([1500, 900], dtype=np.float32)
    wide = np.full((1900, 3400, 3), 110, np.uint8)
    wide[900 : 900 + 458, 1500 : 1500 + 480] = clip_frames[1]
    near = detector.detect([clip_frames[0]])[0]
    known = near.scores > 0.3
    tracker = Tracker()
    tracker.update(
        0,
        0.0,
        Detections(near.boxes[known] + np.tile(offset, 2), near.keypoints[known] + [*offset, 0], near.scores[known]),
    )
    assert len(detector.detect([wide])[0].scores) < 2
    found = look(detector, tracker, Frame(index=1, time=1 / 30, image=wide))
    for box in near.boxes[known] + np.tile(offset, 2):
        assert max(box_overlap(box.astype(float), other.astype(float)) for other in found.boxes) > 0.7


def test_choosing_by_number_keeps_the_order_of_the_tracks(clip, detector):
    source = open_source(clip, end=1)
    tracks = find_people(source, detector).tracking.tracks
    assert [track.person for track in choose_people(tracks, "2,1", source)] == [1, 2]
    assert [track.person for track in choose_people(tracks, "largest", source)] == [1]
