"""A rig that is built whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager

import bpy

_SCENE = ("frame_start", "frame_end", "frame_current", "camera")
_RENDER = (
    "fps", "fps_base", "resolution_x", "resolution_y", "resolution_percentage", "pixel_aspect_x", "pixel_aspect_y",
)  # fmt: skip


@contextmanager
def all_or_nothing() -> Iterator[None]:
    """When the block raises, remove what it added to the file and give the scene its times and picture size back."""
    before = set(bpy.data.user_map())
    scene = bpy.context.scene
    kept = [
        (owner, name, getattr(owner, name))
        for owner, names in ((scene, _SCENE), (scene.render, _RENDER))
        for name in names
    ]
    active = bpy.context.view_layer.objects.active
    try:
        yield
    except BaseException:
        bpy.data.batch_remove(set(bpy.data.user_map()) - before)
        for owner, name, value in kept:
            setattr(owner, name, value)
        bpy.context.view_layer.objects.active = active
        raise
