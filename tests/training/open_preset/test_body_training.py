"""The body training as a user runs it, for seconds instead of minutes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from pose2pose.backend.body.joints import COCO17
from pose2pose.backend.body.layer import BodyLayer
from pose2pose.backend.model.movenet import build_thunder
from pose2pose.backend.model.presets import build_open_body
from pose2pose.backend.motion.body_file import load_body
from pose2pose.backend.weights import load_part
from pose2pose.training.open_preset import body as training
from pose2pose.training.open_preset.body_heads import body_losses, measure, predict, weighted_sum
from pose2pose.training.open_preset.clock import optimize
from pose2pose.training.open_preset.keypoints import sample_keypoints


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small pose library and a random pretrained network."""
    folder = tmp_path_factory.mktemp("inputs")
    vectors = np.random.default_rng(0).normal(scale=0.2, size=(40, 22, 3))
    np.savez(folder / "poses.npz", rotvec_i16=np.round(vectors * 32767 / np.pi).astype(np.int16))
    save_file(build_thunder().state_dict(), folder / "trunk.safetensors")
    return folder / "poses.npz", folder / "trunk.safetensors"


@pytest.mark.slow
def test_a_short_run_writes_weights_that_load(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    poses, trunk = inputs
    training.main(
        ["--poses", str(poses), "--trunk", str(trunk), "--seconds", "3", "--threads", "1", "-o", str(tmp_path)]
    )
    branch = build_open_body()
    header = load_part(branch, tmp_path / "open_body.safetensors", "open")
    metrics = json.loads(header["metrics"])
    assert header["body"] == "open"
    assert metrics["keypoint_steps"] >= 1
    assert 0 < metrics["pa_mpjpe_mm"] < 1000
    kept = branch.position.backbone.state_dict()
    given = build_thunder()
    training.load_trunk(branch, trunk)
    given.load_state_dict(branch.position.backbone.state_dict())
    for name, tensor in given.state_dict().items():
        torch.testing.assert_close(kept[name], tensor, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_all_three_stages_run_and_are_told(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    poses, trunk = inputs
    line = ["--poses", str(poses), "--trunk", str(trunk), "--threads", "1", "-o", str(tmp_path), "--renders", "32"]
    line += ["--seconds", "1", "--detection-seconds", "1", "--feature-seconds", "1"]
    training.main(line)
    header = load_part(build_open_body(), tmp_path / "open_body.safetensors", "open")
    metrics = json.loads(header["metrics"])
    assert all(metrics[f"{stage}_steps"] >= 1 for stage in ("keypoint", "detection", "feature"))
    assert 0 < metrics["renders_mpjpe_mm"] < 1000
    assert metrics["renders_mpjpe_mm"] != metrics["renders_keypoints_only_mpjpe_mm"]
    assert header["training_data"].endswith("projected and rendered")


def test_steps_on_one_batch_lower_the_loss_and_the_error() -> None:
    torch.manual_seed(0)
    body, branch = BodyLayer(load_body()), build_open_body()
    standing = torch.eye(3).expand(1, 22, 3, 3)
    samples = sample_keypoints(standing, body, 16, torch.Generator().manual_seed(0))
    heads = nn.ModuleList([branch.position.lifter, branch.rotation, branch.shape])
    optimizer = torch.optim.Adam(heads.parameters(), 5e-4)
    before, first = measure(predict(branch, samples), samples, body), None
    for _ in range(12):
        loss = weighted_sum(body_losses(predict(branch, samples), samples, body))
        first = first or loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.7 * first
    assert measure(predict(branch, samples), samples, body)["mpjpe_mm"] < 0.8 * before["mpjpe_mm"]


def test_true_rotations_have_no_loss() -> None:
    body = BodyLayer(load_body())
    standing = torch.eye(3).expand(1, 22, 3, 3)
    samples = sample_keypoints(standing, body, 8, torch.Generator().manual_seed(0))
    depths = samples.points[:, list(COCO17), 2]
    prediction = predict(build_open_body(), samples)
    truth = type(prediction)(samples.rotations, samples.betas, depths)
    assert weighted_sum(body_losses(truth, samples, body)).item() < 1e-5
    assert measure(truth, samples, body)["mpjpe_mm"] < 1e-3


def test_the_clock_stops_the_loop_and_the_fit_is_found() -> None:
    torch.manual_seed(0)
    module, wanted = nn.Linear(3, 1), torch.tensor([[1.0, -2.0, 0.5]])

    def loss() -> Tensor:
        x = torch.randn(64, 3)
        return (module(x) - x @ wanted.T).square().mean()

    steps = optimize(module, loss, seconds=2, learning_rate=0.03, report=lambda step, value: None)
    assert steps > 50
    assert (module.weight - wanted).abs().max() < 0.2


def test_a_loss_that_is_not_finite_stops_training() -> None:
    module = nn.Linear(1, 1)
    with pytest.raises(FloatingPointError, match="step 0"):
        optimize(
            module, lambda: module.weight.sum() * torch.inf, seconds=1, learning_rate=1e-3, report=lambda s, v: None
        )
