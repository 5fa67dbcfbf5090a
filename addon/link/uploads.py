"""Which files a source consists of, for sending it to a service on another machine. Plain Python, no bpy.

The rules are those of `backend/pictures.py`, which needs packages that Blender does not have; a test holds them equal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from ...backend.protocol import Code
from .service import backend_error

PICTURE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
CHUNK = 1 << 18
"""Bytes sent at a time."""
_PLACEHOLDER = re.compile(r"#+|%0?\d*d")
_NUMBER = re.compile(r"\d+(?=\D*$)")


def source_files(path: Path, *, sequence: bool) -> list[Path]:
    """Every file of a video, a picture, a folder of pictures, a pattern, or a sequence named by its first picture.

    Args:
        path: what the user chose.
        sequence: whether one picture stands for the numbered sequence that begins with it.

    Raises:
        FileNotFoundError: there is nothing to send.
    """
    if path.is_dir():
        found = [file for file in sorted(path.iterdir()) if _is_picture(file)]
    elif path.is_file():
        found = _beginning_with(path) if sequence and _is_picture(path) else [path]
    else:
        found = _matching(path)
    if not found:
        raise FileNotFoundError(f"{path}: there is no such video, picture, or folder with pictures")
    return found


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


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURE_SUFFIXES


def _matching(pattern: Path) -> list[Path]:
    hole = _PLACEHOLDER.search(pattern.name)
    if hole is None or not _is_picture(pattern) or not pattern.parent.is_dir():
        return []
    before, after = pattern.name[: hole.start()], pattern.name[hole.end() :]
    name = re.compile(re.escape(before) + r"\d+" + re.escape(after))
    return sorted(file for file in pattern.parent.iterdir() if name.fullmatch(file.name))


def _beginning_with(first: Path) -> list[Path]:
    """The files that follow `first` number by number, without a hole."""
    number = _NUMBER.search(first.stem)
    if number is None:
        return [first]
    found, count = [], int(number.group())
    following = first
    while following.is_file():
        found.append(following)
        count += 1
        digits = str(count).zfill(len(number.group()))
        following = first.with_name(first.stem[: number.start()] + digits + first.stem[number.end() :] + first.suffix)
    return found
