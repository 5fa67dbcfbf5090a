"""The backend's own Python environment: make it, know what is in it, start the service from it. Plain Python, no bpy.

It lies outside of Blender's Python and is made whole beside the old one, which stays until the new one is complete and
tested. Nothing is compiled, and nothing is installed into Blender.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from ..jobs import Cancelled, Report
from ..link.processes import StoppedError, clean_environment, never
from .accelerators import Accelerator
from .environment_maker import Maker, SetupError, check_space, discard, environment_python
from .pip_progress import SetupProgress
from .pythons import probe
from .requirements import ROOT, Requirements, read_requirements

RECORD = "pose2pose.json"
_LONGEST_PATH = 259
"""Of Windows, unless somebody has allowed longer ones."""
_LONGEST_NAME = 150
"""Of a file of torch below the environment's folder."""


class SetupCancelledError(SetupError):
    """Somebody cancelled."""


@dataclass(frozen=True)
class Installed:
    """What an environment holds; the content of its `pose2pose.json`."""

    pose2pose: str
    """The version that it was made for."""
    python: str
    base: str
    """The Python that it was made with, and cannot do without."""
    accelerator: str
    device: str
    """What torch computed with when it was tested."""
    packages: dict[str, str]
    """Versions by name, of what is asked for by name."""
    wanted: tuple[str, ...]
    megabytes: int

    def __str__(self) -> str:
        return f"torch {self.packages.get('torch', '?')}, {self.device}, {self.megabytes / 1e3:.1f} GB"


def installed(folder: Path) -> Installed | None:
    """What an environment holds; None if there is none that is complete."""
    try:
        values = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return Installed(**{**values, "wanted": tuple(values["wanted"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def damage(folder: Path, requirements: Requirements) -> str:
    """Why an environment must be made again; "" if it is complete and fits this version of the add-on."""
    found = installed(folder)
    if found is None:
        return "The backend is not set up."
    if not Path(found.base).exists():
        return f"The Python that the backend was made with is gone ({found.base}), perhaps with a Blender update."
    if not environment_python(folder).exists():
        return f"The backend's Python is gone ({environment_python(folder)})."
    missing = sorted(set(requirements.wanted) - set(found.wanted))
    if missing:
        return f"pose2pose {requirements.version} needs {', '.join(missing)}, which the backend was set up without."
    return ""


def serve_command(python: Path, device: str = "auto", root: Path = ROOT) -> tuple[list[str], dict[str, str]]:
    """How to start the service, and with which environment variables.

    An installed extension's folder is called like the package, so it is imported from there. A checkout with another
    name must be installed in the Python that is used.
    """
    environment = clean_environment()
    if root.name == "pose2pose":
        environment["PYTHONPATH"] = str(root.parent)
    command = [str(python), "-m", "pose2pose.backend", "serve", "--end-with-stdin", "--allow-paths", "--device", device]
    return command, environment


def set_up(
    folder: Path,
    *,
    python: Path,
    wheels: Path | None,
    accelerator: Accelerator,
    log: Path,
    report: Report[SetupProgress],
    cancelled: Cancelled = never,
    requirements: Requirements | None = None,
) -> Path:
    """Make the environment; one that exists is replaced once the new one works.

    Args:
        folder: where it shall be.
        python: what it is made with, 3.11 to 3.13.
        wheels: a folder of wheels, if nothing shall be downloaded.
        accelerator: which build of torch.
        log: gets every line of every program; written anew.
        report: gets the progress.
        cancelled: asked about ten times a second.
        requirements: what is installed; None for what the backend needs.

    Returns:
        The environment's Python.

    Raises:
        SetupError: with what to do; SetupCancelledError if somebody cancelled, which takes less than two seconds.
    """
    requirements = requirements or read_requirements()
    _check(folder, python, wheels, accelerator)
    partial = folder.with_name(f"{folder.name}.partial")
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w", encoding="utf-8") as file:
            maker = Maker(partial, _writer(file), report, cancelled)
            maker.make(python)
            if wheels is not None:
                maker.install_from(wheels, requirements, accelerator)
            else:
                maker.download(requirements, accelerator)
            _record(partial, maker.test(requirements), requirements, accelerator)
            _replace(folder, partial)
    except StoppedError:
        raise SetupCancelledError("Cancelled. What pip has downloaded whole is kept for the next time.") from None
    except OSError as error:
        raise SetupError(f"The environment cannot be made in {folder}: {error.strerror or error}.") from error
    finally:
        discard(partial)
    return environment_python(folder)


def _check(folder: Path, python: Path, wheels: Path | None, accelerator: Accelerator) -> None:
    """Raise SetupError for what is known before anything has begun."""
    found = probe(python)
    if found is None:
        raise SetupError(f"{python} is no Python that starts. Choose another.")
    if found.problem:
        raise SetupError(found.problem)
    if sys.platform == "darwin" and found.machine == "x86_64":
        raise SetupError("There is no torch for Macs with an Intel processor. Use a service on another machine.")
    if wheels is not None and not any(wheels.glob("*.whl")):
        raise SetupError(f"{wheels} holds no wheels (*.whl). Choose another folder, or clear the field to download.")
    if os.name == "nt" and len(str(folder)) + _LONGEST_NAME > _LONGEST_PATH and not _long_paths_allowed():
        raise SetupError(
            f"Windows allows no paths as long as torch needs below {folder}. Enable long paths in Windows."
        )
    check_space(folder, accelerator.gigabytes, f"torch for {accelerator.name}")


def _long_paths_allowed() -> bool:
    if sys.platform != "win32":
        return True
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
            return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
    except OSError:
        return False


def _writer(file: TextIO) -> Callable[[str], None]:
    def write(line: str) -> None:
        file.write(line + "\n")
        file.flush()

    return write


def _record(folder: Path, found: dict[str, Any], requirements: Requirements, accelerator: Accelerator) -> None:
    record = Installed(
        pose2pose=requirements.version,
        python=found["python"],
        base=_base(folder),
        accelerator=accelerator.kind,
        device=found["device"],
        packages=found["packages"],
        wanted=requirements.wanted,
        megabytes=sum(file.lstat().st_size for file in folder.rglob("*")) // 1_000_000,
    )
    (folder / RECORD).write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")


def _base(folder: Path) -> str:
    """The Python behind an environment: its `pyvenv.cfg` says so since 3.11."""
    lines = (folder / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    values = dict(line.split(" = ", 1) for line in lines if " = " in line)
    return values["executable"]


def _replace(folder: Path, complete: Path) -> None:
    """Put a complete environment in the place of the old one."""
    old = folder.with_name(f"{folder.name}.old")
    discard(old)
    if folder.exists():
        folder.rename(old)
    try:
        complete.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    discard(old)
