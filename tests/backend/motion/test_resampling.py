"""Takes at even times."""

from collections.abc import Callable

import numpy as np
import pytest

from pose2pose.backend.motion.resampling import evenly
from pose2pose.backend.motion.rotations import axis_angle_from_quaternion, quaternion_from_axis_angle
from pose2pose.backend.motion.take import Take

MakeTake = Callable[..., Take]


def test_even_takes_stay_as_they_are(make_take: MakeTake) -> None:
    poses = np.random.default_rng(0).normal(size=(7, 165)).astype(np.float32)
    take = make_take(frames=7, poses=poses, times=np.round(np.arange(7) / 30, 3))
    again = evenly(take, 30)
    assert again.poses is take.poses
    assert again.times[3] == pytest.approx(0.1)


def test_other_rates_meet_the_same_motion(make_take: MakeTake) -> None:
    """A joint that turns at a constant speed, and a body at a constant speed, whatever the times they were seen at."""
    times = np.array([0.0, 0.05, 0.2, 0.21, 0.4, 0.5])
    poses = np.zeros((6, 55, 3), np.float32)
    poses[:, 16, 1] = -3.0 + 12.0 * times  # beyond pi on its way
    trans = np.stack([2 * times, -times, 0 * times], axis=-1).astype(np.float32)
    again = evenly(make_take(frames=6, poses=poses.reshape(6, 165), trans=trans, times=times), 24)
    assert again.mocap_frame_rate == 24
    np.testing.assert_allclose(again.times, np.arange(13) / 24)
    np.testing.assert_allclose(again.trans[:, 0], 2 * again.times, atol=1e-6)
    wanted = np.zeros((13, 3))
    wanted[:, 1] = -3.0 + 12.0 * again.times
    turned = again.poses.reshape(-1, 55, 3)[:, 16]
    assert np.abs(turned).max() <= np.pi + 1e-6
    np.testing.assert_allclose(turned, axis_angle_from_quaternion(quaternion_from_axis_angle(wanted)), atol=1e-5)


def test_a_single_frame(make_take: MakeTake) -> None:
    assert len(evenly(make_take(frames=1), 30)) == 1


def test_film_rates_become_whole_ones_in_the_same_time(make_take: MakeTake) -> None:
    take = make_take(frames=3001, rate=30 / 1.001)
    again = evenly(take, 30)
    assert again.times[-1] == pytest.approx(take.times[-1], abs=1 / 30)
