"""A sheet of samples as training sees them: labels, boxes and the fitted mesh over the crop, plain and augmented."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...backend.motion.rotations import matrix_from_axis_angle
from ..body_models.human_models import HumanModel
from ..pictures import Image, to_crop
from ..synthetic.rasterizer import rasterize, vertex_normals
from ..transforms import Example

LABEL, FITTED = (90, 230, 90), (255, 120, 60)
REGIONS = ((80, 160, 255), (255, 90, 160), (250, 220, 70))
"""Colors of the boxes of left hand, right hand and face."""
SKIN = (190, 205, 245)
HEIGHT = 256
"""Pixels of one picture."""
CAPTION = 16
"""Pixels below it."""
BACKGROUND, TEXT = (24, 25, 28), (205, 207, 212)
_SUBPIXEL_BITS = 3


@dataclass(frozen=True)
class Mesh:
    """A mesh of V vertices over a crop, with P points of it.

    Attributes:
        pixels: (V, 2) of the crop.
        vertices: (V, 3) meters, in camera axes before the flip and the turn.
        points: (P, 2) pixels of the crop.
        points_valid: (P,) those that may be learnt from.
    """

    pixels: NDArray[Any]
    vertices: NDArray[Any]
    points: NDArray[Any]
    points_valid: NDArray[np.bool_]


def fitted_mesh(example: Example, model: HumanModel) -> Mesh | None:
    """The mesh of an example's fit, by the way that `Example` describes; None where nothing was fitted."""
    if not example["fit_points_valid"].any():
        return None
    rotations = matrix_from_axis_angle(example["fit_rotations"].double().numpy())
    rows = (example[key][None] for key in ("betas", "expression", "fit_trans"))
    with torch.no_grad():
        posed = model(torch.from_numpy(rotations)[None], *rows)
    points, vertices = posed.points[0].numpy(), posed.vertices[0].numpy()
    if example["flipped"]:
        points = points[_other_side(model)]
    camera = example["focal"].numpy(), example["principal_point"].numpy()
    return Mesh(
        pixels=seen(vertices, *camera, example),
        vertices=vertices,
        points=seen(points, *camera, example),
        points_valid=example["fit_points_valid"].numpy(),
    )


def seen(points: NDArray[Any], focal: NDArray[Any], principal_point: NDArray[Any], example: Example) -> NDArray[Any]:
    """(N, 3) meters in the camera axes of the picture -> (N, 2) pixels of the crop."""
    pixels = points[:, :2] / np.maximum(points[:, 2:], 1e-3) * focal + principal_point
    if example["flipped"]:
        pixels[:, 0] = float(example["picture_width"]) - pixels[:, 0]
    return to_crop(pixels, example["affine"].numpy())


def draw_row(name: str, examples: Sequence[Example], meshes: Sequence[Mesh | None], faces: Tensor) -> Image:
    """One sample: labels and boxes, the mesh and its points, and for each further example both together.

    Args:
        name: caption.
        examples: the plain one first.
        meshes: of each example.
        faces: (F, 3) of the meshes.

    Returns:
        (256 + 16, width, 3) RGB.
    """
    plain, mesh = examples[0], meshes[0]
    cells = [_labeled(_crop(plain), plain), _meshed(_crop(plain), plain, mesh, faces)]
    cells += [
        _labeled(_meshed(_crop(example), example, other, faces), example)
        for example, other in zip(examples[1:], meshes[1:], strict=True)
    ]
    row = np.concatenate(cells, axis=1)
    foot = np.full((CAPTION, row.shape[1], 3), BACKGROUND, np.uint8)
    cv2.putText(foot, name, (4, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.33, TEXT, 1, cv2.LINE_AA)
    return np.concatenate([row, foot])


def assemble(rows: Sequence[Image], columns: int) -> Image:
    """All rows of a sheet in columns, filled from the left to the right."""
    blank = np.full_like(rows[0], BACKGROUND)
    padded = [*rows, *[blank] * (-len(rows) % columns)]
    lines = [np.concatenate(padded[i : i + columns], axis=1) for i in range(0, len(padded), columns)]
    return np.concatenate(lines)


def _other_side(model: HumanModel) -> NDArray[np.int64]:
    order = np.arange(len(model.joint_set.points))
    for left, right in model.joint_set.point_pairs:
        order[left], order[right] = right, left
    return order


def _scale(example: Example) -> float:
    return HEIGHT / example["image"].shape[1]


def _crop(example: Example) -> Image:
    image = example["image"].permute(1, 2, 0).numpy()
    size = (round(image.shape[1] * _scale(example)), HEIGHT)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _labeled(canvas: Image, example: Example) -> Image:
    scale = _scale(example)
    for box, color in zip(example["regions"][example["regions_valid"]].numpy() * scale,
                          [REGIONS[k] for k in range(3) if example["regions_valid"][k]], strict=True):  # fmt: skip
        low, high = (tuple(int(v) for v in np.clip(corner, -999, 999)) for corner in (box[:2], box[2:]))
        cv2.rectangle(canvas, low, high, color, 1)
    _dots(canvas, example["points"][example["points_valid"]].numpy() * scale, LABEL)
    return canvas


def _meshed(canvas: Image, example: Example, mesh: Mesh | None, faces: Tensor) -> Image:
    """The canvas with the mesh and its points."""
    if mesh is None:
        return canvas
    scale = _scale(example)
    _shade(canvas, mesh, faces[:, [0, 2, 1]] if example["flipped"] else faces, scale)
    _dots(canvas, mesh.points[mesh.points_valid] * scale, FITTED)
    return canvas


def _shade(canvas: Image, mesh: Mesh, faces: Tensor, scale: float) -> None:
    """Blend a mesh over a canvas, lit from the camera; the flip leaves depth and slant as they are."""
    vertices = torch.from_numpy(np.asarray(mesh.vertices, dtype=np.float32))[None]
    pixels = torch.from_numpy(np.asarray(mesh.pixels * scale, dtype=np.float32))[None].clamp(-1e4, 1e4)
    fragments = rasterize(pixels, vertices[..., 2], faces, *canvas.shape[:2])
    slant = fragments.interpolate(vertex_normals(vertices, faces), faces)[:, 2].abs().numpy()
    color = (0.35 + 0.65 * slant[:, None]) * np.array(SKIN)
    place = fragments.row.numpy(), fragments.column.numpy()
    canvas[place] = (0.3 * canvas[place] + 0.7 * color).astype(np.uint8)


def _dots(canvas: Image, points: NDArray[Any], color: tuple[int, int, int]) -> None:
    for x, y in (np.clip(points, -999, 999) - 0.5) * 2**_SUBPIXEL_BITS:
        cv2.circle(canvas, (round(x), round(y)), 2 << _SUBPIXEL_BITS - 1, color, -1, cv2.LINE_AA, _SUBPIXEL_BITS)
