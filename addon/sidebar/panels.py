"""The sidebar: what to capture, what is going on, what came out of it. Draws only; every button is an operator."""

from pathlib import Path
from typing import Any, ClassVar

import bpy

from ..pictures import is_picture
from ..setup import preferences
from ..texts import count_frames, count_people, draw_text, duration, unit_of
from . import activity, plan, thumbnails
from .capture_operators import POSE2POSE_OT_cancel, POSE2POSE_OT_capture, POSE2POSE_OT_dismiss_error, POSE2POSE_OT_scan


class SidebarPanel:
    """Where all of these panels are."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Pose2Pose"


class POSE2POSE_PT_main(SidebarPanel, bpy.types.Panel):
    """Source, people, and the button."""

    bl_label = "Pose2Pose"

    def draw(self, context: bpy.types.Context) -> None:
        """Top to bottom in the order of use."""
        layout, settings, state = self.layout, context.scene.pose2pose, context.window_manager.pose2pose
        layout.use_property_split = True
        layout.use_property_decorate = False
        _draw_missing_backend(layout, context)
        choices = layout.column()
        choices.enabled = not activity.running()
        _draw_source(choices, settings)
        _draw_people(choices, context)
        _draw_target(choices, settings)
        if activity.running():
            _draw_progress(layout, state)
        else:
            row = layout.row()
            row.scale_y = 1.6
            row.context_pointer_set("pose2pose_settings", settings)
            row.operator(POSE2POSE_OT_capture.bl_idname, icon="ARMATURE_DATA")
        _draw_messages(layout, context)


def _draw_missing_backend(layout: Any, context: bpy.types.Context) -> None:
    missing = preferences.gather().problem()
    if missing:
        box = layout.box()
        draw_text(box, context, missing, "INFO")
        box.operator("pose2pose.open_preferences", icon="PREFERENCES")


def _draw_source(layout: Any, settings: Any) -> None:
    layout.row().prop(settings, "kind", expand=True)
    if settings.kind == "CLIP":
        layout.template_ID(settings, "clip", open="clip.open")
    else:
        row = layout.row(align=True)
        row.prop(settings, "filepath", text="")
        row.operator("pose2pose.choose_source", text="", icon="FILEBROWSER")
        if is_picture(Path(settings.filepath)):
            layout.prop(settings, "use_sequence")
        if plan.is_sequence(settings):
            layout.prop(settings, "sequence_rate")
    layout.prop(settings, "use_range")
    if settings.use_range:
        column = layout.column(align=True)
        column.prop(settings, "start")
        column.prop(settings, "end")
    layout.prop(settings, "step")


def _draw_people(layout: Any, context: bpy.types.Context) -> None:
    settings, state = context.scene.pose2pose, context.window_manager.pose2pose
    layout.separator()
    layout.row().prop(settings, "people", expand=True)
    if settings.people == "PICK":
        row = layout.row()
        row.context_pointer_set("pose2pose_settings", settings)
        row.operator(POSE2POSE_OT_scan.bl_idname, icon="VIEWZOOM")
        for person in state.people:
            _draw_person(layout, person)
    layout.row().prop(settings, "parts")


def _draw_person(layout: Any, person: Any) -> None:
    row = layout.box().row()
    picture = thumbnails.icon(person.number)
    if picture:
        row.template_icon(picture, scale=4.0)
    column = row.column()
    column.use_property_split = False
    column.prop(person, "use", text=person.name)
    column.label(text=count_frames(person.frames))
    column.progress(factor=person.confidence, text=f"{person.confidence:.0%} sure", type="BAR")


def _draw_target(layout: Any, settings: Any) -> None:
    layout.separator()
    layout.prop(settings, "target_kind")
    if settings.target_kind == "EXISTING":
        layout.prop(settings, "target")


def _draw_progress(layout: Any, state: Any) -> None:
    box = layout.box()
    factor = min(1.0, state.done / state.total) if state.total else 0.0
    box.progress(factor=factor, text=state.stage or "Starting the backend", type="BAR")
    column = box.column(align=True)
    column.scale_y = 0.8
    for line in progress_lines(state):
        column.label(text=line)
    box.operator(POSE2POSE_OT_cancel.bl_idname, text="Cancel (Esc)", icon="CANCEL")


def progress_lines(state: Any) -> list[str]:
    """The numbers below the progress bar."""
    lines = []
    unit = unit_of(state.stage)
    if state.done or state.total:
        lines.append(f"{state.done} of {state.total} {unit}" if state.total else f"{state.done} {unit}")
    if state.rate > 0:
        lines.append(f"{state.rate:.1f} {unit} a second")
    if state.seconds_left >= 0:
        lines.append(f"{duration(state.seconds_left)} left")
    if state.seen:
        lines.append(count_people(state.seen))
    return lines


def _draw_messages(layout: Any, context: bpy.types.Context) -> None:
    state = context.window_manager.pose2pose
    if state.error:
        box = layout.box()
        box.alert = True
        draw_text(box, context, f"{state.error} {state.remedy}".strip(), "ERROR")
        row = box.row(align=True)
        row.alert = False
        if "preferences" in state.remedy:
            row.operator("pose2pose.open_preferences", text="Preferences", icon="PREFERENCES")
        row.operator(POSE2POSE_OT_dismiss_error.bl_idname, icon="X")
    elif state.summary:
        box = layout.box()
        row = box.row()
        draw_text(row, context, state.summary, "CHECKMARK")
        row.operator(POSE2POSE_OT_dismiss_error.bl_idname, text="", icon="X", emboss=False)
        for note in state.notes.splitlines():
            draw_text(box, context, note, "INFO")


class POSE2POSE_PT_options(SidebarPanel, bpy.types.Panel):
    """What most people leave alone."""

    bl_label = "Options"
    bl_parent_id = "POSE2POSE_PT_main"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Lens, frame rate, placement, camera."""
        layout, settings = self.layout, context.scene.pose2pose
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.enabled = not activity.running()
        row = layout.row(heading="Focal Length")
        row.prop(settings, "use_focal", text="")
        sub = row.row()
        sub.enabled = settings.use_focal
        sub.prop(settings, "focal", text="")
        layout.prop(settings, "rate")
        layout.prop(settings.keying, "space")
        layout.prop(settings, "use_camera")


classes = (POSE2POSE_PT_main, POSE2POSE_PT_options)
register, unregister = bpy.utils.register_classes_factory(classes)
