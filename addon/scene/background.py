"""The source behind the camera: video, image sequence or picture, in step with the keys."""

from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from ...backend.motion.take import Take
from ..pictures import is_picture, source_files
from .keyframes import FIRST_FRAME, assign, curves, write_curves
from .timeline import source_rate

Array = NDArray[np.float64]

CONSTANT = 0
"""Number of the interpolation mode in Blender's files."""


def show_source(camera: bpy.types.Object, source: Path, take: Take, fps: float, last_frame: int) -> bpy.types.Image:
    """Put a video, image sequence or picture behind the camera, in step with the keys.

    Args:
        camera: the camera object. What stands behind it already is kept, and brought into step if it is the source.
        source: a video, a picture, or an image sequence: its folder, its pattern, or its first picture.
        take: of the source.
        fps: the scene's frames a second.
        last_frame: of the scene.

    Returns:
        What stands there.

    Raises:
        RuntimeError: Blender cannot read it.
    """
    camera.data.show_background_images = True
    pictures = _pictures(source, take)
    number = _background(camera.data, pictures[0] if pictures else source.resolve())
    image = camera.data.background_images[number].image
    if len(pictures) > 1:
        image.source = "SEQUENCE"
    if image.source != "FILE":
        passed = np.arange(last_frame - FIRST_FRAME + 1)
        seconds = passed / fps
        if pictures:
            shown = pictures_at(seconds, take) + _number(pictures[0]) - 1
        else:
            shown = seconds * (_movie_rate(source) or source_rate(take))
        _show_pictures(camera.data, number, np.round(shown).astype(np.int64) - passed)
    return image


def _background(lens: bpy.types.Camera, file: Path) -> int:
    """Index of the camera's background with a file, made where there is none."""
    for number, background in enumerate(lens.background_images):
        image = background.image
        if image is not None and Path(bpy.path.abspath(image.filepath)) == file:
            return number
    image = bpy.data.images.load(str(file), check_existing=True)
    background = lens.background_images.new()
    background.image = image
    background.alpha = 1.0
    return len(lens.background_images) - 1


def _show_pictures(lens: bpy.types.Camera, number: int, offsets: NDArray[np.integer]) -> None:
    """Let a background show picture `frame + offset` at each of the scene's frames, from `FIRST_FRAME` on."""
    user = lens.background_images[number].image_user
    user.frame_start, user.frame_duration, user.use_auto_refresh = FIRST_FRAME, len(offsets), True
    user.frame_offset = int(offsets[0])
    animated = lens.animation_data is not None and lens.animation_data.action is not None
    if animated or np.any(offsets != offsets[0]):
        if not animated:
            assign(lens, bpy.data.actions.new("Source Video"))
        changes = np.flatnonzero(np.diff(offsets, prepend=offsets[0] - 1))
        path = f"background_images[{number}].image_user.frame_offset"
        frames, values = (changes + FIRST_FRAME).astype(np.float64), offsets[changes].astype(np.float64)
        write_curves(curves(lens, lens.animation_data.action), path, "Source", frames, values[:, None], CONSTANT)


def pictures_at(seconds: Array, take: Take) -> Array:
    """(N,) seconds of the source -> (N,) its pictures, from 0; the mean rate is assumed before and after the take."""
    times, pictures = np.asarray(take.times, dtype=np.float64), np.asarray(take.frames, dtype=np.float64)
    beyond = np.minimum(seconds - times[0], 0) + np.maximum(seconds - times[-1], 0)
    return np.asarray(np.interp(seconds, times, pictures) + beyond * source_rate(take))


def _movie_rate(source: Path) -> float:
    """Pictures a second by which Blender counts a movie, also of variable rate: it looks for times."""
    clip = bpy.data.movieclips.load(str(source.resolve()))
    rate = float(clip.fps)
    bpy.data.movieclips.remove(clip)
    return rate


def _pictures(source: Path, take: Take) -> list[Path]:
    """The pictures of a sequence in order, or the only one; none for a video, and where there is nothing."""
    try:
        files = source_files(source.resolve(), sequence=int(take.frames[-1]) > 0)
    except FileNotFoundError:
        return []
    return [file for file in files if is_picture(file)]


def _number(picture: Path) -> int:
    """The last number in a picture's name, which Blender counts a sequence by; 1 where there is none."""
    digits = "".join(c if c.isdigit() else " " for c in picture.stem).split()
    return int(digits[-1]) if digits else 1
