"""SMPL-X, SMPL, MANO and FLAME on top of the networks (paper section 3), through the `smplx` package.

All four are posed by rotation matrices and give the supervision points of their `JointSet`. Their files are read by
`model_files`, the layers of `smplx` are built and called in `model_layers`.
"""

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...backend.motion.body_file import OPEN_BODY
from ...backend.motion.skeleton import JAW, LEFT_HAND, RIGHT_HAND
from .joint_sets import JOINT_SETS, JointSet
from .model_files import (
    FACE_VERTICES,
    HAND_VERTICES,
    MissingModelError,
    face_vertices,
    hand_vertices,
    model_file,
    read_model,
)
from .model_layers import LAYERS, Poser, keep_joints

Array = NDArray[Any]


@dataclass(frozen=True)
class Posed:
    """Vertices (B, V, 3) and supervision points (B, J, 3), meters, in the axes of the root's rotation."""

    vertices: Tensor
    points: Tensor


class HumanModel(nn.Module):
    """One of the four models with its supervision points; nothing in it is trained.

    Args:
        joint_set: points and rotations.
        layer: of the `smplx` package; a sparse copy of it gives the points alone.
        poser: calls the layer.
        mean_pose: (R, 3) axis-angle, the mean hand of the model, zeros elsewhere.
        parts: vertices of left_hand, right_hand and face; empty where they are not known.
    """

    mean_pose: Tensor

    def __init__(
        self, *, joint_set: JointSet, layer: nn.Module, poser: Poser, mean_pose: Tensor, parts: dict[str, Tensor]
    ) -> None:
        super().__init__()
        self.joint_set = joint_set
        self.layer = layer.requires_grad_(False)
        self.sparse_layer = keep_joints(self.layer, joint_set.vertices)
        self.poser = poser
        self.register_buffer("mean_pose", mean_pose, persistent=False)
        self.parts = parts

    @property
    def faces(self) -> Tensor:
        """(F, 3) triangles."""
        faces: Tensor = self.layer.faces_tensor  # type: ignore[assignment]
        return faces

    @property
    def regressor(self) -> Tensor:
        """(joints, V): the model's own joints from the vertices, as evaluations take the roots of the parts."""
        regressor: Tensor = self.layer.J_regressor  # type: ignore[assignment]
        return regressor

    def forward(
        self, rotations: Tensor, betas: Tensor, expression: Tensor | None = None, trans: Tensor | None = None
    ) -> Posed:
        """Pose the model, in single precision whatever surrounds it.

        Args:
            rotations: (B, R, 3, 3) local, the root's first; relative to flat hands. SMPL's hands and the neck and eyes
                of FLAME, which are not among them, stay at rest.
            betas: (B, 10).
            expression: (B, 10); None for zero, and without effect on SMPL and MANO.
            trans: (B, 3) meters; None for zero.
        """
        vertices, joints = self._pose(self.layer, rotations, betas, expression, trans)
        return Posed(vertices, self._points(joints, vertices[:, self.joint_set.vertices]))

    def points(
        self, rotations: Tensor, betas: Tensor, expression: Tensor | None = None, trans: Tensor | None = None
    ) -> Tensor:
        """The points (B, J, 3) of `forward` without the mesh, which costs far more; takes the same."""
        vertices, joints = self._pose(self.sparse_layer, rotations, betas, expression, trans)
        return self._points(joints, vertices[:, : len(self.joint_set.vertices)])

    def _pose(
        self, layer: nn.Module, rotations: Tensor, betas: Tensor, expression: Tensor | None, trans: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        with torch.autocast(rotations.device.type, enabled=False):
            zeros = betas.new_zeros(len(betas), 3, dtype=torch.float32)
            expression = torch.zeros_like(betas) if expression is None else expression
            return self.poser(
                layer, rotations.float(), betas.float(), expression.float(), zeros if trans is None else trans
            )

    def _points(self, joints: Tensor, vertices: Tensor) -> Tensor:
        return torch.cat([joints, vertices], dim=1)[:, self.joint_set.layer_points]


def build_human_model(part: str, folder: Path | None, *, gender: str = "neutral") -> HumanModel:
    """The human model of a part.

    Args:
        part: whole (SMPL-X), body (SMPL), hand (MANO's right one: left hands are mirrored) or face (FLAME).
        folder: of the licensed files; None for the project's own body, which exists for the whole only.
        gender: neutral, male or female.

    Raises:
        MissingModelError: files are missing, and it lists them with where to get them; or no folder is given and there
            is no open model of the part.
    """
    if folder is None:
        if part != "whole":
            raise MissingModelError(
                f"part {part!r} needs a licensed model and has no open one: set models.folder to the folder that holds "
                "smpl/, mano/ and flame/"
            )
        arrays = read_model(part, OPEN_BODY)
        return _human_model(part, arrays, gender, _open_parts(arrays["weights"]))
    parts = _licensed_parts(folder) if part == "whole" else {}
    return _human_model(part, read_model(part, model_file(part, folder, gender)), gender, parts)


def _human_model(part: str, arrays: dict[str, Array], gender: str, parts: dict[str, Tensor]) -> HumanModel:
    build, poser = LAYERS[part]
    joint_set = JOINT_SETS[part]
    with contextlib.redirect_stdout(io.StringIO()):  # smplx prints a warning about every model with 10 betas
        layer = build(arrays, gender)
    mean = torch.zeros(len(joint_set.rotations), 3)
    if part == "whole":
        mean[LEFT_HAND] = torch.from_numpy(arrays["hands_meanl"]).float().view(15, 3)
        mean[RIGHT_HAND] = torch.from_numpy(arrays["hands_meanr"]).float().view(15, 3)
    elif part == "hand":
        mean[1:] = torch.from_numpy(arrays["hands_mean"]).float().view(15, 3)
    return HumanModel(joint_set=joint_set, layer=layer, poser=poser, mean_pose=mean, parts=parts)


def _open_parts(weights: Array) -> dict[str, Tensor]:
    """Vertices that hang on a hand's or the head's joints more than on any others."""
    sets = {
        "left_hand": [20, *range(LEFT_HAND.start, LEFT_HAND.stop)],
        "right_hand": [21, *range(RIGHT_HAND.start, RIGHT_HAND.stop)],
        "face": [15, JAW, JAW + 1, JAW + 2],
    }
    return {
        name: torch.from_numpy(np.flatnonzero(weights[:, joints].sum(axis=1) > 0.5)) for name, joints in sets.items()
    }


def _licensed_parts(folder: Path) -> dict[str, Tensor]:
    parts: dict[str, Tensor] = {}
    if (folder / HAND_VERTICES).is_file():
        parts |= {name: torch.from_numpy(ids) for name, ids in hand_vertices(folder).items()}
    if (folder / FACE_VERTICES).is_file():
        parts["face"] = torch.from_numpy(face_vertices(folder))
    return parts
