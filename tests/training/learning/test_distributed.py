"""Several processes learn like one: `torchrun` with two gloo processes against one process.

Batch norm is frozen: with its own statistics each process normalizes its own half of a batch, as the paper's GPUs did,
and there is no synchronized batch norm for the CPU.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from pose2pose.training.checkpoint import checkpoints, load_checkpoint
from pose2pose.training.config import build_config, config_toml
from pose2pose.training.learning.run_log import read_log

SECONDS = 300


@pytest.mark.slow
@pytest.mark.parametrize("accumulate", [1, 2])
def test_two_processes_have_the_curve_of_one(
    accumulate: int, synthetic_folder: Path, tiny_network: dict[str, Any], tmp_path: Path
) -> None:
    tables = {
        "network": tiny_network,
        "data": {"root": str(synthetic_folder), "train": [{"name": "synthetic"}], "workers": 0},
        "schedule": {"batch": 8, "epochs": 3, "rate": 1e-3, "batch_norm": "frozen", "device": "cpu",
                     "accumulate": accumulate, "ema": 0.5},
    }  # fmt: skip
    config = tmp_path / "config.toml"
    config.write_text(config_toml(build_config(tables)), encoding="utf-8")
    for name, launcher in (
        ("one", ["-m", "pose2pose.training.cli"]),
        ("two", ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "pose2pose.training.cli"]),
    ):
        command = [sys.executable, *launcher, "train", str(config), "-o", str(tmp_path / name)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, cwd=Path(sys.executable).anchor)
        assert ran.returncode == 0, ran.stderr
    one, two = read_log(tmp_path / "one"), read_log(tmp_path / "two")
    assert len(one) == len(two) == 3
    for first, second in zip(one, two, strict=True):
        # sums of 32-bit numbers in another order, which Adam's first steps (gradient over its own size) enlarge
        assert second == pytest.approx(first, rel=2e-3)
    alone, together = (load_checkpoint(checkpoints(tmp_path / name)[-1]) for name in ("one", "two"))
    for weights in ("network", "average"):
        assert alone[weights].keys() == together[weights].keys()
        for name, value in alone[weights].items():
            torch.testing.assert_close(together[weights][name], value, atol=3 * 2e-3, rtol=0, msg=f"{weights}: {name}")


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from pose2pose.backend.device import DeviceError
    from pose2pose.training.learning.distributed import join_team

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr("pose2pose.training.learning.distributed.pick_device", lambda _name: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(DeviceError, match=r"process 1 has no GPU, this machine has 1: torchrun --nproc-per-node=1"):
        join_team("cuda").__enter__()
