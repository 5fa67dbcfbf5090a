"""The layers of the `smplx` package, built from arrays and posed by rotation matrices in one way for all four models.

`smplx` gets clean copies of the arrays that `model_files` read, so that it has no pickle of anybody's to run.
"""

import contextlib
import copy
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import smplx
import torch
from numpy.typing import NDArray
from smplx.utils import Struct
from torch import Tensor, nn

from ...backend.motion.skeleton import BODY_JOINTS, JAW, LEFT_HAND, RIGHT_HAND

Array = NDArray[Any]

SMPL_HANDS = 2
"""SMPL's last joints, which no data set labels and no network predicts."""

Poser = Callable[[nn.Module, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""Layer, rotations, betas, expression, translation -> vertices (B, V, 3) and the layer's joints (B, P, 3)."""


PICKED = "vertex_joint_selector.extra_joints_idxs"
"""Buffer of a layer with the vertices that it gives as joints."""
LANDMARKS = ("lmk_faces_idx", "dynamic_lmk_faces_idx")
"""Buffers of a layer that name the triangles on which its landmarks lie."""
OF_VERTICES = ("v_template", "shapedirs", "expr_dirs")
"""Buffers of a layer with a row for each vertex, from which the joints at rest follow."""


def keep_joints(layer: nn.Module, vertices: Sequence[int]) -> nn.Module:
    """A copy of a layer with only those vertices that its joints are made of: the same joints for far less work.

    `smplx` reads the skeleton at rest off all vertices of the shaped body. The copy has every joint of the skeleton as
    a vertex of its own, which follows the shape and nothing else.

    Args:
        layer: of `LAYERS`.
        vertices: to be kept too; they come first, in this order.
    """
    old = dict(layer.named_buffers())
    faces, regressor = old["faces_tensor"], old["J_regressor"]
    joints, total = regressor.shape
    used = torch.cat([old[PICKED], *(faces[old[name]].flatten() for name in LANDMARKS if name in old)])
    kept = torch.tensor([*vertices, *sorted(set(used.tolist()) - set(vertices))])
    places = torch.zeros(total, dtype=torch.long)
    places[kept] = torch.arange(len(kept))
    bends = old["posedirs"].unflatten(1, (total, 3))[:, kept]
    new = {
        PICKED: places[old[PICKED]],
        "faces_tensor": places[faces],  # landmarks lie on the kept ones; nothing is asked of the others
        **{name: torch.cat([old[name][kept], torch.tensordot(regressor, old[name], 1)])
           for name in OF_VERTICES if name in old},
        "posedirs": torch.cat([bends, bends.new_zeros(len(bends), joints, 3)], dim=1).flatten(1),
        "lbs_weights": torch.cat([old["lbs_weights"][kept], regressor.new_zeros(joints, joints)]),
        "J_regressor": torch.cat([regressor.new_zeros(joints, len(kept)), torch.eye(joints)], dim=1),
    }  # fmt: skip
    small = copy.deepcopy(layer)
    for name, value in new.items():
        module, _, buffer = name.rpartition(".")
        setattr(small.get_submodule(module), buffer, value)
    return small


def _build_smplx(arrays: dict[str, Array], gender: str) -> nn.Module:
    with _copies() as folder:
        np.savez(folder / f"SMPLX_{gender.upper()}.npz", **arrays)  # it takes no arrays, only files
        layer: nn.Module = smplx.SMPLXLayer(
            str(folder), gender=gender, ext="npz", use_pca=False, flat_hand_mean=True, use_face_contour=True
        )
        return layer


def _build_smpl(arrays: dict[str, Array], gender: str) -> nn.Module:
    layer: nn.Module = smplx.SMPLLayer("", data_struct=Struct(**arrays), gender=gender)
    return layer


def _build_mano(arrays: dict[str, Array], gender: str) -> nn.Module:
    layer: nn.Module = smplx.MANOLayer("", data_struct=Struct(**arrays), use_pca=False, flat_hand_mean=True)
    return layer


def _build_flame(arrays: dict[str, Array], gender: str) -> nn.Module:
    """Its landmarks come from files beside the model; a record array has the looks of the dictionary in them."""
    with _copies() as folder:
        np.savez(folder / f"FLAME_{gender.upper()}.npz", **arrays)
        _record(arrays["lmk_faces_idx"], arrays["lmk_bary_coords"]).dump(folder / "flame_static_embedding.pkl")
        dynamic = _record(arrays["dynamic_lmk_faces_idx"], arrays["dynamic_lmk_bary_coords"])
        np.save(folder / "flame_dynamic_embedding.npy", dynamic)
        layer: nn.Module = smplx.FLAMELayer(str(folder), gender=gender, ext="npz", use_face_contour=True)
        return layer


@contextlib.contextmanager
def _copies() -> Iterator[Path]:
    # smplx leaves the files open, and Windows does not delete open ones
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _record(triangles: Array, weights: Array) -> Array:
    fields = [("lmk_face_idx", np.int64, triangles.shape), ("lmk_b_coords", np.float32, weights.shape)]
    return np.array((triangles, weights), dtype=fields)


def _pose_smplx(
    layer: nn.Module, rotations: Tensor, betas: Tensor, expression: Tensor, trans: Tensor
) -> tuple[Tensor, Tensor]:
    root, body = rotations[:, :1], rotations[:, 1 : BODY_JOINTS.stop]
    jaw, left_eye, right_eye = (rotations[:, JAW + i] for i in range(3))
    out = layer(
        betas=betas,
        global_orient=root,
        body_pose=body,
        left_hand_pose=rotations[:, LEFT_HAND],
        right_hand_pose=rotations[:, RIGHT_HAND],
        transl=trans,
        expression=expression,
        jaw_pose=jaw,
        leye_pose=left_eye,
        reye_pose=right_eye,
    )
    return out.vertices, out.joints


def _pose_smpl(
    layer: nn.Module, rotations: Tensor, betas: Tensor, expression: Tensor, trans: Tensor
) -> tuple[Tensor, Tensor]:
    body = torch.cat([rotations[:, 1:], _at_rest(rotations, SMPL_HANDS)], dim=1)
    out = layer(betas=betas, global_orient=rotations[:, :1], body_pose=body, transl=trans)
    return out.vertices, out.joints


def _pose_mano(
    layer: nn.Module, rotations: Tensor, betas: Tensor, expression: Tensor, trans: Tensor
) -> tuple[Tensor, Tensor]:
    out = layer(betas=betas, global_orient=rotations[:, :1], hand_pose=rotations[:, 1:], transl=trans)
    return out.vertices, out.joints


def _pose_flame(
    layer: nn.Module, rotations: Tensor, betas: Tensor, expression: Tensor, trans: Tensor
) -> tuple[Tensor, Tensor]:
    rest = _at_rest(rotations, 1)
    out = layer(
        betas=betas,
        expression=expression,
        global_orient=rotations[:, :1],
        neck_pose=rest,
        jaw_pose=rotations[:, 1:],
        leye_pose=rest,
        reye_pose=rest,
        transl=trans,
    )
    return out.vertices, out.joints


def _at_rest(rotations: Tensor, joints: int) -> Tensor:
    return torch.eye(3).to(rotations).expand(len(rotations), joints, 3, 3)


LAYERS: dict[str, tuple[Callable[[dict[str, Array], str], nn.Module], Poser]] = {
    "whole": (_build_smplx, _pose_smplx),
    "body": (_build_smpl, _pose_smpl),
    "hand": (_build_mano, _pose_mano),
    "face": (_build_flame, _pose_flame),
}
"""For each part: arrays of `model_files.read_model`, gender -> layer; and what poses it."""
