"""The process that computes: cancelled, killed, hung, without weights, without space; and the service that goes on."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import pose2pose
from pose2pose.backend.failures import capture_failure
from pose2pose.backend.frames import VideoError
from pose2pose.backend.people import CaptureError, ChoiceError
from pose2pose.backend.protocol import Code, Done, Failed, Loading, Progress, Queued

linux = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds processes through /proc")
PROMPTLY = 2.0
"""Seconds that cancelling may take."""


def cancel(service, job) -> float:
    """Delete a job; the seconds that it took."""
    start = time.monotonic()
    assert service.ask("DELETE", job)[0] == 204
    assert service.ask("GET", job)[0] == 404
    return time.monotonic() - start


def last_of(following) -> Failed:
    return [event for event in following if event is not None][-1]


@pytest.mark.slow
@linux
@pytest.mark.parametrize("stage", ["detect", "capture"])
def test_a_running_capture_is_cancelled_and_the_worker_stays_warm(service, clip, stage):
    service.ask("GET", "/v1/info")
    before = service.workers()
    job = service.submit(clip, start=1)
    following = service.follow(job)
    next(event for event in following if isinstance(event, Progress) and event.stage == stage)
    assert cancel(service, job) < PROMPTLY
    assert last_of(following).code == Code.CANCELLED
    assert service.workers() == before
    last = service.events(service.submit(clip, end=1, people="largest"))[-1]
    assert isinstance(last, Done)


@pytest.mark.slow
@linux
def test_a_capture_that_hangs_is_cancelled_all_the_same(service, clip, tmp_path):
    """Reading a pipe that nobody writes to never returns: the worker has to be killed, and another does the rest."""
    os.mkfifo(tmp_path / "clip.mp4")
    service.ask("GET", "/v1/info")
    before = service.workers()
    job = service.submit(tmp_path / "clip.mp4")
    following = service.follow(job)
    assert isinstance(next(following), Queued)
    waiting = service.submit(clip, end=1, people="largest")
    assert cancel(service, job) < PROMPTLY
    assert last_of(following).code == Code.CANCELLED
    assert isinstance(service.events(waiting)[-1], Done)
    assert service.workers() != before


@pytest.mark.slow
def test_a_capture_is_cancelled_while_torch_and_the_network_load(start_service, clip):
    starting = start_service("--allow-paths")
    for _ in range(2):
        job = starting.submit(clip)
        following = starting.follow(job)
        assert isinstance(next(following), Queued)
        assert isinstance(next(following), Loading)
        assert cancel(starting, job) < PROMPTLY
        assert last_of(following).code == Code.CANCELLED
    assert isinstance(starting.events(starting.submit(clip, end=1, people="largest"))[-1], Done)


@pytest.mark.slow
@linux
def test_a_worker_that_is_killed_fails_the_capture_and_nothing_else(service, clip):
    job = service.submit(clip)
    service.until(job, lambda event: isinstance(event, Progress))
    waiting = service.submit(clip, end=1, people="largest")
    (worker,) = service.workers()
    os.kill(worker, signal.SIGKILL)
    last = service.events(job)[-1]
    assert last.code == Code.CRASHED
    assert "SIGKILL" in last.message
    assert "Copy Report" in last.remedy
    assert isinstance(service.events(waiting)[-1], Done)
    assert service.ask("GET", job)[1]["code"] == "crashed", "it can still be read"


@pytest.mark.slow
@linux
def test_the_last_words_of_a_worker_are_told(service, clip):
    job = service.submit(clip)
    service.until(job, lambda event: isinstance(event, Progress))
    (worker,) = service.workers()
    os.kill(worker, signal.SIGABRT)
    last = service.events(job)[-1]
    assert last.code == Code.CRASHED
    assert "SIGABRT" in last.message
    assert "last words" in last.message


def start_worker() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pose2pose.backend.serving.worker", "--device", "cpu"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(sys.executable).anchor,
    )


@pytest.mark.slow
def test_the_worker_speaks_json_and_ends_with_its_stdin(clip, tmp_path):
    worker = start_worker()
    said = [json.loads(worker.stdout.readline())]
    while "info" not in said[-1]:
        said.append(json.loads(worker.stdout.readline()))
    assert [message["event"]["what"] for message in said[:-1]] == ["Loading torch", "Loading the network"]
    scan = {"source": {"path": str(clip), "upload": None}, "start": None, "end": 1, "step": 1, "frame_rate": None}
    worker.stdin.write(json.dumps({"job": "a", "folder": str(tmp_path), "scan": scan}) + "\n")
    worker.stdin.flush()
    while said[-1].get("event", {}).get("type") != "done":
        said.append(json.loads(worker.stdout.readline()))
    assert said[-1]["job"] == "a"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["person1.png", "person2.png"]
    worker.stdin.close()
    assert worker.wait(timeout=3) == 0


@pytest.mark.slow
def test_missing_weights_fail_the_capture_not_the_service(start_service, clip, tmp_path):
    """A package as somebody has it who deleted a file of it."""
    source = Path(pose2pose.__file__).parent
    package = tmp_path / "pose2pose"
    (package / "addon").mkdir(parents=True)
    shutil.copytree(source / "backend", package / "backend", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "blender_manifest.toml"):
        shutil.copy(source / name, package)
    (package / "backend" / "model" / "weights" / "open_hand.safetensors").unlink()
    broken = start_service("--allow-paths", environment={"PYTHONPATH": str(tmp_path)})
    status, info = broken.ask("GET", "/v1/info")
    assert status == 200
    assert any("open_hand.safetensors" in sentence for sentence in info["missing"])
    assert info["presets"] == []
    last = broken.events(broken.submit(clip, end=1))[-1]
    assert last.code == Code.WEIGHTS
    assert "open_hand.safetensors" in last.message
    assert "Install pose2pose again" in last.remedy
    _, scan = broken.ask("POST", "/v1/scans", broken.request(clip, end=1)["selection"])
    assert isinstance(broken.events(scan["url"])[-1], Done), "the detector is all there"


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device that must be missing")
def test_a_device_that_is_not_there_fails_the_capture_not_the_service(start_service, clip):
    running = start_service("--allow-paths", "--device", "cuda")
    status, info = running.ask("GET", "/v1/info")
    assert status == 200
    assert any("no cuda device" in sentence for sentence in info["missing"])
    last = running.events(running.submit(clip))[-1]
    assert last.code == Code.DEVICE
    assert "no cuda device" in last.message


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 256 kB."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", tmp_path], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


@pytest.mark.slow
def test_a_full_disk_fails_the_capture_not_the_service(start_service, clip, tiny_disk):
    running = start_service("--allow-paths", environment={"TMPDIR": str(tiny_disk)})
    filler = tiny_disk / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(bytes(4096))
    (tiny_disk / "folders can still be made").mkdir()
    last = running.events(running.submit(clip, end=2))[-1]
    assert last.code == Code.DISK_FULL
    assert "no space left on the disk" in last.message
    assert "TMPDIR" in last.remedy
    _, created = running.ask("POST", "/v1/uploads")
    status, answer = running.ask("PUT", f"/v1/uploads/{created['upload']}/clip.mp4", clip.read_bytes())
    assert (status, answer["code"]) == (507, "disk_full")
    filler.unlink()
    assert running.send("PUT", f"/v1/uploads/{created['upload']}/clip.mp4", clip.read_bytes())[0].status == 204
    assert isinstance(running.events(running.submit(clip, end=1, people="largest"))[-1], Done)
    assert not any("unexpected error" in line for line in running.log), "".join(running.log)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (VideoError("a.mp4 is broken"), Code.SOURCE, "a.mp4 is broken."),
        (CaptureError("no person was found"), Code.NOBODY, "No person was found."),
        (ChoiceError("person 7 was asked for"), Code.BAD_REQUEST, "Person 7 was asked for."),
        (PermissionError(errno.EACCES, "Permission denied", "/a"), Code.SOURCE, "[Errno 13] Permission denied: '/a'."),
        (OSError(errno.ENOSPC, "No space left", "/a"), Code.DISK_FULL, "There is no space left on the disk for /a."),
        (MemoryError(), Code.MEMORY, "There was not enough memory."),
        (torch.OutOfMemoryError("Tried 2 GiB.\nMore"), Code.MEMORY, "There was not enough memory: Tried 2 GiB."),
        (ZeroDivisionError("division by zero"), Code.INTERNAL, "ZeroDivisionError: division by zero"),
    ],
)
def test_exceptions_become_codes_and_sentences(error, code, message, caplog):
    failed = capture_failure(error)
    assert (failed.code, failed.message) == (code, message)
    assert failed.remedy
    assert bool(caplog.records) == (code is Code.INTERNAL), "what nobody expected is in the log with its traceback"
