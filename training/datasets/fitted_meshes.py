"""Human models as the loaders use them: the root at rest, the mesh of a fit."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ...backend.motion.rotations import matrix_from_axis_angle
from ..body_models.human_models import HumanModel, build_human_model
from .fits import RootJoint
from .sample import Array, Fit


@dataclass(frozen=True)
class RestRoot:
    """The first joint of a human model at rest, linear in the betas: (3,) meters and (10, 3) meters for each."""

    mean: Array
    directions: Array

    def __call__(self, betas: Array) -> Array:
        """(10,) -> (3,)."""
        return np.asarray(self.mean + betas @ self.directions, dtype=np.float32)


def root_joint_of(model: HumanModel) -> RootJoint:
    """Measure the first joint of a human model."""
    rest = torch.eye(3).expand(11, len(model.joint_set.rotations), 3, 3)
    betas = torch.cat([torch.zeros(1, 10), torch.eye(10)])
    device = model.mean_pose.device
    with torch.no_grad():
        joints = model.points(rest.to(device), betas.to(device))[:, 0].cpu().numpy()
    return RestRoot(joints[0], joints[1:] - joints[0])


class GenderedMesh:
    """Poses fits with the human model of their gender, each of which is read when it is first needed.

    Args:
        neutral: the neutral model.
        folder: of the licensed models; None poses everybody with the neutral one.
    """

    def __init__(self, *, neutral: HumanModel, folder: Path | None) -> None:
        self._folder = folder
        self._models = {"neutral": neutral}

    def __call__(self, fit: Fit) -> Array:
        """(V, 3) meters, camera axes.

        Raises:
            MissingModelError: the model of the fit's gender is missing.
        """
        model = self._model(fit.gender)
        device = model.mean_pose.device
        rotations = torch.from_numpy(matrix_from_axis_angle(fit.rotations))
        rows = [torch.from_numpy(np.array(row))[None].to(device) for row in (fit.betas, fit.expression, fit.trans)]
        with torch.no_grad():
            vertices: Array = model(rotations[None].to(device), *rows).vertices[0].cpu().numpy()
        return vertices

    def _model(self, gender: str) -> HumanModel:
        neutral = self._models["neutral"]
        if self._folder is None:
            return neutral
        if gender not in self._models:
            self._models[gender] = build_human_model(neutral.joint_set.name, self._folder, gender=gender)
        return self._models[gender]
