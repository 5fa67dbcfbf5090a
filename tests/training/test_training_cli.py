"""The command `pose2pose-train` as a user meets it: help, and sentences in place of tracebacks."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from pose2pose.training import cli
from pose2pose.training.config import ConfigError


def test_help_names_every_command_without_importing_torch() -> None:
    program = "import sys; from pose2pose.training.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    program += "print([name for name in ('torch', 'numpy', 'cv2', 'smplx') if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    text, imported = ran.stdout.rstrip().rsplit("\n", 1)
    assert all(name in text for name in cli.COMMANDS)
    assert imported == "[]"


@pytest.mark.parametrize("command", list(cli.COMMANDS))
def test_every_command_has_help_of_its_own(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("smplx")
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    assert ended.value.code == 0
    assert f"pose2pose-train {command}" in capsys.readouterr().out


def test_changes_may_stand_behind_options(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("smplx")
    module = import_module("pose2pose.training.train")
    seen = {}
    monkeypatch.setattr(module, "run_train", lambda options: seen.update(vars(options)) or 0)
    assert cli.main(["train", "paper", "+reduced", "-o", "run", "schedule.batch=4", "schedule.epochs=1"]) == 0
    assert seen["changes"] == ["+reduced", "schedule.batch=4", "schedule.epochs=1"]
    assert seen["output"] == Path("run")


def test_unknown_options_are_still_refused(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("smplx")
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", "paper", "-o", "run", "--bacth=3"])
    assert ended.value.code == 2
    assert "--bacth=3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["papre"], "no configuration 'papre': give a TOML file, or one of "),
        (["paper", "schedule.bacth=3"], "unknown key schedule.bacth; did you mean batch?"),
        (["paper", "schedule.device=abacus"], "unknown device 'abacus'"),
        (["paper", "models.folder=nowhere"], "SMPLX_NEUTRAL"),
        (["paper", "models.folder=", "data.train=[{name='no_such_set'}]"], "no_such_set"),
        (["paper", "models.folder=", "data.train=[]"], "data.train is empty"),
    ],
)
def test_a_wrong_wish_is_one_sentence_and_leaves_nothing(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("smplx")
    run = tmp_path / "run"
    assert cli.main(["train", *arguments, "-o", str(run)]) == cli.FAILED
    text = capsys.readouterr().err
    assert text.startswith("pose2pose-train: ")
    assert message in text
    assert "Traceback" not in text
    assert not run.exists()


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_arguments: list[str]) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(cli, "_parse", broken)
    with pytest.raises(ZeroDivisionError):
        cli.main(["train"])


def test_errors_of_the_training_end_with_status_2(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_arguments: list[str]) -> None:
        raise ConfigError("a sentence")

    monkeypatch.setattr(cli, "_parse", broken)
    assert cli.main(["train"]) == 2
