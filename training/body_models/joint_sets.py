"""The points and rotations that training supervises, for each human model, and the labels of each data set by name.

Sources: the joint lists of the authors' release (Hand4Whole and, for single parts, its Pose2Pose branch); data sets'
own releases for their labels. Points that mean the same have the same name, so labels find their place by name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from ...backend.motion.skeleton import FINGERS, JOINT_NAMES

_TIPS = ("Thumb", "Index", "Middle", "Ring", "Pinky")

IBUG_PAIRS: tuple[tuple[int, int], ...] = (
    *((i, 16 - i) for i in range(8)), *((17 + i, 26 - i) for i in range(5)), (31, 35), (32, 34),
    (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46),
    (48, 54), (49, 53), (50, 52), (55, 59), (56, 58), (60, 64), (61, 63), (65, 67),
)  # fmt: skip
"""Mirrored landmarks among iBUG's 68: contour, brows, nose, eyes, mouth."""


@dataclass(frozen=True)
class Part:
    """Points whose coordinates are relative to one root.

    Attributes:
        name: body, left_hand, right_hand, hand or face.
        points: of the joint set.
        root: the point of the joint set that is subtracted.
    """

    name: str
    points: slice
    root: int


@dataclass(frozen=True)
class JointSet:
    """What is supervised of one human model: J points, R rotations.

    Attributes:
        name: whole (SMPL-X), body (SMPL), hand (MANO) or face (FLAME).
        points: J names.
        point_pairs: left and right points, which a flip swaps.
        rotations: R names, in the order of the human model.
        rotation_pairs: left and right rotations.
        layer_points: (J,) each point's place among what the layer of the `smplx` package calls joints, followed by
            `vertices`.
        layer_size: how many joints that layer gives: with the vertices it reads itself, landmarks and face contour.
        vertices: of the mesh, which the layer does not give as joints.
        parts: the roots of camera coordinates.
        positional: the points that are predicted as positional pose by the branch of this model (paper, section 3.1).
    """

    name: str
    points: tuple[str, ...]
    point_pairs: tuple[tuple[int, int], ...]
    rotations: tuple[str, ...]
    rotation_pairs: tuple[tuple[int, int], ...]
    layer_points: tuple[int, ...]
    layer_size: int
    vertices: tuple[int, ...]
    parts: tuple[Part, ...]
    positional: tuple[int, ...]


def matching(joint_set: JointSet, labels: Sequence[str]) -> tuple[list[int], list[int]]:
    """Which labels of a data set are points of a joint set, by equal names.

    Returns:
        rows of the labels, and the places of the same points in the joint set.
    """
    found = _matching(joint_set.points, tuple(labels))
    return [row for row, _ in found], [place for _, place in found]


@cache
def _matching(points: tuple[str, ...], labels: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    return tuple((row, points.index(name)) for row, name in enumerate(labels) if name in points)


def _side_pairs(names: Sequence[str], left: str, right: str) -> tuple[tuple[int, int], ...]:
    """Pairs of names that differ by their prefix alone."""
    places = {name: place for place, name in enumerate(names)}
    pairs = ((places[name], places[right + name.removeprefix(left)]) for name in names if name.startswith(left))
    return tuple(pairs)


def _landmark(ibug: int) -> str:
    """The name of one of iBUG's 68 landmarks: the models give the inner ones first, then the contour."""
    return f"Face_{ibug - 12}" if ibug >= 17 else f"Face_{ibug + 56}"


def _landmark_pairs(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    places = {name: place for place, name in enumerate(names)}
    return tuple((places[_landmark(first)], places[_landmark(second)]) for first, second in IBUG_PAIRS)


def _fingers(side: str = "") -> tuple[str, ...]:
    """Four points of each finger, base to tip."""
    return tuple(f"{side}{finger}_{k}" for finger in _TIPS for k in (1, 2, 3, 4))


def _both(*names: str) -> tuple[str, ...]:
    return tuple(f"{side}_{name}" for name in names for side in "LR")


_FEET = tuple(f"{side}_{name}" for side in "LR" for name in ("Big_toe", "Small_toe", "Heel"))
_TRUNK = ("Pelvis", *_both("Hip", "Knee", "Ankle"), "Neck", *_both("Shoulder", "Elbow", "Wrist"))
_TRUNK_LAYER = (0, 1, 2, 4, 5, 7, 8, 12, 16, 17, 18, 19, 20, 21)
_BODY25 = (*_TRUNK, *_FEET, *_both("Ear", "Eye"), "Nose")

_WHOLE_POINTS = (*_BODY25, *_fingers("L_"), *_fingers("R_"), *(f"Face_{k}" for k in range(1, 73)))
WHOLE = JointSet(
    name="whole",
    points=_WHOLE_POINTS,
    # Face_3 and Face_4 are the eyes once more
    point_pairs=(*_side_pairs(_WHOLE_POINTS, "L_", "R_"), (67, 68), *_landmark_pairs(_WHOLE_POINTS)),
    rotations=JOINT_NAMES,
    rotation_pairs=_side_pairs(JOINT_NAMES, "left_", "right_"),
    layer_points=(
        *_TRUNK_LAYER, 60, 61, 62, 63, 64, 65, 59, 58, 57, 56, 55,
        37, 38, 39, 66, 25, 26, 27, 67, 28, 29, 30, 68, 34, 35, 36, 69, 31, 32, 33, 70,
        52, 53, 54, 71, 40, 41, 42, 72, 43, 44, 45, 73, 49, 50, 51, 74, 46, 47, 48, 75,
        22, 15, 57, 56, *range(76, 144),
    ),
    layer_size=144,
    vertices=(),
    parts=(
        Part("body", slice(0, 25), 0),
        Part("left_hand", slice(25, 45), 12),
        Part("right_hand", slice(45, 65), 13),
        Part("face", slice(65, 137), 7),
    ),
    positional=tuple(range(25)),
)  # fmt: skip
"""SMPL-X: 25 body points, 20 of each hand, 72 of the face; the rotations of the eyes are not supervised."""

WHOLE_HANDS: tuple[tuple[int, ...], tuple[int, ...]] = ((12, *range(25, 45)), (13, *range(45, 65)))
"""Left and right hand among the points of `WHOLE`: the wrist, then 20 points in the order of `HAND`."""

_BODY_POINTS = (
    *_TRUNK, *(f"{side}_{finger}_1" for side in "LR" for finger in _TIPS[1:]), "Nose", *_both("Eye", "Ear"), *_FEET,
)  # fmt: skip
BODY = JointSet(
    name="body",
    points=_BODY_POINTS,
    point_pairs=_side_pairs(_BODY_POINTS, "L_", "R_"),
    rotations=JOINT_NAMES[:22],
    rotation_pairs=_side_pairs(JOINT_NAMES[:22], "left_", "right_"),
    layer_points=(*_TRUNK_LAYER, *range(45, 64)),
    layer_size=45,
    vertices=(
        2274, 2270, 2293, 2173, 5595, 5675, 5636, 5655, 331, 2802, 6262, 3489, 3990,
        3292, 3313, 3468, 6691, 6713, 6858,
    ),
    parts=(Part("body", slice(0, 33), 0),),
    positional=tuple(_BODY_POINTS.index(name) for name in _BODY25),
)  # fmt: skip
"""SMPL: as the body of `WHOLE`, and four knuckles of each hand. The rotations of its two hand joints stay zero."""

_HAND_ROTATIONS = ("wrist", *(f"{finger}{k}" for finger in FINGERS for k in (1, 2, 3)))
HAND = JointSet(
    name="hand",
    points=("Wrist", *_fingers()),
    point_pairs=(),
    rotations=_HAND_ROTATIONS,
    rotation_pairs=(),
    layer_points=(0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20),
    layer_size=16,
    vertices=(745, 317, 445, 556, 673),
    parts=(Part("hand", slice(0, 21), 0),),
    positional=tuple(range(21)),
)
"""MANO, the right hand: left hands are mirrored. The order of the points is FreiHAND's."""

_FACE_POINTS = ("Root", "Neck", "Jaw", "L_Eyeball", "R_Eyeball", *(f"Face_{k}" for k in range(5, 73)))
FACE = JointSet(
    name="face",
    points=_FACE_POINTS,
    point_pairs=((3, 4), *_landmark_pairs(_FACE_POINTS)),
    rotations=("root", "jaw"),
    rotation_pairs=(),
    layer_points=tuple(range(73)),
    layer_size=73,
    vertices=(),
    parts=(Part("face", slice(0, 73), 1),),
    positional=(),
)
"""FLAME: its five joints, then the landmarks of `WHOLE`'s face. It has no positional pose (paper, section 3.3)."""

JOINT_SETS: dict[str, JointSet] = {joint_set.name: joint_set for joint_set in (WHOLE, BODY, HAND, FACE)}

COCO_LABELS: tuple[str, ...] = (
    "Nose", *_both("Eye", "Ear", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle"), "Pelvis", *_FEET,
    "L_Wrist_Hand", *_fingers("L_"), "R_Wrist_Hand", *_fingers("R_"), *(_landmark(i) for i in range(68)),
)  # fmt: skip
"""MSCOCO whole-body: 17 keypoints, the pelvis that is made of the hips, 6 of feet, 21 of each hand, 68 of the face."""

COCO_HANDS: tuple[slice, slice] = (slice(24, 45), slice(45, 66))
"""Left and right hand among `COCO_LABELS`, in the order of `HAND`."""

H36M_LABELS: tuple[str, ...] = (
    "Pelvis", "R_Hip", "R_Knee", "R_Ankle", "L_Hip", "L_Knee", "L_Ankle", "Torso", "Neck", "Head", "Head_top",
    "L_Shoulder", "L_Elbow", "L_Wrist", "R_Shoulder", "R_Elbow", "R_Wrist",
)  # fmt: skip
H36M_EVALUATED: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 13, 14, 15, 16)
"""Rows of `H36M_LABELS` that Human3.6M and 3DPW are measured on."""

MPII_LABELS: tuple[str, ...] = (
    "R_Ankle", "R_Knee", "R_Hip", "L_Hip", "L_Knee", "L_Ankle", "Pelvis", "Thorax", "Neck", "Head_top",
    "R_Wrist", "R_Elbow", "R_Shoulder", "L_Shoulder", "L_Elbow", "L_Wrist",
)  # fmt: skip

PW3D_LABELS: tuple[str, ...] = (
    "Nose", "Thorax", "R_Shoulder", "R_Elbow", "R_Wrist", "L_Shoulder", "L_Elbow", "L_Wrist", "R_Hip", "R_Knee",
    "R_Ankle", "L_Hip", "L_Knee", "L_Ankle", "R_Eye", "L_Eye", "R_Ear", "L_Ear",
)  # fmt: skip
"""3DPW's `poses2d`, as OpenPose gives them: what it calls neck is the middle of the shoulders."""

FFHQ_LABELS: tuple[str, ...] = FACE.points

INTERHAND_LABELS: tuple[str, ...] = (*(f"{finger}_{k}" for finger in _TIPS for k in (4, 3, 2, 1)), "Wrist")
"""InterHand2.6M, one hand: rows 0 to 20 are the right hand's, 21 to 41 the left one's."""
