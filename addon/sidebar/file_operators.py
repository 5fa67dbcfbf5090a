"""Takes from files, by a menu, the panel, or dropped into the 3D view; and motion out into files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import bpy
from bpy.props import CollectionProperty, FloatProperty, StringProperty
from bpy_extras.io_utils import ExportHelper

from ...backend.motion.amass import save_amass
from ...backend.motion.body_file import load_body
from ...backend.motion.others import SUFFIXES, load_takes
from ..scene.build import build_scene
from ..scene.sampling import sample_take
from ..scene.transaction import all_or_nothing
from ..setup import preferences
from .errors import fail
from .job_operator import Result
from .plan import PlanError, existing_target, wanted_rate


class POSE2POSE_OT_import_takes(bpy.types.Operator):
    """The button 'Import Takes'."""

    bl_idname = "pose2pose.import_takes"
    bl_label = "Import Takes"
    bl_description = (
        "Bring in motion from files: takes that were captured elsewhere, AMASS files, those of the SMPL-X add-on, or "
        "the results of GVHMR, WHAM, 4D-Humans, SMPLer-X and ROMP"
    )
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE"})
    filter_glob: StringProperty(default=";".join(f"*{suffix}" for suffix in SUFFIXES), options={"HIDDEN"})
    frame_rate: FloatProperty(
        name="Frame Rate",
        description="Frames a second of files that do not say theirs; 0 = they do",
        min=0.0,
        soft_max=240.0,
        default=0.0,
    )

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> Result:
        """Choose files, unless they were dropped onto the window."""
        if self.directory and self.files:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> Result:
        """Each source of takes is placed on its own."""
        try:
            with all_or_nothing():
                import_takes(context.scene, self._paths(), self.frame_rate or None)
        except Exception as error:
            return fail(self, error)
        return {"FINISHED"}

    def _paths(self) -> list[Path]:
        named = [Path(bpy.path.abspath(self.directory)) / file.name for file in self.files if file.name]
        return named or [Path(bpy.path.abspath(self.filepath))]


def import_takes(scene: bpy.types.Scene, paths: Sequence[Path], frame_rate: float | None) -> None:
    """Build take files into the current scene with the scene's settings.

    Raises:
        TakeError: a file is no take.
        PlanError: several takes for one armature.
    """
    settings = scene.pose2pose
    read = [take for path in paths for take in load_takes(path, frame_rate)]
    target = existing_target(settings)
    if target is not None and len(read) > 1:
        raise PlanError("An armature takes the motion of one person: import one, or choose New Armature")
    sources: dict[str, list[Any]] = {}
    for take in read:
        sources.setdefault(take.source, []).append(take)
    for group in sources.values():
        build_scene(
            group,
            load_body(preferences.body_file()),
            fps=wanted_rate(scene),
            settings=settings.keying.as_settings(),
            video=None,
            target=target,
        )


class POSE2POSE_OT_export_motion(bpy.types.Operator, ExportHelper):
    """The entry of File > Export."""

    bl_idname = "pose2pose.export_motion"
    bl_label = "Export Motion"
    bl_description = "Write the active armature's motion in the scene's frames as AMASS's .npz, whatever animates it"
    filename_ext = ".npz"
    filter_glob: StringProperty(default="*.npz", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with an armature."""
        active = context.active_object is not None and context.active_object.type == "ARMATURE"
        if not active:
            cls.poll_message_set("Select an SMPL-X armature")
        return active

    def execute(self, context: bpy.types.Context) -> Result:
        """Sample and write."""
        try:
            body = load_body(preferences.body_file())
            save_amass(sample_take(context.active_object, context.scene, body), Path(self.filepath))
        except Exception as error:
            return fail(self, error)
        return {"FINISHED"}


class POSE2POSE_FH_takes(bpy.types.FileHandler):
    """Takes can be dropped into the 3D view."""

    bl_idname = "POSE2POSE_FH_takes"
    bl_label = "SMPL-X Motion"
    bl_import_operator = "pose2pose.import_takes"
    bl_file_extensions = ".npz"

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Only onto the 3D view."""
        return context.area is not None and context.area.type == "VIEW_3D"


classes = (POSE2POSE_OT_import_takes, POSE2POSE_OT_export_motion, POSE2POSE_FH_takes)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(classes)


def register() -> None:
    """Add the operators and the entries of the File menu."""
    _register_classes()
    bpy.types.TOPBAR_MT_file_import.append(_import_entry)
    bpy.types.TOPBAR_MT_file_export.append(_export_entry)


def unregister() -> None:
    """Take back what `register` did."""
    bpy.types.TOPBAR_MT_file_export.remove(_export_entry)
    bpy.types.TOPBAR_MT_file_import.remove(_import_entry)
    _unregister_classes()


def _import_entry(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
    menu.layout.operator(POSE2POSE_OT_import_takes.bl_idname, text="SMPL-X Motion (.npz, .pkl, .pt)")


def _export_entry(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
    menu.layout.operator(POSE2POSE_OT_export_motion.bl_idname, text="SMPL-X Motion (.npz)")
