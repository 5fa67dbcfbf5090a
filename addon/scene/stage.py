"""A scene of its own for a moment: work that needs one leaves the user's mode, selection and frame alone."""

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
def edit_mode(item: bpy.types.Object) -> Iterator[None]:
    """Edit an object on a stage, whatever is edited, hidden or excluded where the user works."""
    with stage(item) as scene:
        layer = scene.view_layers[0]
        layer.objects.active = item
        with bpy.context.temp_override(scene=scene, view_layer=layer, active_object=item, object=item):
            bpy.ops.object.mode_set(mode="EDIT")
            yield
            bpy.ops.object.mode_set(mode="OBJECT")
