"""Files on their way to a service on another machine. Plain Python, no bpy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from ...backend.protocol import Code
from .service import backend_error

CHUNK = 1 << 18
"""Bytes sent at a time."""


def chunks(file: Path, size: int, sent: Callable[[int], None]) -> Iterator[bytes]:
    """The first `size` bytes of a file from disk, piece by piece; `sent` gets the length of each piece afterwards.

    Raises:
        BackendError: SOURCE, the file cannot be read or has become shorter.
    """
    try:
        with file.open("rb") as stream:
            while size > 0:
                piece = stream.read(min(CHUNK, size))
                if not piece:
                    raise OSError("it has become shorter meanwhile")
                yield piece
                size -= len(piece)
                sent(len(piece))
    except OSError as error:
        raise backend_error(Code.SOURCE, f"{file} cannot be read: {error.strerror or error}.") from error
