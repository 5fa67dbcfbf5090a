"""3DPW (paper, table 7): joints that Human3.6M's regressor finds on the predicted and on the true mesh.

The true mesh is SMPL of the actor's gender, the prediction neutral. (The challenge of 2020, 24 joints, is another
protocol.)
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from ..datasets.sample import Truth
from ..metrics import pa_mpjpe, rooted_error
from .human36m import PELVIS, joint_errors, regress
from .prediction import Errors, Prediction, means, numbers, stacked


class Pw3dBenchmark:
    """MPJPE, PA MPJPE, MPVPE and PA MPVPE.

    Args:
        regressor: (17, V) of Human3.6M's joints from SMPL's vertices.
    """

    ranking = "pa_mpjpe"

    def __init__(self, *, regressor: Tensor) -> None:
        self.regressor = regressor

    def measure(self, prediction: Prediction, truths: Sequence[Truth], batch: Mapping[str, Tensor]) -> Errors:
        """Errors of 14 joints and of the mesh; the regressed pelvises are moved onto each other."""
        target = stacked([truth.vertices for truth in truths], "mesh", prediction.vertices)
        joints = regress(self.regressor, prediction.vertices), regress(self.regressor, target)
        roots = joints[0][:, PELVIS], joints[1][:, PELVIS]
        mesh = {
            "mpvpe": numbers(rooted_error(prediction.vertices, target, roots)),
            "pa_mpvpe": numbers(pa_mpjpe(prediction.vertices, target)),
        }
        return joint_errors(*joints) | mesh

    def conclude(self, errors: Errors, folder: Path) -> dict[str, float]:
        """Means over the people, millimeters."""
        return means(errors)
