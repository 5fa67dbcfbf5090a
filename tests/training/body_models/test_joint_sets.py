"""The joint sets mean what they say: on the body, through the real `smplx` layer, and for every data set's labels."""

import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from pose2pose.backend.body.joints import LEFT_HAND21, POINT_NAMES, RIGHT_HAND21
from pose2pose.backend.motion.skeleton import JOINT_NAMES
from pose2pose.training.body_models.joint_sets import (
    BODY,
    COCO_HANDS,
    COCO_LABELS,
    FACE,
    H36M_EVALUATED,
    H36M_LABELS,
    HAND,
    IBUG_PAIRS,
    INTERHAND_LABELS,
    JOINT_SETS,
    MPII_LABELS,
    PW3D_LABELS,
    WHOLE,
    WHOLE_HANDS,
    JointSet,
    matching,
)

torch = pytest.importorskip("torch")
smplx = pytest.importorskip("smplx")

SETS = pytest.mark.parametrize("joint_set", JOINT_SETS.values(), ids=JOINT_SETS)
COUNTS = {"whole": (137, 61, 55, 24), "body": (33, 15, 22, 8), "hand": (21, 0, 16, 0), "face": (73, 30, 2, 0)}
PUBLISHED_FACE_PAIRS = {
    (67, 68), (69, 78), (70, 77), (71, 76), (72, 75), (73, 74), (83, 87), (84, 86), (88, 97), (89, 96), (90, 95),
    (91, 94), (92, 99), (93, 98), (100, 106), (101, 105), (102, 104), (107, 111), (108, 110), (112, 116), (113, 115),
    (117, 119), (120, 136), (121, 135), (122, 134), (123, 133), (124, 132), (125, 131), (126, 130), (127, 129),
}  # fmt: skip


@pytest.fixture(scope="module")
def rest() -> Any:
    """The 144 points of the open body at rest, y up, z to the front, x to the person's left."""
    from pose2pose.backend.motion.body_file import OPEN_BODY

    layer = smplx.SMPLXLayer(str(OPEN_BODY), use_pca=False, flat_hand_mean=True, use_face_contour=True)
    return layer().joints[0].numpy()


@SETS
def test_counts_are_the_published_ones(joint_set: JointSet) -> None:
    sizes = tuple(map(len, (joint_set.points, joint_set.point_pairs, joint_set.rotations, joint_set.rotation_pairs)))
    assert sizes == COUNTS[joint_set.name]
    assert len(set(joint_set.points)) == len(joint_set.points) == len(joint_set.layer_points)
    assert max(joint_set.layer_points) == joint_set.layer_size + len(joint_set.vertices) - 1


@SETS
def test_a_second_flip_undoes_the_first(joint_set: JointSet) -> None:
    for names, pairs in ((joint_set.points, joint_set.point_pairs), (joint_set.rotations, joint_set.rotation_pairs)):
        order = np.arange(len(names))
        for left, right in pairs:
            order[[left, right]] = order[[right, left]]
        np.testing.assert_array_equal(order[order], np.arange(len(names)))
        assert (order != np.arange(len(names))).sum() == 2 * len(pairs)


@SETS
def test_names_of_a_pair_differ_by_their_side_alone(joint_set: JointSet) -> None:
    for names, pairs in ((joint_set.points, joint_set.point_pairs), (joint_set.rotations, joint_set.rotation_pairs)):
        named = [(names[left], names[right]) for left, right in pairs if not names[left].startswith("Face_")]
        assert all(re.sub("^(L_|left_)", "", left) == re.sub("^(R_|right_)", "", right) for left, right in named)
        sided = [name for name in names if re.match("L_|R_|left_|right_", name)]
        assert len(sided) == 2 * len(named)


def test_face_pairs_are_the_published_ones() -> None:
    assert {tuple(sorted(pair)) for pair in WHOLE.point_pairs if min(pair) >= 65} == PUBLISHED_FACE_PAIRS
    assert len(IBUG_PAIRS) == 29
    names = [{FACE.points[i] for i in pair} for pair in FACE.point_pairs[1:]]
    assert all({WHOLE.points[i] for i in pair} in names for pair in PUBLISHED_FACE_PAIRS - {(67, 68)})


def test_body_and_hands_are_the_named_points_of_the_layer() -> None:
    layer = [*POINT_NAMES, *(f"landmark{i}" for i in range(68))]
    found = [layer[place] for place in WHOLE.layer_points]
    for name, point in zip(WHOLE.points[:25], found, strict=False):
        side = {"L_": "left_", "R_": "right_"}.get(name[:2], "")
        assert point == side + name.removeprefix("L_").removeprefix("R_").lower()
    for hand, published in zip(WHOLE_HANDS, (LEFT_HAND21, RIGHT_HAND21), strict=True):
        assert tuple(WHOLE.layer_points[i] for i in hand) == published
    assert found[65:69] == ["jaw", "head", "left_eye", "right_eye"]
    assert tuple(WHOLE.points[part.root] for part in WHOLE.parts) == ("Pelvis", "L_Wrist", "R_Wrist", "Neck")


def test_paired_points_mirror_each_other_on_the_body(rest: Any) -> None:
    points = rest[list(WHOLE.layer_points)]
    for left, right in WHOLE.point_pairs:
        np.testing.assert_allclose(points[left] * (-1, 1, 1), points[right], atol=0.012)
        if WHOLE.points[left].startswith("L_"):
            assert points[left, 0] > points[right, 0]


def test_the_left_wrist_is_joint_20_and_tips_end_the_fingers(rest: Any) -> None:
    points = rest[list(WHOLE.layer_points)]
    np.testing.assert_array_equal(points[WHOLE.points.index("L_Wrist")], rest[20])
    for hand in WHOLE_HANDS:
        wrist, fingers = points[hand[0]], points[list(hand[1:])].reshape(5, 4, 3)
        reach = np.linalg.norm(fingers - wrist, axis=2)
        assert (np.diff(reach[1:], axis=1) > 0).all(), "each finger runs away from the wrist"
        last = np.linalg.norm(fingers[:, 3] - fingers[:, 2], axis=1)
        assert ((last > 0.01) & (last < 0.04)).all(), "the tip is a finger's last part away from its last joint"


def test_landmarks_follow_ibug_around_the_face(rest: Any) -> None:
    points = dict(zip(WHOLE.points, rest[list(WHOLE.layer_points)], strict=True))
    contour = np.array([points[f"Face_{k}"] for k in range(56, 73)])
    assert (np.diff(contour[:, 0]) > 0).all(), "from the person's right to the left"
    assert contour[:, 1].argmin() == 8, "over the chin"
    brow = [points[f"Face_{k}"][0] for k in range(5, 15)]
    assert all(a < b for a, b in pairwise(brow))
    nose = [points[f"Face_{k}"] for k in range(15, 19)]
    assert all(a[1] > b[1] for a, b in pairwise(nose)), "down the ridge"
    assert np.linalg.norm(nose[-1] - points["Nose"]) < 0.02, "to the tip"
    assert points["Face_24"][0] < points["Face_27"][0] < 0 < points["Face_30"][0] < points["Face_33"][0]
    assert points["Face_36"][0] < 0 < points["Face_42"][0], "corners of the mouth"
    assert points["Face_39"][1] > points["Face_50"][1] > points["Face_54"][1] > points["Face_45"][1], "lips from above"


def test_hand_points_are_reached_through_the_layer_of_mano(hand_model: Any) -> None:
    eye = torch.eye(3).expand(1, 16, 3, 3)
    points = hand_model(eye, torch.zeros(1, 10)).points[0].numpy()
    fingers = points[1:].reshape(5, 4, 3)
    assert (np.diff(np.linalg.norm(fingers[1:] - points[0], axis=2), axis=1) > 0).all()
    knuckles = fingers[1:, 0, 2]  # the thumb is in front
    assert (np.diff(knuckles) < 0).all(), "index, middle, ring, pinky"


def test_body_points_of_smpl_lie_where_those_of_smplx_do(body_model: Any, rest: Any) -> None:
    eye = torch.eye(3).expand(1, 22, 3, 3)
    points = body_model(eye, torch.zeros(1, 10)).points[0].numpy()
    names = [name for name in BODY.points if name in WHOLE.points]
    assert len(names) == 33
    wanted = rest[[WHOLE.layer_points[WHOLE.points.index(name)] for name in names]]
    np.testing.assert_allclose(points, wanted, atol=0.02)
    assert [BODY.points[i] for i in BODY.positional] == list(WHOLE.points[:25])


def test_labels_of_the_data_sets_find_their_points() -> None:
    found = {name: len(matching(WHOLE, labels)[0]) for name, labels in
             {"coco": COCO_LABELS, "h36m": H36M_LABELS, "mpii": MPII_LABELS}.items()}  # fmt: skip
    assert found == {"coco": 132, "h36m": 14, "mpii": 14}
    assert (len(COCO_LABELS), len(H36M_LABELS), len(MPII_LABELS), len(PW3D_LABELS)) == (134, 17, 16, 18)
    assert len(matching(BODY, COCO_LABELS)[0]) == 32
    rows, places = matching(FACE, COCO_LABELS)
    assert rows == list(range(66, 134))
    assert places == [*range(56, 73), *range(5, 56)]
    assert [H36M_LABELS[i] for i in H36M_EVALUATED] == [
        name for name in H36M_LABELS if name not in ("Pelvis", "Torso", "Head")
    ]


def test_hands_of_the_data_sets_have_the_same_fingers() -> None:
    for side, rows in zip("LR", COCO_HANDS, strict=True):
        assert COCO_LABELS[rows][1:] == tuple(f"{side}_{name}" for name in HAND.points[1:])
        assert COCO_LABELS[rows][0] == f"{side}_Wrist_Hand"
    assert sorted(INTERHAND_LABELS) == sorted(HAND.points)
    assert INTERHAND_LABELS[:4] == ("Thumb_4", "Thumb_3", "Thumb_2", "Thumb_1")
    assert INTERHAND_LABELS[-1] == "Wrist"
    assert WHOLE.rotations == JOINT_NAMES
