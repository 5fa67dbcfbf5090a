"""Image sequences and single pictures as a source."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from .frames import Frame, Image, Source, VideoError

PICTURE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_EXIF = 0x8769
_FOCAL_IN_35MM_FILM = 0xA405
_NUMBER = re.compile(r"(\d+)(?=\D*$)")
_PLACEHOLDER = re.compile(r"#+|%0?\d*d")


def find_pictures(path: Path, *, sequence: bool) -> list[Path]:
    """Pictures that a path stands for, in order of their numbers; empty if it stands for none.

    Args:
        path: a folder, a pattern with `####` or `%04d`, or one picture.
        sequence: whether one picture stands for the numbered sequence that begins with it.

    Raises:
        VideoError: a pattern that no file matches.
    """
    if path.is_dir():
        return sorted((p for p in path.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES), key=_natural)
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        return []
    if path.is_file():
        return _beginning_with(path) if sequence else [path]
    if not _PLACEHOLDER.search(path.name):
        return []
    found = _matching(path)
    if not found:
        raise VideoError(f"no picture matches {path}; expected names such as {_PLACEHOLDER.sub('0001', path.name)}")
    return found


class PictureSequence(Source):
    """Pictures at a steady frame rate. Each is read when it is its turn."""

    def __init__(
        self,
        *,
        path: Path,
        pictures: list[Path],
        frame_rate: float,
        start: int | None,
        end: int | None,
        step: int,
    ) -> None:
        if frame_rate <= 0:
            raise VideoError(f"the frame rate must be positive, got {frame_rate:g}")
        self.pictures = pictures
        first = _read_picture(pictures[0])
        if first is None:
            raise VideoError(f"{pictures[0]} is not a readable picture; save it again as PNG or JPEG")
        super().__init__(
            path=path,
            size=(first.shape[1], first.shape[0]),
            frame_rate=frame_rate,
            count=len(pictures),
            focal_35mm=_focal_35mm(pictures[0]),
            start=start,
            end=end,
            step=step,
        )

    def _read(self) -> Iterator[Frame]:
        for index in self.selected:
            picture = self.pictures[index]
            image = _read_picture(picture)
            if image is None:
                self.damage = f"{picture.name} (frame {index}) is not a readable picture; the frames before it are kept"
                return
            if image.shape[:2] != (self.height, self.width):
                raise VideoError(
                    f"{picture} is {image.shape[1]}x{image.shape[0]} pixels, the pictures before it are "
                    f"{self.width}x{self.height}; a sequence needs one size"
                )
            yield Frame(index=index, time=index / self.frame_rate, image=image)


def _read_picture(path: Path) -> Image | None:
    """RGB, turned upright by its EXIF orientation; None if the file is no picture."""
    try:
        data = np.fromfile(path, dtype=np.uint8)
    except OSError:
        return None
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    return None if image is None else cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def _focal_35mm(path: Path) -> float | None:
    try:
        with Pillow.open(path) as picture:
            focal = float(picture.getexif().get_ifd(_EXIF).get(_FOCAL_IN_35MM_FILM, 0))
    except (OSError, UnidentifiedImageError, ValueError, TypeError):
        return None
    return focal if focal > 0 else None


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key by which picture 9 comes before picture 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def _matching(pattern: Path) -> list[Path]:
    hole = _PLACEHOLDER.search(pattern.name)
    assert hole is not None
    before, after = pattern.name[: hole.start()], pattern.name[hole.end() :]
    name = re.compile(re.escape(before) + r"\d+" + re.escape(after))
    return sorted((p for p in pattern.parent.glob("*") if name.fullmatch(p.name)), key=_natural)


def _beginning_with(first: Path) -> list[Path]:
    """The files that follow `first` number by number, without a hole."""
    number = _NUMBER.search(first.stem)
    if number is None:
        return [first]
    found, count = [first], int(number[0])
    while True:
        count += 1
        digits = str(count).zfill(len(number[0]))
        following = first.with_name(first.stem[: number.start()] + digits + first.stem[number.end() :] + first.suffix)
        if not following.is_file():
            return found
        found.append(following)
