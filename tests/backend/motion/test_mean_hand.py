"""Fingers relative to flat hands and to the mean hand."""

import numpy as np
import pytest

from pose2pose.backend.motion.mean_hand import HANDS, matrices_relative_to_flat, with_flat_hands, with_mean_hands
from pose2pose.backend.motion.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from pose2pose.backend.motion.skeleton import LEFT_HAND, RIGHT_HAND
from pose2pose.backend.motion.take import Take, load_take, save_take

RANDOM = np.random.default_rng(0)
MEAN = RANDOM.normal(scale=0.3, size=(2, 15, 3))


@pytest.fixture
def take() -> Take:
    poses = RANDOM.normal(scale=0.4, size=(4, 165)).astype(np.float32)
    unknown = {
        "joints_cam": (4, 55, 3), "joints_img": (4, 55, 2), "confidence": (4, 55), "boxes": (4, 4), "focal": (2,),
        "principal_point": (2,), "image_size": (2,), "trans": (4, 3), "betas": (10,), "expression": (4, 10),
    }  # fmt: skip
    return Take(
        poses=poses,
        times=np.arange(4.0),
        frames=np.arange(4),
        mocap_frame_rate=1.0,
        raw={"poses_raw": 2 * poses},
        **{name: np.zeros(shape) for name, shape in unknown.items()},
    )


def test_the_mean_is_added_as_smplx_adds_it(take: Take) -> None:
    """Its `flat_hand_mean=False`: pose + mean, hand by hand, before axis-angle becomes a rotation."""
    relative = with_mean_hands(take, MEAN)
    assert not relative.flat_hand_mean
    before, after = relative.poses.reshape(4, 55, 3), take.poses.reshape(4, 55, 3)
    np.testing.assert_allclose(before[:, LEFT_HAND] + MEAN[0], after[:, LEFT_HAND], atol=1e-6)
    np.testing.assert_allclose(before[:, RIGHT_HAND] + MEAN[1], after[:, RIGHT_HAND], atol=1e-6)
    np.testing.assert_array_equal(before[:, : HANDS.start], after[:, : HANDS.start])


def test_there_and_back_and_through_the_file(take: Take, tmp_path) -> None:
    save_take(with_mean_hands(take, MEAN), tmp_path / "take.npz")
    again = with_flat_hands(load_take(tmp_path / "take.npz"), MEAN)
    assert again.flat_hand_mean
    np.testing.assert_allclose(again.poses, take.poses, atol=1e-6)
    np.testing.assert_allclose(again.raw["poses_raw"], take.raw["poses_raw"], atol=1e-6)


def test_a_take_that_follows_the_rule_is_left_alone(take: Take) -> None:
    assert with_flat_hands(take, MEAN) is take
    relative = with_mean_hands(take, MEAN)
    assert with_mean_hands(relative, MEAN) is relative


def test_matrices_follow_the_same_rule() -> None:
    relative = RANDOM.normal(scale=0.4, size=(5, 30, 3))
    flat = matrices_relative_to_flat(matrix_from_axis_angle(relative), MEAN)
    np.testing.assert_allclose(axis_angle_from_matrix(flat), relative + MEAN.reshape(30, 3), atol=1e-9)
    identity = np.broadcast_to(np.eye(3), (30, 3, 3))
    np.testing.assert_allclose(axis_angle_from_matrix(matrices_relative_to_flat(identity, MEAN)), MEAN.reshape(30, 3))
