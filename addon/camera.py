"""The take's camera in the scene, with the video behind it, so that the body lies over the person."""

import math
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from ..backend.motion.placement import Placement
from ..backend.motion.take import Take
from .keyframes import FIRST_FRAME, channels, write_curves

SENSOR_WIDTH = 36.0
"""Millimeters; lens lengths then read as on 35 mm film."""
PICTURE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
CONSTANT = 0
"""Number of the interpolation mode in Blender's files."""


def build_camera(take: Take, placement: Placement) -> bpy.types.Object:
    """Make the camera that saw the take and give the scene its picture size.

    Args:
        take: must know its camera (`Take.has_camera`).
        placement: where the take stands.
    """
    width, height = (int(n) for n in take.image_size)
    focal_x, focal_y = (float(n) for n in take.focal)
    center_x, center_y = (float(n) for n in take.principal_point)
    lens = bpy.data.cameras.new("Source Camera")
    lens.sensor_fit = "HORIZONTAL"  # the same mathematics for portrait and landscape
    lens.sensor_width = SENSOR_WIDTH
    lens.lens = focal_x / width * SENSOR_WIDTH
    lens.shift_x = (width / 2 - center_x) / width
    lens.shift_y = (center_y - height / 2) * focal_x / focal_y / width
    camera = bpy.data.objects.new(lens.name, lens)
    camera.location = placement.offset
    camera.rotation_euler = (math.pi / 2, 0.0, 0.0)  # looks along +y, z up
    scene = bpy.context.scene
    scene.collection.objects.link(camera)
    scene.camera = camera
    _set_resolution(scene.render, width, height, focal_x / focal_y)
    return camera


def _set_resolution(render: bpy.types.RenderSettings, width: int, height: int, pixel_height: float) -> None:
    render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
    render.pixel_aspect_x = max(1.0, 1 / pixel_height)
    render.pixel_aspect_y = max(1.0, pixel_height)


def show_source(camera: bpy.types.Object, source: Path, rate: float, fps: float, last_frame: int) -> bpy.types.Image:
    """Put a video, image sequence or picture behind the camera, in step with the keys.

    Args:
        camera: the camera object.
        source: a video, a picture, or the folder of an image sequence.
        rate: the source's frames a second.
        fps: the scene's.
        last_frame: of the scene.

    Returns:
        What stands there.

    Raises:
        RuntimeError: Blender cannot read it.
    """
    pictures = _pictures(source)
    image = bpy.data.images.load(str(pictures[0] if pictures else source.resolve()), check_existing=True)
    if len(pictures) > 1:
        image.source = "SEQUENCE"
    background = camera.data.background_images.new()
    background.image = image
    background.alpha = 1.0
    camera.data.show_background_images = True
    if image.source != "FILE":
        offsets = source_offsets(np.arange(FIRST_FRAME, last_frame + 1), rate, fps)
        _show_pictures(camera.data, offsets + (_number(pictures[0]) - 1 if pictures else 0))
    return image


def _show_pictures(lens: bpy.types.Camera, offsets: NDArray[np.integer]) -> None:
    """Let the background show picture `frame + offset` at each of the scene's frames, from `FIRST_FRAME` on."""
    user = lens.background_images[0].image_user
    user.frame_start, user.frame_duration, user.use_auto_refresh = FIRST_FRAME, len(offsets), True
    user.frame_offset = int(offsets[0])
    if np.any(offsets != offsets[0]):
        changes = np.flatnonzero(np.diff(offsets, prepend=offsets[0] - 1))
        new_curve = channels(lens, bpy.data.actions.new("Source Video"))
        path = "background_images[0].image_user.frame_offset"
        frames, values = (changes + FIRST_FRAME).astype(np.float64), offsets[changes].astype(np.float64)
        write_curves(new_curve, path, "Source", frames, values[:, None], CONSTANT)


def source_offsets(frames: NDArray[np.integer], rate: float, fps: float) -> NDArray[np.integer]:
    """How many pictures the source is ahead of the scene at each frame: 0 where both run at one rate."""
    passed = frames - FIRST_FRAME
    return np.round(passed * rate / fps).astype(np.int64) - passed


def _pictures(source: Path) -> list[Path]:
    """The pictures of a sequence in order; none for a video."""
    if source.suffix.lower() in PICTURE_SUFFIXES:
        return [source.resolve()]
    if not source.is_dir():
        return []
    found = [path.resolve() for path in source.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES]
    return sorted(found, key=_number)


def _number(picture: Path) -> int:
    """The last number in a picture's name, which Blender counts a sequence by; 1 where there is none."""
    digits = "".join(c if c.isdigit() else " " for c in picture.stem).split()
    return int(digits[-1]) if digits else 1
