"""Words for what runs and for numbers, and texts over several lines. Plain Python, no bpy."""

from __future__ import annotations

import textwrap
from typing import Any

STAGES = {"upload": "Sending the file", "detect": "Finding people", "capture": "Capturing", "refine": "Refining"}
"""By the stages of `protocol.Progress`."""
CHARACTER_WIDTH = 6.6
"""Pixels of a letter at a user interface scale of 1, on average."""


def stage_words(stage: str) -> str:
    """What a capture is at, for people."""
    return STAGES.get(stage, stage.capitalize())


def unit_of(words: str) -> str:
    """What a stage counts, by the words for it."""
    return "MB" if words == STAGES["upload"] else "frames"


def sentence(text: str) -> str:
    """With a capital, unless it begins with a name or a path, and a period."""
    text = text.strip()
    if text.split(" ", 1)[0].isalpha():
        text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) or not text else f"{text}."


def duration(seconds: float) -> str:
    """`8 s`, `2:05 min` or `1:30 h`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02d} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d} h"


def count_people(count: int) -> str:
    """`1 person`, `2 people`."""
    return "1 person" if count == 1 else f"{count} people"


def count_frames(count: int) -> str:
    """`1 frame`, `2 frames`."""
    return "1 frame" if count == 1 else f"{count} frames"


def draw_text(layout: Any, context: Any, text: str, icon: str, most: int | None = None) -> None:
    """A text over as many lines as the region's width asks for, at `most` so many: Blender's labels do not wrap."""
    column = layout.column(align=True)
    column.scale_y = 0.8
    lines = wrap(text, context.region.width, context.preferences.system.ui_scale)
    for number, line in enumerate(lines[:most]):
        column.label(text=line, icon=icon if number == 0 else "BLANK1")


def wrap(text: str, width: float, scale: float) -> list[str]:
    """Break a text for a region `width` pixels wide, with an icon and margins of the panel and of a box."""
    letters = int((width / scale - 80) / CHARACTER_WIDTH)
    return textwrap.wrap(text, max(16, letters))
