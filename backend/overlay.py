"""The captured bodies drawn over the video they come from: the quickest check of a capture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np

from .figure import Color, Figure
from .frames import Frame, Image, Source
from .lens import Lens
from .motion.body_file import BodyFile
from .motion.presence import fade_unseen
from .motion.take import Take
from .progress import Meter, Report

LONGEST_SIDE = 1280
OPACITY = 0.75
BRIDGED_OPACITY = 0.35
"""Where the person was not seen and the motion only bridges a gap."""
COLORS: tuple[Color, ...] = (
    (94, 181, 255), (255, 159, 90), (126, 217, 120), (240, 120, 170), (250, 214, 90), (178, 145, 250)
)  # fmt: skip
CLOCK = 90_000
"""Ticks a second of the video's timestamps."""


def write_overlay(
    source: Source,
    takes: Sequence[Take],
    body: BodyFile,
    path: Path,
    frames: int | None = None,
    progress: Report | None = None,
) -> None:
    """Write the source with its takes drawn over it: an H.264 `.mp4` with the source's own timestamps, or a picture.

    Args:
        source: what the takes were captured from; read once more.
        takes: of this source, all with the same camera.
        body: the body model of the takes.
        path: ends in `.mp4`, or in a picture's suffix for sources of one frame.
        frames: how many frames to write; None for all of the source.
        progress: called a few times a second.
    """
    drawn = islice(overlay_frames(source, takes, body), frames)
    meter = Meter(progress, stage="overlay", total=frames or source.expected, people=len(takes))
    if path.suffix.lower() != ".mp4":
        cv2.imwrite(str(path), cv2.cvtColor(next(drawn).image, cv2.COLOR_RGB2BGR))
        return
    partial = path.with_suffix(".partial.mp4")
    try:
        _encode(drawn, source, partial, meter)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _encode(drawn: Iterator[Frame], source: Source, path: Path, meter: Meter) -> None:
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("h264", rate=max(1, round(source.frame_rate)))
        stream.width, stream.height = _size(source)
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "21"}
        stream.codec_context.time_base = Fraction(1, CLOCK)
        for frame in drawn:
            picture = av.VideoFrame.from_ndarray(frame.image, format="rgb24")
            picture.pts, picture.time_base = round(frame.time * CLOCK), Fraction(1, CLOCK)
            container.mux(stream.encode(picture))
            meter.advance()
        container.mux(stream.encode())


def overlay_frames(source: Source, takes: Sequence[Take], body: BodyFile) -> Iterator[Frame]:
    """The source's frames, at most 1280 pixels long, with everybody drawn over them, the farthest first."""
    figures = {take.person: Figure(body, fade_unseen(take, body.hands_mean)) for take in takes}
    size = _size(source)
    scale = size[0] / source.width
    for frame in source:
        image = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        here = [(take, row) for take in takes if (row := _row(take, frame.index)) is not None]
        for take, row in sorted(here, key=lambda pair: -float(pair[0].joints_cam[pair[1], 0, 2])):
            _draw_person(np.asarray(image, dtype=np.uint8), figures[take.person], take, row, scale)
        yield Frame(index=frame.index, time=frame.time, image=np.asarray(image, dtype=np.uint8))


def _draw_person(image: Image, figure: Figure, take: Take, row: int, scale: float) -> None:
    color = COLORS[(take.person - 1) % len(COLORS)]
    lens = Lens(float(take.focal[0]) * scale, (image.shape[1], image.shape[0]), "given")
    seen = bool(take.confidence[row].any())
    figure.draw(image, figure.vertices(row), lens, color, OPACITY if seen else BRIDGED_OPACITY)
    x, y = (take.boxes[row, :2] * scale).astype(int).tolist()
    place = (int(np.clip(x, 4, image.shape[1] - 40)), int(np.clip(y - 8, 20, image.shape[0] - 8)))
    for ink, width in ((0, 0, 0), 4), (color, 2):
        cv2.putText(image, str(take.person), place, cv2.FONT_HERSHEY_SIMPLEX, 0.7, ink, width, cv2.LINE_AA)


def _size(source: Source) -> tuple[int, int]:
    """Width and height of the overlay; even, as H.264 wants them."""
    scale = min(1.0, LONGEST_SIDE / max(source.width, source.height))
    return max(2, 2 * round(source.width * scale / 2)), max(2, 2 * round(source.height * scale / 2))


def _row(take: Take, frame: int) -> int | None:
    row = int(np.searchsorted(take.frames, frame))
    return row if row < len(take) and take.frames[row] == frame else None
