"""EHF (paper, tables 1 to 6 and 10): 100 frames of one person with registered SMPL-X meshes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from ..datasets.sample import Truth
from .expressive import Parts, expressive_errors, with_hands
from .prediction import Errors, Prediction, means, stacked


class EhfBenchmark:
    """PA MPVPE and MPVPE of all, hands, face; PA MPJPE and MPJPE of 14 body joints and 21 joints of a hand.

    The ground truth is in the axes of the camera, as the test set gives it.

    Args:
        parts: of SMPL-X's mesh, with ExPose's regressor of the 14 joints.
    """

    ranking = "pa_mpvpe_all"

    def __init__(self, *, parts: Parts) -> None:
        self.parts = parts

    def measure(self, prediction: Prediction, truths: Sequence[Truth], batch: Mapping[str, Tensor]) -> Errors:
        """Errors against the registered meshes; both hands and the face of every frame count."""
        target = stacked([truth.vertices for truth in truths], "registered mesh", prediction.vertices)
        seen = target.new_ones(len(target), 3).bool()
        return expressive_errors(self.parts, prediction.vertices, target, seen)

    def conclude(self, errors: Errors, folder: Path) -> dict[str, float]:
        """Means over the frames, millimeters; a hand's is the mean of left and right."""
        return with_hands(means(errors))
