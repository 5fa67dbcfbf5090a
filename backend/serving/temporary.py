"""The service's folder for uploads, results and its token: one, removed at the end, or at the next start.

A service holds a lock on a file in its folder while it lives. A folder whose lock can be had belongs to one that was
killed. (Its process number would not tell: a service in a container sees other numbers, and the same `/tmp`.)
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TextIO

_NAME = re.compile(r"pose2pose-\d+-\w+")
_LOCK = "lock"
_NEW_SECONDS = 60.0
"""A folder without a lock may be about to get one, unless it is older than this."""


class ServiceFolder:
    """A new folder that nobody else may read; those of services that were killed are removed first.

    Attributes:
        path: of the folder.
    """

    def __init__(self) -> None:
        _remove_stale(Path(tempfile.gettempdir()))
        lock = None
        while lock is None:  # another start may take it for a stale one before it is locked
            self.path = Path(tempfile.mkdtemp(prefix=f"pose2pose-{os.getpid()}-"))
            lock = _lock(self.path / _LOCK)
        self._lock = lock

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        self._lock.close()  # Windows removes no open files
        shutil.rmtree(self.path, ignore_errors=True)


def _remove_stale(place: Path) -> None:
    for folder in place.glob("pose2pose-*-*"):
        if _NAME.fullmatch(folder.name) and _is_ours(folder) and not _may_be_new(folder):
            lock = _lock(folder / _LOCK)
            if lock is not None:
                lock.close()
                shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    """Whether it is a real folder of this user: `/tmp` is open to everybody."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    owner = found.st_uid if sys.platform == "win32" else os.getuid()
    return folder.is_dir() and not folder.is_symlink() and found.st_uid == owner


def _may_be_new(folder: Path) -> bool:
    return not (folder / _LOCK).exists() and time.time() - folder.lstat().st_mtime < _NEW_SECONDS


def _lock(path: Path) -> TextIO | None:
    """Hold a file until it is closed or the process ends, however it does; None if another process holds it."""
    try:
        file = path.open("w")
    except OSError:
        return None
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file
