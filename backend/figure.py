"""A coarse copy of the body that can be posed and drawn in milliseconds. numpy and OpenCV only."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .frames import Image
from .lens import Lens
from .motion.body_file import BodyFile
from .motion.placement import WORLD_FROM_CAMERA
from .motion.rotations import matrix_from_axis_angle
from .motion.skeleton import JOINT_COUNT, JOINT_INDEX, forward_kinematics
from .motion.take import Take

Array = NDArray[np.float64]
Color = tuple[int, int, int]

CELL = 0.035
"""Meters; vertices within one cell become one."""
FINE_CELL = 0.014
"""For hands, feet and head."""
NEAR = 0.1
"""Meters; triangles nearer to the camera are not drawn."""
LIGHT = np.array([0.35, -0.5, -0.8]) / np.linalg.norm([0.35, -0.5, -0.8])
"""Where the light comes from, camera axes: from above, a little from the right, from behind the camera."""
SUBPIXEL_BITS = 3


class Figure:
    """A take's body with some of its vertices, chosen evenly, posed by linear blend skinning.

    Args:
        body: the body model.
        take: whose shape and motion the figure has.
    """

    def __init__(self, body: BodyFile, take: Take) -> None:
        kept, self.faces = _thinned(body)
        self._take = take
        self._rest = body.rest_joints(take.betas)
        self._template = body.v_template[kept] + body.shapedirs[kept] @ take.betas
        self._expressions = np.ascontiguousarray(body.exprdirs[kept])
        self._posedirs = np.ascontiguousarray(body.posedirs[kept]).reshape(3 * len(kept), -1)
        self._weights = body.weights[kept]

    def vertices(self, row: int) -> Array:
        """(V, 3) meters in camera axes, of one frame of the take."""
        take, rest = self._take, self._rest
        rotations = matrix_from_axis_angle(take.poses[row].reshape(JOINT_COUNT, 3))
        rotations[0] = WORLD_FROM_CAMERA.T @ rotations[0]
        joints, turned = forward_kinematics(rotations, rest)
        bends = (rotations[1:] - np.eye(3)).astype(np.float32).ravel()
        vertices = self._template + self._expressions @ take.expression[row] + (self._posedirs @ bends).reshape(-1, 3)
        shifts = joints - np.einsum("jab,jb->ja", turned, rest)
        transforms = np.concatenate([turned, shifts[..., None]], axis=2).reshape(JOINT_COUNT, 12)
        blended = (self._weights @ transforms.astype(np.float32)).reshape(-1, 3, 4)
        posed = np.einsum("vab,vb->va", blended[..., :3], vertices) + blended[..., 3]
        return np.asarray(posed + (take.joints_cam[row, 0] - joints[0]), dtype=np.float64)

    def draw(self, image: Image, vertices: Array, lens: Lens, color: Color, opacity: float) -> None:
        """Blend the shaded figure into an image.

        Args:
            image: (H, W, 3) RGB, changed in place.
            vertices: (V, 3) as `vertices` gives them.
            lens: of the image, which may be smaller than the source's frames.
            color: RGB.
            opacity: 0..1.
        """
        normals, toward = _normals(vertices, self.faces)
        corners = vertices[self.faces]
        visible = np.flatnonzero((toward < 0) & (corners[..., 2].min(axis=1) > NEAR))
        if not len(visible):
            return
        visible = visible[np.argsort(-corners[visible, :, 2].mean(axis=1))]
        pixels = lens.project(corners[visible]) - 0.5
        left, top = np.clip(np.floor(pixels.min(axis=(0, 1))), 0, None).astype(int)
        right, bottom = np.minimum(np.ceil(pixels.max(axis=(0, 1))) + 1, image.shape[1::-1]).astype(int)
        if left >= right or top >= bottom:
            return
        light = 0.35 + 0.65 * np.clip(normals[visible] @ LIGHT, 0, 1)
        colors = np.clip(light[:, None] * color, 1, 255).astype(int).tolist()
        places = np.round((np.clip(pixels, -8000, 8000) - [left, top]) * 2**SUBPIXEL_BITS).astype(np.int32)
        layer = np.zeros((bottom - top, right - left, 3), np.uint8)
        for triangle, shade in zip(places, colors, strict=True):
            cv2.fillConvexPoly(layer, triangle, shade, lineType=cv2.LINE_8, shift=SUBPIXEL_BITS)
        part = image[top:bottom, left:right]
        mixed = cv2.addWeighted(part, 1 - opacity, layer, opacity, 0)
        np.copyto(part, mixed, where=layer.any(axis=2, keepdims=True))


def _normals(vertices: Array, faces: NDArray[np.int64]) -> tuple[Array, Array]:
    """(F, 3) normals averaged over each triangle's surroundings, and (F,) how much it faces away from the camera."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    toward = np.einsum("fa,fa->f", normals, a)
    smooth = np.stack([_scattered(normals[:, axis], faces, len(vertices)) for axis in range(3)], axis=1)
    around = smooth[faces].sum(axis=1)
    return around / np.maximum(np.linalg.norm(around, axis=1, keepdims=True), 1e-12), toward


def _scattered(values: Array, faces: NDArray[np.int64], count: int) -> Array:
    """(F,) values added to the corners of their triangles -> (V,)."""
    return np.asarray(np.bincount(faces.ravel(), np.repeat(values, 3), count), dtype=np.float64)


def _thinned(body: BodyFile) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Vertices to keep (one for each cell and limb) and the triangles between them."""
    limb = body.weights.argmax(axis=1)
    fine = [i for name, i in JOINT_INDEX.items() if i >= 22 or name.endswith(("head", "foot", "wrist"))]
    cell = np.where(np.isin(limb, fine), FINE_CELL, CELL)
    keys = np.column_stack([limb, np.floor(body.v_template / cell[:, None]).astype(np.int64)])
    _, group = np.unique(keys, axis=0, return_inverse=True)
    group = group.ravel()
    kept = _most_central(body.v_template, group)
    faces = group[body.faces]
    real = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    _, first = np.unique(np.sort(faces[real], axis=1), axis=0, return_index=True)
    return kept, faces[real][first]


def _most_central(points: NDArray[np.floating[Any]], group: NDArray[np.int64]) -> NDArray[np.int64]:
    """(V, 3) points in G groups -> (G,) of each group the point nearest to its mean."""
    sizes = np.bincount(group)
    means = np.stack([np.bincount(group, weights=points[:, axis]) / sizes for axis in range(3)], axis=1)
    order = np.lexsort([np.linalg.norm(points - means[group], axis=1), group])
    return np.asarray(order[np.concatenate([[0], np.cumsum(sizes)[:-1]])], dtype=np.int64)
