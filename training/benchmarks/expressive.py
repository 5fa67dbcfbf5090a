"""Errors of body, hands and face on a mesh of SMPL-X's layout, each part by its own points and root (paper, section 5).

Joints are read off the predicted and the true mesh by the same regressor, so that only the mesh is compared. One
alignment for each number: vertices are never aligned by joints, nor a part by the whole.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...backend.body.joints import LANDMARK_VERTICES, LEFT_HAND21, LIMBS12, POINT_INDEX, RIGHT_HAND21
from ...backend.motion.skeleton import JOINT_COUNT
from ..body_models.human_models import HumanModel
from ..metrics import pa_mpjpe, rooted_error
from .prediction import Errors, numbers

SIDES = ("left_hand", "right_hand")
REGIONS = (*SIDES, "face")
"""In the order of the boxes and of `seen`."""
ROOTS = {"all": "pelvis", "left_hand": "left_wrist", "right_hand": "right_wrist", "face": "neck"}
BODY14 = (*LIMBS12, POINT_INDEX["neck"], POINT_INDEX["head"])
"""Stands in for ExPose's 14 joints where the body has no regressor of them: its own skeleton, the head for its top."""


@dataclass(frozen=True)
class Parts:
    """How body, hands and face are found on a mesh of V vertices.

    Attributes:
        vertices: of all, left_hand, right_hand and face.
        joints: regressors (J, V) of body (14 joints), left_hand and right_hand (21 each, the wrist first).
        roots: regressors (1, V) of the joint that all, left_hand, right_hand and face are moved onto.
    """

    vertices: dict[str, Tensor]
    joints: dict[str, Tensor]
    roots: dict[str, Tensor]


def expressive_parts(model: HumanModel, body14: Tensor | None = None) -> Parts:
    """The parts of a model of the whole person.

    Args:
        model: SMPL-X or the open body.
        body14: (14, V) regressor of the body's joints; None for `BODY14`.

    Raises:
        ValueError: the model does not say which vertices are hands and face.
    """
    missing = [name for name in REGIONS if name not in model.parts]
    if missing:
        raise ValueError(
            f"the human model does not say which vertices are {', '.join(missing)}: put MANO_SMPLX_vertex_ids.pkl and "
            "SMPL-X__FLAME_vertex_ids.npy, downloads of https://smpl-x.is.tue.mpg.de, into smplx/ of models.folder"
        )
    regressor = model.regressor.float()
    every = torch.arange(regressor.shape[1], device=regressor.device)
    body = _regressor(regressor, BODY14) if body14 is None else body14.to(regressor)
    hands = {"left_hand": _regressor(regressor, LEFT_HAND21), "right_hand": _regressor(regressor, RIGHT_HAND21)}
    return Parts(
        vertices={"all": every, **{name: model.parts[name].to(regressor.device) for name in REGIONS}},
        joints={"body": body, **hands},
        roots={part: _regressor(regressor, (POINT_INDEX[root],)) for part, root in ROOTS.items()},
    )


def expressive_errors(parts: Parts, predicted: Tensor, target: Tensor, seen: Tensor) -> Errors:
    """MPJPE, MPVPE and both after alignment, of every part.

    Args:
        parts: of the mesh.
        predicted: (B, V, 3) meters.
        target: (B, V, 3) meters.
        seen: (B, 3) whether left hand, right hand and face are measured.

    Returns:
        `mpvpe` and `pa_mpvpe` of all, left_hand, right_hand and face, `mpjpe` and `pa_mpjpe` of body, left_hand and
        right_hand, named such as `pa_mpvpe_left_hand`: (B,) millimeters.
    """
    errors: dict[str, Tensor] = {}
    for part, ids in parts.vertices.items():
        roots = _apply(parts.roots[part], predicted)[:, 0], _apply(parts.roots[part], target)[:, 0]
        errors[f"mpvpe_{part}"] = rooted_error(predicted[:, ids], target[:, ids], roots)
        errors[f"pa_mpvpe_{part}"] = pa_mpjpe(predicted[:, ids], target[:, ids])
    for part, regressor in parts.joints.items():
        joints = _apply(regressor, predicted), _apply(regressor, target)
        root = parts.roots["all" if part == "body" else part]
        roots = _apply(root, predicted)[:, 0], _apply(root, target)[:, 0]
        errors[f"mpjpe_{part}"] = rooted_error(*joints, roots)
        errors[f"pa_mpjpe_{part}"] = pa_mpjpe(*joints)
    for k, region in enumerate(REGIONS):
        for name in errors:
            if name.endswith(region):
                errors[name] = errors[name].masked_fill(~seen[:, k], torch.nan)
    return {name: numbers(values) for name, values in errors.items()}


def with_hands(values: dict[str, float]) -> dict[str, float]:
    """Replace what is named of left and right hand by their mean, as all of the paper's tables do."""
    names = dict.fromkeys(_both_hands(name) for name in values)
    return {name: float(np.mean([values[k] for k in values if _both_hands(k) == name])) for name in names}


def _both_hands(name: str) -> str:
    return next((name.removesuffix(side) + "hands" for side in SIDES if name.endswith(side)), name)


def _regressor(joints: Tensor, points: tuple[int, ...]) -> Tensor:
    """(P, V) rows that read points of `POINT_NAMES` off the vertices: the model's own for joints, one vertex else."""
    places = list(LANDMARK_VERTICES.values())
    rows = joints.new_zeros(len(points), joints.shape[1])
    for row, point in enumerate(points):
        if point < JOINT_COUNT:
            rows[row] = joints[point]
        else:
            rows[row, places[point - JOINT_COUNT]] = 1
    return rows


def _apply(regressor: Tensor, vertices: Tensor) -> Tensor:
    """(J, V) and (B, V, 3) -> (B, J, 3)."""
    return torch.einsum("jv,bvc->bjc", regressor, vertices)
