"""The 76 points of a body and the sets of them that the rest of the code names. No dependencies.

A body's points are the 55 joints of `motion.skeleton` followed by 21 landmarks on the skin, in the names and the order
of the `smplx` package's output: face, feet, finger tips. Every set below is a tuple of indices into these 76.
"""

from ..motion.skeleton import JOINT_NAMES

_TIPS = ("thumb", "index", "middle", "ring", "pinky")

LANDMARK_VERTICES: dict[str, int] = {
    "nose": 9120, "right_eye": 9929, "left_eye": 9448, "right_ear": 616, "left_ear": 6,
    "left_big_toe": 5770, "left_small_toe": 5780, "left_heel": 8846,
    "right_big_toe": 8463, "right_small_toe": 8474, "right_heel": 8635,
    "left_thumb": 5361, "left_index": 4933, "left_middle": 5058, "left_ring": 5169, "left_pinky": 5286,
    "right_thumb": 8079, "right_index": 7669, "right_middle": 7794, "right_ring": 7905, "right_pinky": 8022,
}  # fmt: skip
"""Vertex at which `smplx` reads each landmark: part of the file layout, so every body file keeps these places."""

POINT_NAMES: tuple[str, ...] = JOINT_NAMES + tuple(LANDMARK_VERTICES)
POINT_INDEX: dict[str, int] = {name: i for i, name in enumerate(POINT_NAMES)}


def points(*names: str) -> tuple[int, ...]:
    """Indices of the named points, in the order given."""
    return tuple(POINT_INDEX[name] for name in names)


def _both(*names: str) -> tuple[str, ...]:
    return tuple(f"{side}_{name}" for name in names for side in ("left", "right"))


def _hand(side: str) -> tuple[int, ...]:
    chain = [f"{side}_{finger}{k}" for finger in _TIPS for k in (1, 2, 3, "")]
    return points(f"{side}_wrist", *chain)


LIMBS12 = points(*_both("shoulder", "elbow", "wrist", "hip", "knee", "ankle"))
"""Shoulders, elbows, wrists, hips, knees, ankles; left before right."""

COCO17 = points("nose", *_both("eye", "ear")) + LIMBS12
"""The keypoints of COCO in COCO's order."""

FEET6 = points(*(f"{side}_{part}" for side in ("left", "right") for part in ("big_toe", "small_toe", "heel")))

LEFT_HAND21 = _hand("left")
"""Wrist, then thumb, index, middle, ring, pinky with three joints and a tip each (the order of MediaPipe's hands)."""
RIGHT_HAND21 = _hand("right")

LEFT_MCP = points(*(f"left_{finger}1" for finger in _TIPS[1:]))
"""Knuckles at the palm: index, middle, ring, pinky. What the paper feeds the wrist's rotation with (section 4)."""
RIGHT_MCP = points(*(f"right_{finger}1" for finger in _TIPS[1:]))
LEFT_PALM5 = (LEFT_HAND21[0], *LEFT_MCP)
RIGHT_PALM5 = (RIGHT_HAND21[0], *RIGHT_MCP)
"""Wrist and knuckles, which move with the hand whatever the fingers do."""
