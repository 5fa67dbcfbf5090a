"""Conversions between axis-angle, matrices, quaternions and 6D, on any rotation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pose2pose.backend.motion.rotations import (
    axis_angle_from_matrix,
    axis_angle_from_quaternion,
    continuous_quaternions,
    matrix_from_6d,
    matrix_from_axis_angle,
    matrix_from_quaternion,
    quaternion_from_axis_angle,
    quaternion_from_matrix,
)

axis_angles = arrays(np.float64, (3, 3), elements=st.floats(-4, 4))


@given(axis_angles)
def test_matrices_are_rotations(axis_angle: np.ndarray) -> None:
    matrix = matrix_from_axis_angle(axis_angle)
    assert np.allclose(matrix @ np.swapaxes(matrix, -1, -2), np.eye(3), atol=1e-9)
    assert np.allclose(np.linalg.det(matrix), 1)


@given(axis_angles)
def test_there_and_back_is_the_same_rotation(axis_angle: np.ndarray) -> None:
    matrix = matrix_from_axis_angle(axis_angle)
    back = axis_angle_from_matrix(matrix)
    assert np.linalg.norm(back, axis=-1).max() <= np.pi + 1e-9
    assert np.allclose(matrix_from_axis_angle(back), matrix, atol=1e-7)
    assert np.allclose(matrix_from_quaternion(quaternion_from_matrix(matrix)), matrix, atol=1e-7)
    quaternion = quaternion_from_axis_angle(axis_angle)
    assert np.allclose(matrix_from_axis_angle(axis_angle_from_quaternion(quaternion)), matrix, atol=1e-7)


@given(axis_angles)
def test_6d_holds_the_first_two_columns(axis_angle: np.ndarray) -> None:
    matrix = matrix_from_axis_angle(axis_angle)
    six = np.concatenate([matrix[..., 0] * 3.0, matrix[..., 1] * 0.5 + matrix[..., 0]], axis=-1)
    assert np.allclose(matrix_from_6d(six), matrix, atol=1e-9)


@pytest.mark.parametrize("axis", np.eye(3))
@pytest.mark.parametrize("angle", [0.0, 1e-9, np.pi / 2, np.pi - 1e-9, np.pi])
def test_angles_where_formulas_break(axis: np.ndarray, angle: float) -> None:
    back = axis_angle_from_matrix(matrix_from_axis_angle(angle * axis))
    assert np.linalg.norm(back) == pytest.approx(angle, abs=1e-7)
    assert np.allclose(np.abs(back), angle * axis, atol=1e-7)


def test_a_quarter_turn_about_z_takes_x_to_y() -> None:
    turn = np.array([0, 0, np.pi / 2])
    assert np.allclose(matrix_from_axis_angle(turn) @ [1, 0, 0], [0, 1, 0])
    assert np.allclose(quaternion_from_axis_angle(turn), np.sqrt(0.5) * np.array([1, 0, 0, 1]))


def test_continuous_quaternions_take_the_short_way() -> None:
    angles = np.linspace(0, 4 * np.pi, 50)
    turning = quaternion_from_matrix(matrix_from_axis_angle(angles[:, None, None] * np.array([[0, 1, 0], [0, 0, 1]])))
    assert (np.sum(turning[1:] * turning[:-1], axis=-1) < 0).any(), "otherwise this test shows nothing"
    continuous = continuous_quaternions(turning)
    assert (np.sum(continuous[1:] * continuous[:-1], axis=-1) > 0.9).all()
    assert np.allclose(matrix_from_quaternion(continuous), matrix_from_quaternion(turning))
