"""Pythons on this machine in which the backend's environment can be made. Plain Python, no bpy."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from ..link.processes import clean_environment, output_of

OLDEST, NEWEST = (3, 11), (3, 13)
_PROBE_SECONDS = 20.0
_PROBE = """
import importlib.util, json, os, platform, sys, tempfile
missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
if not missing:
    import venv
    with tempfile.TemporaryDirectory() as folder:
        try:
            venv.create(folder, symlinks=os.name != "nt")
        except Exception as error:
            print(error)
        made = os.path.join(folder, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))
        if not os.path.exists(made):
            missing = ["a venv that works"]
print(json.dumps({"version": sys.version_info[:3], "missing": missing, "machine": platform.machine()}))
"""
"""Tries whether an environment can be made: some programs bring a Python whose parts are not all there."""
_ELSEWHERE = ("/opt/homebrew/bin", "/usr/local/bin")
"""A program that is started from macOS's Finder does not have these on its PATH."""


@dataclass(frozen=True)
class Python:
    """What a Python says about itself."""

    path: Path
    version: tuple[int, ...]
    missing: tuple[str, ...]
    """What it lacks for making environments: `venv`, `ensurepip`."""
    machine: str
    """Kind of processor."""

    @property
    def version_problem(self) -> str:
        """Why the backend cannot run in it; "" if its version is right."""
        if OLDEST <= self.version[:2] <= NEWEST:
            return ""
        number = ".".join(map(str, self.version))
        return f"{self.path} is Python {number}; the backend needs {_short(OLDEST)} to {_short(NEWEST)}."

    @property
    def problem(self) -> str:
        """Why no environment can be made with it; "" if one can."""
        if self.version_problem:
            return self.version_problem
        if self.missing:
            package = f"python{_short(self.version[:2])}-venv"
            return f"{self.path} lacks {' and '.join(self.missing)}; install the package {package}, or choose another."
        return ""


def probe(path: Path) -> Python | None:
    """Ask a Python about itself; None if there is none that starts."""
    answer = output_of([path, "-I", "-c", _PROBE], clean_environment(), _PROBE_SECONDS)
    try:
        values = json.loads((answer or "").splitlines()[-1])
        return Python(path, tuple(values["version"]), tuple(values["missing"]), values["machine"])
    except (IndexError, ValueError, KeyError, TypeError):
        return None


def find_pythons() -> list[Path]:
    """Pythons in which the environment can be made: the one that runs this, i.e. Blender's own, then the PATH's."""
    search = os.pathsep.join([os.environ.get("PATH", ""), *_ELSEWHERE])
    names = [f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)] + ["python3", "python"]
    found = [*_own(), *(Path(path) for name in names if (path := shutil.which(name, path=search)))]
    usable = [python.path for path in dict.fromkeys(found) if (python := probe(path)) and not python.problem]
    return usable


def _own() -> list[Path]:
    """Only what is called python: asking Blender itself would open a window."""
    base = Path(sys.base_prefix)
    name = f"python{_short(sys.version_info[:2])}"
    candidates = [Path(sys.executable), base / "bin" / name, base / "bin" / "python.exe", base / "python.exe"]
    return [path for path in candidates if path.name.lower().startswith("python") and path.is_file()]


def _short(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version[:2]))
