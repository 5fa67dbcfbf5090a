"""For a moment: a scene of its own, Edit Mode, the pose. The user's mode, selection and frame stay as they are."""

from collections.abc import Iterator
from contextlib import contextmanager

import bpy


@contextmanager
def stage(*items: bpy.types.Object) -> Iterator[bpy.types.Scene]:
    """Link objects to a scene that ends with the block; they need not be visible anywhere else."""
    scene = bpy.data.scenes.new("Pose2Pose")
    hidden = [item for item in items if item.hide_viewport]
    try:
        for item in items:
            scene.collection.objects.link(item)
            item.hide_viewport = False
        yield scene
    finally:
        for item in hidden:
            item.hide_viewport = True
        bpy.data.scenes.remove(scene)


@contextmanager
def posed(armature: bpy.types.Object) -> Iterator[None]:
    """Let an armature show its pose, also where the user looks at its rest position.

    Raises:
        ValueError: it is in Edit Mode, in which Blender poses nothing.
    """
    if armature.data.is_editmode:
        raise ValueError(f"'{armature.name}' is in Edit Mode, in which it has no pose: leave it first")
    before = armature.data.pose_position
    armature.data.pose_position = "POSE"
    try:
        yield
    finally:
        armature.data.pose_position = before


@contextmanager
def edit_mode(item: bpy.types.Object) -> Iterator[None]:
    """Edit an object on a stage, whatever is edited, hidden or excluded where the user works."""
    with stage(item) as scene:
        layer = scene.view_layers[0]
        layer.objects.active = item
        with bpy.context.temp_override(scene=scene, view_layer=layer, active_object=item, object=item):
            bpy.ops.object.mode_set(mode="EDIT")
            yield
            bpy.ops.object.mode_set(mode="OBJECT")
