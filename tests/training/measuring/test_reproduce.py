"""Tables from their configurations: what is run, what is skipped, and a whole small table by real trainings."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pose2pose.training.checkpoint import WEIGHTS, export_weights
from pose2pose.training.cli import main
from pose2pose.training.config import ConfigError, load_config
from pose2pose.training.config_files import CONFIGS_FOLDER
from pose2pose.training.measuring.paper_numbers import TABLES
from pose2pose.training.network.build import build_network
from pose2pose.training.reproduce import ReproductionError, find_table, plan_experiment, reproduce, train_by_command

SMALLEST = ["network.body_resnet=10", "network.input_size=[128,96]", "network.body_stride=8"]


class Untrained:
    """Stands in for the trainings, which take long: writes the weights that one would start from."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, Path]] = []

    def __call__(self, name: str, changes: Sequence[str], run: Path) -> None:
        self.runs.append((name, run))
        config = load_config(name, changes)
        torch.manual_seed(config.schedule.seed)
        export_weights(build_network(config.network), run / WEIGHTS, None, {})


@pytest.fixture()
def changes(tiny: Any, tmp_path: Path) -> list[str]:
    tiny.write_people(tmp_path / "data", 3)
    places = [f"data.root={tmp_path / 'data'}", "data.workers=0", "schedule.device=cpu"]
    return ["+reduced", *places, *SMALLEST]


def test_every_table_names_published_configurations() -> None:
    for table in TABLES.values():
        for name in table.configs:
            assert (CONFIGS_FOLDER / f"{name}.toml").is_file(), f"table {table.number}: {name}"


def test_every_column_is_measured_on_a_test_set_of_its_configurations(tmp_path: Path) -> None:
    from pose2pose.training.evaluate import set_name

    for table in TABLES.values():
        wanted = {column.dataset for column in table.columns} - {"resources"}
        for name in table.configs:
            config = plan_experiment(table, name, [], 0, tmp_path).config
            assert wanted <= {set_name(source) for source in config.data.test}, f"table {table.number}: {name}"


def test_tables_have_the_papers_numbers() -> None:
    assert find_table("table7") is TABLES[7]
    for name in ("table12", "7th", "table"):
        with pytest.raises(ReproductionError, match="there are table1, table2"):
            find_table(name)


@pytest.mark.slow
def test_a_table_is_made_and_not_made_again(tmp_path: Path, changes: list[str]) -> None:
    train, folder = Untrained(), tmp_path / "out"
    found = reproduce(TABLES[4], changes, [0, 1], folder, train, batch=3)
    runs = [(name, folder / "runs" / name / f"seed{seed}") for seed in (0, 1) for name in TABLES[4].configs]
    assert train.runs == runs
    assert (runs[0][1] / "evaluation_synthetic" / "results.md").is_file()
    table = json.loads((folder / "table4.json").read_text())
    cell = table["rows"][0]["cells"]["All"]
    assert cell["values"] == [result["synthetic"]["pa_mpvpe_all"] for result in found["table4_without_mcp"]]
    assert cell["values"][0] != cell["values"][1]  # the seeds are
    assert (table["seeds"], table["changes"], table["hands"]) == ([0, 1], changes, None)
    text = (folder / "table4.md").read_text(encoding="utf-8")
    assert "| Without MCP features | 52.7 | " in text
    assert "±" in text
    assert reproduce(TABLES[4], changes, [0, 1], folder, train, batch=3) == found
    assert train.runs == runs  # nothing was trained again
    reproduce(TABLES[5], changes, [0], folder, train, batch=3)
    assert train.runs == runs  # the paper's own network is a row of many tables
    with pytest.raises(ConfigError, match=r"other values \(schedule\.rate"):
        reproduce(TABLES[4], [*changes, "schedule.rate=1"], [0], folder, train)


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 3])
def test_hands_that_are_trained_first_fit_each_kind_of_network(tmp_path: Path, number: int) -> None:
    train, small = Untrained(), ["network.hand_resnet=10", "network.width=0.25", "network.hand_size=[64,64]"]
    plan = [plan_experiment(TABLES[number], name, small, 0, tmp_path, "hand_pretraining")
            for name in TABLES[number].configs]  # fmt: skip
    kinds = {experiment.first.run for experiment in plan if experiment.first is not None}
    assert len(kinds) == len(plan)
    for experiment in plan:
        assert experiment.first is not None
        train(experiment.first.name, experiment.first.changes, experiment.first.run)
        assert experiment.config.network.hand_start == str(experiment.first.weights)
        hand = load_file(experiment.first.weights)["position.backbone.layers.0.weight"] if number == 3 else None
        network = build_network(replace(experiment.config.network, body_resnet=10, face_resnet=10))
        if hand is not None:
            assert torch.equal(network.get_parameter("hand.position.backbone.layers.0.weight"), hand)


def test_what_has_no_hand_of_its_own_is_not_started(tmp_path: Path) -> None:
    for number, name in ((2, "table2_body_only"), (2, "table2_initial_refine"), (8, "table8_hand_mano")):
        plan = plan_experiment(TABLES[number], name, [], 0, tmp_path, "hand_pretraining")
        assert plan.first is None
        assert plan.config.network.hand_start == ""
    given = plan_experiment(TABLES[4], "paper", ["network.hand_start=mine.pth"], 0, tmp_path, "hand_pretraining")
    assert given.first is None


def test_a_training_that_fails_stops_the_table(tmp_path: Path) -> None:
    with pytest.raises(ReproductionError, match="training paper ended with exit code 3"):
        train_by_command([sys.executable, "-c", "raise SystemExit(3)"], "paper", [], tmp_path)
    with pytest.raises(KeyboardInterrupt):
        train_by_command([sys.executable, "-c", "raise SystemExit(130)"], "paper", [], tmp_path)


@pytest.mark.slow
def test_the_command_trains_measures_and_prints_a_table(
    tmp_path: Path, changes: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["schedule.epochs=1", "schedule.batch=2", "schedule.drops=[]"]
    arguments = ["reproduce", "table5", *changes, *few, "-o", str(tmp_path / "out")]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "**Table 5**" in printed
    row = next(line for line in printed.splitlines() if line.startswith("| Pose2Pose (Ours) | 50.3 |"))
    assert row.count(" - ") == 0
    run = tmp_path / "out" / "runs" / "paper" / "seed0"
    before = (run / "evaluation_synthetic" / "results.json").stat().st_mtime_ns
    assert main(arguments) == 0
    assert (run / "evaluation_synthetic" / "results.json").stat().st_mtime_ns == before
