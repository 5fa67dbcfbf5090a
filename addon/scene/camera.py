"""The camera that filmed a take, in the scene, with the source behind it, so that the body lies over the person."""

import math
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from ...backend.motion.take import Take
from .background import show_source
from .reprojection import reprojection_error
from .stored import Fit, shot_of, store_error, stored, stored_fit, take_action
from .timeline import scene_rate

SENSOR_WIDTH = 36.0
"""Millimeters; lens lengths then read as on 35 mm film."""
SHOT = "pose2pose_shot"
"""Custom property of a camera: what it filmed (`stored.shot_of`)."""
FOLLOWS = "pose2pose_follows"
"""Custom property of a camera: where it was put, meters, and its pitch, radians: four numbers."""


@dataclass(frozen=True, eq=False)
class MatchedCamera:
    """A camera through which the keyed person lies over the one in the source."""

    camera: bpy.types.Object
    error_px: float | None
    """Median distance of limb joints from the capture's keypoints; None if it could not be measured."""
    error_share: float | None
    """The same in heights of the person."""
    notes: tuple[str, ...] = ()
    """Sentences that a user should read."""


def match_camera(scene: bpy.types.Scene, armature: bpy.types.Object, video: Path | None) -> MatchedCamera:
    """Let the scene look through the camera that filmed a keyed armature, and measure how well they agree.

    People of one source share one camera; it goes to where the person stands that it is matched to.

    Args:
        scene: gets the camera and the source's picture size.
        armature: holds a take.
        video: what stands behind the camera; None = what stands there already.

    Raises:
        ValueError: no take, or one that knows no camera.
    """
    action = take_action(armature)
    if action is None:
        raise ValueError(f"'{armature.name}' holds no take of pose2pose")
    take, settings = stored(action)
    if not take.has_camera:
        raise ValueError(f"the take of '{armature.name}' comes from elsewhere and does not say which camera saw it")
    fit = stored_fit(action)
    camera = find_camera(scene, shot_of(take)) or _new_camera(scene, armature, take)
    stand(camera, armature, fit, ground=settings.ground)
    composed = scene.camera not in (None, camera)
    scene.camera = camera
    notes = _set_resolution(scene.render, take, composed=composed)
    if video is not None:
        notes += _show_behind(scene, camera, video, take)
    pixels, share = measure(scene, camera, armature, take) or (None, None)
    return MatchedCamera(camera, pixels, share, tuple(notes))


def measure(
    scene: bpy.types.Scene, camera: bpy.types.Object, armature: bpy.types.Object, take: Take
) -> tuple[float, float] | None:
    """Measure the reprojection error of an armature's take, and note it there."""
    action = take_action(armature)
    error = reprojection_error(scene, camera, armature, take, stored_fit(action).fps)
    if error is not None:
        store_error(action, *error)
    return error


def find_camera(scene: bpy.types.Scene, shot: str) -> bpy.types.Object | None:
    """The scene's camera that filmed a shot."""
    return next((item for item in scene.objects if item.type == "CAMERA" and item.get(SHOT) == shot), None)


def stand(camera: bpy.types.Object, armature: bpy.types.Object, fit: Fit, *, ground: bool) -> None:
    """Put a camera where it sees the armature as the source's did, wherever the armature has been moved to."""
    moved = armature.matrix_world @ Matrix(fit.world).inverted()
    placement = fit.placement(ground=ground)
    level = math.pi / 2  # along +y, z up
    seen = Matrix.Translation(placement.offset) @ Matrix.Rotation(level + placement.pitch, 4, "X")
    place, turn, _ = (moved @ seen).decompose()
    camera.matrix_world = Matrix.LocRotScale(place, turn, None)
    camera[FOLLOWS] = _standpoint(fit, ground)


def follows(camera: bpy.types.Object, fit: Fit, *, ground: bool) -> bool:
    """Whether a camera was put where it sees a take with this placement."""
    there = [*camera.get(FOLLOWS, ()), 0.0][:4]  # of files saved before cameras had a pitch: three numbers
    wanted = _standpoint(fit, ground)
    return len(there) == len(wanted) and np.allclose(there, wanted)


def _standpoint(fit: Fit, ground: bool) -> list[float]:
    placement = fit.placement(ground=ground)
    return [*placement.offset.tolist(), placement.pitch]


def _new_camera(scene: bpy.types.Scene, armature: bpy.types.Object, take: Take) -> bpy.types.Object:
    """The lens of a take, in the armature's collection."""
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
    camera[SHOT] = shot_of(take)
    homes = [home for home in armature.users_collection if home in scene.collection.children_recursive]
    (homes[0] if homes else scene.collection).objects.link(camera)
    return camera


def _set_resolution(render: bpy.types.RenderSettings, take: Take, *, composed: bool) -> list[str]:
    """Give the scene the source's picture size; a note where somebody had `composed` a picture of another."""
    width, height = (int(n) for n in take.image_size)
    pixel_height = float(take.focal[0] / take.focal[1])
    before = (render.resolution_x, render.resolution_y)
    render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
    render.pixel_aspect_x = max(1.0, 1 / pixel_height)
    render.pixel_aspect_y = max(1.0, pixel_height)
    if before == (width, height) or not composed:
        return []
    return [f"the scene's picture size is the source's now, {width} x {height} (before: {before[0]} x {before[1]})"]


def _show_behind(scene: bpy.types.Scene, camera: bpy.types.Object, video: Path, take: Take) -> list[str]:
    """The scene is whole without its background: what is wrong with it becomes a note."""
    try:
        image = show_source(camera, video, take, scene_rate(scene), scene.frame_end)
    except RuntimeError:
        return [f"nothing stands behind the camera, Blender cannot read {video}"]
    if image.source == "MOVIE" and (image.size[0] > image.size[1]) != (take.image_size[0] > take.image_size[1]):
        return [
            f"this Blender shows {video.name} lying on its side: before 4.5 it does not know a video's rotation flag"
        ]
    return []
