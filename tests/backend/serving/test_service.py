"""The life of the service's processes: how they start, where they leave things, how they end."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pose2pose.backend.protocol import PROTOCOL_VERSION
from pose2pose.backend.serving.access import ServeError, find_token
from pose2pose.backend.serving.service import Settings, is_loopback, listen
from pose2pose.backend.serving.temporary import ServiceFolder

posix = pytest.mark.skipif(os.name != "posix", reason="signals and modes of files are POSIX")
linux = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds processes through /proc")


def serve(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a service that is expected to end at once."""
    return subprocess.run(
        [sys.executable, "-m", "pose2pose.backend", "serve", *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        env=os.environ | environment,
        cwd=Path(sys.executable).anchor,
    )


def is_running(pid: int) -> bool:
    """Whether there is a process that is not only waiting to be collected by its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children(pid: int) -> list[int]:
    """The processes that one has started; waits until there is one."""
    deadline = time.monotonic() + 10
    while True:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if found or time.monotonic() > deadline:
            return [int(child) for child in found]
        time.sleep(0.01)


def gone_within(seconds: float, pids: list[int]) -> bool:
    deadline = time.monotonic() + seconds
    while any(is_running(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_the_server_imports_no_torch():
    heavy = "{'torch', 'torchvision', 'cv2', 'av', 'scipy'}"
    code = f"import sys, pose2pose.backend.serving.service, pose2pose.backend.cli; print({heavy} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert result.stdout.strip() == "set()"


def test_it_says_where_it_listens_and_ends_when_asked(start_service, tmp_path):
    running = start_service(environment={"TMPDIR": str(tmp_path)})
    assert running.ready.protocol == PROTOCOL_VERSION
    assert running.ready.pid == running.process.pid
    assert running.ready.url.startswith("http://127.0.0.1:")
    assert running.ready.token_file is None
    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith(f"pose2pose-{running.process.pid}-")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    running.ask("POST", "/v1/uploads")
    assert running.stop() == 130
    assert not list(tmp_path.iterdir())
    assert running.process.stdout.read() == "", "stdout carries the one line only"
    assert not any("Traceback" in line for line in running.log)


@posix
def test_without_a_token_it_makes_one_that_only_its_user_can_read(start_service, tmp_path):
    running = start_service(environment={"POSE2POSE_TOKEN": "", "TMPDIR": str(tmp_path)})
    file = Path(running.ready.token_file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(running.token) > 30
    assert running.ask("POST", "/v1/uploads")[0] == 201
    running.process.terminate()
    running.process.wait(timeout=10)
    assert not list(tmp_path.iterdir()), "also after SIGTERM"


@posix
def test_the_token_comes_from_a_file_that_others_cannot_read(start_service, tmp_path):
    file = tmp_path / "token"
    file.write_text("from-the-file\n")
    file.chmod(0o644)
    result = serve("--token-file", str(file))
    assert result.returncode == 1
    assert "can be read by others (mode 0644)" in result.stderr
    assert "chmod 600" in result.stderr
    assert "from-the-file" not in result.stderr
    file.chmod(0o600)
    running = start_service("--token-file", str(file))
    running.token = "from-the-file"
    assert running.ask("POST", "/v1/uploads")[0] == 201


@pytest.mark.parametrize("text", ["", " \n", "two words", "ümlaut", "tab\there"])
def test_what_is_no_token_is_refused(text, tmp_path):
    file = tmp_path / "token"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(ServeError, match="one printable word"):
        find_token(file)


def test_the_token_is_not_handed_on_to_other_processes(monkeypatch):
    monkeypatch.setenv("POSE2POSE_TOKEN", "secret")
    assert find_token(None) == "secret"
    assert "POSE2POSE_TOKEN" not in os.environ


def test_a_port_that_is_taken_is_one_sentence(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = serve("--port", str(port), TMPDIR=str(tmp_path))
    assert result.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in result.stderr
    assert "--port" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_other_machines_are_let_in_only_on_purpose(host, capsys):
    assert not is_loopback(host)
    with pytest.raises(ServeError, match="add --allow-remote"):
        listen(Settings(host=host))
    assert not capsys.readouterr().err


def test_what_letting_others_in_means_is_said(capsys):
    listen(Settings(host="0.0.0.0", allow_remote=True)).close()
    said = capsys.readouterr().err
    assert "not encrypted" in said
    assert "ssh -L" in said


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_this_machine_is_this_machine(host):
    assert is_loopback(host)


def test_paths_are_refused_unless_allowed(start_service, clip):
    running = start_service()
    for request in (running.request(clip), running.request(upload="0", body=str(clip))):
        status, answer = running.ask("POST", "/v1/captures", request)
        assert (status, answer["code"]) == (403, "path_refused")
        assert "--allow-paths" in answer["remedy"]


@pytest.mark.slow
@posix
def test_folders_of_killed_services_are_removed_at_the_next_start(start_service, tmp_path):
    place = {"TMPDIR": str(tmp_path)}
    killed, living = (start_service(environment=place) for _ in range(2))
    folders = {pid: next(tmp_path.glob(f"pose2pose-{pid}-*")) for pid in (killed.ready.pid, living.ready.pid)}
    for name in ("pose2pose-takes", "pose2pose-1-but-not-ours", "other"):
        (tmp_path / name).mkdir()
    os.kill(killed.ready.pid, signal.SIGKILL)
    killed.process.wait()
    start_service(environment=place)
    assert not folders[killed.ready.pid].exists()
    assert folders[living.ready.pid].exists()
    assert living.ask("POST", "/v1/uploads")[0] == 201
    assert {"pose2pose-takes", "pose2pose-1-but-not-ours", "other"} <= {path.name for path in tmp_path.iterdir()}


def test_a_folder_that_was_just_made_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    new, old = tmp_path / "pose2pose-7-abcd", tmp_path / "pose2pose-8-abcd"
    for folder, age in ((new, 0), (old, 120)):
        folder.mkdir()
        os.utime(folder, (time.time() - age, time.time() - age))
    folder = ServiceFolder()
    assert new.exists()
    assert not old.exists()
    folder.remove()
    assert not folder.path.exists()


def test_whoever_follows_a_capture_hears_that_the_service_ends(start_service, clip):
    running = start_service("--allow-paths")
    following = running.follow(running.submit(clip))
    next(following)
    running.process.terminate()
    last = [event for event in following if event is not None][-1]
    assert (last.code, last.message) == ("cancelled", "The service was stopped.")
    assert running.process.wait(timeout=5) != 1


@linux
def test_it_ends_with_its_stdin(start_service, tmp_path):
    running = start_service("--end-with-stdin", environment={"TMPDIR": str(tmp_path)})
    pids = [running.process.pid, *children(running.process.pid)]
    assert len(pids) == 2
    running.process.stdin.close()
    assert gone_within(3, pids)
    assert running.process.wait() == 0
    assert not list(tmp_path.iterdir())


STARTER = """
import subprocess, sys, time
command = [sys.executable, "-m", "pose2pose.backend", "serve", "--end-with-stdin"]
service = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
print(service.stdout.readline().decode(), flush=True)
time.sleep(60)
"""


@pytest.mark.slow
@linux
@pytest.mark.parametrize("seconds", [0.0, 2.0], ids=["at once", "while torch is imported"])
def test_no_process_is_left_when_the_one_that_started_it_is_killed(seconds):
    """As when Blender crashes."""
    starter = subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE, text=True, cwd="/")
    assert starter.stdout.readline()
    time.sleep(seconds)
    (server,) = children(starter.pid)
    pids = [server, *children(server)]
    assert len(pids) == 2
    starter.kill()
    starter.wait()
    assert gone_within(3, pids)


@linux
def test_the_worker_ends_with_a_server_that_is_killed(start_service):
    running = start_service()
    (worker,) = children(running.process.pid)
    running.process.kill()
    running.process.wait()
    assert gone_within(3, [worker])
