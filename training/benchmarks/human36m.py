"""Human3.6M, protocol 2 (paper, table 7): 14 joints of the frontal camera's pictures against motion capture."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..body_models.joint_sets import H36M_EVALUATED, H36M_LABELS
from ..datasets.sample import Truth
from ..metrics import mpjpe, pa_mpjpe
from .prediction import Errors, Prediction, TruthError, means, numbers, stacked

JOINTS = len(H36M_LABELS)
PELVIS = 0


class Human36mBenchmark:
    """MPJPE and PA MPJPE.

    Args:
        regressor: (17, V) of Human3.6M's joints from the vertices of the human model.
    """

    ranking = "pa_mpjpe"

    def __init__(self, *, regressor: Tensor) -> None:
        self.regressor = regressor

    def measure(self, prediction: Prediction, truths: Sequence[Truth], batch: Mapping[str, Tensor]) -> Errors:
        """Errors of 14 joints after both pelvises are moved onto each other.

        Raises:
            TruthError: the test set's joints are not the 17 of Human3.6M.
        """
        target = stacked([truth.points for truth in truths], "joints from motion capture", prediction.vertices)
        if target.shape[1] != JOINTS:
            raise TruthError(f"the ground truth must be the {JOINTS} joints of Human3.6M. Got {target.shape[1]}")
        return joint_errors(regress(self.regressor, prediction.vertices), target)

    def conclude(self, errors: Errors, folder: Path) -> dict[str, float]:
        """Means over the pictures, millimeters."""
        return means(errors)


def regress(regressor: Tensor, vertices: Tensor) -> Tensor:
    """(17, V) and (B, V, 3) -> (B, 17, 3)."""
    return torch.einsum("jv,bvc->bjc", regressor.to(vertices), vertices)


def joint_errors(predicted: Tensor, target: Tensor) -> Errors:
    """`mpjpe` and `pa_mpjpe` of the evaluated 14 of 17 joints (B, 17, 3): (B,) millimeters."""
    chosen = list(H36M_EVALUATED)
    rooted = [joints - joints[:, PELVIS : PELVIS + 1] for joints in (predicted, target)]
    return {
        "mpjpe": numbers(mpjpe(rooted[0][:, chosen], rooted[1][:, chosen])),
        "pa_mpjpe": numbers(pa_mpjpe(predicted[:, chosen], target[:, chosen])),
    }
