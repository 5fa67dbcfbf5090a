"""The point sets agree with the conventions they are named after."""

import pytest

from pose2pose.backend.body import joints
from pose2pose.backend.body.joints import POINT_NAMES


def named(indices: tuple[int, ...]) -> list[str]:
    return [POINT_NAMES[i] for i in indices]


def test_points_are_those_of_smplx() -> None:
    joint_names = pytest.importorskip("smplx.joint_names")
    assert list(POINT_NAMES) == joint_names.JOINT_NAMES[:76]


def test_landmark_vertices_are_those_of_smplx() -> None:
    ids = pytest.importorskip("smplx.vertex_ids").vertex_ids["smplx"]
    assert sorted(joints.LANDMARK_VERTICES.values()) == sorted(ids.values())
    assert joints.LANDMARK_VERTICES["nose"] == ids["nose"]
    assert joints.LANDMARK_VERTICES["left_thumb"] == ids["lthumb"]
    assert joints.LANDMARK_VERTICES["right_heel"] == ids["RHeel"]


def test_coco_order() -> None:
    coco = (
        "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
        "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
    )
    assert named(joints.COCO17) == coco.split()
    assert named(joints.LIMBS12) == coco.split()[5:]


@pytest.mark.parametrize(("hand", "side"), [(joints.LEFT_HAND21, "left"), (joints.RIGHT_HAND21, "right")])
def test_hands_run_from_wrist_through_each_finger_to_its_tip(hand: tuple[int, ...], side: str) -> None:
    names = [name.removeprefix(f"{side}_") for name in named(hand)]
    assert names[:5] == ["wrist", "thumb1", "thumb2", "thumb3", "thumb"]
    assert names[4::4] == ["thumb", "index", "middle", "ring", "pinky"]
    assert names[5::4] == ["index1", "middle1", "ring1", "pinky1"]
    assert len(set(hand)) == 21


def test_knuckles_are_part_of_the_hands() -> None:
    assert joints.LEFT_HAND21[5::4] == joints.LEFT_MCP
    assert joints.RIGHT_HAND21[5::4] == joints.RIGHT_MCP
