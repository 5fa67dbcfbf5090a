"""The whole pipeline with the preset of the authors. In place of their weights there are pseudo-random ones."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pose2pose.backend.capture import CaptureResult, capture
from pose2pose.backend.motion.mean_hand import HANDS
from pose2pose.backend.motion.rotations import matrix_from_axis_angle
from pose2pose.backend.official.exchange import RULES
from pose2pose.backend.official.released_models import RELEASED
from pose2pose.backend.weights_sets import add_set

pytestmark = pytest.mark.slow

SHARPER = 8.0
"""Pseudo-random heat maps are nearly flat, which the pipeline takes for nobody; trained ones have peaks."""


@pytest.fixture
def sharp_weights(user_data: Path, pseudo_random_network: Callable[[str], nn.Module]) -> dict[str, torch.Tensor]:
    tensors = dict(pseudo_random_network("hand4whole").state_dict())
    for branch in ("body", "hand"):
        tensors[f"{branch}.position.heatmaps.weight"] = SHARPER * tensors[f"{branch}.position.heatmaps.weight"]
    return tensors


def two_frames(clip: Path, **options: object) -> CaptureResult:
    return capture(clip, people="largest", end=1, device="cpu", refine=False, preset="hand4whole", **options)


def test_imported_weights_make_takes_with_flat_hands(clip: Path, sharp_weights: dict[str, torch.Tensor]) -> None:
    model = RELEASED["hand4whole"]
    add_set("authors", model, sharp_weights, RULES)
    result = two_frames(clip)  # the only imported weights of this preset are found
    (take,) = result.takes
    assert take.flat_hand_mean
    assert re.fullmatch(r"hand4whole [0-9a-f]{12} \(authors\)", take.weights)
    assert set(result.weights) == {f"hand4whole_{part}.safetensors" for part in ("body", "hand", "face")}
    (note,) = [note for note in result.notes if "were not trained on" in note]
    assert "--body SMPLX_NEUTRAL.npz" in note
    assert not take.betas.any()
    assert np.isfinite(take.poses).all()
    keypoints = take.raw["keypoints"]
    assert (keypoints[..., 2] > 0.2).sum() > 4
    # whatever pseudo-random weights see, they see it inside the crop
    center = (take.boxes[:, :2] + take.boxes[:, 2:]) / 2
    reach = 1.25 * max((take.boxes[:, 3] - take.boxes[:, 1]).max(), (take.boxes[:, 2] - take.boxes[:, 0]).max() / 0.75)
    assert (np.abs(keypoints[..., :2] - center[:, None]) < reach / 2 + 2).all()

    add_set("flat", model, sharp_weights, {"flat_hand_mean": "true"})
    (flat,) = two_frames(clip, weights=Path("flat")).takes
    fingers, relative = (t.raw["poses_raw"].reshape(2, 55, 3)[:, HANDS].astype(np.float64) for t in (take, flat))
    expected = matrix_from_axis_angle(relative + result.body.hands_mean.reshape(30, 3))
    np.testing.assert_allclose(matrix_from_axis_angle(fingers), expected, atol=1e-4)
    assert not np.allclose(fingers, relative, atol=0.1)
    np.testing.assert_array_equal(take.raw["poses_raw"][:, :66], flat.raw["poses_raw"][:, :66])
