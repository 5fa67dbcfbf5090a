"""The skinning layer equals `smplx`, and its fast skeleton equals the layer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pose2pose.backend.body.joints import LANDMARK_VERTICES  # noqa: E402
from pose2pose.backend.body.layer import BodyLayer  # noqa: E402
from pose2pose.backend.motion.body_file import OPEN_BODY, BodyFile  # noqa: E402
from pose2pose.backend.motion.rotations import matrix_from_axis_angle  # noqa: E402
from pose2pose.backend.motion.skeleton import JOINT_INDEX, forward_kinematics  # noqa: E402


def random_rotations(count: int, spread: float, seed: int = 0) -> Any:
    vectors = np.random.default_rng(seed).normal(scale=spread, size=(count, 55, 3))
    return torch.tensor(matrix_from_axis_angle(vectors), dtype=torch.float32)


def random_shape(count: int) -> tuple[Any, Any]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 10, generator=generator), torch.randn(count, 10, generator=generator)


def parts(rotations: Any) -> dict[str, Any]:
    names = ("global_orient", "body_pose", "jaw_pose", "leye_pose", "reye_pose", "left_hand_pose", "right_hand_pose")
    return dict(zip(names, rotations.split([1, 21, 1, 1, 1, 15, 15], dim=1), strict=True))


def test_mesh_and_points_equal_smplx(layer: BodyLayer) -> None:
    smplx = pytest.importorskip("smplx")
    theirs = smplx.SMPLXLayer(str(OPEN_BODY), use_pca=False, flat_hand_mean=True, batch_size=16)
    rotations, (betas, expression) = random_rotations(16, 0.5), random_shape(16)
    wanted = theirs(betas=betas, expression=expression, **parts(rotations))
    vertices, joints = layer(rotations, betas, expression)
    torch.testing.assert_close(vertices, wanted.vertices, atol=1e-5, rtol=0)
    torch.testing.assert_close(joints, wanted.joints[:, :55], atol=1e-5, rtol=0)


def test_smplx_creates_a_model_with_face_contour_from_the_file(tmp_path: Path) -> None:
    smplx = pytest.importorskip("smplx")
    (tmp_path / "smplx").mkdir()
    (tmp_path / "smplx" / "SMPLX_NEUTRAL.npz").symlink_to(OPEN_BODY)
    output = smplx.create(str(tmp_path), "smplx", use_face_contour=True)()
    assert output.joints.shape == (1, 144, 3)
    assert torch.isfinite(output.vertices).all()


def test_skeleton_has_the_joints_of_the_mesh(layer: BodyLayer) -> None:
    rotations, (betas, expression) = random_rotations(8, 0.6), random_shape(8)
    points, _ = layer.skeleton(rotations, betas)
    _, joints = layer(rotations, betas, torch.zeros_like(expression))
    torch.testing.assert_close(points[:, :55], joints, atol=1e-5, rtol=0)


def test_skeleton_landmarks_stay_within_millimeters_of_the_skin(layer: BodyLayer) -> None:
    rotations, (betas, _) = random_rotations(8, 0.25), random_shape(8)
    points, _ = layer.skeleton(rotations, betas)
    vertices, _ = layer(rotations, betas, torch.zeros(8, 10))
    skin = vertices[:, list(LANDMARK_VERTICES.values())]
    assert (points[:, 55:] - skin).norm(dim=2).max() < 0.005


def test_skeleton_of_22_joints_is_that_of_55_with_the_rest_unbent(layer: BodyLayer) -> None:
    rotations = random_rotations(4, 0.6)
    rotations[:, 22:] = torch.eye(3)
    betas, _ = random_shape(4)
    full, short = layer.skeleton(rotations, betas), layer.skeleton(rotations[:, :22], betas)
    torch.testing.assert_close(short[0], full[0], atol=1e-6, rtol=0)
    torch.testing.assert_close(short[1], full[1], atol=1e-6, rtol=0)


def test_skeleton_agrees_with_the_numpy_kinematics(layer: BodyLayer, body: BodyFile) -> None:
    rotations = random_rotations(3, 0.6)
    points, global_rotations = layer.skeleton(rotations, torch.zeros(3, 10))
    joints, turned = forward_kinematics(rotations.double().numpy(), body.rest_joints())
    np.testing.assert_allclose(points[:, :55].numpy(), joints, atol=1e-5)
    np.testing.assert_allclose(global_rotations.numpy(), turned, atol=1e-5)


def test_turning_the_root_turns_the_whole_body_about_the_pelvis(layer: BodyLayer) -> None:
    rotations, (betas, expression) = random_rotations(1, 0.3), random_shape(1)
    rotations[:, 0] = torch.eye(3)
    vertices, joints = layer(rotations, betas, expression)
    turn = random_rotations(1, 1.0, seed=5)[:, 0]
    rotations[:, 0] = turn
    turned, turned_joints = layer(rotations, betas, expression)
    wanted = (vertices - joints[:, :1]) @ turn.transpose(1, 2) + joints[:, :1]
    torch.testing.assert_close(turned, wanted, atol=1e-5, rtol=0)
    torch.testing.assert_close(turned_joints[:, 0], joints[:, 0])


def test_gradient_says_how_a_wrist_follows_its_elbow(layer: BodyLayer) -> None:
    angle = torch.tensor(0.4, requires_grad=True)

    def wrist_forward(bend: Any) -> Any:
        c, s, one, zero = bend.cos(), bend.sin(), torch.ones(()), torch.zeros(())
        about_y = torch.stack([c, zero, s, zero, one, zero, -s, zero, c]).view(3, 3)
        eyes = [torch.eye(3)] * 22
        eyes[JOINT_INDEX["left_elbow"]] = about_y
        return layer.skeleton(torch.stack(eyes)[None], torch.zeros(1, 10))[0][0, JOINT_INDEX["left_wrist"], 2]

    wrist_forward(angle).backward()
    with torch.no_grad():
        slope = (wrist_forward(torch.tensor(0.41)) - wrist_forward(torch.tensor(0.39))) / 0.02
    assert angle.grad is not None
    assert angle.grad.item() == pytest.approx(slope.item(), rel=0.01)
    assert abs(slope.item()) > 0.1


def test_a_wrong_number_of_joints_is_named(layer: BodyLayer) -> None:
    with pytest.raises(ValueError, match=r"\(1, 24, 3, 3\); expected \(B, 22, 3, 3\) or \(B, 55, 3, 3\)"):
        layer.skeleton(torch.eye(3).expand(1, 24, 3, 3), torch.zeros(1, 10))


def test_checkpoints_do_not_carry_the_body(layer: BodyLayer) -> None:
    assert not layer.state_dict()
