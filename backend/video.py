"""Open whatever somebody wants captured: a video in any container that ffmpeg reads, an image sequence, a picture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame

from .frames import Frame, Image, Source, VideoError
from .pictures import PICTURE_SUFFIXES, PictureSequence, find_pictures

DEFAULT_PICTURE_RATE = 30.0
FOCAL_35MM_TAG = "com.apple.quicktime.camera.focal_length.35mm_equivalent"
MISSING_SECONDS = 0.5
"""A video that ends this much before the length it states is reported as cut off."""


def open_source(
    path: Path | str,
    *,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
    frame_rate: float | None = None,
) -> Source:
    """Open a video, a folder of pictures, a numbered sequence or one picture.

    Args:
        path: a video file; a folder; a pattern such as `shot.####.png` or `shot.%04d.png`; or a picture, which stands
            for the numbered sequence it begins if `frame_rate` is given, and for itself otherwise.
        start: first source frame, from 0.
        end: last source frame, included; None for the last one.
        step: take every step-th frame.
        frame_rate: frames a second of an image sequence; videos carry their own timestamps.

    Raises:
        VideoError: nothing there, not readable, or the range lies outside.
    """
    path = Path(path)
    pictures = find_pictures(path, sequence=frame_rate is not None)
    if pictures:
        rate = DEFAULT_PICTURE_RATE if frame_rate is None else frame_rate
        source = PictureSequence(path=path, pictures=pictures, frame_rate=rate, start=start, end=end, step=step)
        if len(pictures) > 1 and frame_rate is None:
            source.notes.append(
                f"pictures carry no timestamps: {rate:g} frames a second are assumed; give the rate if you know it"
            )
        return source
    if not path.exists():
        raise VideoError(f"{path}: no such file or folder")
    if path.is_dir():
        raise VideoError(f"{path} holds no pictures ({' '.join(sorted(PICTURE_SUFFIXES))}); give a video or pictures")
    return VideoFile(path=path, start=start, end=end, step=step)


class VideoFile(Source):
    """A video read through ffmpeg's libraries: upright, with its own timestamps."""

    def __init__(self, *, path: Path, start: int | None, end: int | None, step: int) -> None:
        with _open(path) as container:
            stream = container.streams.video[0]
            first = _first_frame(container, path)
            quarter_turn = first.rotation % 180 != 0
            self._seconds = _stated_seconds(container)
            super().__init__(
                path=path,
                size=(first.height, first.width) if quarter_turn else (first.width, first.height),
                frame_rate=float(stream.average_rate or stream.guessed_rate or 30),
                count=stream.frames or None,
                focal_35mm=_focal_35mm(container.metadata | stream.metadata),
                start=start,
                end=end,
                step=step,
            )

    def _read(self) -> Iterator[Frame]:
        index, time, origin = -1, 0.0, None
        errors: list[str] = []
        with _open(self.path) as container:
            for index, frame in enumerate(_decode(container, errors)):
                if origin is None:
                    origin = frame.time or 0.0
                time = index / self.frame_rate if frame.time is None else frame.time - origin
                if index in self.selected:
                    yield Frame(index=index, time=time, image=self._upright(frame))
                if index >= self.selected[-1]:
                    return
        if errors:
            self.damage = f"{self.name} is damaged after frame {index} ({time:.2f} s): {errors[0]}"
        self._check_end(index + 1, time)

    def _check_end(self, count: int, time: float) -> None:
        """The decoder is through: the number of frames is known now, and whether some were missing at the end."""
        stated, self.count = self.count, count
        if self.damage is not None or self._seconds is None or (stated is not None and count >= stated):
            return
        if self._seconds - time > max(MISSING_SECONDS, 2 / self.frame_rate):
            self.damage = (
                f"{self.name} is cut off after frame {count - 1} ({time:.2f} s): it says it lasts {self._seconds:.2f} s"
            )

    def _upright(self, frame: VideoFrame) -> Image:
        """RGB, turned by the display matrix; `rotation` counts degrees counterclockwise."""
        image = np.rot90(frame.to_ndarray(format="rgb24"), k=round(frame.rotation / 90))
        if image.shape[:2] != (self.height, self.width):
            raise VideoError(
                f"the picture size of {self.path} changes from {self.width}x{self.height} to "
                f"{image.shape[1]}x{image.shape[0]}; convert the video to one size first"
            )
        return np.ascontiguousarray(image)


def _open(path: Path) -> InputContainer:
    try:
        container = av.open(str(path), metadata_errors="replace")
    except (av.FFmpegError, OSError) as error:
        raise VideoError(
            f"{path} cannot be read as a video ({error.strerror}); if a player shows it, convert it to mp4"
        ) from error
    if not container.streams.video:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        container.close()
        raise VideoError(f"{path} holds no video stream, only {kinds}; give a video or a picture")
    container.streams.video[0].thread_type = "AUTO"
    return container


def _decode(container: InputContainer, errors: list[str]) -> Iterator[VideoFrame]:
    """All frames up to damage that cannot be passed, which is named in `errors`; a garbled picture is left out."""
    stream = container.streams.video[0]
    incomplete = False
    try:
        for packet in container.demux(stream):
            incomplete = packet.is_corrupt or (incomplete and not packet.size)
            if not packet.is_corrupt:
                yield from stream.decode(packet)
    except av.FFmpegError as error:
        errors.append(error.strerror or "unknown error")
        with suppress(av.FFmpegError):
            yield from stream.decode(None)
        return
    if incomplete:
        errors.append("the data end within a picture")


def _first_frame(container: InputContainer, path: Path) -> VideoFrame:
    try:
        return next(container.decode(video=0))
    except (StopIteration, av.FFmpegError) as error:
        reason = getattr(error, "strerror", None) or "no picture inside"
        raise VideoError(
            f"{path}: not one frame can be decoded ({reason}); copy the file again or convert it"
        ) from None


def _stated_seconds(container: InputContainer) -> float | None:
    """Time of the last frame's end as the container states it, counted from the first frame."""
    stream = container.streams.video[0]
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if "DURATION" in stream.metadata:  # Matroska: "00:00:07.666000000"
        hours, minutes, seconds = stream.metadata["DURATION"].split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    only_stream = len(container.streams) == 1 and container.duration is not None
    return container.duration / av.time_base if only_stream and container.duration else None


def _focal_35mm(metadata: dict[str, Any]) -> float | None:
    try:
        focal = float(metadata.get(FOCAL_35MM_TAG, 0))
    except ValueError:
        return None
    return focal if focal > 0 else None
