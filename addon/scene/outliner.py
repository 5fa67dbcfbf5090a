"""Where in the outliner the objects of a capture go."""

import bpy

CAPTURE = "pose2pose_clip"
"""Custom property of a collection that was made here: the clip that it is for."""


def capture_collection(scene: bpy.types.Scene, clip: str) -> bpy.types.Collection:
    """The collection of a clip, made in the user's active collection, or in the scene's where that one is hidden.

    One that is there already is used again if its objects can be seen.
    """
    layer = bpy.context.view_layer
    shown = {child.collection for child in _shown(layer.layer_collection)}
    for collection in scene.collection.children_recursive:
        if collection.get(CAPTURE) == clip and collection in shown:
            return collection
    made = bpy.data.collections.new(clip)
    made[CAPTURE] = clip
    active = layer.active_layer_collection.collection
    (active if active in shown and active.is_editable else scene.collection).children.link(made)
    return made


def drop_if_empty(collection: bpy.types.Collection) -> None:
    """Remove a collection that was made here and holds nothing any more."""
    if CAPTURE in collection and not collection.all_objects and not collection.children:
        bpy.data.collections.remove(collection)


def _shown(layer: bpy.types.LayerCollection) -> list[bpy.types.LayerCollection]:
    """A layer collection and those below it whose objects are visible."""
    if layer.exclude or not layer.is_visible:
        return []
    return [layer, *(shown for child in layer.children for shown in _shown(child))]
