"""What can be done with takes that are in the scene. None of it needs the backend."""

from typing import ClassVar

import bpy
from bpy.props import StringProperty

from ..scene import camera, takes
from ..scene.stored import take_action
from ..scene.transaction import all_or_nothing
from ..texts import sentence
from . import activity
from .errors import fail
from .job_operator import Result
from .plan import remembered_source


def active_take(context: bpy.types.Context) -> bpy.types.Object | None:
    """The armature with a take that is active, or whose body is; None where there is none."""
    chosen = context.view_layer.objects.active if context.view_layer is not None else None
    known = takes.armatures(context.scene)
    for candidate in (chosen, chosen.parent if chosen is not None else None):
        if candidate is not None and candidate in known:
            return candidate
    return None


class TakeOperator(bpy.types.Operator):
    """Changes the active take; errors become a sentence in the panel."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with an active take."""
        if active_take(context) is None:
            cls.poll_message_set("Select an armature with a take first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> Result:
        """Do it, or say what is wrong."""
        try:
            with all_or_nothing():
                self.change(context, active_take(context))
        except Exception as error:
            return fail(self, error)
        activity.redraw()
        return {"FINISHED"}

    def change(self, context: bpy.types.Context, armature: bpy.types.Object) -> None:
        """What the operator does."""
        raise NotImplementedError


class POSE2POSE_OT_rekey(TakeOperator):
    """The button 'Apply'."""

    bl_idname = "pose2pose.rekey"
    bl_label = "Apply"
    bl_description = (
        "Write the take's keys again with the smoothing and placement chosen here. The captured motion is kept"
    )
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    def change(self, context: bpy.types.Context, armature: bpy.types.Object) -> None:
        """Same action, new keys."""
        takes.rekey(armature, context.scene.pose2pose.keying.as_settings())


class POSE2POSE_OT_match_camera(TakeOperator):
    """The button 'Match Camera'."""

    bl_idname = "pose2pose.match_camera"
    bl_label = "Match Camera"
    bl_description = "Make the camera that filmed, with the source behind it, so that the body lies over the person"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    def change(self, context: bpy.types.Context, armature: bpy.types.Object) -> None:
        """Camera, background, and how far off the body is."""
        matched = camera.match_camera(context.scene, armature, remembered_source(armature))
        said = (error_text(matched.error_px, matched.error_share), *matched.notes)
        self.report({"INFO"}, " ".join(map(sentence, said)))


def error_text(pixels: float | None, share: float | None) -> str:
    """How well keyed joints lie over the ones that were seen."""
    if pixels is None or share is None:
        return "How far the body is off is not known: the take has no keypoints, or its armature is in Edit Mode"
    return f"Off by {pixels:.1f} px ({100 * share:.1f} % of the person's height)"


class POSE2POSE_OT_delete_take(TakeOperator):
    """The button 'Delete Take'."""

    bl_idname = "pose2pose.delete_take"
    bl_label = "Delete Take"
    bl_description = "Delete the take with its armature, body and keys"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """Ask first."""
        return context.window_manager.invoke_confirm(self, event)

    def change(self, _context: bpy.types.Context, armature: bpy.types.Object) -> None:
        """Everything that nobody else uses."""
        takes.delete(armature)


class POSE2POSE_OT_select_take(bpy.types.Operator):
    """The button 'Select Take'."""

    bl_idname = "pose2pose.select_take"
    bl_label = "Select Take"
    bl_description = "Select this take's armature and show what it was keyed with"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    armature: StringProperty(name="Armature", description="Name of the armature")

    def execute(self, context: bpy.types.Context) -> Result:
        """Only this one is selected then."""
        armature = context.scene.objects.get(self.armature)
        if armature is None:
            self.report({"ERROR"}, f"There is no armature '{self.armature}' in this scene")
            return {"CANCELLED"}
        if armature.name not in context.view_layer.objects:
            self.report({"ERROR"}, f"'{armature.name}' is in a collection that is excluded from the view layer")
            return {"CANCELLED"}
        select_only(context, armature)
        action = take_action(armature)
        if action is not None:
            context.scene.pose2pose.keying.show(takes.stored(action)[1])
        return {"FINISHED"}


def select_only(context: bpy.types.Context, item: bpy.types.Object) -> None:
    """Leave whatever mode Blender is in, and select an object alone."""
    if context.object is not None and context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    for other in context.view_layer.objects:
        other.select_set(other == item)
    context.view_layer.objects.active = item


classes = (
    POSE2POSE_OT_rekey,
    POSE2POSE_OT_match_camera,
    POSE2POSE_OT_delete_take,
    POSE2POSE_OT_select_take,
)
register, unregister = bpy.utils.register_classes_factory(classes)
