"""Smoothing calms jitter, keeps motion, and equals scipy's filters where those apply."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pose2pose.backend.motion.filters import butterworth, savitzky_golay
from pose2pose.backend.motion.rotations import (
    axis_angle_from_quaternion,
    continuous_quaternions,
    matrix_from_axis_angle,
    quaternion_from_axis_angle,
)
from pose2pose.backend.motion.smoothing import BODY, METHODS, Smoothing, smooth_rotations, smooth_take
from pose2pose.backend.motion.take import Take

ACTIVE = METHODS[:-1]
RATE = 30.0
TIMES = np.arange(300) / RATE
MIDDLE = slice(60, 240)


def smooth_angle(angle: np.ndarray, method: str, times: np.ndarray = TIMES) -> np.ndarray:
    """Turn a joint about one axis by (T,) radians, smooth, and read the angle."""
    turning = quaternion_from_axis_angle(angle[:, None, None] * np.array([0.0, 1.0, 0.0]))
    return axis_angle_from_quaternion(smooth_rotations(turning, times, method, [BODY]))[:, 0, 1]


def noise(deviation: float = 0.02, count: int = 300) -> np.ndarray:
    return np.random.default_rng(0).normal(0, deviation, count)


@pytest.mark.parametrize("method", ACTIVE)
def test_motion_of_one_hertz_keeps_its_size(method: str) -> None:
    angle = 0.4 * np.sin(2 * np.pi * TIMES)
    smooth = smooth_angle(angle, method)
    assert smooth[MIDDLE].max() > 0.9 * angle[MIDDLE].max()
    shift = np.argmax(np.correlate(smooth[MIDDLE], angle[MIDDLE], "full")) - (len(angle[MIDDLE]) - 1)
    assert shift == 0, "no delay"


@pytest.mark.parametrize("method", ACTIVE)
def test_a_fast_punch_survives(method: str) -> None:
    """A quarter of a second there and back, by 1.5 rad."""
    punch = 1.5 * np.exp(-(((TIMES - 5) / 0.08) ** 2))
    assert smooth_angle(punch, method).max() > 0.75 * 1.5


@pytest.mark.parametrize(("method", "left"), [("one-euro", 0.25), ("savitzky-golay", 0.2), ("butterworth", 0.2)])
def test_jitter_goes(method: str, left: float) -> None:
    """Jitter as one sees it: the second difference from frame to frame."""
    before, after = noise(), smooth_angle(noise(), method)
    assert np.std(after) < 0.6 * np.std(before)
    assert np.std(np.diff(after, n=2)) < left * np.std(np.diff(before, n=2))


@pytest.mark.parametrize("method", ACTIVE)
def test_uneven_times(method: str) -> None:
    """A clip of variable frame rate: the motion stays, the noise goes."""
    times = np.cumsum(np.random.default_rng(1).uniform(0.02, 0.05, 300))
    angle = 0.4 * np.sin(2 * np.pi * times)
    assert np.std(smooth_angle(angle, method, times) - angle) < 0.05
    rough = np.std(np.diff(noise(), n=2))
    assert np.std(np.diff(smooth_angle(noise(), method, times), n=2)) < 0.35 * rough


@pytest.mark.parametrize("method", ACTIVE)
def test_rotations_know_no_favorite_axis(method: str) -> None:
    """Turning the whole motion first and smoothing then is the same as the other way round."""
    motion = np.random.default_rng(2).normal(0, 0.3, (60, 4, 3)).cumsum(axis=0) * 0.3
    turning = continuous_quaternions(quaternion_from_axis_angle(motion))
    turned = continuous_quaternions(product(quaternion_from_axis_angle(np.array([0.3, 2.0, -1.0])), turning))
    smooth, times = smooth_rotations(turning, TIMES[:60], method, [BODY] * 4), TIMES[:60]
    expected = product(quaternion_from_axis_angle(np.array([0.3, 2.0, -1.0])), smooth)
    got = smooth_rotations(turned, times, method, [BODY] * 4)
    assert np.allclose(np.abs(np.sum(got * expected, axis=-1)), 1, atol=1e-9)


def product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    w, x, y, z = left
    matrix = np.array([[w, -x, -y, -z], [x, w, -z, y], [y, z, w, -x], [z, -y, x, w]])
    return right @ matrix.T


def test_a_turn_through_half_a_circle_has_no_jump(make_take: Callable[..., Take]) -> None:
    """Axis-angle jumps from pi to -pi; the rotation does not."""
    poses = np.zeros((60, 55, 3))
    poses[:, 0, 1] = (np.linspace(2, 4.5, 60) + np.pi) % (2 * np.pi) - np.pi
    for method in ACTIVE:
        smooth = smooth_take(make_take(frames=60, poses=poses.reshape(60, 165).astype(np.float32)), Smoothing(method))
        turned = matrix_from_axis_angle(smooth.poses.reshape(60, 55, 3)[:, 0])
        assert np.abs(turned - matrix_from_axis_angle(poses[:, 0])).max() < 0.06


def test_savitzky_golay_is_scipys() -> None:
    signal = pytest.importorskip("scipy.signal")
    values = np.random.default_rng(3).normal(size=(100, 3))
    expected = signal.savgol_filter(values, 9, 2, axis=0)
    assert np.allclose(savitzky_golay(values, TIMES[:100], 8 / RATE), expected)


@pytest.mark.parametrize("count", [5, 12, 100])
def test_butterworth_is_scipys(count: int) -> None:
    signal = pytest.importorskip("scipy.signal")
    values = np.random.default_rng(4).normal(size=(count, 3)) + 5
    b, a = signal.butter(2, 6.0, fs=RATE)
    expected = signal.filtfilt(b, a, values, axis=0, padlen=min(9, count - 1))
    assert np.allclose(butterworth(values, TIMES[:count], 6.0), expected)


def test_a_cutoff_beyond_the_frame_rate_changes_nothing() -> None:
    values = np.random.default_rng(5).normal(size=(20, 2))
    assert butterworth(values, np.arange(20) / 10, 6.0) is values


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 7])
def test_short_takes(make_take: Callable[..., Take], method: str, frames: int) -> None:
    take = make_take(frames=frames)
    smooth = smooth_take(take, Smoothing(method))
    assert np.allclose(smooth.poses, take.poses, atol=1e-6)
    assert np.allclose(smooth.trans, take.trans, atol=1e-5)


def test_everything_that_moves_is_smoothed_and_what_was_seen_stays(make_take: Callable[..., Take]) -> None:
    rng = np.random.default_rng(6)
    take = make_take(frames=90)
    take = replace(
        take,
        poses=rng.normal(0, 0.05, (90, 165)).astype(np.float32),
        trans=rng.normal(0, 0.05, (90, 3)).astype(np.float32),
        expression=rng.normal(0, 0.2, (90, 10)).astype(np.float32),
    )
    smooth = smooth_take(take)
    for name in ("poses", "trans", "expression"):
        before, after = (np.diff(getattr(t, name), n=2, axis=0).std(axis=0) for t in (take, smooth))
        assert (after < 0.4 * before).all(), name
    assert smooth.joints_cam is take.joints_cam
    assert smooth_take(take, Smoothing("none")) is take


@pytest.mark.parametrize("method", ACTIVE)
def test_distance_from_the_camera_is_calm_and_the_person_stays_in_place_in_the_picture(
    make_take: Callable[..., Take], method: str
) -> None:
    """Somebody walks past and away; the distance swings with the steps, as it does in monocular captures."""
    swing = 0.2 * np.sin(2 * np.pi * 1.5 * TIMES)
    true = np.stack([0.5 * TIMES - 2, 6 + 0.3 * TIMES, np.full(300, -0.5)], axis=-1)
    seen = true * (1 + swing / true[:, 1])[:, None]
    smooth = smooth_take(make_take(frames=300, trans=seen.astype(np.float32)), Smoothing(method)).trans
    assert np.abs(smooth - true)[MIDDLE, 1].max() < 0.07
    assert np.abs(smooth / smooth[:, 1:2] - true / true[:, 1:2])[MIDDLE].max() < 0.003


def test_unknown_method(make_take: Callable[..., Take]) -> None:
    with pytest.raises(ValueError, match="unknown smoothing 'kalman': choose from one-euro"):
        smooth_take(make_take(), Smoothing("kalman"))
