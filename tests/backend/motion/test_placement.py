"""Camera axes to Blender's, and people onto the ground."""

from collections.abc import Callable

import numpy as np
import pytest

from pose2pose.backend.motion.body_file import load_body
from pose2pose.backend.motion.placement import (
    WORLD_FROM_BODY,
    camera_from_world,
    camera_pitch,
    on_ground,
    posed_joints,
    sole_height,
    world_from_camera,
)
from pose2pose.backend.motion.rotations import axis_angle_from_matrix, matrix_from_axis_angle
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


def turned(degrees: float) -> np.ndarray:
    """Around x, which is the camera's right."""
    return np.asarray(matrix_from_axis_angle(np.radians([degrees, 0.0, 0.0])))


def standing(tilt: float, way: float = 0.0, lean: float = 0.0) -> np.ndarray:
    """Somebody who goes `way` meters away, as a camera sees it that is tilted so many degrees; (T, 55, 3)."""
    still = load_body().rest_joints() @ WORLD_FROM_BODY.T @ turned(lean).T
    path = np.linspace(0, 1, 40)[:, None, None] * np.array([0.0, way, 0.0])
    return (still + path + np.array([0.0, 4.0, 0.0])) @ turned(-tilt).T


@pytest.mark.parametrize("tilt", [-25.0, 0.0, 10.0])
def test_people_who_stand_tell_the_cameras_tilt(tilt: float) -> None:
    found = np.degrees(camera_pitch([standing(tilt), standing(tilt, way=1.0)]))
    assert found == pytest.approx(tilt, abs=3)
    level = standing(tilt) @ turned(found).T
    assert abs(level[0, 15, 1] - level[0, 7, 1]) < 0.15, "the head is above the feet"


def test_a_long_way_on_level_ground_outweighs_a_lean() -> None:
    assert np.degrees(camera_pitch([standing(0, lean=15)])) == pytest.approx(-15, abs=4)
    assert abs(np.degrees(camera_pitch([standing(0, lean=15, way=4.0)]))) < 4


def test_who_does_not_stand_says_nothing() -> None:
    lying = standing(0) @ turned(80).T
    sitting = standing(-20)
    sitting[:, [4, 5, 7, 8, 10, 11], 1] -= 0.4
    sitting[:, [4, 5], 2] = sitting[:, [1, 2], 2]
    assert camera_pitch([lying]) == camera_pitch([sitting]) == 0.0


def test_a_placement_turns_about_the_camera() -> None:
    seen = standing(-20)
    placement = on_ground([seen], [0.0], pitch=np.radians(-20))
    placed = placement.place(seen)
    assert np.allclose(placed[0, 0, :2], 0)
    assert np.ptp(placed[:, 15, 2] - placed[:, 10, 2]) < 1e-9
    assert placed[:, [7, 8, 10, 11], 2].min() == pytest.approx(0, abs=1e-6)
    assert np.allclose(placement.place(np.zeros(3)), placement.offset)


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
