"""Which packages the backend needs, read from the files that pip users get them from. Plain Python, no bpy."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The extension's folder. Not resolved: a link to a checkout must keep the extension's name."""

_MODULES = {"opencv-python": "cv2", "pillow": "PIL"}
_NOT_PINNED = {"numpy"}
"""The pin is for the bpy module, whose own numpy is older than what the backend can have."""


@dataclass(frozen=True)
class Requirements:
    """Packages in the notation of pip."""

    torch: tuple[str, ...]
    """Those that come in builds for different accelerators."""
    rest: tuple[str, ...]
    pins: tuple[str, ...]
    """The tested versions, `name==version`."""
    version: str
    """Of pose2pose, which wants these."""

    @property
    def wanted(self) -> tuple[str, ...]:
        """All packages that are asked for by name."""
        return self.torch + self.rest

    @property
    def modules(self) -> tuple[str, ...]:
        """What must be importable afterwards."""
        return tuple(_MODULES.get(package_name(line), package_name(line).replace("-", "_")) for line in self.wanted)

    def pin(self, name: str) -> str | None:
        """The tested version of a package."""
        found = [line.partition("==")[2] for line in self.pins if package_name(line) == name]
        return found[0] if found else None


@cache
def read_requirements(root: Path = ROOT) -> Requirements:
    """Read `pyproject.toml` and `constraints.txt`.

    Raises:
        FileNotFoundError: they are not there, so this is not an extension that was installed whole.
    """
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise FileNotFoundError(f"{error.filename} is missing. Install the extension again from its zip.") from error
    wanted = [*project["dependencies"], *project["optional-dependencies"]["backend"]]
    names = {package_name(line) for line in wanted} - _NOT_PINNED
    return Requirements(
        torch=tuple(line for line in wanted if package_name(line).startswith("torch")),
        rest=tuple(line for line in wanted if not package_name(line).startswith("torch")),
        pins=tuple(line for line in lines if "==" in line and package_name(line) in names),
        version=project["version"],
    )


def package_name(line: str) -> str:
    """The name in a requirement such as `opencv-python>=4.8,<5`."""
    return re.split(r"[^A-Za-z0-9._-]", line.strip(), maxsplit=1)[0].lower()
