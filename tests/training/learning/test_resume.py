"""A training that is killed without warning goes on exactly: the curve is the one of a run that nobody disturbed."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from pose2pose.training.checkpoint import checkpoints, load_checkpoint
from pose2pose.training.config import build_config, config_toml
from pose2pose.training.learning.run_log import LOG, read_log

SECONDS = 300
STEPS = 6


@pytest.fixture
def config(synthetic_folder: Path, tiny_network: dict[str, Any], tmp_path: Path) -> Path:
    """Augmented pictures, batch norm that learns, an average, a worker, checkpoints after every step."""
    tables = {
        "network": tiny_network,
        "data": {"root": str(synthetic_folder), "train": [{"name": "synthetic"}], "workers": 1},
        "schedule": {"batch": 4, "epochs": STEPS // 2, "rate": 1e-3, "ema": 0.9, "device": "cpu", "drops": [2],
                     "checkpoint_minutes": 1e-9},
    }  # fmt: skip
    path = tmp_path / "config.toml"
    path.write_text(config_toml(build_config(tables)), encoding="utf-8")
    return path


def command(config: Path, run: Path) -> list[str]:
    return [sys.executable, "-m", "pose2pose.training.cli", "train", str(config), "-o", str(run)]


def start(config: Path, run: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(command(config, run), stderr=subprocess.PIPE, text=True, cwd=Path(sys.executable).anchor)


def wait_for_lines(process: "subprocess.Popen[str]", run: Path, count: int) -> None:
    deadline = time.monotonic() + SECONDS
    while not (run / LOG).exists() or (run / LOG).read_bytes().count(b"\n") < count:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.slow
def test_the_curve_goes_on_bit_for_bit_after_sigkill(config: Path, tmp_path: Path) -> None:
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    subprocess.run(command(config, straight), check=True, timeout=SECONDS, cwd=Path(sys.executable).anchor)
    for lines in (1, 4):  # in the first epoch, and in another one after going on once
        process = start(config, broken)
        wait_for_lines(process, broken, lines)
        process.kill()
        process.communicate()
    assert len(read_log(broken)) < STEPS, "it was killed too late to prove anything"
    subprocess.run(command(config, broken), check=True, timeout=SECONDS, cwd=Path(sys.executable).anchor)
    lines = read_log(broken)
    assert [line["step"] for line in lines] == list(range(STEPS))
    assert lines == read_log(straight)
    one, other = (load_checkpoint(checkpoints(run)[-1]) for run in (broken, straight))
    assert all(torch.equal(value, other["network"][name]) for name, value in one["network"].items())
    assert all(torch.equal(value, other["average"][name]) for name, value in one["average"].items())


@pytest.mark.slow
def test_ctrl_c_leaves_a_checkpoint_and_says_how_to_go_on(config: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = start(config, run)
    wait_for_lines(process, run, 1)
    process.send_signal(signal.SIGINT)
    text = process.communicate(timeout=SECONDS)[1]
    assert process.returncode == 130, text
    done = len(read_log(run))
    assert done < STEPS
    assert checkpoints(run)[-1].name == f"step_{done:08d}.pt"
    assert f"stopped {STEPS - done} steps before the end; the same command goes on" in text
    assert "Traceback" not in text
