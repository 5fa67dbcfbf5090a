"""The takes in a scene: who has one, what it says, keying it again, and removing it. No backend, no source needed."""

from dataclasses import dataclass, replace

import bpy
import numpy as np

from ...backend.motion.settings import KeySettings as KeySettings
from ...backend.motion.settings import moved
from .camera import find_camera, follows, measure, stand
from .keyframes import EXPRESSION, key_frames, write_take
from .outliner import drop_if_empty
from .removal import come_to_rest, remove_camera, remove_rig, remove_unused
from .rig import face_of, is_ours
from .stored import store as store
from .stored import store_fit, store_settings, stored_fit, stored_summary, take_action
from .stored import stored as stored
from .timeline import grow_range, scene_rate


@dataclass(frozen=True)
class TakeInfo:
    """A take in the scene, in short."""

    person: int
    """Number of the person in the source, from 1."""
    source: str
    """Name of the source file."""
    frames: int
    source_fps: float
    scene_fps: float
    """Frames a second of the scene when it was keyed."""
    confidence: dict[str, float]
    """For each of `body`, `left_hand`, `right_hand` and `face` the mean over the take, 0..1."""
    error_px: float | None
    """Reprojection error (`camera.match_camera`) of the keys that are there now; None = not measured."""
    error_share: float | None
    """The same in heights of the person."""


def armatures(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The scene's armatures that move by a take, in the order of their names."""
    found = [item for item in scene.objects if item.type == "ARMATURE" and take_action(item) is not None]
    return sorted(found, key=lambda item: item.name)


def describe(armature: bpy.types.Object) -> TakeInfo:
    """What a panel shows of an armature's take. Fast: the take is not unpacked.

    Raises:
        ValueError: it holds none.
    """
    action = _action(armature)
    summary, fit = stored_summary(action), stored_fit(action)
    error_px, error_share = fit.error or (None, None)
    return TakeInfo(
        person=summary.person,
        source=summary.source,
        frames=summary.frames,
        source_fps=summary.fps,
        scene_fps=fit.fps,
        confidence=summary.confidence,
        error_px=error_px,
        error_share=error_share,
    )


def rekey(armature: bpy.types.Object, settings: KeySettings) -> None:
    """Key an armature's take again, at the scene's frame rate, in place of its keys; all else in the action stays.

    The armature may have been moved, renamed and given other meshes meanwhile. When the placement changes, the matched
    camera follows; people of one source keep their places to each other when all of them are keyed with it.

    Raises:
        ValueError: it holds no take, or the action is linked from another file.
    """
    action = _action(armature)
    if not action.is_editable:
        raise ValueError(f"the action '{action.name}' is linked from another file: make it local to key it again")
    take, before = stored(action)
    scene = _scene(armature)
    fit = replace(stored_fit(action), fps=scene_rate(scene), error=None)
    hands_rest = np.array(fit.hands_rest)
    keyed = moved(take.for_body(fit.body), settings, hands_rest)
    placement = fit.placement(ground=settings.ground)
    world, pelvis = np.array(fit.world), np.array(fit.pelvis)
    write_take(action, armature, face_of(armature), keyed, world, pelvis, placement, fit.fps)
    store_settings(action, settings)
    store_fit(action, fit)
    grow_range(scene, key_frames(take.times, fit.fps))
    camera = find_camera(scene, stored_summary(action).shot)
    if camera is not None:
        if before.ground != settings.ground and follows(camera, fit, ground=before.ground):
            stand(camera, armature, fit, ground=settings.ground)
        measure(scene, camera, armature, take)


def delete(armature: bpy.types.Object) -> None:
    """Remove a take. An armature that was built here goes with its body, the user's own stays and comes to rest.

    Camera, video, material and collection go when nobody else uses them.

    Raises:
        ValueError: it holds no take.
    """
    action = _action(armature)
    shot, homes = stored_summary(action).shot, [*armature.users_collection]
    actions = [action, action.get(EXPRESSION)]
    parts = remove_rig(armature) if is_ours(armature) else come_to_rest(armature, actions)
    others = (take_action(item) for item in bpy.data.objects)
    if not any(other is not None and stored_summary(other).shot == shot for other in others):
        parts += remove_camera(shot)
    remove_unused([*parts, *actions])
    for home in homes:
        drop_if_empty(home)


def _action(armature: bpy.types.Object) -> bpy.types.Action:
    action = take_action(armature)
    if action is None:
        raise ValueError(f"'{armature.name}' holds no take of pose2pose: capture one, or choose another armature")
    return action


def _scene(armature: bpy.types.Object) -> bpy.types.Scene:
    """The current scene if the armature is in it, otherwise one that it is in."""
    here = bpy.context.scene
    return here if armature.name in here.objects else next(iter(armature.users_scene), here)
