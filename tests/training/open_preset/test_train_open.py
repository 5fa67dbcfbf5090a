"""One command for all parts of the preset `open`: shares of the time, going on, and what it says when it cannot."""

import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from pose2pose.backend.model.presets import preset
from pose2pose.backend.weights import PARTS, load_network, part_path, save_part
from pose2pose.training.cli import main
from pose2pose.training.open_preset import train

PACKAGED = pytest.mark.skipif(not part_path("open", "body").is_file(), reason="the weights are not in this checkout")


@pytest.fixture(scope="module")
def poses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("poses") / "poses.npz"
    vectors = np.random.default_rng(0).normal(scale=0.2, size=(40, 22, 3))
    np.savez(path, rotvec_i16=np.round(vectors * 32767 / np.pi).astype(np.int16))
    return path


def options(folder: Path, poses: Path, hours: float) -> Namespace:
    inputs = {"poses": [poses], "panoramas": None, "trunks": None, "footage": [], "people": 0}
    return Namespace(output=folder, hours=hours, renders=8, seed=3, device="cpu", **inputs)


@PACKAGED
def test_a_run_that_was_killed_goes_on_with_the_part_that_is_missing(
    tmp_path: Path, poses: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parts' scripts are replaced by a clock and a file, the first time one of them dies."""
    asked: list[tuple[str, float]] = []
    clock = [0.0]
    dying = ["hand"]

    def trainer(part: str):  # type: ignore[no-untyped-def]
        def run(line: list[str]) -> None:
            seconds = sum(float(line[at + 1]) for at, word in enumerate(line) if word.endswith("seconds"))
            asked.append((part, seconds))
            if part in dying:
                raise KeyboardInterrupt
            clock[0] += seconds
            branch = getattr(preset("open"), f"build_{part}")()
            save_part(branch, part_path("open", part, tmp_path), {"preset": "open", "metrics": json.dumps({"mm": 1.0})})

        return run

    monkeypatch.setattr(train, "TRAINERS", {part: trainer(part) for part in PARTS})
    monkeypatch.setattr(train.time, "monotonic", lambda: clock[0])
    with pytest.raises(KeyboardInterrupt):
        train.run_train(options(tmp_path, poses, 1.0))
    dying.clear()
    assert train.run_train(options(tmp_path, poses, 1.0)) == 0
    assert [part for part, _ in asked] == ["body", "hand", "hand", "face"]
    assert sum(seconds for part, seconds in (asked[0], *asked[2:])) == pytest.approx(3600, abs=1)
    assert asked[0][1] == pytest.approx(3600 * train.SHARES["body"])
    assert json.loads((tmp_path / "metrics.json").read_text()) == {part: {"mm": 1.0} for part in PARTS}
    asked.clear()
    assert train.run_train(options(tmp_path, poses, 1.0)) == 0
    assert asked == []
    part_path("open", "face", tmp_path).unlink()  # to have it trained again
    assert train.run_train(options(tmp_path, poses, 1.0)) == 0
    assert [part for part, _ in asked] == ["face"]
    assert asked[0][1] == pytest.approx(3600 * train.SHARES["face"], abs=1)


@PACKAGED
def test_the_pretrained_networks_come_from_the_package(tmp_path: Path, poses: Path) -> None:
    network = load_network("open")
    inside = {
        "body": network.body.position.backbone,
        "hand": network.hand.position.backbone,
        "face": network.face.backbone,
    }
    for part, backbone in inside.items():
        tensors = load_file(train.trunk_file(part, options(tmp_path, poses, 1.0)))
        assert tensors.keys() == backbone.state_dict().keys()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--hours", "0", "--poses", "{poses}"], "--hours must be above 0, got 0"),
        (["--hours", "1", "--poses", "missing.npz"], "no such file: missing.npz"),
        (["--hours", "1", "--poses", "{poses}", "--panoramas", "none.npz"], "no such file: none.npz"),
        (["--hours", "1", "--poses", "{poses}", "--trunks", "nowhere"], "no such file: nowhere/body.safetensors"),
    ],
)
def test_what_cannot_be_trained_is_said(
    arguments: list[str], sentence: str, poses: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = [argument.format(poses=poses) for argument in arguments]
    assert main(["open", "train", "-o", str(tmp_path / "run"), *line]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@PACKAGED
@pytest.mark.slow
def test_a_rehearsal_writes_weights_that_load(tmp_path: Path, poses: Path) -> None:
    line = ["open", "train", "-o", str(tmp_path), "--hours", "0.002", "--poses", str(poses), "--renders", "16"]
    line += ["--people", "0"]
    assert main(line) == 0
    load_network("open", folder=tmp_path)
    assert set(json.loads((tmp_path / "metrics.json").read_text())) == set(PARTS)
    assert all(file.stat().st_size < 15 * 2**20 for file in tmp_path.glob("*.safetensors"))
