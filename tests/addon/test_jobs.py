"""Work beside the main thread."""

import threading
import time

import pytest

from pose2pose.addon.jobs import Job


def test_messages_come_in_order_and_once() -> None:
    def work(report, _cancelled):
        for number in range(1000):
            report(number)
        return "done"

    job = Job(work)
    assert job.result() == "done"
    assert job.finished
    assert job.messages() == list(range(1000))
    assert job.messages() == []


def test_it_runs_beside_the_caller() -> None:
    go = threading.Event()
    job = Job(lambda report, cancelled: go.wait(10))
    assert not job.wait(0.01)
    assert not job.finished
    go.set()
    assert job.wait(5)
    assert job.result() is True


def test_an_error_is_raised_where_the_result_is_asked_for() -> None:
    def work(_report, _cancelled):
        raise ValueError("the cause")

    job = Job(work)
    assert job.wait(5)
    for _ in range(2):
        with pytest.raises(ValueError, match="the cause"):
            job.result()


def test_cancel_reaches_the_work() -> None:
    def work(_report, cancelled):
        deadline = time.monotonic() + 10
        while not cancelled():
            assert time.monotonic() < deadline
            time.sleep(0.005)
        return "stopped"

    job = Job(work)
    assert not job.cancelled
    job.cancel()
    assert job.cancelled
    assert job.result() == "stopped"


def test_nobody_waits_for_it_at_the_end_of_the_process() -> None:
    """A job that hangs must not keep Blender from closing."""
    import subprocess
    import sys

    code = "import time; from pose2pose.addon.jobs import Job; Job(lambda report, cancelled: time.sleep(60))"
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=20)
