"""The small buttons around the panel: choose a file, open the preferences."""

from typing import ClassVar

import bpy
from bpy.props import BoolProperty, StringProperty

from ..setup import preferences
from .job_operator import Result


class POSE2POSE_OT_choose_source(bpy.types.Operator):
    """The button 'Choose Source'."""

    bl_idname = "pose2pose.choose_source"
    bl_label = "Choose Source"
    bl_description = "Choose a video, a picture, or a folder of pictures (open it and accept without choosing a file)"
    bl_options: ClassVar = {"INTERNAL", "UNDO"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    relative_path: BoolProperty(name="Relative Path", description="Relative to the .blend file", default=False)
    filter_movie: BoolProperty(default=True, options={"HIDDEN"})
    filter_image: BoolProperty(default=True, options={"HIDDEN"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> Result:
        """Open the file browser where the last file was."""
        self.filepath = bpy.path.abspath(context.scene.pose2pose.filepath)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> Result:
        """Take the file over."""
        relative = self.relative_path and bpy.data.is_saved
        context.scene.pose2pose.filepath = bpy.path.relpath(self.filepath) if relative else self.filepath
        return {"FINISHED"}


class POSE2POSE_OT_open_preferences(bpy.types.Operator):
    """The button 'Open Preferences'."""

    bl_idname = "pose2pose.open_preferences"
    bl_label = "Open Preferences"
    bl_description = "Open the add-on's preferences: set the backend up, diagnose what is wrong with it"
    bl_options: ClassVar = {"INTERNAL"}

    def execute(self, _context: bpy.types.Context) -> Result:
        """Show the add-on with its settings unfolded."""
        bpy.ops.preferences.addon_show(module=preferences.ADDON)
        return {"FINISHED"}


classes = (POSE2POSE_OT_choose_source, POSE2POSE_OT_open_preferences)
register, unregister = bpy.utils.register_classes_factory(classes)
