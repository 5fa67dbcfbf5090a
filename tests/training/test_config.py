"""Configurations: files that extend each other, changes from the command line, and what is refused."""

import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest

from pose2pose.training.config import (
    Config,
    ConfigError,
    Schedule,
    Source,
    build_config,
    config_differences,
    config_toml,
    load_config,
)
from pose2pose.training.config_files import CONFIGS_FOLDER, read_tables, to_toml

EXPERIMENTS = sorted({path.stem for path in CONFIGS_FOLDER.glob("*.toml")} - {"reduced", "ablation"})


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


class TestFiles:
    def test_later_bases_and_the_file_itself_win_key_by_key(self, tmp_path: Path) -> None:
        write(tmp_path, "one.toml", "[schedule]\nbatch = 1\nepochs = 1\nrate = 0.1\n")
        write(tmp_path, "more/two.toml", 'extends = "../one.toml"\n[schedule]\nbatch = 2\nepochs = 2\n')
        write(tmp_path, "three.toml", "[schedule]\nepochs = 3\n[data]\nroot = 'here'\n")
        top = write(tmp_path, "top.toml", 'extends = ["more/two.toml", "three.toml"]\n[data]\nworkers = 0\n')
        config = load_config(top)
        assert (config.schedule.batch, config.schedule.epochs, config.schedule.rate) == (2, 3, 0.1)
        assert (config.data.root, config.data.workers) == ("here", 0)

    def test_lists_are_replaced_and_not_appended_to(self, tmp_path: Path) -> None:
        write(tmp_path, "base.toml", 'data.train = [{ name = "human36m", group = "3d" }, { name = "mpii" }]\n')
        top = write(tmp_path, "top.toml", 'extends = "base"\ndata.train = [{ name = "mscoco" }]\n')
        assert load_config(top).data.train == (Source(name="mscoco"),)

    def test_published_experiments_are_found_by_name(self, tmp_path: Path) -> None:
        top = write(tmp_path, "mine.toml", 'extends = "paper"\nschedule.epochs = 1\n')
        expected = load_config("paper", ["schedule.epochs=1"])
        assert load_config(top) == expected
        assert load_config("paper.toml", ["schedule.epochs=1"]) == expected

    def test_a_circle_is_named(self, tmp_path: Path) -> None:
        write(tmp_path, "a.toml", 'extends = "b.toml"\n')
        write(tmp_path, "b.toml", 'extends = "a.toml"\n')
        with pytest.raises(ConfigError, match=r"a\.toml extends itself through a\.toml, b\.toml"):
            load_config(tmp_path / "a.toml")

    def test_an_unknown_name_lists_what_there_is(self) -> None:
        with pytest.raises(ConfigError, match=r"no configuration 'papre'.*paper.*table3_pose2d"):
            load_config("papre")

    def test_a_broken_file_is_named(self, tmp_path: Path) -> None:
        path = write(tmp_path, "broken.toml", "[schedule\n")
        with pytest.raises(ConfigError, match=r"broken\.toml cannot be read as TOML"):
            load_config(path)


class TestChanges:
    def test_they_count_in_their_order(self, tmp_path: Path) -> None:
        small = write(tmp_path, "small.toml", "[schedule]\nbatch = 4\n")
        assert load_config("paper", ["schedule.batch=8", f"+{small}"]).schedule.batch == 4
        assert load_config("paper", [f"+{small}", "schedule.batch=8"]).schedule.batch == 8

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ("schedule.batch=32", 32),
            ("schedule.rate=1", 1.0),
            ("schedule.drops=[4, 6]", (4, 6)),
            ("schedule.channels_last=false", False),
            ("schedule.precision=bfloat16", "bfloat16"),
            ('schedule.device="cpu"', "cpu"),
        ],
    )
    def test_values_are_toml_or_words(self, change: str, expected: object) -> None:
        value = getattr(load_config("paper", [change]).schedule, change.partition("=")[0].partition(".")[2])
        assert value == expected
        assert type(value) is type(expected)

    @pytest.mark.parametrize("change", ["schedule.batch", "=3", "batch 32"])
    def test_what_is_no_change_is_refused(self, change: str) -> None:
        with pytest.raises(ConfigError, match=r"a change is \+NAME or table\.key=value"):
            load_config("paper", [change])


class TestErrors:
    @pytest.mark.parametrize(
        ("tables", "message"),
        [
            ({"schedule": {"bacth": 3}}, "unknown key schedule.bacth; did you mean batch?"),
            ({"shedule": {}}, "unknown key shedule; did you mean schedule?"),
            ({"data": {"train": [{"nam": "ehf"}]}}, r"unknown key data.train\[0\].nam; did you mean name?"),
            ({"data": {"train": [{}]}}, r"data.train\[0\].name is missing"),
            ({"schedule": {"batch": "many"}}, "schedule.batch must be of type int. Got 'many'"),
            ({"schedule": {"batch": True}}, "schedule.batch must be of type int. Got True"),
            ({"schedule": {"batch": 0}}, "schedule.batch must be 1 or more. Got 0"),
            ({"schedule": {"precision": "float16"}}, "schedule.precision must be one of 'float32', 'bfloat16'"),
            ({"schedule": {"batch": 6, "accumulate": 4}}, "schedule.accumulate must be a divisor of 6. Got 4"),
            ({"network": {"input_size": [512]}}, "network.input_size must be a list of 2"),
            ({"network": {"width": 2.0}}, "network: width must be above 0"),
            ({"losses": {"betas": -1.0}}, "losses.betas must be 0 or more"),
            ({"data": 3}, "data must be a table. Got 3"),
        ],
    )
    def test_the_key_and_what_is_possible_are_named(self, tables: dict[str, object], message: str) -> None:
        with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
            build_config(tables)


class TestRoundTrip:
    @pytest.mark.parametrize("name", EXPERIMENTS)
    def test_every_experiment_is_kept_whole_with_its_run(self, name: str, tmp_path: Path) -> None:
        config = load_config(name, ["+reduced"])
        kept = write(tmp_path, "config.toml", config_toml(config))
        assert load_config(kept) == config

    def test_texts_numbers_and_lists_of_tables_survive(self) -> None:
        table = {
            "text": 'a "quote", a \\ and an ä\n', "number": 1e-4, "whole": 3, "yes": True, "empty": [],
            "inner": {"deep": {"list": [[1, 2], [3]]}, "tables": [{"a": 1, "b": "x"}, {"a": 2.0}]},
        }  # fmt: skip
        assert tomllib.loads(to_toml(table)) == table

    def test_differences_name_what_is_learnt_and_not_where(self) -> None:
        one, other = Config(), build_config({"schedule": {"batch": 32, "keep": 9}, "data": {"workers": 0}})
        assert config_differences(one, other) == ["schedule.batch: 96 and 32"]
        assert config_differences(one, one) == []

    def test_licensed_models_may_move_but_not_go(self) -> None:
        here, there = (build_config({"models": {"folder": folder}}) for folder in ("/models", "/mnt/models"))
        assert config_differences(here, there) == []
        assert config_differences(here, Config()) == ["models.folder: licensed models and none"]


def test_the_defaults_are_the_papers() -> None:
    schedule = Schedule()
    assert (schedule.epochs, schedule.batch) == (12, 96)
    rates = [schedule.rate_at(epoch) for epoch in range(12)]
    assert rates[:10] == [1e-4] * 10
    assert rates[10:] == pytest.approx([1e-5] * 2)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_first_line_of_an_experiment_is_its_command(name: str) -> None:
    first = (CONFIGS_FOLDER / f"{name}.toml").read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# pose2pose-train ")
    assert name in first
    assert asdict(load_config(name)) != asdict(Config())
    assert read_tables(name) == read_tables(CONFIGS_FOLDER / f"{name}.toml")
