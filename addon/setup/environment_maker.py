"""The steps in which the backend's environment is made: venv, wheels, test. Plain Python, no bpy."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..jobs import Cancelled, Report
from ..link.processes import clean_environment, never, run_program
from .accelerators import CUDA_GIGABYTES, Accelerator
from .pip_progress import PipProgress, SetupProgress
from .requirements import Requirements, package_name

_PYTHON = Path("Scripts", "python.exe") if os.name == "nt" else Path("bin", "python")
_PIP = ("-I", "-X", "utf8", "-m", "pip")
_LINES_KEPT = 500
_NO_NETWORK = ("NewConnectionError", "ConnectTimeout", "ReadTimeout", "Max retries exceeded", "ConnectionResetError")
_NO_SPACE = ("No space left on device", "Errno 28", "Errno 122", "WinError 112")

_TEST = """
import importlib, importlib.metadata, json, platform, sys
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
versions = {name: importlib.metadata.version(name) for name in json.loads(sys.argv[2])}
device = "CPU"
if "torch" in sys.modules:
    import torch
    torch.ones(2, 2) @ torch.ones(2, 2)
    if torch.cuda.is_available():
        device = torch.cuda.get_device_name()
    elif torch.backends.mps.is_available():
        device = "Apple GPU"
print(json.dumps({"python": platform.python_version(), "packages": versions, "device": device}))
"""


class SetupError(RuntimeError):
    """The environment was not made; the text says why and what to do. What was there before is as it was."""


def environment_python(folder: Path) -> Path:
    """Where the Python of an environment is."""
    return folder / _PYTHON


def discard(folder: Path) -> None:
    """Remove a folder without waiting for it: deleting gigabytes can take longer than somebody waits who has cancelled.

    What an earlier end of Blender has left of this is removed with it.
    """
    doomed = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.trash")
    with suppress(OSError):
        folder.rename(doomed)
    for trash in folder.parent.glob(f"{folder.name}.*.trash"):
        threading.Thread(target=shutil.rmtree, args=(trash,), kwargs={"ignore_errors": True}, daemon=True).start()


def check_packages(
    python: Path,
    requirements: Requirements,
    *,
    on_line: Callable[[str], None] = lambda line: None,
    cancelled: Cancelled = never,
) -> dict[str, Any]:
    """Import every package in a Python; returns its version, the packages' versions and the device of torch.

    Raises:
        SetupError: one cannot be imported; the text names it.
        StoppedError: cancelled.
        OSError: the Python cannot be started.
    """
    names = json.dumps(requirements.modules), json.dumps([package_name(line) for line in requirements.wanted])
    said: list[str] = []

    def keep(line: str) -> None:
        said.append(line)
        on_line(line)

    command: list[str | Path] = [python, "-I", "-X", "utf8", "-c", _TEST, *names]
    code = run_program(command, clean_environment(), on_line=keep, cancelled=cancelled)
    try:
        if code == 0:
            return dict(json.loads(said[-1]))
    except (ValueError, IndexError):
        pass
    raise SetupError(f"The packages in {python} do not work: {said[-1].strip() if said else f'exit code {code}'}.")


def check_space(folder: Path, gigabytes: float, what: str) -> None:
    """Raise SetupError if a disk has too little space."""
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(place).free / 1e9
    if free < gigabytes:
        raise SetupError(
            f"The backend needs about {gigabytes:.0f} GB ({what}), but {place} has {free:.1f} GB free. Free some space."
        )


def download_command(requirements: Requirements, accelerator: Accelerator, version: str) -> str:
    """The command that fills a folder of wheels on a machine with internet of the same system and Python."""
    pinned = {package_name(line): line for line in requirements.pins}
    wanted = [pinned.get(package_name(line), line) for line in requirements.wanted]
    quoted = [f'"{word}"' if set(word) & set("<>;,") else word for word in wanted]
    index = ["--extra-index-url", accelerator.index] if accelerator.index else []
    start = ["python" + version, "-m", "pip", "download", "--dest", "wheels", "--only-binary", ":all:"]
    return " ".join([*start, *index, *quoted])


class Maker:
    """Makes an environment step by step. Every step may raise SetupError, StoppedError or OSError."""

    def __init__(
        self, folder: Path, write: Callable[[str], None], report: Report[SetupProgress], cancelled: Cancelled
    ) -> None:
        """Remember where; `write` gets every line of every program."""
        self._folder = folder
        self._python = environment_python(folder)
        self._downloads = folder / "downloads"
        self._write = write
        self._report = report
        self._cancelled = cancelled
        self._said: list[str] = []

    def make(self, python: Path) -> None:
        """An empty environment with pip."""
        discard(self._folder)
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        self._report(SetupProgress("Making the environment", None, str(python)))
        if self._run([python, "-I", "-m", "venv", self._folder]) != 0:
            raise SetupError(f"{python} cannot make an environment: {self._reason()} Choose another Python.")
        self._downloads.mkdir()

    def install_from(self, wheels: Path, requirements: Requirements, accelerator: Accelerator) -> None:
        """Everything from a folder of wheels, in the versions that are there."""
        source = ["--no-index", "--find-links", str(wheels)]
        if self._install("Installing from the folder of wheels", requirements.wanted, source) != 0:
            command = download_command(requirements, accelerator, "{}.{}".format(*sys.version_info))
            raise SetupError(
                f"The wheels in {wheels} are not enough: {self._reason()} Fill the folder with this command, on a "
                f"machine with internet and the same system and Python: {command}"
            )

    def download(self, requirements: Requirements, accelerator: Accelerator) -> None:
        """Torch for the accelerator, then the rest, in the tested versions."""
        pins = self._folder / "pins.txt"
        pins.write_text("\n".join(requirements.pins), encoding="utf-8")
        source = ["--constraint", str(pins), *self._torch_source(requirements, accelerator)]
        for step, lines in (("Installing torch", requirements.torch), ("Installing the rest", requirements.rest)):
            if lines and self._install(step, lines, source) != 0:
                raise SetupError(f"{step} failed: {self._reason()} {self._way_out()}")

    def test(self, requirements: Requirements) -> dict[str, Any]:
        """Import everything; returns what `check_packages` returns."""
        self._report(SetupProgress("Testing", None, "import " + ", ".join(requirements.modules)))
        shutil.rmtree(self._downloads, ignore_errors=True)
        return check_packages(self._python, requirements, on_line=self._write, cancelled=self._cancelled)

    def _torch_source(self, requirements: Requirements, accelerator: Accelerator) -> list[str]:
        """Options for torch's own index beside the ordinary one: its wheels win by their label. [] without it."""
        if accelerator.index is None:
            return []
        step = "Looking for the build of torch"
        self._report(SetupProgress(step, None, accelerator.index))
        look = ["index", "versions", "torch", "--index-url", accelerator.index, "--retries", "1", "--timeout", "10"]
        self._run([self._python, *_PIP, *look])
        if any(f"{requirements.pin('torch')}+{accelerator.label}" in line for line in self._said):
            return ["--extra-index-url", accelerator.index]
        check_space(self._folder, max(CUDA_GIGABYTES, accelerator.gigabytes), "the ordinary build of torch")
        line = f"{accelerator.index} cannot be used; torch comes from the ordinary index, in a larger build"
        self._write(line)
        self._report(SetupProgress(step, None, line))
        return []

    def _install(self, step: str, lines: Sequence[str], source: Sequence[str]) -> int:
        packages = next(self._folder.glob("[Ll]ib/**/site-packages"))
        progress = PipProgress(step, self._downloads, packages, self._report)
        # Wheels only: nothing may be compiled on a user's machine.
        options = ["install", "--progress-bar", "off", "--no-input", "--no-color", "--only-binary", ":all:"]
        command: list[str | Path] = [self._python, *_PIP, *options, "--disable-pip-version-check", *source, *lines]
        return self._run(command, progress)

    def _run(self, command: Sequence[str | Path], progress: PipProgress | None = None) -> int:
        self._said = []

        def read(line: str) -> None:
            self._write(line)
            self._said = [*self._said[-_LINES_KEPT:], line]
            if progress is not None:
                progress.read(line)

        # Large files arrive on the disk whose space was checked, which the system's temporary folder may not be.
        place = {name: str(self._downloads) for name in ("TMPDIR", "TEMP", "TMP")} if progress is not None else {}
        environment = {**clean_environment(), **place, "PIP_USER": "0"}
        look = (lambda: None) if progress is None else progress.look
        return run_program(command, environment, on_line=read, on_wait=look, cancelled=self._cancelled)

    def _reason(self) -> str:
        """The line that says what was wrong, as a sentence; of several errors the first."""
        lines = [line.strip() for line in self._said if line.strip()]
        errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
        return (errors or lines[-1:] or ["it said nothing"])[0].rstrip(".") + "."

    def _way_out(self) -> str:
        text = "\n".join(self._said)
        if any(sign in text for sign in _NO_SPACE):
            return "Free some space on the disk."
        if any(sign in text for sign in _NO_NETWORK):
            return "The package index cannot be reached: connect to the internet, or choose a folder of wheels."
        if "ResolutionImpossible" in text:
            return "The package index lacks one of the tested versions for this system and Python; the log names it."
        return "See the log, then try again."
