"""A scene from the takes of one source: frame rate, figures, camera. Gathers; the other modules build."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import bpy
import numpy as np

from ..backend.motion.body_file import BodyFile
from ..backend.motion.placement import AS_RECORDED, Placement, on_ground, posed_joints, sole_height
from ..backend.motion.presence import fade_unseen
from ..backend.motion.smoothing import smooth_take
from ..backend.motion.take import Take
from .armature import build_armature
from .body_mesh import build_mesh
from .camera import build_camera, show_source
from .keyframes import FIRST_FRAME, key_frames, key_take

FRAME_RATES = (
    (8, 1.0), (10, 1.0), (12, 1.0), (25, 2.0), (15, 1.0), (24, 1.001), (24, 1.0), (25, 1.0), (30, 1.001), (30, 1.0),
    (48, 1.0), (50, 1.0), (60, 1.001), (60, 1.0), (90, 1.0), (100, 1.0), (120, 1.001), (120, 1.0), (240, 1.0),
)  # fmt: skip
"""Blender's `fps` and `fps_base`, whose quotient is the rate."""


@dataclass(frozen=True, eq=False)
class Figure:
    """One person in the scene."""

    armature: bpy.types.Object
    mesh: bpy.types.Object
    take: Take
    """As it was keyed: smoothed, hands and face at rest where unseen."""


@dataclass(frozen=True)
class BuiltScene:
    """What `build_scene` made."""

    figures: tuple[Figure, ...]
    placement: Placement
    fps: float
    camera: bpy.types.Object | None


def build_scene(
    takes: Sequence[Take], body: BodyFile, *, fps: float | None, smoothing: str, video: Path | None
) -> BuiltScene:
    """Fill the current scene with an animated figure for each take, their camera and the video behind it.

    Args:
        takes: of one source, at least one.
        body: for all of them.
        fps: the scene's frames a second; None = the usual rate nearest to the source's.
        smoothing: a method of `motion.smoothing.METHODS`.
        video: what stands behind the camera; None = nothing.

    Raises:
        ValueError: `takes` is empty, or the method unknown.
    """
    keyed = [fade_unseen(smooth_take(suited(take, body), smoothing), body.hands_mean) for take in takes]
    placement = place(keyed, body)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = frame_rate(fps or takes[0].mocap_frame_rate, exact=fps is not None)
    rate = scene.render.fps / scene.render.fps_base
    figures = tuple(build_figure(take, body, placement, rate) for take in keyed)
    _set_range(scene, keyed, rate)
    camera = build_camera(takes[0], placement) if takes[0].has_camera else None
    if camera is not None and video is not None:
        _show_source(camera, video, takes[0], rate)
    return BuiltScene(figures=figures, placement=placement, fps=rate, camera=camera)


def _show_source(camera: bpy.types.Object, video: Path, take: Take, fps: float) -> None:
    """The scene is whole without its background: what is wrong with it becomes a note."""
    try:
        image = show_source(camera, video, take.mocap_frame_rate, fps, bpy.context.scene.frame_end)
    except RuntimeError as error:
        note(f"nothing stands behind the camera, Blender cannot read {video}: {error}")
        return
    if (image.size[0] > image.size[1]) != (take.image_size[0] > take.image_size[1]):
        note(f"this Blender shows {video.name} lying on its side: before 4.5 it does not know a video's rotation flag")


def suited(take: Take, body: BodyFile) -> Take:
    """The take without betas and expression if they belong to another body model, whose numbers mean something else."""
    if (take.body == "open") == (body.name == "open"):
        return take
    note(f"shape and expression of a take for body '{take.body}' are left out: the scene has body '{body.name}'")
    return replace(take, betas=np.zeros_like(take.betas), expression=np.zeros_like(take.expression))


def place(takes: Sequence[Take], body: BodyFile) -> Placement:
    """On the ground if a camera saw the takes; as recorded if they come from elsewhere."""
    if not takes[0].has_camera:
        return AS_RECORDED
    rests = [body.rest_joints(take.betas) for take in takes]
    people = [posed_joints(take, rest) for take, rest in zip(takes, rests, strict=True)]
    soles = [sole_height(_rest_vertices(take, body), rest) for take, rest in zip(takes, rests, strict=True)]
    return on_ground(people, soles)


def frame_rate(rate: float, *, exact: bool) -> tuple[int, float]:
    """Blender's (fps, fps_base) for a rate: itself if `exact`, otherwise the usual rate nearest to it."""
    usual = min(FRAME_RATES, key=lambda pair: abs(np.log(pair[0] / pair[1] / rate)))
    if not exact or abs(usual[0] / usual[1] - rate) < 0.002 * rate / usual[0]:
        return usual
    whole = max(1, round(rate))
    return whole, whole / rate


def build_figure(take: Take, body: BodyFile, placement: Placement, fps: float) -> Figure:
    """Armature, mesh and keys of one person."""
    name = f"{Path(take.source).stem or 'Take'} Person {take.person}"
    joints = body.rest_joints(take.betas)
    lift = -float(_rest_vertices(take, body)[:, 1].min())
    armature = build_armature(name, joints, lift)
    mesh = build_mesh(f"{name} Body", body, take.betas, lift, armature)
    key_take(armature, mesh, take, joints[0], placement, fps)
    return Figure(armature=armature, mesh=mesh, take=take)


def note(sentence: str) -> None:
    """Tell whoever reads this process's messages."""
    print(f"pose2pose: {sentence}", file=sys.stderr)


def _rest_vertices(take: Take, body: BodyFile) -> np.ndarray:
    return body.v_template + body.shapedirs @ np.asarray(take.betas, dtype=np.float32)


def _set_range(scene: bpy.types.Scene, takes: Sequence[Take], fps: float) -> None:
    frames = np.concatenate([key_frames(take.times, fps) for take in takes])
    scene.frame_start = max(FIRST_FRAME, int(np.floor(frames.min())))
    scene.frame_end = int(np.ceil(frames.max()))
    scene.frame_set(scene.frame_start)
