"""The packaged body is a sound, symmetric, adult body that bends like one."""

from typing import Any

import numpy as np
import pytest

from pose2pose.backend.motion.body_file import OPEN_BODY, BodyFile
from pose2pose.backend.motion.rotations import matrix_from_axis_angle
from pose2pose.backend.motion.skeleton import JOINT_INDEX, JOINT_NAMES

torch = pytest.importorskip("torch")

from pose2pose.backend.body.joints import LANDMARK_VERTICES  # noqa: E402
from pose2pose.backend.body.layer import BodyLayer  # noqa: E402


def pose(layer: BodyLayer, degrees: dict[str, tuple[float, float, float]]) -> tuple[Any, Any]:
    vectors = np.zeros((55, 3))
    for name, angles in degrees.items():
        vectors[JOINT_INDEX[name]] = np.radians(angles)
    rotations = torch.tensor(matrix_from_axis_angle(vectors), dtype=torch.float32)[None]
    vertices, joints = layer(rotations, torch.zeros(1, 10), torch.zeros(1, 10))
    return vertices[0].double().numpy(), joints[0].double().numpy()


def volume(vertices: Any, faces: Any) -> float:
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    return float(np.sum(a * np.cross(b, c)) / 6)


def section_area(vertices: Any, faces: Any, x: float) -> float:
    """Area that the plane at x cuts out of a closed mesh, by Green's theorem over the cut triangles."""
    heights = vertices[faces][..., 0] - x
    cut = (heights > 0).any(axis=1) & (heights <= 0).any(axis=1)
    area = 0.0
    for triangle, height in zip(vertices[faces[cut]], heights[cut], strict=True):
        ends = {}
        for i, j in ((0, 1), (1, 2), (2, 0)):
            if (height[i] > 0) != (height[j] > 0):
                t = height[i] / (height[i] - height[j])
                ends[height[i] > 0] = (triangle[i] + t * (triangle[j] - triangle[i]))[1:]
        (ay, az), (by, bz) = ends[True], ends[False]
        area += (ay * bz - az * by) / 2
    return abs(area)


def test_file_is_small_and_free_of_pickles_and_says_its_license() -> None:
    assert OPEN_BODY.stat().st_size < 4_000_000
    with np.load(OPEN_BODY, allow_pickle=False) as archive:
        assert all(np.asarray(archive[key]).dtype != object for key in archive)
        assert str(archive["license"]).startswith("CC0-1.0")
        assert tuple(archive["joint_names"]) == JOINT_NAMES


def test_averages_are_averages(body: BodyFile) -> None:
    for rows in (body.weights, body.J_regressor):
        assert rows.min() >= 0
        np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)
    assert (body.weights.sum(axis=0) > 0).all()


def test_all_numbers_are_finite(body: BodyFile) -> None:
    for directions in (body.v_template, body.shapedirs, body.exprdirs, body.posedirs):
        assert np.isfinite(directions).all()


def test_skin_is_closed(body: BodyFile) -> None:
    edges = np.concatenate([body.faces[:, [0, 1]], body.faces[:, [1, 2]], body.faces[:, [2, 0]]])
    forward = {tuple(edge) for edge in edges.tolist()}
    assert len(forward) == len(edges)
    assert forward == {(b, a) for a, b in forward}
    assert volume(body.v_template.astype(np.float64), body.faces) == pytest.approx(0.061, abs=0.004)


def test_an_adult_facing_forward_with_the_left_on_plus_x(body: BodyFile) -> None:
    joints = dict(zip(JOINT_NAMES, body.rest_joints(), strict=True))
    assert 1.6 < np.ptp(body.v_template[:, 1]) < 1.8
    assert joints["left_wrist"][0] > 0.5
    assert joints["head"][1] > joints["pelvis"][1] > joints["left_knee"][1] > joints["left_ankle"][1]
    assert body.v_template[LANDMARK_VERTICES["nose"], 2] > joints["head"][2] + 0.05
    assert body.v_template[LANDMARK_VERTICES["left_big_toe"], 2] > joints["left_ankle"][2] + 0.1
    assert 0.08 < joints["left_hip"][0] < 0.09


def test_joints_are_mirror_images(body: BodyFile) -> None:
    joints = body.rest_joints(np.linspace(-1, 1, 10))
    left = [name for name in JOINT_NAMES if name.startswith("left_")]
    right = [name.replace("left_", "right_") for name in left]
    middle = [name for name in JOINT_NAMES if name not in left + right]
    places = dict(zip(JOINT_NAMES, joints, strict=True))
    mirrored = np.array([places[name] for name in left]) * [-1, 1, 1]
    np.testing.assert_allclose(mirrored, [places[name] for name in right], atol=1e-4)
    np.testing.assert_allclose([places[name][0] for name in middle], 0, atol=1e-4)


def test_spine_joints_stand_at_even_heights(body: BodyFile) -> None:
    heights = body.rest_joints()[[JOINT_INDEX[name] for name in ("pelvis", "spine1", "spine2", "spine3")], 1]
    np.testing.assert_allclose(np.diff(heights), np.diff(heights).mean(), rtol=0.05)


def test_first_beta_is_stature(body: BodyFile) -> None:
    taller = body.v_template + body.shapedirs[..., 0]
    assert np.ptp(taller[:, 1]) > np.ptp(body.v_template[:, 1]) + 0.05


def test_expressions_move_the_face_and_no_joint(body: BodyFile) -> None:
    joint_motion = np.einsum("jv,vck->jck", body.J_regressor, body.exprdirs)
    assert np.abs(joint_motion).max() < 1e-4
    peaks = np.linalg.norm(body.exprdirs, axis=1).max(axis=0)
    assert (peaks > 0.003).all()
    assert (peaks < 0.0071).all()


def test_landmarks_lie_at_finger_tips_and_eyes(body: BodyFile) -> None:
    joints = body.rest_joints()
    for side in ("left", "right"):
        for finger in ("thumb", "index", "middle", "ring", "pinky"):
            tip = body.v_template[LANDMARK_VERTICES[f"{side}_{finger}"]]
            assert np.linalg.norm(tip - joints[JOINT_INDEX[f"{side}_{finger}3"]]) < 0.035
        eye = body.v_template[LANDMARK_VERTICES[f"{side}_eye"]]
        assert np.linalg.norm(eye - joints[JOINT_INDEX[f"{side}_eye_smplhf"]]) < 0.02


def test_face_landmarks_run_from_the_right_brow_to_the_lips(body: BodyFile) -> None:
    corners = body.v_template[body.faces[body.lmk_faces_idx]]
    points = np.einsum("lk,lkc->lc", body.lmk_bary_coords, corners)
    right_brow, left_brow, bridge, mouth = points[:5], points[5:10], points[10:14], points[31:]
    assert (np.diff(np.concatenate([right_brow, left_brow])[:, 0]) > 0).all()
    assert (np.diff(bridge[:, 1]) < 0).all()
    assert mouth[:, 1].max() < bridge[-1, 1]
    assert points[:, 2].min() > body.rest_joints()[JOINT_INDEX["head"], 2] + 0.05
    np.testing.assert_allclose(points[19:25].mean(axis=0) * [-1, 1, 1], points[25:31].mean(axis=0), atol=0.001)


def test_curled_fingers_come_down_to_the_palm(layer: BodyLayer) -> None:
    curl = {
        f"left_{finger}{k}": (0.0, 0.0, -60.0) for finger in ("index", "middle", "ring", "pinky") for k in (1, 2, 3)
    }
    flat, _ = pose(layer, {})
    curled, _ = pose(layer, curl)
    for finger in ("index", "middle", "ring", "pinky"):
        tip = LANDMARK_VERTICES[f"left_{finger}"]
        assert curled[tip, 1] < flat[tip, 1] - 0.02
        assert curled[tip, 0] < flat[tip, 0] - 0.03


def test_a_twisted_wrist_keeps_its_girth(layer: BodyLayer, body: BodyFile) -> None:
    flat, joints = pose(layer, {})
    twisted, _ = pose(layer, {"left_wrist": (80.0, 0.0, 0.0)})
    for offset in (-0.06, -0.03, -0.01, 0.01):
        x = joints[JOINT_INDEX["left_wrist"], 0] + offset
        assert section_area(twisted, body.faces, x) > 0.85 * section_area(flat, body.faces, x)


def test_a_sitting_body_keeps_its_volume(layer: BodyLayer, body: BodyFile) -> None:
    standing, _ = pose(layer, {})
    bends = {"hip": -85.0, "knee": 88.0}
    legs = {f"{side}_{joint}": (angle, 0.0, 0.0) for side in ("left", "right") for joint, angle in bends.items()}
    sitting, _ = pose(layer, legs)
    assert volume(sitting, body.faces) > 0.97 * volume(standing, body.faces)


def test_an_opened_jaw_lowers_the_chin_and_leaves_the_nose(layer: BodyLayer, body: BodyFile) -> None:
    closed, _ = pose(layer, {})
    opened, _ = pose(layer, {"jaw": (20.0, 0.0, 0.0)})
    lower_lip = body.faces[body.lmk_faces_idx[40], 0]
    assert opened[lower_lip, 1] < closed[lower_lip, 1] - 0.015
    nose = LANDMARK_VERTICES["nose"]
    np.testing.assert_allclose(opened[nose], closed[nose], atol=0.001)
