"""Hands and faces that were not seen go to rest without a jump."""

from collections.abc import Callable

import numpy as np

from pose2pose.backend.motion.presence import confidence_by_part, fade_unseen, presence
from pose2pose.backend.motion.skeleton import JAW, LEFT_HAND, RIGHT_HAND
from pose2pose.backend.motion.take import Take

RELAXED = np.full((2, 15, 3), 0.2)


def waving(make_take: Callable[..., Take], seen: np.ndarray) -> Take:
    """Every joint trembles; the left hand and the face were seen where `seen`."""
    count = len(seen)
    rng = np.random.default_rng(0)
    confidence = np.ones((count, 55), np.float32)
    confidence[:, LEFT_HAND] = confidence[:, JAW : LEFT_HAND.start] = seen[:, None]
    return make_take(
        frames=count,
        poses=rng.normal(0, 0.3, (count, 165)).astype(np.float32),
        expression=rng.normal(0, 1, (count, 10)).astype(np.float32),
        confidence=confidence,
    )


def test_what_was_seen_stays(make_take: Callable[..., Take]) -> None:
    take = waving(make_take, np.full(40, 0.8))
    faded = fade_unseen(take, RELAXED)
    assert np.array_equal(faded.poses, take.poses)
    assert np.array_equal(faded.expression, take.expression)


def test_what_was_not_seen_rests(make_take: Callable[..., Take]) -> None:
    take = waving(make_take, np.full(40, 0.05))
    faded = fade_unseen(take, RELAXED)
    hands = faded.poses.reshape(40, 55, 3)
    assert np.allclose(hands[:, LEFT_HAND], 0.2, atol=1e-5)
    assert np.array_equal(hands[:, RIGHT_HAND], take.poses.reshape(40, 55, 3)[:, RIGHT_HAND])
    assert np.array_equal(hands[:, :JAW], take.poses.reshape(40, 55, 3)[:, :JAW]), "the body is never faded"
    assert not hands[:, JAW].any()
    assert not faded.expression.any()


def test_the_way_to_rest_is_soft() -> None:
    times = np.arange(60) / 30
    shown = presence(np.where(np.arange(60) < 30, 0.9, 0.0), times)
    assert shown[0] == 1
    assert shown[-1] == 0
    assert np.abs(np.diff(shown)).max() < 0.2


def test_one_bad_frame_hardly_shows() -> None:
    confidence = np.full(60, 0.9)
    confidence[30] = 0.0
    assert presence(confidence, np.arange(60) / 30).min() > 0.9


def test_confidence_of_parts() -> None:
    confidence = np.zeros((3, 55))
    confidence[:, RIGHT_HAND] = 0.6
    parts = confidence_by_part(confidence)
    assert list(parts) == ["body", "left_hand", "right_hand", "face"]
    assert np.allclose(parts["right_hand"], 0.6)
    assert not parts["left_hand"].any()
