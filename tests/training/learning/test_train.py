"""Training as a whole, on people made of dots: what is learnt, written, refused, and gone on with."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors import safe_open

from pose2pose.backend.weights import load_network
from pose2pose.training.body_models.human_models import HumanModel
from pose2pose.training.checkpoint import WEIGHTS, checkpoints, export_weights, load_checkpoint, load_weights
from pose2pose.training.config import Config, ConfigError, build_config, load_config
from pose2pose.training.datasets.sample import Fit, Sample
from pose2pose.training.engine import NotFiniteError, explain, train_one_epoch
from pose2pose.training.learning.distributed import Team
from pose2pose.training.learning.learner import build_learner, is_the_papers
from pose2pose.training.learning.loading import load_batches, shares
from pose2pose.training.learning.run_log import read_log
from pose2pose.training.learning.runs import RunError
from pose2pose.training.network.build import build_network
from pose2pose.training.pictures import SampleError
from pose2pose.training.train import train

ALONE = Team(0, 1, torch.device("cpu"))
FIRST_LOSSES = [
    {"rotations": 0.078313, "betas": 0.476544, "positions": 0.960106, "fit_positions": 1.105071, "points_3d": 0.0,
     "fit_points_3d": 0.086037, "projection": 0.431483, "loss": 3.137554},
    {"rotations": 0.139614, "betas": 0.907169, "positions": 0.937228, "fit_positions": 1.038473, "points_3d": 0.0,
     "fit_points_3d": 0.084926, "projection": 0.402013, "loss": 3.509424},
]  # fmt: skip
"""Of two steps from seed 0; the data set has no labels from motion capture."""


@pytest.fixture
def tables(synthetic_folder: Path, tiny_network: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a body that learns in milliseconds: two epochs of two steps."""
    return {
        "network": tiny_network,
        "data": {"root": str(synthetic_folder), "train": [{"name": "synthetic"}], "workers": 0},
        "schedule": {"batch": 4, "epochs": 2, "rate": 1e-3, "batch_norm": "frozen", "device": "cpu", "drops": [1]},
    }


def changed(tables: dict[str, Any], **schedule: Any) -> Config:
    return build_config(tables | {"schedule": tables["schedule"] | schedule})


def curve(run: Path) -> list[dict[str, Any]]:
    return read_log(run)


def test_two_steps_give_the_losses_they_always_gave(tables: dict[str, Any], tmp_path: Path) -> None:
    assert train(changed(tables, epochs=1), tmp_path / "run") == 0
    lines = curve(tmp_path / "run")
    assert [line["step"] for line in lines] == [0, 1]
    for line, expected in zip(lines, FIRST_LOSSES, strict=True):
        assert {name: line[name] for name in expected} == pytest.approx(expected, rel=5e-3)


def test_a_run_leaves_everything_to_work_with(tables: dict[str, Any], tmp_path: Path) -> None:
    run = tmp_path / "run"
    config = changed(tables, keep=1)
    assert train(config, run) == 0
    lines = curve(run)
    assert [(line["step"], line["epoch"]) for line in lines] == [(0, 0), (1, 0), (2, 1), (3, 1)]
    assert [line["rate"] for line in lines] == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4])
    terms = {"rotations", "betas", "positions", "fit_positions", "points_3d", "fit_points_3d", "projection"}
    assert terms | {"step", "epoch", "rate", "loss", "gradient"} <= set(lines[0])
    text = (run / "log.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line) for line in text.splitlines()] == lines
    assert load_config(run / "config.toml") == config
    assert [path.name for path in checkpoints(run)] == ["step_00000004.pt"]
    assert not list(run.rglob("*.partial"))
    sheets = sorted((run / "sheets").iterdir())
    assert [sheet.name for sheet in sheets] == ["step_00000001.jpg", "step_00000003.jpg"]
    sheet = cv2.imread(str(sheets[0]))
    assert sheet.shape == (4 * 256, 3 * 256, 3)
    assert np.abs(np.diff(sheet.reshape(4 * 256, 3, 256, 3).astype(int), axis=1)).max() > 100, "three different columns"
    assert list((run / "tensorboard").iterdir())


def test_the_weights_are_those_of_the_last_step(tables: dict[str, Any], tmp_path: Path) -> None:
    run, config = tmp_path / "run", changed(tables, epochs=1)
    train(config, run)
    expected = load_checkpoint(checkpoints(run)[-1])["network"]
    for source in (run, run / WEIGHTS, checkpoints(run)[-1]):
        network = build_network(config.network)
        load_weights(network, source)
        assert all(torch.equal(value, expected[name]) for name, value in network.state_dict().items())
    with safe_open(run / WEIGHTS / "experiment_body.safetensors", "pt") as file:
        header = file.metadata()
    assert (header["preset"], header["body"], header["training_data"]) == ("experiment", "open", "synthetic")


@pytest.mark.slow
def test_the_average_is_exported_and_follows_the_weights(tables: dict[str, Any], tmp_path: Path) -> None:
    run, config = tmp_path / "run", changed(tables, ema=0.5)
    train(config, run)
    state = load_checkpoint(checkpoints(run)[-1])
    name = "body.rotation.linear.weight"
    start = build_learner(config, _Nothing, _Nothing, ALONE).network.state_dict()[name]  # type: ignore[arg-type]
    network = build_network(config.network)
    load_weights(network, run)
    average = network.state_dict()[name]
    assert torch.equal(average, state["average"][f"module.{name}"])
    assert 0 < (average - start).norm() < (state["network"][name] - start).norm()


class _Nothing:
    """In the place of what a learner does not use until it learns."""


@pytest.mark.slow
def test_parts_of_a_batch_are_learnt_from_like_the_whole(tables: dict[str, Any], tmp_path: Path) -> None:
    train(changed(tables), tmp_path / "whole")
    train(changed(tables, accumulate=2), tmp_path / "parts")
    for one, other in zip(curve(tmp_path / "whole"), curve(tmp_path / "parts"), strict=True):
        assert one == pytest.approx(other, rel=1e-3)


@pytest.mark.slow
def test_half_precision_learns_too(tables: dict[str, Any], tmp_path: Path) -> None:
    train(changed(tables), tmp_path / "single")
    train(changed(tables, precision="bfloat16", channels_last=True), tmp_path / "half")
    single, half = curve(tmp_path / "single"), curve(tmp_path / "half")
    assert half != single
    assert [line["loss"] for line in half] == pytest.approx([line["loss"] for line in single], rel=0.1)
    assert (
        load_checkpoint(checkpoints(tmp_path / "half")[-1])["network"]["body.rotation.linear.weight"].dtype
        == torch.float32
    )


@pytest.mark.slow
def test_batch_norm_is_frozen_or_not(tables: dict[str, Any], tmp_path: Path) -> None:
    train(changed(tables, epochs=1), tmp_path / "frozen")
    train(changed(tables, epochs=1, batch_norm="trained"), tmp_path / "trained")
    for name, moved in (("frozen", False), ("trained", True)):
        state = load_checkpoint(checkpoints(tmp_path / name)[-1])["network"]
        means = torch.cat([value for key, value in state.items() if key.endswith("running_mean")])
        assert bool(means.any()) is moved


@pytest.mark.slow
def test_an_interrupted_run_goes_on_as_if_nothing_had_been(tables: dict[str, Any], tmp_path: Path) -> None:
    config = changed(tables, ema=0.9, batch_norm="trained", epochs=3)
    train(config, tmp_path / "straight")
    run, left = tmp_path / "broken", []
    while not left or left[-1]:  # one step at a time
        left.append(train(config, run, lambda: True))
        assert len(left) < 10
    assert left == [5, 4, 3, 2, 1, 0]
    assert curve(run) == curve(tmp_path / "straight")
    one, other = (load_checkpoint(checkpoints(path)[-1]) for path in (run, tmp_path / "straight"))
    for part in ("network", "average"):
        assert all(torch.equal(value, other[part][name]) for name, value in one[part].items())


def test_a_folder_is_one_run_only(tables: dict[str, Any], tmp_path: Path) -> None:
    train(changed(tables, epochs=1), tmp_path / "run")
    with pytest.raises(RunError, match=r"schedule\.rate: 0\.001 and 0\.1.*choose another -o"):
        train(changed(tables, epochs=1, rate=0.1), tmp_path / "run")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(RunError, match="is no run of this program"):
        train(changed(tables), tmp_path / "mine")


def test_a_batch_that_cannot_be_is_refused_before_anything_is_written(tables: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"schedule\.batch is 64, and an epoch has 8 samples"):
        train(changed(tables, batch=64), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_corrupt_picture_stops_with_its_name(
    workers: int, tables: dict[str, Any], synthetic_copy: Callable[[], Path], tmp_path: Path
) -> None:
    root = synthetic_copy()
    picture = root / "synthetic" / "train" / "images" / "00000005.jpg"
    picture.write_bytes(picture.read_bytes()[:700])
    config = build_config(tables | {"data": tables["data"] | {"root": str(root), "workers": workers}})
    with pytest.raises(SampleError, match=r"^synthetic train/00000005: .*00000005\.jpg"):
        train(config, tmp_path / "run")


def _learn(config: Config, model: HumanModel, samples: Any) -> None:
    learner = build_learner(config, model, samples, ALONE)
    items = shares(range(len(samples)), epoch=0, batch=4, start=0, rank=0, processes=1, parts=1)
    batches = load_batches(samples.examples(model, (64, 64)), items, parts=1, workers=0, pinned=False)
    train_one_epoch(learner, batches, seed=0, step=7, record=lambda *_: None, interrupted=lambda: False)


def test_what_is_no_number_stops_with_the_sample(tables: dict[str, Any], open_model: HumanModel, known: Any) -> None:
    samples = known(open_model, 8)
    broken: list[Sample] = list(samples.samples)
    fit = broken[2].fit
    assert isinstance(fit, Fit)
    broken[2] = replace(broken[2], fit=replace(fit, rotations=np.full_like(fit.rotations, 3e38)))
    with pytest.raises(
        NotFiniteError, match=r"^step 7: .*fit_points_3d.* not finite, with the samples known whole 2 of"
    ):
        _learn(changed(tables), open_model, type(samples)(broken))


def test_every_sample_is_named_if_none_stands_out(
    tables: dict[str, Any], open_model: HumanModel, known: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pose2pose.training.engine.gradient_length", lambda _network: torch.tensor(torch.inf))
    with pytest.raises(
        NotFiniteError, match=r"gradient not finite, with the samples known whole 0, .*known whole 3 of process 0; look"
    ):
        _learn(changed(tables), open_model, known(open_model, 8))


def test_other_processes_are_not_forgotten_if_no_sample_here_stands_out(
    tables: dict[str, Any], open_model: HumanModel, known: Any
) -> None:
    learner = build_learner(changed(tables), open_model, known(open_model, 8), ALONE)
    team = replace(learner, team=Team(0, 2, torch.device("cpu")))
    said = explain(team, [], step=7, values={"gradient": math.inf})
    assert "gradient not finite" in said and "of process 0 or those of another process, which names its own;" in said


class TestShares:
    def test_processes_and_parts_make_up_the_batches(self) -> None:
        order = list(range(100, 126))
        one = shares(order, epoch=3, batch=8, start=0, rank=0, processes=1, parts=1)
        assert one == [[(index, 3, 0) for index in order[k : k + 8]] for k in (0, 8, 16)]
        many = [shares(order, epoch=3, batch=8, start=0, rank=rank, processes=2, parts=2) for rank in range(2)]
        assert [len(parts) for parts in many] == [6, 6]
        joined = [
            [item for rank in range(2) for part in range(2) for item in many[rank][2 * step + part]]
            for step in range(3)
        ]
        assert joined == one

    def test_a_sample_that_comes_again_is_counted(self) -> None:
        order = [7, 8, 7, 7, 8, 9, 9, 7]
        whole = shares(order, epoch=1, batch=4, start=0, rank=0, processes=1, parts=1)
        assert whole == [[(7, 1, 0), (8, 1, 0), (7, 1, 1), (7, 1, 2)], [(8, 1, 1), (9, 1, 0), (9, 1, 1), (7, 1, 3)]]
        assert shares(order, epoch=1, batch=4, start=1, rank=0, processes=1, parts=1) == whole[1:]

    def test_a_later_start_leaves_the_first_batches_out(self) -> None:
        whole = shares(range(20), epoch=0, batch=4, start=0, rank=0, processes=1, parts=2)
        assert shares(range(20), epoch=0, batch=4, start=2, rank=0, processes=1, parts=2) == whole[4:]
        assert shares(range(20), epoch=0, batch=4, start=5, rank=0, processes=1, parts=2) == []


@pytest.mark.slow
def test_a_network_of_the_paper_is_captured_with(tmp_path: Path) -> None:
    for name, fits in (("paper", True), ("hand4whole_detached", True), ("table10_body_crops", False)):
        assert is_the_papers(load_config(name).network) is fits
    torch.manual_seed(0)
    network = build_network(load_config("paper").network).eval()
    export_weights(network, tmp_path, "paper", {"body": "smplx"})
    loaded = load_network("paper", folder=tmp_path)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # as a capture has it
    images = torch.rand(1, 3, 512, 384)
    with torch.inference_mode():
        expected, found = network(images), loaded(images)
    torch.testing.assert_close(found.rotations, expected.rotations, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.boxes, expected.boxes, atol=1e-3, rtol=0)
