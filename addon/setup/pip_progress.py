"""How far pip is, from what it prints and from how much has arrived on the disk. Plain Python, no bpy."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_DOWNLOADING = re.compile(r"^\s*Downloading \S*?([^/\s]+\.whl) \(([\d.]+) ([kMG]?B)\)")
_INSTALLING = re.compile(r"^Installing collected packages: (.*)")
_UNITS = {"B": 1e-6, "kB": 1e-3, "MB": 1.0, "GB": 1e3}


@dataclass(frozen=True)
class SetupProgress:
    """How far the set-up is."""

    step: str
    """What is being done, for people."""
    fraction: float | None
    """0..1 of the file that is coming, or of the packages that are being installed; None where nothing is measured."""
    line: str
    """The newest detail."""


class PipProgress:
    """Follows one `pip install`. How many packages will come is known to pip itself only when all have come."""

    def __init__(self, step: str, downloads: Path, packages: Path, report: Callable[[SetupProgress], None]) -> None:
        """Begin to follow.

        Args:
            step: what is being done, for people.
            downloads: pip's TMPDIR, in which files grow while they arrive.
            packages: the environment's site-packages.
            report: gets the progress when it has changed.
        """
        self._step = step
        self._downloads = downloads
        self._packages = packages
        self._report = report
        self._last = SetupProgress(step, None, "")
        self._coming: tuple[str, float] | None = None
        self._count = 0
        self._installing = 0
        self._installed_before = 0

    def read(self, line: str) -> None:
        """Take notice of a line that pip has printed."""
        self._coming = None
        if found := _DOWNLOADING.match(line):
            self._count += 1
            self._coming = (found[1], float(found[2]) * _UNITS[found[3]])
        elif found := _INSTALLING.match(line):
            self._installing = len(found[1].split(","))
            self._installed_before = self._count_installed()
        self._tell(line.strip())

    def look(self) -> None:
        """Measure, and report if something has changed."""
        self._tell(self._last.line)

    def _tell(self, line: str) -> None:
        now = self._measure() or SetupProgress(self._step, None, line)
        if now != self._last:
            self._last = now
            self._report(now)

    def _measure(self) -> SetupProgress | None:
        if self._installing:
            done = min(self._count_installed() - self._installed_before, self._installing)
            return SetupProgress(self._step, done / self._installing, f"{done} of {self._installing} packages written")
        if self._coming is None:
            return None
        name, size = self._coming
        arrived = min(self._arrived(name), size)
        text = f"{'-'.join(name.split('-')[:2])}: {arrived:.0f} of {size:.0f} MB (file {self._count})"
        return SetupProgress(self._step, arrived / max(size, 1e-6), text)

    def _arrived(self, name: str) -> float:
        """Megabytes of a file that is being downloaded."""
        try:
            return max((file.stat().st_size / 1e6 for file in self._downloads.glob(f"*/{name}")), default=0.0)
        except OSError:  # pip has moved it meanwhile
            return 0.0

    def _count_installed(self) -> int:
        return sum(1 for _ in self._packages.glob("*.dist-info"))
