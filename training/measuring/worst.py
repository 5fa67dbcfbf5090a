"""A sheet of the samples on which a network errs most: labels, predicted points and mesh over the crop."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import default_collate

from ..body_models.human_models import HumanModel
from ..learning.sheets import HEIGHT, draw_sheet
from ..losses import View
from ..transforms import PreparedSamples
from .evaluation import run, to_device

Image = NDArray[np.uint8]
SHOWN = 8
TEXT, EDGE = (255, 255, 255), (0, 0, 0)


@torch.inference_mode()
def worst_sheet(
    network: nn.Module,
    examples: PreparedSamples,
    indices: Sequence[int],
    captions: Sequence[str],
    model: HumanModel,
    view: View,
    device: torch.device,
) -> Image:
    """Draw samples, one row each, with a caption.

    Args:
        network: on the device, in evaluation mode.
        examples: the test set without augmentation.
        indices: the samples.
        captions: one for each.
        model: the human model, on the device.
        view: of the network.
        device: of both.

    Returns:
        (rows * 256, width, 3) RGB.
    """
    batch = to_device(default_collate([examples[index, 0, 0] for index in indices]), device)
    sheet = np.ascontiguousarray(draw_sheet(run(network, batch["image"]), batch, model, view, count=len(indices)))
    for row, caption in enumerate(captions):
        place = (6, row * HEIGHT + HEIGHT - 8)
        for color, thickness in ((EDGE, 3), (TEXT, 1)):
            cv2.putText(sheet, caption, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, color, thickness, cv2.LINE_AA)
    return sheet
