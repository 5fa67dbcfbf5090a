"""The pose library: limbs keep the actor's directions on another rest pose, and mirrored poses are mirror images."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pose2pose.backend.body.layer import BodyLayer
from pose2pose.backend.motion.body_file import BodyFile, load_body
from pose2pose.backend.motion.rotations import matrix_from_axis_angle
from pose2pose.backend.motion.skeleton import JOINT_INDEX, forward_kinematics
from pose2pose.training.synthetic.poses import (
    UPPER_BODY,
    PoseLibraryError,
    load_pose_library,
    mirror_poses,
    rotation_vectors_to_matrices,
    sample_poses,
    straighten_legs,
)

LIMBS = {
    ("left_hip", "left_knee"): (0, -1, 0),
    ("right_knee", "right_ankle"): (0, -1, 0),
    ("left_shoulder", "left_elbow"): (1, 0, 0),
    ("right_shoulder", "right_elbow"): (-1, 0, 0),
    ("right_elbow", "right_wrist"): (-1, 0, 0),
}


@pytest.fixture(scope="module")
def body() -> BodyFile:
    return load_body()


def write_library(path: Path, vectors: np.ndarray) -> Path:
    np.savez(path, rotvec_i16=np.round(vectors * 32767 / np.pi).astype(np.int16))
    return path


def test_a_strict_t_pose_keeps_its_limbs_straight(body: BodyFile, tmp_path: Path) -> None:
    poses = load_pose_library(write_library(tmp_path / "t.npz", np.zeros((1, 22, 3))), body)
    joints, _ = forward_kinematics(poses[0].astype(float), body.rest_joints()[:22])
    for (start, end), direction in LIMBS.items():
        bone = joints[JOINT_INDEX[end]] - joints[JOINT_INDEX[start]]
        np.testing.assert_allclose(bone / np.linalg.norm(bone), direction, atol=1e-3)


def test_a_bent_elbow_points_where_the_actors_did(body: BodyFile, tmp_path: Path) -> None:
    vectors = np.zeros((1, 22, 3))
    vectors[0, JOINT_INDEX["left_elbow"]] = (0, -np.pi / 2, 0)
    poses = load_pose_library(write_library(tmp_path / "elbow.npz", vectors), body)
    joints, _ = forward_kinematics(poses[0].astype(float), body.rest_joints()[:22])
    forearm = joints[JOINT_INDEX["left_wrist"]] - joints[JOINT_INDEX["left_elbow"]]
    np.testing.assert_allclose(forearm / np.linalg.norm(forearm), (0, 0, 1), atol=2e-3)


def test_a_mirrored_pose_is_the_mirror_image(body: BodyFile) -> None:
    poses = rotation_vectors_to_matrices(torch.randn(6, 22, 3) * 0.6)
    layer = BodyLayer(body)
    straight, _ = layer.skeleton(poses, torch.zeros(6, 10))
    mirrored, _ = layer.skeleton(mirror_poses(poses), torch.zeros(6, 10))
    for name in ("wrist", "ankle", "knee"):
        expected = straight[:, JOINT_INDEX[f"left_{name}"]] * torch.tensor([-1.0, 1.0, 1.0])
        assert (mirrored[:, JOINT_INDEX[f"right_{name}"]] - expected).norm(dim=-1).max() < 0.02
    assert torch.equal(mirror_poses(mirror_poses(poses)), poses)


def test_recombination_takes_the_arms_of_another_pose() -> None:
    library = rotation_vectors_to_matrices(torch.arange(50.0)[:, None, None].expand(50, 22, 3) * 0.02)
    sampled = sample_poses(library, 400, torch.Generator().manual_seed(0), recombined=0.5, noise=0, twist=0, bend=0)
    angle = sampled[..., 0, 0].arccos()
    legs, arms = angle[:, JOINT_INDEX["left_knee"]], angle[:, UPPER_BODY[0]]
    assert 0.4 < ((legs - arms).abs() > 1e-4).float().mean() < 0.6


def test_samples_are_rotations_and_repeat_with_the_seed() -> None:
    library = rotation_vectors_to_matrices(torch.randn(10, 22, 3))
    first, second = (sample_poses(library, 32, torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(first, second)
    assert (first @ first.transpose(-1, -2) - torch.eye(3)).abs().max() < 1e-5
    assert (torch.linalg.det(first) - 1).abs().max() < 1e-5


def test_rotation_vectors_equal_the_numpy_ones() -> None:
    vectors = torch.randn(20, 3)
    expected = matrix_from_axis_angle(vectors.numpy())
    np.testing.assert_allclose(rotation_vectors_to_matrices(vectors).numpy(), expected, atol=1e-5)


def test_a_file_that_is_no_library_says_so(body: BodyFile, tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", poses=np.zeros((3, 165)))
    with pytest.raises(PoseLibraryError, match="rotvec_i16"):
        load_pose_library(tmp_path / "other.npz", body)
    np.savez(tmp_path / "short.npz", rotvec_i16=np.zeros((3, 21, 3), np.int16))
    with pytest.raises(PoseLibraryError, match=r"\(3, 21, 3\)"):
        load_pose_library(tmp_path / "short.npz", body)


def test_straightened_legs_stand(body: BodyFile) -> None:
    bent = matrix_from_axis_angle(np.random.default_rng(0).normal(scale=0.5, size=(2, 22, 3)))
    straight = straighten_legs(bent, body.rest_joints(), np.array([[1.0, 0.0], [0.0, 1.0]]))
    for pose, side, other in ((0, "left", "right"), (1, "right", "left")):
        joints, _ = forward_kinematics(straight[pose], body.rest_joints()[:22])
        hip, knee, ankle = (joints[JOINT_INDEX[f"{side}_{part}"]] for part in ("hip", "knee", "ankle"))
        thigh, shank = knee - hip, ankle - knee
        assert thigh @ shank > 0.9999 * np.linalg.norm(thigh) * np.linalg.norm(shank)
        untouched = JOINT_INDEX[f"{other}_knee"]
        np.testing.assert_allclose(straight[pose, untouched], bent[pose, untouched], atol=1e-12)
