"""The motion converter: poses come back from AMASS and BVH files as they were, and different poses are chosen."""

from pathlib import Path

import numpy as np
import pytest

from pose2pose.backend.motion.amass import save_amass
from pose2pose.backend.motion.body_file import BodyFile, load_body
from pose2pose.backend.motion.elsewhere import take_from_elsewhere
from pose2pose.backend.motion.placement import WORLD_FROM_BODY
from pose2pose.backend.motion.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from pose2pose.backend.motion.skeleton import JOINT_INDEX, JOINT_NAMES, PARENTS
from pose2pose.training.synthetic.bvh import BvhError, read_bvh
from pose2pose.training.synthetic.motion_library import main, most_different, read_clips, without_heading
from pose2pose.training.synthetic.poses import load_pose_library, rebase_from_strict_t, rebase_to_strict_t

CMU = {
    "pelvis": "Hips", "spine1": "LowerBack", "spine2": "Spine", "spine3": "Spine1", "neck": "Neck", "head": "Head",
    **{f"{side}_{joint}": prefix + name
       for side, prefix in (("left", "Left"), ("right", "Right"))
       for joint, name in {"hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "foot": "ToeBase", "collar": "Shoulder",
                           "shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand"}.items()},
}  # fmt: skip
STRICT_T = {
    "spine1": (0, 10, 0), "spine2": (0, 12, 0), "spine3": (0, 12, 0), "neck": (0, 15, 0), "head": (0, 10, 0),
    "hip": (10, -5, 0), "knee": (0, -40, 0), "ankle": (0, -42, 0), "foot": (0, -4, 14),
    "collar": (4, 12, 0), "shoulder": (14, 0, 0), "elbow": (27, 0, 0), "wrist": (25, 0, 0),
}  # fmt: skip
"""Centimeters from the parent, of the left side."""


@pytest.fixture(scope="module")
def body() -> BodyFile:
    return load_body()


@pytest.fixture(scope="module")
def motion() -> np.ndarray:
    """(9, 22, 3, 3) relative to a strict T, looking along z, the way there smooth."""
    random = np.random.default_rng(3)
    ends = random.normal(scale=0.35, size=(2, 22, 3))
    vectors = ends[0] + np.linspace(0, 1, 9)[:, None, None] * (ends[1] - ends[0])
    return without_heading(matrix_from_axis_angle(vectors))


def angles(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.degrees(np.linalg.norm(axis_angle_from_matrix(np.swapaxes(first, -1, -2) @ second), axis=-1))


def write_bvh(path: Path, local: np.ndarray, t_pose: bool, rate: float, bind: np.ndarray | None = None) -> Path:
    """A file with the names of CMU's skeleton. `bind` (22, 3, 3): world rotations of its bones since the strict T."""
    bind = np.tile(np.eye(3), (22, 1, 1)) if bind is None else bind
    world = np.empty_like(local)
    for joint, parent in enumerate(PARENTS[:22]):
        world[:, joint] = local[:, joint] if parent < 0 else world[:, parent] @ local[:, joint]
    world = world @ np.swapaxes(bind, -1, -2)
    if t_pose:
        world = np.concatenate([np.swapaxes(bind, -1, -2)[None], world])
    lines, order = ["HIERARCHY"], []

    def joint_lines(joint: int, depth: int) -> None:
        name, order_name = JOINT_NAMES[joint], "  " * depth
        side, _, part = name.rpartition("_")
        offset = np.array(STRICT_T.get(part, (0, 0, 0)), float) * ([-1, 1, 1] if side == "right" else 1)
        offset = bind[PARENTS[joint]] @ offset if joint else offset
        position = "Xposition Yposition Zposition " if joint == 0 else ""
        channels = f"CHANNELS {6 if joint == 0 else 3} {position}Zrotation Yrotation Xrotation"
        numbers = " ".join(f"{x:.6f}" for x in offset)
        kind = "ROOT" if joint == 0 else "JOINT"
        lines.extend([f"{order_name}{kind} {CMU[name]}", f"{order_name}{{", f"OFFSET {numbers}", channels])
        order.append(joint)
        children = [child for child in range(22) if PARENTS[child] == joint]
        for child in children:
            joint_lines(child, depth + 1)
        if not children:
            lines.extend(["End Site", "{", "OFFSET 0 1 0", "}"])
        lines.append(f"{order_name}}}")

    joint_lines(0, 0)
    lines += ["MOTION", f"Frames: {len(world)}", f"Frame Time: {1 / rate:.8f}"]
    for frame in world:
        row = [0.0, 90.0, 0.0]
        for joint in order:
            turn = frame[joint] if joint == 0 else frame[PARENTS[joint]].T @ frame[joint]
            y = np.arcsin(-turn[2, 0])
            row += np.degrees([np.arctan2(turn[1, 0], turn[0, 0]), y, np.arctan2(turn[2, 1], turn[2, 2])]).tolist()
        lines.append(" ".join(f"{x:.6f}" for x in row))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_rebasing_there_and_back_changes_nothing(body: BodyFile, motion: np.ndarray) -> None:
    rest = body.rest_joints()
    back = rebase_to_strict_t(rebase_from_strict_t(motion, rest), rest)
    np.testing.assert_allclose(back, motion, atol=1e-12)


def test_a_pose_written_as_amass_comes_back(body: BodyFile, motion: np.ndarray, tmp_path: Path) -> None:
    local = np.tile(np.eye(3), (len(motion), 55, 1, 1))
    local[:, :22] = rebase_from_strict_t(motion, body.rest_joints())
    turn = matrix_from_axis_angle(np.array([0, 0, 1.1]))  # a heading in the z-up world, which is to be removed
    seen = local.copy()
    seen[:, 0] = turn @ WORLD_FROM_BODY @ local[:, 0]
    vectors = axis_angle_from_matrix(seen).reshape(len(motion), 165)
    take = take_from_elsewhere(vectors, np.zeros((len(motion), 3)), np.arange(len(motion)) / 30, 30.0)
    save_amass(take, tmp_path / "walk.npz")
    library, clips = tmp_path / "library.npz", tmp_path / "motion.npz"
    assert main([str(tmp_path / "walk.npz"), "-o", str(library), "--poses", "100", "--motion", str(clips)]) == 0
    poses = load_pose_library(clips, body)
    assert angles(poses, local[:, :22]).max() < 0.1
    with np.load(clips) as archive:
        assert archive["clip"].tolist() == [0] * len(motion) and archive["clip_names"].tolist() == ["walk"]
    assert len(load_pose_library(library, body)) == len(motion)


@pytest.mark.parametrize("rate", [30.0, 120.0])
def test_a_pose_written_as_bvh_behind_a_t_pose_comes_back(motion: np.ndarray, tmp_path: Path, rate: float) -> None:
    (clip,) = read_clips(write_bvh(tmp_path / "walk.bvh", motion, t_pose=True, rate=rate))
    kept = motion[:: round(rate / 30)]
    assert clip.name == "walk"
    assert angles(clip.rotations, kept).max() < 0.05


def test_a_t_pose_with_turned_joints_counts_as_no_rotation(motion: np.ndarray, tmp_path: Path) -> None:
    bind = matrix_from_axis_angle(np.random.default_rng(0).normal(scale=0.3, size=(22, 3)))
    (clip,) = read_clips(write_bvh(tmp_path / "walk.bvh", motion, t_pose=True, rate=30, bind=bind))
    assert angles(clip.rotations, motion).max() < 0.05


def test_without_a_t_pose_limbs_of_the_skeletons_own_rest_are_taken_to_a_strict_t(
    motion: np.ndarray, tmp_path: Path
) -> None:
    hanging = np.tile(np.eye(3), (22, 1, 1))
    for side, sign in (("left", -1), ("right", 1)):
        for part in ("shoulder", "elbow", "wrist"):
            hanging[JOINT_INDEX[f"{side}_{part}"]] = matrix_from_axis_angle(np.array([0, 0, sign * 1.2]))
    (clip,) = read_clips(write_bvh(tmp_path / "walk.bvh", motion, t_pose=False, rate=30, bind=hanging))
    assert angles(clip.rotations, motion).max() < 0.05


def test_the_two_most_different_of_three_poses_are_chosen() -> None:
    vectors = np.zeros((3, 22, 3))
    vectors[1, JOINT_INDEX["left_shoulder"], 2] = 0.1
    vectors[2, JOINT_INDEX["left_shoulder"], 2] = -1.4
    assert most_different(matrix_from_axis_angle(vectors), 2).tolist() == [0, 2]


def test_files_that_cannot_be_used_say_why(motion: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = write_bvh(tmp_path / "walk.bvh", motion, t_pose=True, rate=30)
    (tmp_path / "other.bvh").write_text(path.read_text().replace("LeftForeArm", "lForeArm"))
    with pytest.raises(BvhError, match="LeftForeArm"):
        read_clips(tmp_path / "other.bvh")
    (tmp_path / "cut.bvh").write_text(path.read_text()[:-200])
    with pytest.raises(BvhError, match=r"cut\.bvh"):
        read_bvh(tmp_path / "cut.bvh")
    assert main([str(tmp_path / "cut.bvh"), "-o", str(tmp_path / "library.npz")]) == 1
    assert "cut.bvh" in capsys.readouterr().err
