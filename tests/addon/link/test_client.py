"""The way to a service: real service processes over real HTTP, and everything that may stand in their place."""

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from pose2pose.addon.link import service_client
from pose2pose.addon.link.client import Backend, BackendError, Client, capture, scan, start_backend
from pose2pose.addon.pictures import source_files
from pose2pose.addon.setup.environment import serve_command
from pose2pose.backend.motion.take import load_take
from pose2pose.backend.protocol import (
    PROTOCOL_VERSION,
    CaptureRequest,
    Code,
    Done,
    Event,
    Progress,
    Selection,
    SourceReference,
)

NOWHERE = SourceReference(path="left to the client")
FOUR_FRAMES = CaptureRequest(Selection(NOWHERE, end=3), people="largest", parts=("body",))
LONG = CaptureRequest(Selection(NOWHERE))


def never() -> bool:
    return False


def ignore(event: Event) -> None:
    pass


def after(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def failure(work: Callable[[], object]) -> BackendError:
    with pytest.raises(BackendError) as caught:
        work()
    assert caught.value.failure.message
    return caught.value


def gone(pid: int, within: float = 3.0) -> bool:
    """Whether a process has ended; what only waits for its parent counts as ended."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


# --- starting a process -----------------------------------------------------------------------------------------------


def start_python(code: str, log: Path, **options: object) -> Backend:
    return start_backend([sys.executable, "-c", code], dict(os.environ), log, **options)


def test_wrong_python_is_named(tmp_path: Path) -> None:
    error = failure(lambda: start_backend(["/no/such/python"], {}, tmp_path / "log"))
    assert error.failure.code == Code.NOT_STARTED
    assert "/no/such/python" in str(error) and "No such file" in str(error)


def test_missing_package_is_named_with_the_way_out(tmp_path: Path) -> None:
    error = failure(lambda: start_python("import no_such_package", tmp_path / "log"))
    assert error.failure.code == Code.NOT_STARTED
    assert "exit code 1" in str(error) and "No module named 'no_such_package'" in str(error)
    assert "Set Up Backend" in error.failure.remedy


def test_silent_process_is_given_up_and_ended(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    error = failure(lambda: start_python(code, tmp_path / "log", timeout=1.0))
    assert error.failure.code == Code.NOT_STARTED and "1 seconds" in str(error)
    assert gone(int(pid.read_text()))


def test_starting_can_be_cancelled(tmp_path: Path) -> None:
    began = time.monotonic()
    error = failure(lambda: start_python("import time; time.sleep(60)", tmp_path / "log", cancelled=after(0.2)))
    assert error.failure.code == Code.CANCELLED
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("line", ["hello", "", '{"url": 3}', "[1]"])
def test_something_else_is_recognized(tmp_path: Path, line: str) -> None:
    error = failure(lambda: start_python(f"print({line!r}, flush=True); input()", tmp_path / "log"))
    assert error.failure.code == Code.PROTOCOL and "no pose2pose" in str(error)


def test_other_protocol_is_named(tmp_path: Path) -> None:
    ready = {"url": "http://127.0.0.1:1", "protocol": PROTOCOL_VERSION + 6, "version": "9.8", "pid": 1}
    error = failure(lambda: start_python(f"print({json.dumps(ready)!r}, flush=True); input()", tmp_path / "log"))
    assert error.failure.code == Code.PROTOCOL
    assert "9.8" in str(error) and f"protocol {PROTOCOL_VERSION + 6}" in str(error)
    assert f"speaks protocol {PROTOCOL_VERSION}." in str(error)


@pytest.mark.slow
def test_process_that_ignores_everything_is_ended(tmp_path: Path) -> None:
    ready = {"url": "http://127.0.0.1:1", "protocol": PROTOCOL_VERSION, "version": "1", "pid": 1}
    code = f"""
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print({json.dumps(ready)!r}, flush=True)
time.sleep(60)
"""
    backend = start_python(code, tmp_path / "log")
    assert backend.alive()
    backend.stop()
    assert not backend.alive() and gone(backend.pid)


# --- what may answer in place of a service ----------------------------------------------------------------------------


@pytest.fixture
def mute_port() -> Iterator[int]:
    """Accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def web_server() -> Iterator[int]:
    """A web server that is no service."""
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as server:
        server.RequestHandlerClass.log_message = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_nobody_listens() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    error = failure(Client(url, "x").info)
    assert error.failure.code == Code.UNREACHABLE and url in str(error) and "refused" in str(error)


@pytest.mark.parametrize("url", ["ftp://host", "http://", "http://host:port", "http://host/?a=b"])
def test_no_address(url: str) -> None:
    assert failure(lambda: Client(url, "x")).failure.code == Code.UNREACHABLE


def test_another_server_answers(web_server: int) -> None:
    error = failure(Client(f"127.0.0.1:{web_server}", "x").info)
    assert error.failure.code == Code.PROTOCOL and "404" in str(error)


def test_waiting_can_be_cancelled(mute_port: int) -> None:
    began = time.monotonic()
    error = failure(lambda: Client(f"http://127.0.0.1:{mute_port}", "x").info(after(0.2)))
    assert error.failure.code == Code.CANCELLED
    assert time.monotonic() - began < 0.7


def test_events_can_be_cancelled(mute_port: int) -> None:
    """Nothing comes, and still the caller is asked several times a second."""
    began = time.monotonic()
    events = Client(f"http://127.0.0.1:{mute_port}", "x").events("/v1/captures/1")
    assert [next(events) for _ in range(3)] == [None, None, None]
    events.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 0.75


@pytest.mark.slow
def test_silent_service_is_unreachable(mute_port: int) -> None:
    began = time.monotonic()
    error = failure(lambda: list(Client(f"http://127.0.0.1:{mute_port}", "x").events("/v1/captures/1")))
    assert error.failure.code == Code.UNREACHABLE and "does not answer" in str(error)
    assert time.monotonic() - began < service_client.SILENCE_SECONDS + 2


def test_upload_of_nothing_names_it(tmp_path: Path) -> None:
    error = failure(lambda: Client("http://127.0.0.1:1", "x").upload(tmp_path / "no.mp4", ignore))
    assert error.failure.code == Code.SOURCE and "no.mp4" in str(error)


# --- which files are sent ---------------------------------------------------------------------------------------------


def test_files_of_a_source_are_those_the_backend_reads(tmp_path: Path) -> None:
    pictures = pytest.importorskip("pose2pose.backend.pictures", exc_type=ImportError)
    for number in (1, 2, 3, 5, 10):
        (tmp_path / f"shot.{number:04d}.png").touch()
    for name in ("shot.txt", "other.jpg", "shot.0001.jpg"):
        (tmp_path / name).touch()
    for name, sequence in (
        (".", False),
        ("shot.####.png", False),
        ("shot.%04d.png", True),
        ("shot.0002.png", True),
        ("shot.0002.png", False),
        ("other.jpg", True),
    ):
        found = source_files(tmp_path / name, sequence=sequence)
        assert found == pictures.find_pictures(tmp_path / name, sequence=sequence), name
        assert found


# --- a real service ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def start(backend_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Backend]]:
    started = []

    def start_one() -> Backend:
        command, environment = serve_command(backend_python, "cpu")
        log = tmp_path_factory.mktemp("service") / "service.log"
        started.append(start_backend(command, {**environment, "OMP_NUM_THREADS": "1"}, log))
        return started[-1]

    yield start_one
    for backend in started:
        backend.stop()
        assert gone(backend.pid)


@pytest.fixture(scope="module")
def backend(start: Callable[[], Backend]) -> Backend:
    return start()


@pytest.fixture
def ours(backend: Backend) -> Client:
    return Client(backend.url, backend.token, backend)


@pytest.fixture
def remote(backend: Backend) -> Client:
    """The same service, as it looks to somebody who did not start it: files are uploaded."""
    return Client(backend.url, backend.token)


@pytest.mark.slow
def test_token_is_secret(backend: Backend) -> None:
    command = Path(f"/proc/{backend.pid}/cmdline")
    if command.exists():
        assert backend.token.encode() not in command.read_bytes()
    assert backend.token not in backend.log.read_text()
    assert backend.token not in repr(Client(backend.url, backend.token, backend).__dict__["backend"])


@pytest.mark.slow
def test_wrong_token(backend: Backend) -> None:
    error = failure(Client(backend.url, "wrong").info)
    assert error.failure.code == Code.UNAUTHORIZED and error.failure.remedy


@pytest.mark.slow
def test_wrong_protocol(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_client, "PROTOCOL_VERSION", 77)
    error = failure(Client(backend.url, backend.token).info)
    assert error.failure.code == Code.PROTOCOL and "77" in str(error) and str(PROTOCOL_VERSION) in str(error)


@pytest.mark.slow
def test_information(ours: Client) -> None:
    info = ours.info()
    assert info["protocol"] == PROTOCOL_VERSION and info["device"] and info["missing"] == []


@pytest.mark.slow
def test_capture_brings_takes_and_leaves_nothing(ours: Client, clip: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    captured = capture(ours, clip, FOUR_FRAMES, tmp_path, events.append, never)
    assert list(captured.takes) == [1]
    take = load_take(captured.takes[1])
    assert take.frames.tolist() == [0, 1, 2, 3] and Path(take.source).name == clip.name
    assert events[-1] == captured.done and any(isinstance(event, Progress) for event in events)
    assert [path.name for path in tmp_path.iterdir()] == ["person_1.npz"]


@pytest.mark.slow
def test_job_is_forgotten_afterwards(ours: Client, clip: Path, tmp_path: Path) -> None:
    jobs = []
    begin = ours.start_capture
    ours.start_capture = lambda *arguments: jobs.append(begin(*arguments)) or jobs[0]  # type: ignore[method-assign]
    capture(ours, clip, FOUR_FRAMES, tmp_path, ignore, never)
    assert failure(lambda: ours.last_event(jobs[0])).failure.code == Code.NOT_FOUND


@pytest.mark.slow
def test_upload_gives_the_same_take_as_a_path(ours: Client, remote: Client, clip: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    takes = {}
    for name, client in (("path", ours), ("upload", remote)):
        (tmp_path / name).mkdir()
        takes[name] = load_take(capture(client, clip, FOUR_FRAMES, tmp_path / name, events.append, never).takes[1])
    np.testing.assert_allclose(takes["upload"].poses, takes["path"].poses, atol=1e-5)
    sent = [event for event in events if isinstance(event, Progress) and event.stage == "upload"]
    assert sent and sent[-1].done <= (sent[-1].total or 0)


@pytest.mark.slow
def test_every_picture_of_a_sequence_is_uploaded(remote: Client, clip_frames: list[np.ndarray], tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")
    for number in range(3):
        pillow.fromarray(clip_frames[number]).save(tmp_path / f"shot.{number + 1:04d}.png")
    request = CaptureRequest(Selection(NOWHERE, frame_rate=12.0), people="largest", parts=("body",))
    for name in ("shot.####.png", "shot.0001.png"):
        folder = tmp_path / f"takes {name}"
        folder.mkdir()
        take = load_take(capture(remote, tmp_path / name, request, folder, ignore, never).takes[1])
        np.testing.assert_allclose(take.times, np.arange(3) / 12)


@pytest.mark.slow
def test_scan_brings_pictures_of_people(ours: Client, clip: Path, tmp_path: Path) -> None:
    scanned = scan(ours, clip, Selection(NOWHERE, end=3), tmp_path, ignore, never)
    assert sorted(scanned.thumbnails) == [person.person for person in scanned.done.people] == [1, 2]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in scanned.thumbnails.values())


@pytest.mark.slow
def test_service_errors_arrive_with_their_remedy(ours: Client, tmp_path: Path) -> None:
    error = failure(lambda: capture(ours, tmp_path / "no.mp4", FOUR_FRAMES, tmp_path, ignore, never))
    assert error.failure.code == Code.SOURCE and "no.mp4" in str(error) and error.failure.remedy


@pytest.mark.slow
def test_take_that_cannot_be_written_is_named(ours: Client, clip: Path, tmp_path: Path) -> None:
    error = failure(lambda: capture(ours, clip, FOUR_FRAMES, tmp_path / "missing", ignore, never))
    assert error.failure.code == Code.DISK_FULL and "person_1.npz" in str(error)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["detect", "capture"])
def test_cancelling_takes_less_than_two_seconds(ours: Client, clip: Path, tmp_path: Path, stage: str) -> None:
    seen = threading.Event()

    def report(event: Event) -> None:
        if isinstance(event, Progress) and event.stage == stage and not seen.is_set():
            began.append(time.monotonic())
            seen.set()

    began: list[float] = []
    error = failure(lambda: capture(ours, clip, LONG, tmp_path, report, seen.is_set))
    assert error.failure.code == Code.CANCELLED
    assert time.monotonic() - began[0] < 2.0
    assert capture(ours, clip, FOUR_FRAMES, tmp_path, ignore, never).takes  # the next one works


@pytest.mark.slow
def test_killed_service_is_reported_at_once(start: Callable[[], Backend], clip: Path, tmp_path: Path) -> None:
    backend = start()
    client = Client(backend.url, backend.token, backend)
    killed: list[float] = []

    def kill(event: Event) -> None:
        if isinstance(event, Progress) and not killed:
            killed.append(time.monotonic())
            os.kill(backend.pid, signal.SIGKILL)

    error = failure(lambda: capture(client, clip, LONG, tmp_path, kill, never))
    assert error.failure.code == Code.CRASHED and "SIGKILL" in str(error)
    assert time.monotonic() - killed[0] < 3.0
    assert not list(tmp_path.iterdir())


class CuttingProxy:
    """Passes connections on to a service, and cuts the first stream of events off after its first bytes."""

    def __init__(self, port: int) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.cut = 0
        self._target = port
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            caller, _ = self._server.accept()
            threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        service = socket.create_connection(("127.0.0.1", self._target))
        request = caller.recv(65536)
        service.sendall(request)
        threading.Thread(target=self._pass, args=(caller, service), daemon=True).start()
        if b"/events" in request and not self.cut:
            self.cut += 1
            caller.sendall(service.recv(65536))
        else:
            self._pass(service, caller)
        for end in (service, caller):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _pass(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)


@pytest.mark.slow
def test_dropped_stream_is_taken_up_again(backend: Backend, clip: Path, tmp_path: Path) -> None:
    proxy = CuttingProxy(int(backend.url.rpartition(":")[2]))
    client = Client(f"http://127.0.0.1:{proxy.port}", backend.token)
    captured = capture(client, clip, FOUR_FRAMES, tmp_path, ignore, never)
    assert proxy.cut == 1 and isinstance(captured.done, Done) and captured.takes[1].exists()


@pytest.mark.slow
def test_service_ends_with_the_program_that_started_it(backend_python: Path, tmp_path: Path) -> None:
    """As when Blender crashes: nobody says goodbye."""
    code = """
import os, sys
from pathlib import Path
from pose2pose.addon.link.service import start_backend
from pose2pose.addon.setup.environment import serve_command
command, environment = serve_command(Path(sys.argv[1]), "cpu")
backend = start_backend(command, environment, Path(sys.argv[2]))
print(backend.pid, flush=True)
os._exit(1)
"""
    words = [sys.executable, "-c", code, str(backend_python), str(tmp_path / "log")]
    pid = int(subprocess.run(words, capture_output=True, text=True, timeout=60).stdout)
    assert gone(pid)
