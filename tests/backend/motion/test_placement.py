"""Camera axes to Blender's, and people onto the ground."""

from collections.abc import Callable

import numpy as np
import pytest

from pose2pose.backend.motion.body_file import load_body
from pose2pose.backend.motion.placement import (
    WORLD_FROM_BODY,
    camera_from_world,
    on_ground,
    posed_joints,
    sole_height,
    world_from_camera,
)
from pose2pose.backend.motion.rotations import axis_angle_from_matrix
from pose2pose.backend.motion.skeleton import JOINT_INDEX
from pose2pose.backend.motion.take import Take


def test_axes() -> None:
    right, down, forward = world_from_camera(np.eye(3))
    assert right.tolist() == [1, 0, 0]
    assert down.tolist() == [0, 0, -1]
    assert forward.tolist() == [0, 1, 0]
    points = np.random.default_rng(0).normal(size=(4, 7, 3))
    assert np.allclose(camera_from_world(world_from_camera(points)), points)


def test_the_rest_pose_stands_upright_and_faces_the_front() -> None:
    body = load_body()
    joints = body.rest_joints() @ WORLD_FROM_BODY.T
    assert joints[JOINT_INDEX["head"], 2] > joints[JOINT_INDEX["left_foot"], 2] + 1.2
    assert joints[JOINT_INDEX["left_foot"], 1] < joints[JOINT_INDEX["left_ankle"], 1], "toes point to -y"
    assert joints[JOINT_INDEX["left_wrist"], 0] > 0.4, "left is +x of somebody who faces -y"
    assert 0.01 < sole_height(body.v_template, body.rest_joints()) < 0.06


def test_posed_joints_follow_smplx(make_take: Callable[..., Take]) -> None:
    rest = load_body().rest_joints()
    poses = np.zeros((5, 55, 3), np.float32)
    poses[:, 0] = axis_angle_from_matrix(WORLD_FROM_BODY)
    joints = posed_joints(make_take(poses=poses.reshape(5, 165)), rest)
    assert np.allclose(joints[:, 0], rest[0] + [0.0, 4.0, 0.2], atol=1e-6), "trans is added to the rest pelvis"
    assert np.allclose(joints[2] - joints[2, 0], (rest - rest[0]) @ WORLD_FROM_BODY.T, atol=1e-6)


def person(x: float, y: float, foot: float, frames: int = 50) -> np.ndarray:
    joints = np.full((frames, 55, 3), 1.0) + np.array([0, 0, foot])
    joints[:, [7, 8, 10, 11], 2] = foot
    joints[..., 0], joints[..., 1] = x, y
    return joints


def test_feet_stand_on_zero_and_the_first_person_at_the_origin() -> None:
    offset = on_ground([person(0.3, 4.0, -1.2)], [0.02]).offset
    assert np.allclose(offset, [-0.3, -4.0, 1.22])


def test_people_share_one_offset_and_the_lower_one_sets_the_ground() -> None:
    pair = [person(0.3, 4.0, -1.2), person(1.3, 5.0, -1.4)]
    assert np.allclose(on_ground(pair, [0.02, 0.02]).offset, [-0.3, -4.0, 1.42])


def test_a_jump_and_a_bad_frame_do_not_move_the_ground() -> None:
    joints = person(0.0, 4.0, -1.2, frames=100)
    joints[30:60, :, 2] += 0.4
    joints[70, 7, 2] -= 3.0
    assert on_ground([joints], [0.02]).offset[2] == pytest.approx(1.22, abs=0.001)


def test_nobody() -> None:
    with pytest.raises(ValueError, match="at least one person"):
        on_ground([], [])
