"""The add-on registered in this process, as Blender does it when it is enabled, with a real backend process."""

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pose2pose.backend.protocol import TOKEN_VARIABLE, ready_from_line


@dataclass(frozen=True)
class Service:
    """A service on what could be another machine."""

    url: str
    token: str


@pytest.fixture(scope="session")
def addon(backend_python: Path) -> Iterator[Any]:
    """The registered add-on's preferences; the backend is a Python that has it."""
    bpy = pytest.importorskip("bpy")
    import pose2pose
    from pose2pose.addon.link import connection

    entry = bpy.context.preferences.addons.new()
    entry.module = "pose2pose"
    pose2pose.register()
    entry.preferences.backend, entry.preferences.python_path = "PYTHON", str(backend_python)
    yield entry.preferences
    pose2pose.unregister()
    connection.stop_backend()
    bpy.context.preferences.addons.remove(entry)


@pytest.fixture
def preferred(addon: Any) -> Iterator[Callable[..., None]]:
    """Change preferences for one test."""
    before: dict[str, Any] = {}

    def prefer(**values: Any) -> None:
        for name, value in values.items():
            before.setdefault(name, getattr(addon, name))
            setattr(addon, name, value)

    yield prefer
    for name, value in before.items():
        setattr(addon, name, value)


@pytest.fixture(scope="session")
def service(backend_python: Path) -> Iterator[Service]:
    """Started by hand; it does not allow paths, so files are sent."""
    token = "a-token-for-this-test"
    process = subprocess.Popen(
        [str(backend_python), "-m", "pose2pose.backend", "serve", "--end-with-stdin"],
        env={**os.environ, TOKEN_VARIABLE: token},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    yield Service(ready_from_line(process.stdout.readline()).url, token)
    process.stdin.close()
    process.wait(10)
