"""Pictures of what a network sees: predicted points and mesh over the crops, labels beside them."""

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...backend.model.boxes import HIGH_RESOLUTION
from ...backend.model.parts import PartOutput
from ...backend.model.pose2pose import Pose2PoseOutput
from ..body_models.human_models import HumanModel
from ..losses import View, projected
from ..synthetic.rasterizer import rasterize, vertex_normals
from ..targets import Batch

Image = NDArray[np.uint8]
LABEL, PREDICTED = (90, 230, 90), (255, 120, 60)
SKIN = (0.75, 0.8, 0.95)
HEIGHT = 256
"""Pixels of one picture in a sheet."""
_SUBPIXEL_BITS = 3


@torch.no_grad()
def draw_sheet(
    output: Pose2PoseOutput | PartOutput, batch: Batch, model: HumanModel, view: View, count: int = 8
) -> Image:
    """Draw the first samples of a batch, one row each: labels (green), positional pose (orange), mesh.

    Args:
        output: of the network, single precision.
        batch: on the same device, pictures (B, 3, H, W) 0..1.
        model: whose mesh is drawn.
        view: of the network.
        count: rows at most.

    Returns:
        (rows * 256, 3 * width, 3) RGB.
    """
    images = (batch["image"][:count].permute(0, 2, 3, 1) * 255).round().byte().cpu().numpy()
    labels, valid = batch["points"][:count].cpu().numpy(), batch["points_valid"][:count].cpu().numpy()
    poses = predicted_points(output)[:count].cpu().numpy()
    meshes = _meshes(output, batch["image"][:count], model, view)
    rows = []
    for image, points, known, pose, mesh in zip(images, labels, valid, poses, meshes, strict=True):
        cells = [_dots(image, points[known], LABEL), _dots(image, pose, PREDICTED), _resized(mesh)]
        rows.append(np.concatenate(cells, axis=1))
    return np.concatenate(rows)


def predicted_points(output: Pose2PoseOutput | PartOutput) -> Tensor:
    """(B, P, 2) the positional pose of all branches that have one, pixels of the crop."""
    if isinstance(output, PartOutput):
        nothing = output.betas.new_zeros(len(output.betas), 0, 2)
        return nothing if output.positions is None else output.positions.points[..., :2]
    hands = output.hand_points[..., :2].flatten(1, 2)
    return torch.cat([output.body_points[..., :2] * HIGH_RESOLUTION, hands], dim=1)


def _meshes(output: Pose2PoseOutput | PartOutput, images: Tensor, model: HumanModel, view: View) -> Image:
    """(B, H, W, 3) the crops with the predicted meshes where the predicted translations put them."""
    count, canvas = len(images), images.permute(0, 2, 3, 1)
    if output.translation is not None:
        vertices = model(output.rotations[:count], output.betas[:count], _rows(output.expression, count)).vertices
        vertices = vertices + output.translation[:count, None]
        fragments = rasterize(projected(vertices, view), vertices[..., 2], model.faces, *view.size)
        toward = -fragments.interpolate(vertex_normals(vertices, model.faces), model.faces)[:, 2:]
        canvas = fragments.paint((0.35 + 0.65 * toward.clamp(0, 1)) * toward.new_tensor(SKIN), canvas)
    pixels: Image = (canvas.clamp(0, 1) * 255).round().byte().cpu().numpy()
    return pixels


def _rows(values: Tensor | None, count: int) -> Tensor | None:
    return None if values is None else values[:count]


def _resized(image: Image) -> Image:
    width = round(image.shape[1] * HEIGHT / image.shape[0])
    return np.asarray(cv2.resize(np.ascontiguousarray(image), (width, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)


def _dots(image: Image, points: NDArray[Any], color: tuple[int, int, int]) -> Image:
    cell = _resized(image)
    scale = HEIGHT / image.shape[0]
    for x, y in (points * scale).clip(-1000, 1000):
        place = (round(float(x) * 2**_SUBPIXEL_BITS), round(float(y) * 2**_SUBPIXEL_BITS))
        cv2.circle(cell, place, 2 * 2**_SUBPIXEL_BITS, color, -1, cv2.LINE_AA, _SUBPIXEL_BITS)
    return cell
