"""The sidebar's part for takes that are there: a row for each, what can be done with the active one, its keys."""

from collections.abc import Mapping
from typing import Any, ClassVar

import bpy

from ..scene import takes
from ..texts import count_frames, draw_text
from .file_operators import POSE2POSE_OT_import_takes
from .keying_properties import GROUPS, VALUES
from .panels import SidebarPanel
from .take_operators import (
    POSE2POSE_OT_delete_take,
    POSE2POSE_OT_match_camera,
    POSE2POSE_OT_rekey,
    POSE2POSE_OT_select_take,
    active_take,
    error_text,
)


class POSE2POSE_PT_takes(SidebarPanel, bpy.types.Panel):
    """What was captured."""

    bl_label = "Takes"
    bl_parent_id = "POSE2POSE_PT_main"

    def draw(self, context: bpy.types.Context) -> None:
        """A row for each take, and what can be done with the active one."""
        layout, active = self.layout, active_take(context)
        for armature in takes.armatures(context.scene):
            _draw_take(layout, armature, active == armature)
        if active is not None:
            _draw_details(layout, context, takes.describe(active))
        layout.operator(POSE2POSE_OT_import_takes.bl_idname, text="Import Takes...", icon="IMPORT")


def _draw_details(layout: Any, context: bpy.types.Context, info: takes.TakeInfo) -> None:
    rates = f", source {info.source_fps:.5g} fps, scene {info.scene_fps:.5g}" if info.frames > 1 else ""
    draw_text(layout, context, count_frames(info.frames) + rates, "TIME")
    if info.error_px is not None:
        draw_text(layout, context, error_text(info.error_px, info.error_share), "CAMERA_DATA")
    row = layout.row(align=True)
    row.operator(POSE2POSE_OT_match_camera.bl_idname, icon="OUTLINER_OB_CAMERA")
    row.operator(POSE2POSE_OT_delete_take.bl_idname, text="Delete", icon="TRASH")


def _draw_take(layout: Any, armature: bpy.types.Object, is_active: bool) -> None:
    info = takes.describe(armature)
    box = layout.box().column(align=True)
    row = box.split(factor=0.8, align=True)
    select = row.operator(POSE2POSE_OT_select_take.bl_idname, text=armature.name, depress=is_active)
    select.armature = armature.name
    row.label(text=f"{info.frames} fr.")
    row = box.row(align=True)
    for part, confidence in confidence_by_group(info.confidence).items():
        row.progress(factor=confidence, text=f"{part} {confidence:.0%}", type="BAR")


def confidence_by_group(confidence: Mapping[str, float]) -> dict[str, float]:
    """As a row shows it: the two hands together."""
    hands = (confidence["left_hand"] + confidence["right_hand"]) / 2
    return {"Body": confidence["body"], "Hands": hands, "Face": confidence["face"]}


class POSE2POSE_PT_keys(SidebarPanel, bpy.types.Panel):
    """Smoothing and placement of the active take, and of those that will be captured."""

    bl_label = "Smoothing and Placement"
    bl_parent_id = "POSE2POSE_PT_main"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Method, strengths in its units, Apply."""
        layout, keying = self.layout, context.scene.pose2pose.keying
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(keying, "method")
        for group in GROUPS:
            _draw_strength(layout, keying, group)
        layout.prop(keying, "space")
        layout.prop(keying, "fade", slider=True)
        row = layout.row()
        row.scale_y = 1.2
        row.operator(POSE2POSE_OT_rekey.bl_idname, text="Apply to Take", icon="FILE_REFRESH")


def _draw_strength(layout: Any, keying: Any, group: str) -> None:
    names = VALUES[keying.method]
    if names:
        column = layout.column(align=True)
        strength = getattr(keying, group)
        for number, name in enumerate(names):
            label = strength.bl_rna.properties[name].name
            column.prop(strength, name, text=f"{group.capitalize()} {label}" if number == 0 else label)


classes = (POSE2POSE_PT_takes, POSE2POSE_PT_keys)
register, unregister = bpy.utils.register_classes_factory(classes)
