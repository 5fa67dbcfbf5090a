"""A real service in processes of its own, and a small client for it."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pose2pose.backend.protocol import (
    LAST,
    PROTOCOL_VERSION,
    TOKEN_VARIABLE,
    VERSION_HEADER,
    Event,
    Ready,
    event_from_line,
    ready_from_line,
)

TOKEN = "a-token-for-tests"
SECONDS = 60
"""No test waits longer for anything."""


class Service:
    """A running `pose2pose serve`, and requests to it."""

    def __init__(self, *options: str, environment: dict[str, str] | None = None) -> None:
        command = [sys.executable, "-m", "pose2pose.backend", "serve", "--device", "cpu", *options]
        given = {TOKEN_VARIABLE: TOKEN} | (environment or {})
        inherited = {name: value for name, value in os.environ.items() if name not in given}
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(sys.executable).anchor,
            env=inherited | {name: value for name, value in given.items() if value},
        )
        self.log: deque[str] = deque(maxlen=200)
        threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True).start()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("".join(self.log))
        self.ready: Ready = ready_from_line(line)
        self.address = self.ready.url.removeprefix("http://")
        self.token = TOKEN if not self.ready.token_file else Path(self.ready.token_file).read_text().strip()

    def send(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Send a request with the usual headers; a header given as "" is left out."""
        usual = {"Authorization": f"Bearer {self.token}", VERSION_HEADER: str(PROTOCOL_VERSION)}
        wanted = {name: value for name, value in (usual | headers).items() if value}
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        if data is not None and not isinstance(body, bytes):
            wanted["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection(self.address, timeout=SECONDS)
        try:
            connection.request(method, path, data, wanted)
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, object]:
        """Status and JSON of the answer."""
        answer, data = self.send(method, path, body)
        return answer.status, json.loads(data) if data else None

    @staticmethod
    def request(path: Path | None = None, upload: str | None = None, **values: object) -> dict[str, object]:
        """Body of `POST /v1/captures`; start, end, step and frame_rate go into its selection."""
        source = {"path": str(path)} if path is not None else {"upload": upload}
        frames = {name: values.pop(name) for name in ("start", "end", "step", "frame_rate") if name in values}
        return {"selection": {"source": source} | frames} | values

    def submit(self, path: Path, **values: object) -> str:
        """Begin a capture of a path; the job's URL."""
        status, created = self.ask("POST", "/v1/captures", self.request(path, **values))
        assert status == 201, created
        return created["url"]

    def follow(self, job: str) -> Iterator[Event | None]:
        """The events of a job as they come, None for each empty line."""
        connection = http.client.HTTPConnection(self.address, timeout=SECONDS)
        connection.request(
            "GET", f"{job}/events", headers={"Authorization": f"Bearer {self.token}", VERSION_HEADER: "1"}
        )
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        try:
            while line := answer.readline():
                yield event_from_line(line.decode()) if line.strip() else None
        finally:
            answer.close()
            connection.close()

    def events(self, job: str) -> list[Event]:
        """All events of a job until its end."""
        return [event for event in self.follow(job) if event is not None]

    def until(self, job: str, wanted: Callable[[Event], bool]) -> Event:
        """The first event of a running job that is as wanted."""
        for event in self.follow(job):
            if event is not None and wanted(event):
                return event
            assert not isinstance(event, LAST), event
        raise AssertionError("the stream of events ended without a last one")

    def workers(self) -> list[int]:
        """Process numbers of the server's children."""
        tasks = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in tasks.read_text().split()]

    def stop(self) -> int:
        """Let it end as it does for Ctrl-C; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(timeout=10)
        finally:
            self.process.kill()


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """One service for all tests that do not end it: it loads torch once. Takes paths."""
    running = Service("--allow-paths", "--upload-limit", "1")
    yield running
    running.stop()


@pytest.fixture
def start_service() -> Iterator[Callable[..., Service]]:
    """Starts services of a test's own, which are gone after it."""
    started: list[Service] = []

    def start(*options: str, **settings: object) -> Service:
        started.append(Service(*options, **settings))
        return started[-1]

    yield start
    for running in started:
        running.stop()
