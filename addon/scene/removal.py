"""Take out of the file what a capture put into it, and nothing that somebody else uses."""

import bpy

from ...backend.motion.presence import PARTS
from ...backend.motion.skeleton import JOINT_NAMES
from .body_mesh import BODY
from .camera import find_camera
from .rig import face_of, meshes_of

Parts = list[bpy.types.ID | None]
"""Data of objects that are gone. What has no user left may go, too."""


def remove_rig(armature: bpy.types.Object) -> Parts:
    """Remove an armature that was built here and its body; what else hangs on it stays where it is."""
    bodies = [mesh for mesh in meshes_of(armature) if BODY in mesh.data]
    children = [(child, child.matrix_world.copy()) for child in armature.children if child not in bodies]
    actions = _actions(armature)
    parts: Parts = [armature.data]
    for mesh in bodies:
        parts += [mesh.data, *(_actions(mesh.data.shape_keys) if mesh.data.shape_keys else []), *mesh.data.materials]
    bpy.data.batch_remove([armature, *bodies])
    for child, place in children:
        child.matrix_world = place
    return [*parts, *actions]


def come_to_rest(armature: bpy.types.Object, actions: Parts) -> Parts:
    """Take actions off an armature of the user's and its mesh; nothing of it goes."""
    mesh = face_of(armature)
    for owner in (armature, mesh.data.shape_keys if mesh is not None else None):
        if owner is not None and owner.animation_data is not None and owner.animation_data.action in actions:
            owner.animation_data.action = None
    for name in JOINT_NAMES:
        armature.pose.bones[name].matrix_basis.identity()
    for part in PARTS:
        armature.pop(f"confidence_{part}", None)
    return []


def remove_camera(shot: str) -> Parts:
    """Remove the camera that filmed a shot from the scenes that have it."""
    parts: Parts = []
    for scene in bpy.data.scenes:
        camera = find_camera(scene, shot)
        if camera is not None:
            lens = camera.data
            parts += [lens, *_actions(lens), *_actions(camera)]
            parts += [background.image for background in lens.background_images]
            bpy.data.batch_remove([camera])
    return parts


def remove_unused(parts: Parts) -> None:
    """Remove what nobody uses any more, and then what only that used."""
    left = {part for part in parts if part is not None}
    while unused := {part for part in left if part.users == 0}:
        left -= unused
        bpy.data.batch_remove(unused)


def _actions(owner: bpy.types.ID) -> list[bpy.types.Action]:
    animation = owner.animation_data
    return [animation.action] if animation is not None and animation.action is not None else []
