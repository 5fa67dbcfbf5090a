"""Face landmarks on the mesh, and the vertices that `smplx` reads as nose, eyes, ears, toes, heels and finger tips."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....backend.body.joints import LANDMARK_VERTICES
from ....backend.motion.skeleton import JOINT_INDEX
from .front_view import FrontView
from .geometry import Flags, Floats, Integers
from .source import Source

_EYEBALLS = {"left": (14598, 14670), "right": (14670, 14742)}
_SKIN_END = 13380
"""Vertex ranges of MakeHuman's base mesh."""

_BROW = ((-0.018, 0.0195), (-0.009, 0.0225), (0.001, 0.0240), (0.011, 0.0225), (0.020, 0.0170))
"""Outward and upward from the eye's center, meters, from the inner end of a brow to the outer."""
_NOSTRILS = (-0.013, -0.0065, 0.0, 0.0065, 0.013)
_MIRRORED_EYE = (3, 2, 1, 0, 5, 4)
"""The left eye starts at its inner corner, so that both run from the image's left to its right."""
_OUTER_LIP = (0.64, 0.24)
_INNER_LIP = 0.4
"""Places along half a mouth, 1 at the corner and 0 in the middle."""
_YAW_ROWS, _CONTOUR_SIDE = 79, 8

Point = tuple[float, float]


@dataclass(frozen=True)
class Areas:
    """Which vertices belong to what, (V,) each."""

    left_eyeball: Flags
    right_eyeball: Flags
    lips: Flags
    ears: Flags
    face: Flags


def find_areas(source: Source) -> Areas:
    """Areas of the mesh from MakeHuman's vertex numbers and its CC0 texture masks (`mpfb_<area>.jpg`)."""
    skin = source.base_index < _SKIN_END
    balls = [(source.base_index >= start) & (source.base_index < end) for start, end in _EYEBALLS.values()]
    return Areas(
        *balls, *(skin & _masked(source, source.textures / f"mpfb_{area}.jpg") for area in ("lips", "ears", "face"))
    )


def face_landmarks(vertices: Floats, faces: Integers, areas: Areas) -> tuple[Integers, Floats]:
    """The 51 inner landmarks of iBUG's 68, from the image's left (the person's right) to its right.

    Args:
        vertices: (V, 3) mean body in the rest pose.
        faces: (F, 3).
        areas: of the face.

    Returns:
        triangles (51,) and barycentric coordinates (51, 3).
    """
    view = FrontView(vertices, faces, center=vertices[areas.face].mean(axis=0))
    out, height, _ = vertices[areas.left_eyeball].mean(axis=0)
    left_brow = [(out + aside, height + up) for aside, up in _BROW]
    right_eye = _eye_outline(view, areas.right_eyeball)
    picked = [
        *_mirrored(reversed(left_brow)),
        *left_brow,
        *_nose(view, height),
        *right_eye,
        *_mirrored(right_eye[i] for i in _MIRRORED_EYE),
        *_mouth_outline(view, areas.lips),
    ]
    hits = [view.hit(x, y) for x, y in picked]
    return np.array([triangle for triangle, _ in hits]), np.array([place for _, place in hits])


def face_contour(vertices: Floats, faces: Integers, areas: Areas) -> tuple[Integers, Floats]:
    """The 17 contour landmarks for each yaw of the head that the file layout tabulates.

    Returns:
        triangles (79, 17) and barycentric coordinates (79, 17, 3); rows 0..39 are 0..39 degrees, 40..78 are -1..-39.
    """
    eye_height = vertices[areas.left_eyeball, 1].mean()
    below_eyes = np.nonzero(areas.face & ~areas.ears & (vertices[:, 1] < eye_height))[0]
    cheek = below_eyes[vertices[below_eyes, 1] >= _chin_height(vertices[below_eyes])]
    drop = np.linspace(0, 1, _CONTOUR_SIDE) ** 0.8
    heights = (eye_height - 0.005) * (1 - drop) + (vertices[cheek, 1].min() + 0.006) * drop
    rows = []
    for row in range(_YAW_ROWS):
        yaw = np.radians(-row if row < 40 else row - 39)
        across = vertices[:, 0] * np.cos(yaw) + vertices[:, 2] * np.sin(yaw)
        rows.append(_contour_row(vertices, across, cheek, heights))
    corners = {int(vertex): place for place, vertex in reversed(list(np.ndenumerate(faces)))}
    places = np.array([[corners[vertex] for vertex in row] for row in rows])
    return places[..., 0], np.eye(3)[places[..., 1]]


def arrange_vertices(
    vertices: Floats, joints: Floats, weights: Floats, areas: Areas, nose: int, mirror: Integers
) -> Integers:
    """Order the vertices so that ours stand where `smplx` looks landmarks up by number.

    Args:
        vertices: (V, 3).
        joints: (55, 3).
        weights: (V, 55).
        areas: of the face.
        nose: vertex of the nose's tip.
        mirror: (V,).

    Returns:
        (V,) old index of each new vertex: all but 21 pairs stay in place.
    """
    order = np.arange(len(vertices))
    chosen = {"nose": nose}
    for name, vertex in _left_landmarks(vertices, joints, weights, areas).items():
        chosen |= {f"left_{name}": vertex, f"right_{name}": int(mirror[vertex])}
    for name, place in LANDMARK_VERTICES.items():
        now = int(np.nonzero(order == chosen[name])[0][0])
        order[now], order[place] = order[place], order[now]
    return order


def _left_landmarks(vertices: Floats, joints: Floats, weights: Floats, areas: Areas) -> dict[str, int]:
    def farthest(joint: str, direction: Floats) -> int:
        part = np.nonzero(weights[:, JOINT_INDEX[joint]] > 0.5)[0]
        return int(part[np.argmax(vertices[part] @ direction)])

    cornea = np.nonzero(areas.left_eyeball)[0]
    ear = np.nonzero(areas.ears & (vertices[:, 0] > 0))[0]
    rim = vertices[ear].mean(axis=0) + np.array([0.02, 0.0, 0.0])
    landmarks = {
        "eye": int(cornea[np.argmax(vertices[cornea, 2])]),
        "ear": int(ear[np.argmin(np.linalg.norm(vertices[ear] - rim, axis=1))]),
        "big_toe": farthest("left_foot", np.array([-0.25, -0.2, 1.0])),
        "small_toe": farthest("left_foot", np.array([1.0, -0.2, 0.45])),
        "heel": farthest("left_ankle", np.array([0.0, -0.55, -1.0])),
    }
    for finger in ("thumb", "index", "middle", "ring", "pinky"):
        end, before = joints[JOINT_INDEX[f"left_{finger}3"]], joints[JOINT_INDEX[f"left_{finger}2"]]
        landmarks[finger] = farthest(f"left_{finger}3", end - before)
    return landmarks


def _masked(source: Source, image: Path) -> Flags:
    """(V,) whether any texture coordinate of a vertex is bright in a gray mask."""
    from PIL import Image

    gray = np.asarray(Image.open(image).convert("L")) / 255.0
    last = np.array(gray.shape[::-1]) - 1
    columns, rows = np.clip((source.uv * [1, -1] + [0, 1]) * last, 0, last).astype(int).T
    bright = np.zeros(len(source.vertices))
    np.maximum.at(bright, source.faces, gray[rows, columns][source.uv_faces])
    return np.asarray(bright > 0.4)


def _nose(view: FrontView, eye_height: float) -> list[Point]:
    """Four points down the bridge to the tip, five under the nostrils."""
    _, tip = view.nearest_on_middle(eye_height, eye_height - 0.08)
    base, _ = view.deepest_on_middle(tip, tip - 0.022)
    top = eye_height + 0.003
    bridge = [(0.0, float(y)) for y in np.linspace(top, tip, 4)]
    return bridge + [(x, base + 0.002 + 0.3 * abs(x)) for x in _NOSTRILS]


def _eye_outline(view: FrontView, eyeball: Flags) -> list[Point]:
    """Right eye: outer corner, two points of the upper lid, inner corner, two of the lower."""
    seen = view.seen(eyeball)
    outer, inner = seen.x_range()
    between = outer + 0.33 * (inner - outer), outer + 0.67 * (inner - outer)
    upper, lower = [seen.top(x) for x in between], [seen.bottom(x) for x in reversed(between)]
    return [seen.middle(outer), *upper, seen.middle(inner), *lower]


def _mouth_outline(view: FrontView, lips: Flags) -> list[Point]:
    """Twelve points around the lips, eight around their seam, from the right corner over the upper lip."""
    seen = view.seen(lips)
    corner, _ = seen.x_range(margin=0.0012)
    upper = [seen.top(t * corner) for t in _OUTER_LIP]
    lower = [seen.bottom(t * corner) for t in reversed(_OUTER_LIP)]
    seam = view.seam(seen, corner + 0.003)
    (x, y), (_, middle) = view.seam(seen, _INNER_LIP * corner), view.seam(seen, 0.0)
    gap = 0.0008
    right = seen.middle(corner)
    outer = [right, *upper, seen.top(0.0), *_mirrored(reversed(upper)), *_mirrored([right])]
    under = [*_mirrored(reversed(lower)), seen.bottom(0.0), *lower]
    above = [seam, (x, y + gap), (0.0, middle + gap), (-x, y + gap), *_mirrored([seam])]
    return [*outer, *under, *above, (-x, y - gap), (0.0, middle - gap), (x, y - gap)]


def _mirrored(points: Iterable[Point]) -> list[Point]:
    return [(-x, y) for x, y in points]


def _chin_height(skin: Floats) -> float:
    """Height where the middle of the chin turns from facing forward to facing down: the mask reaches farther under."""
    middle = skin[np.abs(skin[:, 0]) < 0.012]
    return float(middle[np.argmax(middle @ [0.0, -0.87, 0.5]), 1])


def _contour_row(vertices: Floats, across: Floats, cheek: Integers, heights: Floats) -> list[int]:
    """Outermost vertices at each height, image left downward, the chin, image right upward."""
    sides = []
    for sign in (-1, 1):
        near = [cheek[np.abs(vertices[cheek, 1] - height) < 0.008] for height in heights]
        sides.append([int(band[np.argmax(sign * across[band])]) for band in near])
    middle = (across[sides[0][-1]] + across[sides[1][-1]]) / 2
    below = cheek[np.abs(across[cheek] - middle) < 0.012]
    chin = int(below[np.argmin(vertices[below, 1])])
    return [*sides[0], chin, *reversed(sides[1])]
