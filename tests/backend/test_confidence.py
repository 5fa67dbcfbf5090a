"""Confidence as a probability: how scores, the weights' headers and parts that nobody looked for become 0 to 1."""

import numpy as np
import pytest

from pose2pose.backend.confidence import (
    GROUPS,
    HEADER,
    Sureness,
    joint_confidence,
    read_calibration,
    write_calibration,
)
from pose2pose.backend.motion.skeleton import EYES, JAW, JOINT_INDEX, LEFT_HAND, RIGHT_HAND
from pose2pose.backend.weights import WeightsError, describe_weights, part_path

FITS = {name: Sureness(bias=0.1 * place, own=0.5, whole=0.2) for place, name in enumerate(GROUPS)}


def scores(keypoints: float = 0.8, hands: float = 0.9, face: float = 0.9, frames: int = 1) -> tuple[np.ndarray, ...]:
    return np.full((frames, 17), keypoints), np.full((frames, 2), hands), np.full(frames, face)


def test_a_joint_is_as_sure_as_the_curve_of_its_group_says() -> None:
    confidence = joint_confidence(*scores(0.6, 0.7, 0.2), FITS)[0]

    def expected(group: str, own: float) -> float:
        odds = np.log((own + 0.01) / (1.01 - own)), np.log(0.61 / 0.41)
        return float(1 / (1 + np.exp(-(FITS[group].bias + 0.5 * odds[0] + 0.2 * odds[1]))))

    for joint, group in (
        ("pelvis", "hips"),
        ("spine2", "spine"),
        ("left_collar", "shoulders"),
        ("right_foot", "ankles"),
    ):
        assert confidence[JOINT_INDEX[joint]] == pytest.approx(expected(group, 0.6))
    assert confidence[LEFT_HAND] == pytest.approx(expected("hands", 0.7))
    assert confidence[EYES] == pytest.approx(expected("face", 0.2))


def test_confidence_rises_with_the_scores() -> None:
    rising = np.linspace(0.01, 1, 30)
    several = joint_confidence(np.tile(rising[:, None], 17), np.tile(rising[:, None], 2), rising, FITS)
    assert (np.diff(several, axis=0) > 0).all()
    assert several.min() >= 0
    assert several.max() <= 1


def test_what_was_not_looked_for_has_no_confidence() -> None:
    keypoints, hands, face = scores(frames=3)
    keypoints[0], hands[0], face[0] = 0, 0, 0  # a frame without the person
    hands[1, 1] = 0
    face[2] = 0
    confidence = joint_confidence(keypoints, hands, face, FITS)
    assert not confidence[0].any()
    assert not confidence[1, RIGHT_HAND].any()
    assert confidence[1, LEFT_HAND].all()
    assert not confidence[2, JAW : EYES.stop].any()
    assert confidence[1:, :JAW].all()


def test_weights_without_a_calibration_keep_their_scores() -> None:
    raw = joint_confidence(*scores(0.6, 0.7, 0.2))
    np.testing.assert_allclose(raw[0, [0, 20, 30, JAW]], [0.6, 0.6, 0.7, 0.2])
    hands_only = joint_confidence(*scores(0.6, 0.7, 0.2), {"hands": FITS["hands"]})
    np.testing.assert_allclose(hands_only[:, : LEFT_HAND.start], raw[:, : LEFT_HAND.start])
    assert (hands_only[:, LEFT_HAND] != raw[:, LEFT_HAND]).all()


def test_headers_of_several_files_make_one_calibration() -> None:
    headers = [
        {"preset": "open", HEADER: write_calibration(FITS, ("hips", "head"))},
        {"preset": "open", HEADER: write_calibration(FITS, ("hands",))},
        {"preset": "open"},
        {"preset": "hand4whole", HEADER: write_calibration(FITS, ("face",))},
        {"part": "detector"},
    ]
    found = read_calibration(headers, "open")
    assert set(found) == {"hips", "head", "hands"}
    assert found["hands"] == FITS["hands"]


@pytest.mark.parametrize("text", ["{", "[1, 2, 3]", '{"hips": [1, 2]}', '{"hips": ["a", 0, 0]}', '{"hips": 3}'])
def test_a_broken_header_is_named(text: str) -> None:
    with pytest.raises(WeightsError, match=r"is no calibration: .*calibrate FOLDER --write"):
        read_calibration([{"preset": "open", HEADER: text}], "open")


@pytest.mark.skipif(not part_path("open", "body").is_file(), reason="the weights are not in this checkout")
def test_the_shipped_weights_are_calibrated_and_a_seen_hand_does_not_fade() -> None:
    from pose2pose.backend.motion.presence import SEEN, UNSEEN

    calibration = read_calibration([file.metadata for file in describe_weights()], "open")
    assert set(calibration) == set(GROUPS), (
        "weights were replaced: run `pose2pose-train open calibrate FOLDER --write` on a validation set"
    )
    seen = joint_confidence(*scores(0.8, 0.98, 0.98), calibration)[0]
    hidden = joint_confidence(*scores(0.8, 0.005, 0.005), calibration)[0]
    for part in (LEFT_HAND, RIGHT_HAND):
        assert seen[part].min() > SEEN
        assert hidden[part].max() < (SEEN + UNSEEN) / 2
    assert seen[JAW] > hidden[JAW]
    assert seen[JOINT_INDEX["left_hip"]] > 0.5
