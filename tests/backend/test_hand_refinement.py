"""Wrists and fingers turn to the points that are seen of the hands."""

from dataclasses import replace

import numpy as np
import pytest

from pose2pose.backend.body.joints import LEFT_HAND21, RIGHT_HAND21
from pose2pose.backend.body.layer import BodyLayer
from pose2pose.backend.descent import OVERLAP, WINDOW
from pose2pose.backend.hand_refinement import refine_hands
from pose2pose.backend.motion.body_file import load_body
from pose2pose.backend.motion.rotations import matrix_from_axis_angle
from pose2pose.backend.motion.skeleton import JOINT_INDEX, LEFT_HAND, RIGHT_HAND
from pose2pose.backend.refinement import DOUBTED_HAND, RefinedMotion, RefinementInput

torch = pytest.importorskip("torch")

FOCAL, CENTER = np.array([1000.0, 1000.0]), np.array([320.0, 240.0])
LEFT_WRIST, RIGHT_WRIST = JOINT_INDEX["left_wrist"], JOINT_INDEX["right_wrist"]
HANDS = [LEFT_HAND21, RIGHT_HAND21]


@pytest.fixture(scope="module")
def layer() -> BodyLayer:
    return BodyLayer(load_body())


def posed_hands(layer: BodyLayer, rotations: np.ndarray, trans: np.ndarray) -> np.ndarray:
    """(T, 2, 21, 3) camera axes, meters."""
    points, _ = layer.skeleton(torch.tensor(rotations, dtype=torch.float32), torch.zeros(len(rotations), 10))
    return (points.numpy() + trans[:, None])[:, HANDS]


def waving(count: int) -> tuple[np.ndarray, np.ndarray]:
    """True rotations (T, 55, 3, 3) and trans of somebody 3 m away whose wrists turn and whose fingers close."""
    axis_angle = np.zeros((count, 55, 3))
    swing = np.sin(np.linspace(0, 3, count))
    axis_angle[:, 16, 2], axis_angle[:, 17, 2] = -0.8, 0.8
    axis_angle[:, LEFT_WRIST, 1], axis_angle[:, RIGHT_WRIST, 1] = 0.4 * swing, -0.4 * swing
    axis_angle[:, LEFT_HAND, 2], axis_angle[:, RIGHT_HAND, 2] = -0.5 * swing[:, None], 0.5 * swing[:, None]
    rotations = matrix_from_axis_angle(axis_angle)
    rotations[:, 0] = np.diag([1.0, -1.0, -1.0])
    return rotations, np.tile([0.0, 0.0, 3.0], (count, 1))


def seen_take(layer: BodyLayer, count: int, presence: float) -> tuple[np.ndarray, RefinementInput, RefinedMotion]:
    """The truth, what was seen of it, and a motion whose wrists are off by 0.4 and whose fingers flicker."""
    rotations, trans = waving(count)
    hands = posed_hands(layer, rotations, trans)
    pixels = hands[..., :2] / hands[..., 2:] * FOCAL + CENTER
    seen = np.concatenate([pixels, np.full((*pixels.shape[:3], 1), presence)], axis=-1)
    random = np.random.default_rng(0)
    off = rotations.copy()
    off[:, [LEFT_WRIST, RIGHT_WRIST]] @= matrix_from_axis_angle(np.array([[0.0, 0.3, 0.3], [0.2, -0.3, 0.2]]))
    off[:, 25:] @= matrix_from_axis_angle(random.normal(0, 0.15, (count, 30, 3)))
    times, keypoints = np.arange(count) / 30, np.zeros((count, 17, 3))
    heads, faces = np.zeros((count, 3, 3)), np.zeros((count, 2))
    given = RefinementInput(off, trans, np.zeros(10), keypoints, seen, heads, faces, times, FOCAL, CENTER)
    return rotations, given, RefinedMotion(rotations=off.astype(np.float32), trans=trans.astype(np.float32))


def error(layer: BodyLayer, motion: RefinedMotion, truth: np.ndarray) -> float:
    """Mean distance of the hands' points from the true ones, from the wrist, millimeters."""
    hands = [posed_hands(layer, rotations, np.asarray(motion.trans)) for rotations in (motion.rotations, truth)]
    found, true = (points - points[:, :, :1] for points in hands)
    return float(1000 * np.linalg.norm(found - true, axis=-1).mean())


def flicker(rotations: np.ndarray) -> float:
    return float(np.abs(np.diff(rotations[:, 25:], 2, axis=0)).mean())


def test_hands_come_to_lie_on_their_points_and_stop_flickering(layer: BodyLayer) -> None:
    truth, given, before = seen_take(layer, 20, presence=0.9)
    after = refine_hands(given, before, layer)
    assert error(layer, after, truth) < 0.5 * error(layer, before, truth)
    assert flicker(after.rotations) < 0.2 * flicker(before.rotations)


def test_the_size_of_the_hands_does_not_count(layer: BodyLayer) -> None:
    truth, given, before = seen_take(layer, 20, presence=0.9)
    larger = given.hands.copy()
    larger[..., :2] = larger[..., :1, :2] + 1.3 * (larger[..., :2] - larger[..., :1, :2])
    after, of_larger = (refine_hands(replace(given, hands=hands), before, layer) for hands in (given.hands, larger))
    assert error(layer, of_larger, truth) == pytest.approx(error(layer, after, truth), rel=0.1)


def test_only_wrists_and_fingers_turn(layer: BodyLayer) -> None:
    _, given, before = seen_take(layer, 8, presence=0.9)
    after = refine_hands(given, before, layer)
    still = [joint for joint in range(25) if joint not in (LEFT_WRIST, RIGHT_WRIST)]
    np.testing.assert_array_equal(after.rotations[:, still], before.rotations[:, still])
    np.testing.assert_array_equal(after.trans, before.trans)


def test_hands_that_nobody_sees_stay_as_they_are(layer: BodyLayer) -> None:
    _, given, before = seen_take(layer, 8, presence=DOUBTED_HAND)
    np.testing.assert_array_equal(refine_hands(given, before, layer).rotations, before.rotations)


def test_hands_that_vanish_where_two_windows_meet_do_not_jerk(layer: BodyLayer) -> None:
    _, given, before = seen_take(layer, WINDOW + 40, presence=0.9)
    joint, hands = WINDOW - OVERLAP, given.hands.copy()
    hands[..., :2] += np.random.default_rng(1).normal(0, 4.0, hands[..., :2].shape)
    hands[joint:, ..., 2] = 0.0
    wrists = refine_hands(replace(given, hands=hands), before, layer).rotations[:, [LEFT_WRIST, RIGHT_WRIST]]
    jerks = np.abs(np.diff(wrists, 2, axis=0)).max(axis=(1, 2, 3))
    assert jerks[joint - 6 : joint + 4].max() < 2 * np.quantile(jerks, 0.9)  # 6.5 without the settled frames


@pytest.mark.parametrize("count", [1, 2, 5])
def test_takes_of_any_length(layer: BodyLayer, count: int) -> None:
    truth, given, before = seen_take(layer, count, presence=0.9)
    after = refine_hands(given, before, layer)
    assert error(layer, after, truth) < 0.6 * error(layer, before, truth)


def test_whoever_reports_can_end_the_work(layer: BodyLayer) -> None:
    _, given, before = seen_take(layer, 3, presence=0.9)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refine_hands(given, before, layer, report=stop)
