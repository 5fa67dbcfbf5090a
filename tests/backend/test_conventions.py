"""Whose shape the weights mean, and which hand their fingers are relative to."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pose2pose.backend.conventions import settle
from pose2pose.backend.lens import Lens
from pose2pose.backend.motion.body_file import BodyFile, load_body
from pose2pose.backend.motion.mean_hand import HANDS
from pose2pose.backend.motion.rotations import axis_angle_from_matrix
from pose2pose.backend.observations import Observations
from pose2pose.backend.tracking import Track
from pose2pose.backend.weights import WeightsFile

AUTHORS = WeightsFile(Path("hand4whole_body.safetensors"), 1, {"body": "smplx", "flat_hand_mean": "false"})
OWN = WeightsFile(Path("open_body.safetensors"), 1, {"body": "open"})


@pytest.fixture(scope="module")
def licensed() -> BodyFile:
    """Stands for a licensed file: whatever is not the packaged body is one of SMPL-X."""
    body = load_body()
    return replace(body, name="SMPLX_NEUTRAL", hands_mean=2 * body.hands_mean)


@pytest.fixture
def person() -> Observations:
    """Two frames, the first one filled with identity rotations."""
    boxes = np.tile([0.0, 0, 9, 9], (2, 1))
    keypoints, seen = np.zeros((2, 17, 3)), np.ones(2, bool)
    track = Track(1, np.arange(2), np.arange(2) / 10, boxes, keypoints, seen)
    observations = Observations(track, [], Lens(500.0, (640, 480), "given"))
    observations.rotations[0] = np.eye(3)
    observations.filled[0] = True
    observations.betas[:] = 1.0
    return observations


def test_the_authors_weights_bend_fingers_from_the_licensed_mean_hand(person: Observations, licensed: BodyFile) -> None:
    assert settle([person], licensed, [AUTHORS]) == []
    fingers = axis_angle_from_matrix(person.rotations[0, HANDS])
    np.testing.assert_allclose(fingers, licensed.hands_mean.reshape(30, 3), atol=1e-6)
    np.testing.assert_array_equal(person.rotations[0, : HANDS.start], np.tile(np.eye(3), (25, 1, 1)))
    assert not person.rotations[1].any(), "nothing was said about this frame"
    assert (person.betas == 1).all()


def test_on_the_open_body_they_bend_from_its_relaxed_hand_and_it_is_said(person: Observations) -> None:
    body = load_body()
    (sentence,) = settle([person], body, [AUTHORS])
    fingers = axis_angle_from_matrix(person.rotations[0, HANDS])
    np.testing.assert_allclose(fingers, body.hands_mean.reshape(30, 3), atol=1e-6)
    assert (person.betas == 0).all()
    for words in ("betas and expression are left at zero", "relaxed hand", "--body SMPLX_NEUTRAL.npz", "smpl-x.is.tue"):
        assert words in sentence


def test_the_projects_own_weights_stay_as_they_are(person: Observations, licensed: BodyFile) -> None:
    before = person.rotations.copy()
    assert settle([person], load_body(), [OWN]) == []
    np.testing.assert_array_equal(person.rotations, before)
    (sentence,) = settle([person], licensed, [OWN])
    assert sentence.endswith("'SMPLX_NEUTRAL': betas and expression are left at zero")
    np.testing.assert_array_equal(person.rotations, before)
