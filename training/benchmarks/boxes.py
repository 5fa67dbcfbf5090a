"""IoU of the predicted boxes of hands and face with the annotated ones, on MSCOCO's validation set (paper, table 11).

The paper says no more than that. The rule here: boxes as predicted, without the margin that a crop adds (a perfect
square box grown to twice its side would score 0.25, less than half of what the paper reports); only annotated boxes
that are marked valid; left and right hands averaged each for itself, then together.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..datasets.sample import Truth
from ..metrics import box_iou
from .expressive import REGIONS, with_hands
from .prediction import Errors, Prediction, means, numbers


class BoxBenchmark:
    """Box IoU of hands and face."""

    ranking = "iou_loss"

    def measure(self, prediction: Prediction, truths: Sequence[Truth], batch: Mapping[str, Tensor]) -> Errors:
        """IoU of every box, and 1 - the mean of them, by which the worst pictures are found."""
        errors = box_errors(prediction, batch)
        known = torch.stack([torch.from_numpy(values) for values in errors.values()])
        return errors | {"iou_loss": numbers(1 - known.nanmean(0))}

    def conclude(self, errors: Errors, folder: Path) -> dict[str, float]:
        """`iou_hands` and `iou_face`."""
        return with_hands(means({name: values for name, values in errors.items() if name != "iou_loss"}))


def box_errors(prediction: Prediction, batch: Mapping[str, Tensor]) -> Errors:
    """`iou_left_hand`, `iou_right_hand`, `iou_face` of each picture, NaN where no box is annotated.

    Raises:
        ValueError: the network predicts no boxes.
    """
    if prediction.boxes is None:
        raise ValueError("box IoU needs a network of the whole person; this one predicts no boxes")
    iou = box_iou(prediction.boxes, batch["regions"]).masked_fill(~batch["regions_valid"].bool(), torch.nan)
    return {f"iou_{region}": numbers(iou[:, k]) for k, region in enumerate(REGIONS)}
