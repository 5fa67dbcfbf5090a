"""A scene from the takes of one source: times, figures, camera. Gathers; the other modules build."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from ...backend.motion.body_file import BodyFile
from ...backend.motion.placement import (
    AS_RECORDED,
    Placement,
    camera_pitch,
    on_ground,
    posed_joints,
    sole_height,
    world_from_camera,
)
from ...backend.motion.settings import KeySettings, moved
from ...backend.motion.take import Take
from .armature import build_armature
from .body_mesh import BODY, build_mesh
from .camera import match_camera
from .keyframes import key_frames, key_take
from .outliner import capture_collection
from .rig import body_of, check_target, face_of, motion_kept, read_rig, ready, world_of
from .stored import Fit, shot_of, store, store_fit, stored_fit, stored_summary, take_action
from .timeline import fit_range, grow_range, has_a_past, scene_rate, set_rate, source_rate
from .transaction import all_or_nothing

Array = NDArray[np.float64]

DEFAULT = KeySettings()


@dataclass(frozen=True, eq=False)
class Figure:
    """One person in the scene."""

    armature: bpy.types.Object
    mesh: bpy.types.Object | None
    """With the expression; None where an armature that was there already has no such mesh."""
    take: Take
    """As it was keyed: smoothed, hands and face at rest where unseen."""


@dataclass(frozen=True)
class BuiltScene:
    """What `build_scene` made."""

    figures: tuple[Figure, ...]
    placement: Placement
    fps: float
    camera: bpy.types.Object | None
    notes: tuple[str, ...]
    """Sentences that a user should read."""


def build_scene(
    takes: Sequence[Take],
    body: BodyFile,
    *,
    fps: float | None,
    settings: KeySettings = DEFAULT,
    video: Path | None,
    target: bpy.types.Object | None = None,
) -> BuiltScene:
    """Key takes in the current scene: a new figure for each, or an armature that is there already.

    The user's mode, selection and hidden collections stay as they are, and when something goes wrong, all of the scene.
    The camera that filmed is made when its source is given, or when the scene has no camera yet.

    Args:
        takes: of one source, at least one.
        body: of new figures. Shape and expression of takes for another body are left out, with a note.
        fps: the scene's frames a second; None = the usual rate nearest to the source's.
        settings: smoothing, placement and fading.
        video: what stands behind the camera; None = nothing.
        target: an armature with SMPL-X's bones that gets the motion of the one take. It keeps its shape, its pelvis
            goes the person's way, unscaled so that a matched camera sees it in place, and its own feet stand on the
            ground: strides of much longer or shorter legs slide.

    Raises:
        ValueError: no take, several takes for a target, or a target that is no SMPL-X armature.
    """
    if not takes or (target is not None and len(takes) > 1):
        raise ValueError(f"got {len(takes)} takes: give at least one, and exactly one for an armature of yours")
    scene = bpy.context.scene
    notes: list[str] = []
    with all_or_nothing(), motion_kept(target):
        fresh = not has_a_past(scene)
        set_rate(scene, fps or source_rate(takes[0]), exact=fps is not None)
        if target is None:
            figures, placement = _new_figures(scene, takes, body, settings, notes)
        else:
            figures, placement = _on_target(scene, takes[0], body, settings, target, notes)
        frames = np.concatenate([key_frames(take.times, scene_rate(scene)) for take in takes])
        (fit_range if fresh else grow_range)(scene, frames)
        camera = None
        if takes[0].has_camera and (video is not None or scene.camera is None):
            for figure in figures:
                matched = match_camera(scene, figure.armature, video)
                camera = matched.camera
                notes += [note for note in matched.notes if note not in notes]
        _select(figures)
    return BuiltScene(figures, placement, scene_rate(scene), camera, tuple(notes))


def _new_figures(
    scene: bpy.types.Scene, takes: Sequence[Take], body: BodyFile, settings: KeySettings, notes: list[str]
) -> tuple[tuple[Figure, ...], Placement]:
    keyed = [moved(_suited(take, body.name, notes), settings, body.hands_mean) for take in takes]
    rests = [body.rest_joints(take.betas) for take in keyed]
    ground = _ground(scene, keyed, rests, body)
    collection = capture_collection(scene, _clip(takes[0]))
    figures = []
    for raw, take, rest in zip(takes, keyed, rests, strict=True):
        figure = Figure(*_new_rig(f"{_clip(take)} Person {take.person}", body, take, rest), take)
        collection.objects.link(figure.armature)
        collection.objects.link(figure.mesh)
        _key(scene, figure, raw, rest[0], body, ground, settings)
        figures.append(figure)
    return tuple(figures), ground if settings.ground else AS_RECORDED


def _new_rig(name: str, body: BodyFile, take: Take, rest: Array) -> tuple[bpy.types.Object, bpy.types.Object]:
    lift = -float(_rest_vertices(take, body)[:, 1].min())
    armature = build_armature(name, rest, lift)
    armature.data[BODY] = body.name
    return armature, build_mesh(f"{name} Body", body, take.betas, lift, armature)


def _on_target(
    scene: bpy.types.Scene,
    raw: Take,
    body: BodyFile,
    settings: KeySettings,
    target: bpy.types.Object,
    notes: list[str],
) -> tuple[tuple[Figure, ...], Placement]:
    bpy.context.view_layer.update()  # where it stands may have been said a moment ago
    check_target(target)
    world = world_of(target)
    pelvis = body.rest_joints(raw.for_body(body.name).betas)[0]
    rest = read_rig(target).rest_joints(world)
    take = moved(_suited(raw, body_of(target), notes), settings, body.hands_mean)
    ground = _ground(scene, [take], [rest + pelvis - rest[0]], body)
    mesh = face_of(target)
    figure = Figure(target, mesh, take)
    ready(target)
    _key(scene, figure, raw, pelvis, body, ground, settings)
    return (figure,), ground if settings.ground else AS_RECORDED


def _key(
    scene: bpy.types.Scene,
    figure: Figure,
    raw: Take,
    pelvis: Array,
    body: BodyFile,
    ground: Placement,
    settings: KeySettings,
) -> None:
    """Key a figure, and put into its action what keying it again needs."""
    armature, fps = figure.armature, scene_rate(scene)
    fit = Fit(
        body=body_of(armature),
        pelvis=pelvis.tolist(),
        hands_rest=body.hands_mean.tolist(),
        ground=ground.offset.tolist(),
        pitch=ground.pitch,
        world=world_of(armature).tolist(),
        fps=fps,
    )
    action = key_take(armature, figure.mesh, figure.take, pelvis, ground if settings.ground else AS_RECORDED, fps)
    store(action, raw, settings)
    store_fit(action, fit)


def _suited(take: Take, body: str, notes: list[str]) -> Take:
    suited = take.for_body(body)
    if suited is not take:
        notes.append(f"shape and expression of a take for body '{take.body}' are left out: the scene has body '{body}'")
    if not take.flat_hand_mean and body == "open":
        notes.append("fingers are relative to the mean hand of SMPL-X: the open body's relaxed hand stands in for it")
    return suited


def _ground(scene: bpy.types.Scene, takes: Sequence[Take], rests: Sequence[Array], body: BodyFile) -> Placement:
    """What puts people upright on the ground: the same for all of one shot, also those who are there already.

    Takes that know no camera come from elsewhere and stand where they say.
    """
    if not takes[0].has_camera:
        return AS_RECORDED
    shot = shot_of(takes[0])
    for item in scene.objects:
        action = take_action(item)
        if action is not None and stored_summary(action).shot == shot:
            return stored_fit(action).placement(ground=True)
    people = [posed_joints(take, rest) for take, rest in zip(takes, rests, strict=True)]
    pitch = camera_pitch([_observed(take, posed) for take, posed in zip(takes, people, strict=True)])
    soles = [sole_height(_rest_vertices(take, body), body.rest_joints(take.betas)) for take in takes]
    return on_ground(people, soles, pitch=pitch)


def _observed(take: Take, posed: Array) -> Array:
    """(T, 55, 3) joints as they were seen; as they are posed where another program knew the camera and no joints."""
    joints = world_from_camera(take.joints_cam)
    return joints if np.isfinite(joints).all() else posed


def _rest_vertices(take: Take, body: BodyFile) -> NDArray[np.float32]:
    return np.asarray(body.v_template + body.shapedirs @ np.asarray(take.betas, dtype=np.float32))


def _clip(take: Take) -> str:
    return Path(take.source).stem or "Take"


def _select(figures: Sequence[Figure]) -> None:
    """Let the user see what was made, unless they are at work on something else."""
    layer = bpy.context.view_layer
    if layer.objects.active is not None and layer.objects.active.mode != "OBJECT":
        return
    for item in layer.objects.selected:
        item.select_set(False)
    for figure in figures:
        figure.armature.select_set(True)
    layer.objects.active = figures[0].armature
