"""Which files a source consists of: a video, a picture, or the pictures of a sequence. Plain Python, no bpy.

The rules are those of `backend/pictures.py`, which needs packages that Blender does not have; a test holds them equal.
"""

from __future__ import annotations

import re
from pathlib import Path

PICTURE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_PLACEHOLDER = re.compile(r"#+|%0?\d*d")
_NUMBER = re.compile(r"\d+(?=\D*$)")


def is_picture(path: Path) -> bool:
    """Whether a name is that of a picture."""
    return path.suffix.lower() in PICTURE_SUFFIXES


def is_pattern(path: Path) -> bool:
    """Whether a name stands for numbered pictures: `shot.####.png`."""
    return is_picture(path) and _PLACEHOLDER.search(path.name) is not None


def source_files(path: Path, *, sequence: bool) -> list[Path]:
    """Every file of a video, a picture, a folder of pictures, a pattern, or a sequence named by its first, in order.

    Args:
        path: what the user chose.
        sequence: whether one picture stands for the numbered sequence that begins with it.

    Raises:
        FileNotFoundError: there is none.
    """
    if path.is_dir():
        found = sorted((file for file in path.iterdir() if is_picture(file)), key=_natural)
    elif path.is_file():
        found = _beginning_with(path) if sequence and is_picture(path) else [path]
    else:
        found = _matching(path)
    if not found:
        raise FileNotFoundError(f"{path}: there is no such video, picture, or folder with pictures")
    return found


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key by which picture 9 comes before picture 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def _matching(pattern: Path) -> list[Path]:
    hole = _PLACEHOLDER.search(pattern.name)
    if hole is None or not is_picture(pattern) or not pattern.parent.is_dir():
        return []
    before, after = pattern.name[: hole.start()], pattern.name[hole.end() :]
    name = re.compile(re.escape(before) + r"\d+" + re.escape(after))
    return sorted((file for file in pattern.parent.iterdir() if name.fullmatch(file.name)), key=_natural)


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
