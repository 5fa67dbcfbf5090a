"""What is said on stderr while Blender has no window."""

import io
import signal
import time

import pytest

from pose2pose.addon.console import Interrupts, ProgressLines
from pose2pose.backend.protocol import Loading, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def progress(done: int, stage: str = "capture") -> Progress:
    return Progress(stage, done, 24, rate=2.5, seconds_left=(24 - done) / 2.5, people=2)


def test_a_terminal_gets_one_line_that_moves() -> None:
    stream = Terminal()
    with ProgressLines("walk", stream) as lines:
        for done in range(0, 25, 6):
            lines.show(progress(done))
    shown = stream.getvalue()
    assert shown.count("\n") == 1 and shown.endswith("\n")
    last = shown.split("\r")[-1]
    assert "24/24 frames, 2.5 a second" in last and "#" * 24 in last


def test_a_log_gets_a_line_for_each_stage_and_few_more() -> None:
    stream = io.StringIO()
    with ProgressLines("walk", stream) as lines:
        lines.show(Loading("Starting the backend"))
        for stage in ("detect", "capture"):
            for done in range(25):
                lines.show(progress(done, stage))
    shown = stream.getvalue().splitlines()
    assert [line.split(":")[0] for line in shown] == ["walk"] * 3
    assert "finding people" in shown[1] and "capturing" in shown[2]


def test_the_first_interrupt_asks_and_the_second_leaves(capsys) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupted:
        assert not interrupted()
        signal.raise_signal(signal.SIGINT)
        assert interrupted()
        signal.raise_signal(signal.SIGINT)
        time.sleep(1)
    assert signal.getsignal(signal.SIGINT) == before
    assert "Ctrl-C again" in capsys.readouterr().err
