"""One picture of a whole capture: frames, overlay, and the armature from the front and the side.

    python -m pose2pose.backend.contact_sheet FOLDER -o sheet.png

FOLDER is what `pose2pose capture` wrote: takes, `overlay.mp4` and `summary.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .blend import BlendError, run_commands
from .frames import VideoError
from .motion.take import Take, TakeError, load_take
from .video import open_source

COLUMNS = 6
CELL = 300
"""Pixels, side of a picture."""
GAP = 6
LEFT, TOP = 84, 34
"""Pixels for the labels of rows and columns."""
ROWS = ("video", "overlay", "front", "side")
BACKGROUND, TEXT = (24, 25, 28), (205, 207, 212)
CLOSENESS = 1.3
"""Side of what is shown of a frame, in longest sides of the person's box."""
LANCZOS = Image.Resampling.LANCZOS

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Moment:
    """What one column shows."""

    row: int
    """Of the followed take."""
    frame: int
    """Number in the source."""
    time: float
    """Seconds of the source."""


def contact_sheet(folder: Path, source: Path | None = None, columns: int = COLUMNS) -> Image.Image:
    """Make the sheet of a captured folder, following the person who was seen longest.

    Args:
        folder: holds takes, `overlay.mp4` and `summary.json`.
        source: what was captured; None = the source that the summary names.
        columns: how many moments to show, evenly spread over the take.

    Raises:
        FileNotFoundError: no summary or no overlay.
        TakeError: a take cannot be read.
        VideoError: source or overlay cannot be read.
        BlendError: there is no Blender, or it failed.
    """
    summary = _summary(folder)
    takes = [(load_take(path), path) for path in sorted(folder.glob("*.npz"))]
    take, path = max(takes, key=lambda pair: len(pair[0]))
    moments = spread(take, columns)
    processed = range(summary["start"], moments[-1].frame + 1, summary["step"])
    videos = pick_frames(source or Path(summary["source"]), [moment.frame for moment in moments])
    overlays = pick_frames(folder / summary["overlay"], [processed.index(moment.frame) for moment in moments])
    boxes = windows(take, [moment.row for moment in moments])
    size = videos[0].size
    rows = [
        [image.crop(box) for image, box in zip(videos, boxes, strict=True)],
        [image.resize(size, LANCZOS).crop(box) for image, box in zip(overlays, boxes, strict=True)],
        *_render(path, moments),
    ]
    return assemble(rows, [f"{moment.time:.2f} s" for moment in moments])


def spread(take: Take, columns: int) -> list[Moment]:
    """Moments spread evenly over a take, none of them at its very ends."""
    count = min(columns, len(take))
    rows = np.linspace(0, len(take) - 1, 2 * count + 1)[1::2].round().astype(int).tolist()
    return [Moment(row=row, frame=int(take.frames[row]), time=float(take.times[row])) for row in rows]


def _render(take: Path, moments: Sequence[Moment]) -> list[list[Image.Image]]:
    """The take's armature at those moments: a row from the front and one from the side."""
    times = ",".join(f"{moment.time:.6f}" for moment in moments)
    with tempfile.TemporaryDirectory() as views:
        run_commands([str(take), "--views", views, "--times", times, "--size", str(CELL)])
        names = [[f"{view}_{k:03d}.png" for k in range(len(moments))] for view in ROWS[2:]]
        return [[Image.open(Path(views) / name).convert("RGB") for name in row] for row in names]


def pick_frames(source: Path, wanted: Sequence[int]) -> list[Image.Image]:
    """Pictures of a source by their numbers, in the order of `wanted`, which may repeat.

    Raises:
        VideoError: the source cannot be read, or ends before a number.
    """
    found: dict[int, Image.Image] = {}
    for frame in open_source(source, start=min(wanted), end=max(wanted)):
        if frame.index in wanted:
            found[frame.index] = Image.fromarray(frame.image)
    missing = [number for number in wanted if number not in found]
    if missing:
        raise VideoError(f"{source} has no frame {missing[0]}; capture it again")
    return [found[number] for number in wanted]


def windows(take: Take, rows: Sequence[int]) -> list[Box]:
    """A square part of the picture around the person in each of those rows of the take, all of one size.

    Returns:
        Left, top, right, bottom in pixels, inside the picture.
    """
    boxes, size = take.boxes[list(rows)].astype(float), take.image_size.astype(int)
    side = int(min(CLOSENESS * (boxes[:, 2:] - boxes[:, :2]).max(), size.min()))
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    corners = np.clip(centers - side / 2, 0, size - side).astype(int).tolist()
    return [(left, top, left + side, top + side) for left, top in corners]


def assemble(rows: Sequence[Sequence[Image.Image]], labels: Sequence[str]) -> Image.Image:
    """Put square pictures into a grid of `ROWS` and one labelled column for each moment."""
    size = (LEFT + len(labels) * (CELL + GAP), TOP + len(rows) * (CELL + GAP))
    sheet = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=17)
    for column, label in enumerate(labels):
        draw.text((_left(column) + CELL / 2, TOP / 2), label, fill=TEXT, font=font, anchor="mm")
    for k, (name, row) in enumerate(zip(ROWS, rows, strict=True)):
        top = TOP + k * (CELL + GAP)
        draw.text((LEFT - 12, top + CELL / 2), name, fill=TEXT, font=font, anchor="rm")
        for column, image in enumerate(row):
            sheet.paste(image.resize((CELL, CELL), LANCZOS), (_left(column), top))
    return sheet


def _left(column: int) -> int:
    return LEFT + column * (CELL + GAP)


def _summary(folder: Path) -> dict[str, Any]:
    path = folder / "summary.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: give the folder that `pose2pose capture` wrote")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if not found["overlay"]:
        raise FileNotFoundError(f"{folder} holds no overlay or no take: capture again, without --no-overlay")
    return found


def main() -> int:
    """Write the sheet that the command line asks for, and return the exit code."""
    parser = argparse.ArgumentParser(prog="contact_sheet", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="what `pose2pose capture` wrote")
    parser.add_argument("-o", "--output", type=Path, required=True, help="picture to write")
    parser.add_argument("--source", type=Path, help="what was captured (default: as summary.json says)")
    parser.add_argument("--columns", type=int, default=COLUMNS)
    options = parser.parse_args()
    try:
        sheet = contact_sheet(options.folder, options.source, options.columns)
    except (OSError, TakeError, VideoError, BlendError) as error:
        print(error, file=sys.stderr)
        return 1
    options.output.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
