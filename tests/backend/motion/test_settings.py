"""What a take is keyed with survives as JSON and says what is wrong with it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose2pose.backend.motion.mean_hand import with_mean_hands
from pose2pose.backend.motion.presence import fade_unseen
from pose2pose.backend.motion.settings import KeySettings, SettingsError, moved
from pose2pose.backend.motion.skeleton import BODY_JOINTS, JAW, LEFT_HAND
from pose2pose.backend.motion.smoothing import METHODS, Smoothing, Strength, smooth_take
from pose2pose.backend.motion.take import Take

MakeTake = Callable[..., Take]

positive = st.floats(1e-3, 1e3)
strengths = st.builds(Strength, min_cutoff=positive, speed=st.floats(0, 50), window=positive, cutoff=positive)
smoothings = st.builds(
    Smoothing, method=st.sampled_from(METHODS), root=strengths, body=strengths, hands=strengths, face=strengths
)


@given(st.builds(KeySettings, smoothing=smoothings, ground=st.booleans(), fade=st.floats(0, 1)))
def test_round_trip(settings: KeySettings) -> None:
    assert KeySettings.from_json(settings.to_json()) == settings


def test_what_is_left_out_has_its_default() -> None:
    settings = KeySettings.from_json('{"smoothing": {"method": "butterworth", "hands": {"cutoff": 3.0}}}')
    assert settings.smoothing.hands == replace(Smoothing().hands, cutoff=3.0)
    assert settings == replace(
        KeySettings(), smoothing=Smoothing("butterworth", hands=replace(Smoothing().hands, cutoff=3.0))
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no", "not JSON"),
        ("[1]", "must be a JSON object, got \\[1\\]"),
        ('{"grond": true}', "unknown key 'grond': choose from smoothing, ground, fade"),
        ('{"ground": 1}', "'ground' must be true or false, got 1"),
        ('{"fade": 1.5}', "'fade' must be a confidence from 0 to 1, got 1.5"),
        ('{"fade": NaN}', "'fade' must be a confidence from 0 to 1, got nan"),
        ('{"smoothing": {"method": "kalman"}}', "unknown smoothing 'kalman': choose from one-euro"),
        ('{"smoothing": {"feet": {}}}', "unknown key 'feet'"),
        ('{"smoothing": {"body": {"cutoff": 0}}}', "'cutoff' of a smoothing strength must be a number above 0, got 0"),
        ('{"smoothing": {"body": {"speed": -1}}}', "'speed' of .* must be a number not below 0, got -1"),
        ('{"smoothing": {"body": {"window": "long"}}}', "'window' of .* must be a number above 0, got 'long'"),
    ],
)
def test_errors_name_the_value(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        KeySettings.from_json(text)


def test_the_usual_strengths_of_what_has_no_group() -> None:
    usual = Smoothing()
    assert usual.depth == Strength(min_cutoff=0.5, speed=0.2, window=1.0, cutoff=0.7)
    assert usual.expression == Strength(min_cutoff=2.0, speed=0.3, window=0.20, cutoff=7.0)


def test_distance_and_expression_go_with_their_groups() -> None:
    usual = Smoothing()
    calmer = replace(usual, root=replace(usual.root, cutoff=2.5), face=replace(usual.face, min_cutoff=5.0))
    assert calmer.depth == replace(usual.depth, cutoff=0.35)
    assert calmer.expression == replace(usual.expression, min_cutoff=4.0)


@pytest.mark.parametrize(
    ("group", "joints"),
    [("root", slice(0, 1)), ("body", slice(1, BODY_JOINTS.stop)), ("hands", slice(25, 55)), ("face", slice(22, 25))],
)
@pytest.mark.parametrize("method", METHODS[:-1])
def test_each_strength_moves_its_own_joints(make_take: MakeTake, method: str, group: str, joints: slice) -> None:
    poses = np.random.default_rng(0).normal(0, 0.1, (60, 165)).astype(np.float32)
    take = make_take(frames=60, poses=poses)
    usual = Smoothing(method)
    half = {name: 0.3 * value for name, value in vars(usual.root).items() if name != "window"}
    changed = replace(usual, **{group: Strength(**half, window=1.2)})
    moved_joints = (smooth_take(take, usual).poses != smooth_take(take, changed).poses).reshape(60, 55, 3).any((0, 2))
    assert moved_joints[joints].all()
    assert not np.delete(moved_joints, np.r_[joints]).any()


def hardly_seen(make_take: MakeTake, confidence: float) -> Take:
    poses = np.random.default_rng(1).normal(0, 0.3, (30, 165)).astype(np.float32)
    seen = np.full((30, 55), 0.9, np.float32)
    seen[:, JAW:] = confidence
    return make_take(frames=30, poses=poses, confidence=seen)


@pytest.mark.parametrize(("fade", "share"), [(0.0, 0.0), (0.2, 0.0), (0.35, 0.1), (0.8, 1.0)])
def test_threshold_of_fading(make_take: MakeTake, fade: float, share: float) -> None:
    """Seen with 0.25: how near hands are to rest depends on the threshold."""
    take = hardly_seen(make_take, 0.25)
    settings = KeySettings(smoothing=Smoothing("none"), fade=fade)
    hands = moved(take, settings, np.zeros((2, 15, 3))).poses.reshape(30, 55, 3)[:, LEFT_HAND]
    kept = np.linalg.norm(hands) / np.linalg.norm(take.poses.reshape(30, 55, 3)[:, LEFT_HAND])
    assert kept == pytest.approx(1.0) if share == 0 else kept < 1 - 0.9 * share


def test_defaults_are_smoothing_and_fading_as_ever(make_take: MakeTake) -> None:
    take, rest = hardly_seen(make_take, 0.25), np.full((2, 15, 3), 0.2)
    expected = fade_unseen(smooth_take(take), rest)
    assert np.array_equal(moved(take, KeySettings(), rest).poses, expected.poses)


def test_fingers_relative_to_a_mean_hand_get_it_added(make_take: MakeTake) -> None:
    """A take from elsewhere that says `flat_hand_mean=False` moves as the same take with flat hands."""
    mean = np.random.default_rng(1).normal(scale=0.3, size=(2, 15, 3))
    poses = np.random.default_rng(2).normal(scale=0.3, size=(5, 165)).astype(np.float32)
    flat = make_take(poses=poses)
    relative = with_mean_hands(flat, mean)
    assert not np.allclose(relative.poses, flat.poses)
    settings = KeySettings(smoothing=Smoothing("none"), fade=0)
    np.testing.assert_allclose(moved(relative, settings, mean).poses, moved(flat, settings, mean).poses, atol=1e-6)
    assert moved(relative, settings, mean).flat_hand_mean
