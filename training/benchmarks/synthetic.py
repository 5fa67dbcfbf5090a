"""People rendered by this project: the protocol of EHF, and the boxes of Table 11, on data that everybody can make."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from ..body_models.human_models import HumanModel
from ..datasets.sample import Truth
from ..rotation_vectors import matrix_from_axis_angle
from .boxes import box_errors
from .expressive import Parts, expressive_errors, with_hands
from .prediction import Errors, Prediction, means


class SyntheticBenchmark:
    """The errors of `EhfBenchmark` against the mesh that was rendered, and box IoU.

    Args:
        model: poses the rendered person again.
        parts: of its mesh.
    """

    ranking = "pa_mpvpe_all"

    def __init__(self, *, model: HumanModel, parts: Parts) -> None:
        self.model = model
        self.parts = parts

    def measure(self, prediction: Prediction, truths: Sequence[Truth], batch: Mapping[str, Tensor]) -> Errors:
        """Hands and faces count where the picture shows them, as their boxes' validity says."""
        rotations = matrix_from_axis_angle(batch["rotations"])
        target = self.model(rotations, batch["betas"], batch["expression"]).vertices
        errors = expressive_errors(self.parts, prediction.vertices, target, batch["regions_valid"].bool())
        return errors | box_errors(prediction, batch)

    def conclude(self, errors: Errors, folder: Path) -> dict[str, float]:
        """Means over the pictures, millimeters and IoU; a hand's is the mean of left and right."""
        return with_hands(means(errors))
