"""The scene's frames a second, and its range."""

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ...backend.motion.take import Take
from .keyframes import FIRST_FRAME

FRAME_RATES = (
    (8, 1.0), (10, 1.0), (12, 1.0), (25, 2.0), (15, 1.0), (24, 1.001), (24, 1.0), (25, 1.0), (30, 1.001), (30, 1.0),
    (48, 1.0), (50, 1.0), (60, 1.001), (60, 1.0), (90, 1.0), (100, 1.0), (120, 1.001), (120, 1.0), (240, 1.0),
)  # fmt: skip
"""Blender's `fps` and `fps_base`, whose quotient is the rate."""
UNTOUCHED = (1, 250)
"""The range of a scene that nobody gave one."""


def frame_rate(rate: float, *, exact: bool) -> tuple[int, float]:
    """Blender's (fps, fps_base) for a rate: itself if `exact`, otherwise the usual rate nearest to it."""
    usual = min(FRAME_RATES, key=lambda pair: abs(np.log(pair[0] / pair[1] / rate)))
    if not exact or abs(usual[0] / usual[1] - rate) < 0.002 * rate / usual[0]:
        return usual
    whole = max(1, round(rate))
    return whole, whole / rate


def scene_rate(scene: bpy.types.Scene) -> float:
    """Frames a second."""
    return float(scene.render.fps / scene.render.fps_base)


def source_rate(take: Take) -> float:
    """Frames a second of a take's source, on average; the take itself may hold every second one only."""
    step = float(take.frames[-1] - take.frames[0]) / max(1, len(take) - 1)
    return take.mocap_frame_rate * (step or 1.0)


def set_rate(scene: bpy.types.Scene, rate: float, *, exact: bool) -> None:
    """Let the scene run at a rate, or the usual one nearest to it; a scene that does already is left alone."""
    fps, base = frame_rate(rate, exact=exact)
    if abs(scene_rate(scene) / (fps / base) - 1) > 1e-6:
        scene.render.fps, scene.render.fps_base = fps, base


def has_a_past(scene: bpy.types.Scene) -> bool:
    """Whether somebody chose a range, or anything moves."""
    moving = any(item.animation_data is not None for item in scene.objects)
    return moving or (scene.frame_start, scene.frame_end) != UNTOUCHED


def fit_range(scene: bpy.types.Scene, frames: NDArray[np.floating[Any]]) -> None:
    """Begin and end with the keys at `frames` (N,), and go to the first."""
    scene.frame_start, scene.frame_end = _whole(frames)
    scene.frame_set(scene.frame_start)


def grow_range(scene: bpy.types.Scene, frames: NDArray[np.floating[Any]]) -> None:
    """Hold the keys at `frames` (N,), too."""
    first, last = _whole(frames)
    scene.frame_start, scene.frame_end = min(scene.frame_start, first), max(scene.frame_end, last)
    scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)


def _whole(frames: NDArray[np.floating[Any]]) -> tuple[int, int]:
    return max(FIRST_FRAME, int(np.floor(frames.min()))), int(np.ceil(frames.max()))
