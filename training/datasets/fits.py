"""Fits of body models in the files of NeuralAnnot: which parameters, relative to which camera, what may be learnt."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...backend.motion.rotations import Array as Floats
from ...backend.motion.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from ...backend.motion.skeleton import EYES, JAW, LEFT_HAND, RIGHT_HAND
from ..body_models.joint_sets import JointSet
from .coco_layout import HALF_PIXEL, Json
from .sample import Array, Fit, Mask

MODELS = {"whole": "SMPLX", "body": "SMPL", "hand": "MANO", "face": "FLAME"}
"""The human model of each joint set, as names of files spell it."""

PARAMETERS = {"whole": "smplx_param", "body": "smpl_param", "hand": "mano_param", "face": "flame_param"}
"""The key of a joint set's parameters."""

_FEET = tuple(f"{side}_{name}" for side in "LR" for name in ("Big_toe", "Small_toe", "Heel"))
_BENT_BLINDLY = ("left_ankle", "right_ankle", "left_wrist", "right_wrist")

RootJoint = Callable[[Array], Array]
"""(10,) betas -> (3,) the first joint of the body model at rest, meters."""

Mesh = Callable[[Fit], Array]
"""A fit -> (V, 3) vertices of the body model of its gender, meters, camera axes."""


def read_fit(joint_set: JointSet, parameters: Json, camera: Json, mean_pose: Array) -> Fit:
    """A fit, all of which may be learnt from but eyes and what the file leaves out.

    Args:
        joint_set: whose human model was fitted.
        parameters: of the file.
        camera: `focal` and `princpt`.
        mean_pose: (R, 3) that the file's poses leave off: the mean hand of the body model, zero elsewhere.
    """
    expression = parameters.get("expr")
    return Fit(
        rotations=_rotations(joint_set, parameters) + mean_pose.astype(np.float32),
        rotations_valid=_known_rotations(joint_set, parameters),
        betas=_vector(parameters["shape"])[:10],
        betas_valid=True,
        expression=np.zeros(10, np.float32) if expression is None else _vector(expression),
        expression_valid=expression is not None,
        trans=_vector(parameters["trans"]),
        gender=parameters.get("gender", "neutral"),
        points_valid=np.ones(len(joint_set.points), dtype=bool),
        focal=_vector(camera["focal"]),
        principal_point=_vector(camera["princpt"]) + np.float32(HALF_PIXEL),
    )


def body_alone(fit: Fit, joint_set: JointSet) -> Fit:
    """What may be learnt where only the joints of the body were fitted (Human3.6M, MPII; the authors' released code).

    Neither ankles and wrists, which no label holds in place, nor feet, hands, jaw and expression.
    """
    bent = np.array([name not in _BENT_BLINDLY for name in joint_set.rotations])
    bent[22:] = False
    points = np.zeros(len(joint_set.points), dtype=bool)
    points[list(joint_set.positional)] = True
    points &= np.array([name not in _FEET for name in joint_set.points])
    return replace(fit, rotations_valid=fit.rotations_valid & bent, points_valid=points, expression_valid=False)


def without_parts(fit: Fit, joint_set: JointSet, known: dict[str, bool]) -> Fit:
    """A fit of the whole body without its parts that were not seen.

    Args:
        fit: of SMPL-X.
        joint_set: the whole.
        known: whether left_hand, right_hand and face may be learnt from.
    """
    rotations, points = fit.rotations_valid.copy(), fit.points_valid.copy()
    turned = {"left_hand": LEFT_HAND, "right_hand": RIGHT_HAND, "face": slice(JAW, JAW + 1)}
    for part in joint_set.parts:
        if not known.get(part.name, True):
            rotations[turned[part.name]] = False
            points[part.points] = False
    return replace(
        fit,
        rotations_valid=rotations,
        points_valid=points,
        expression_valid=fit.expression_valid and known["face"],
    )


def to_camera(fit: Fit, rotation: Floats, translation: Floats, root_joint: RootJoint) -> Fit:
    """A fit in the axes of the world, moved to those of a camera.

    The root turns about its own joint J, so R (J + trans) + t = J + trans' places it.

    Args:
        fit: in world axes.
        rotation: (3, 3) R, world to camera.
        translation: (3,) t, meters.
        root_joint: of the body model.
    """
    joint = np.asarray(root_joint(fit.betas), dtype=np.float64)
    rotations = fit.rotations.copy()
    rotations[0] = axis_angle_from_matrix(rotation @ matrix_from_axis_angle(fit.rotations[0]))
    trans = rotation @ (joint + fit.trans) + translation - joint
    return replace(fit, rotations=rotations, trans=trans.astype(np.float32))


def _rotations(joint_set: JointSet, parameters: Json) -> Array:
    """(R, 3) as in the file; zero where it has none."""
    if joint_set.name == "whole":
        rotations = np.zeros((55, 3), dtype=np.float32)
        for key, joints in _WHOLE_KEYS.items():
            if parameters.get(key) is not None:
                rotations[joints] = _vector(parameters[key]).reshape(-1, 3)
        return rotations
    keys = ("root_pose", "jaw_pose") if joint_set.name == "face" else ("pose",)
    pose = np.concatenate([_vector(parameters[key]) for key in keys])
    return pose.reshape(-1, 3)[: len(joint_set.rotations)]  # SMPL's hands come last


_WHOLE_KEYS = {
    "root_pose": slice(0, 1), "body_pose": slice(1, 22), "jaw_pose": slice(JAW, JAW + 1),
    "leye_pose": slice(EYES.start, EYES.start + 1), "reye_pose": slice(EYES.start + 1, EYES.stop),
    "lhand_pose": LEFT_HAND, "rhand_pose": RIGHT_HAND,
}  # fmt: skip


def _known_rotations(joint_set: JointSet, parameters: Json) -> Mask:
    known = np.ones(len(joint_set.rotations), dtype=bool)
    if joint_set.name == "whole":
        for key, joints in _WHOLE_KEYS.items():
            known[joints] = parameters.get(key) is not None
        known[EYES] = False
    return known


def _vector(values: Json) -> Array:
    return np.asarray(values, dtype=np.float32).reshape(-1)
