"""The buttons that capture, scan and cancel."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import bpy
from bpy.props import EnumProperty, FloatProperty, IntProperty, StringProperty

from ...backend.motion.body_file import load_body
from ...backend.protocol import Person
from ..link.capturing import CapturedTakes, FoundPeople, capture_takes, find_people
from ..scene.build import BuiltScene, build_scene
from ..setup import preferences
from ..texts import count_frames, count_people, duration, sentence
from . import activity, thumbnails
from .job_operator import JobOperator, Result, Work
from .plan import Plan, named_target, plan_capture, plan_selection, remember_source, scan_key, wanted_rate
from .properties import PART_ITEMS


class POSE2POSE_OT_capture(JobOperator):
    """The button 'Capture'."""

    bl_idname = "pose2pose.capture"
    bl_label = "Capture"
    bl_description = "Capture the people in the source and put their motion onto armatures. ESC cancels"
    # Not REGISTER: changing a value in "Adjust Last Operation" would capture again and freeze the window.
    bl_options: ClassVar = {"UNDO"}
    task = "capture"
    running_text = "capturing"

    filepath: StringProperty(name="File", description="Video, picture, or image sequence", options={"SKIP_SAVE"})
    people: StringProperty(
        name="People", description="Whom: all, largest, or numbers such as 1,3", options={"SKIP_SAVE"}
    )
    parts: EnumProperty(
        name="Parts",
        description="What is captured beside the body",
        items=PART_ITEMS,
        options={"ENUM_FLAG", "SKIP_SAVE"},
    )
    start: IntProperty(name="Start", description="First source frame, from 1", min=1, options={"SKIP_SAVE"})
    end: IntProperty(name="End", description="Last source frame, from 1", min=1, options={"SKIP_SAVE"})
    step: IntProperty(name="Step", description="Every n-th frame", min=1, options={"SKIP_SAVE"})
    frame_rate: FloatProperty(
        name="Frame Rate", description="Frames a second of an image sequence", min=0.1, options={"SKIP_SAVE"}
    )
    focal: FloatProperty(
        name="Focal Length", description="Millimeters on a sensor 36 mm wide", min=1.0, options={"SKIP_SAVE"}
    )
    fps: FloatProperty(
        name="Scene Frame Rate", description="Frames a second that the scene gets", min=0.1, options={"SKIP_SAVE"}
    )
    target: StringProperty(
        name="Target", description="Name of the armature that gets the motion", options={"SKIP_SAVE"}
    )

    @classmethod
    def problem(cls, scene: bpy.types.Scene) -> str:
        """Why this cannot be captured; empty if it can."""
        return _problem(plan_capture, scene)

    def prepare(self, context: bpy.types.Context) -> Work:
        """Read what was chosen."""
        names = ("filepath", "people", "parts", "start", "end", "step", "frame_rate", "focal", "fps", "target")
        given = {name: getattr(self, name) for name in names if self.properties.is_property_set(name)}
        self._plan = plan_capture(context.scene, given, preferences.body_file())
        return partial(capture_takes, preferences.gather(), self._plan.path, self._plan.request)

    def finish(self, context: bpy.types.Context, result: CapturedTakes) -> None:
        """Build what was captured."""
        built = build(self._plan, result)
        state = context.window_manager.pose2pose
        state.notes = "\n".join(map(sentence, (*result.done.notes, *built.notes)))
        state.summary = summary(result)


def build(plan: Plan, captured: CapturedTakes) -> BuiltScene:
    """Build the takes into the current scene as it was planned, all of it or nothing."""
    built = build_scene(
        captured.takes,
        load_body(preferences.body_file()),
        fps=plan.fps or wanted_rate(bpy.context.scene),
        settings=plan.keys,
        video=plan.path if plan.camera else None,
        target=named_target(plan.target or ""),
    )
    for figure in built.figures:
        remember_source(figure.armature, plan.path)
    return built


def summary(captured: CapturedTakes) -> str:
    """What a capture brought, in a line."""
    frames, rate = captured.done.frames, captured.done.frames_per_second
    speed = f"{duration(frames / rate)} ({rate:.1f} a second)" if rate else "no time"
    return f"{count_people(len(captured.takes))}, {count_frames(frames)} in {speed}"


class POSE2POSE_OT_scan(JobOperator):
    """The button 'Scan for People'."""

    bl_idname = "pose2pose.scan"
    bl_label = "Scan for People"
    bl_description = "Find the people in the source, so that you can choose whom to capture. Much faster than capturing"
    bl_options: ClassVar = {"INTERNAL"}
    task = "scan"
    running_text = "finding people"

    @classmethod
    def problem(cls, scene: bpy.types.Scene) -> str:
        """Why this cannot be scanned; empty if it can."""
        return _problem(plan_selection, scene)

    def prepare(self, context: bpy.types.Context) -> Work:
        """Read what was chosen."""
        self._selection = plan_selection(context.scene)
        path = Path(self._selection.source.path or "")
        return partial(find_people, preferences.gather(), path, self._selection)

    def finish(self, context: bpy.types.Context, result: FoundPeople) -> None:
        """Show the people."""
        thumbnails.show(result)
        state = context.window_manager.pose2pose
        state.scanned = scan_key(self._selection)
        state.notes = "\n".join(map(sentence, result.done.notes))
        state.summary = f"Found {count_people(len(result.done.people))}"
        list_people(state, result.done.people)


def list_people(state: Any, people: Sequence[Person]) -> None:
    """Show who was found; the largest is ticked."""
    state.people.clear()
    for found in people:
        row = state.people.add()
        row.name, row.number = f"Person {found.person}", found.person
        row.frames, row.confidence, row.use = found.frames, found.confidence, found.person == 1


def _problem(plan: Callable[[bpy.types.Scene], object], scene: bpy.types.Scene) -> str:
    try:
        plan(scene)
    except ValueError as error:
        return str(error)
    return ""


class POSE2POSE_OT_cancel(bpy.types.Operator):
    """The button 'Cancel'."""

    bl_idname = "pose2pose.cancel"
    bl_label = "Cancel"
    bl_description = "Stop the running capture. Nothing in the scene changes"
    bl_options: ClassVar = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Only while something runs."""
        if not activity.running():
            cls.poll_message_set("Nothing is running")
        return activity.running()

    def execute(self, _context: bpy.types.Context) -> Result:
        """Ask the job to stop; its operator ends when it has."""
        activity.cancel()
        activity.redraw()
        return {"FINISHED"}


class POSE2POSE_OT_dismiss_error(bpy.types.Operator):
    """The button 'Dismiss'."""

    bl_idname = "pose2pose.dismiss_error"
    bl_label = "Dismiss"
    bl_description = "Remove the message"
    bl_options: ClassVar = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> Result:
        """Clear error and remedy."""
        activity.clear_messages(context.window_manager.pose2pose)
        activity.redraw()
        return {"FINISHED"}


classes = (POSE2POSE_OT_capture, POSE2POSE_OT_scan, POSE2POSE_OT_cancel, POSE2POSE_OT_dismiss_error)
register, unregister = bpy.utils.register_classes_factory(classes)
