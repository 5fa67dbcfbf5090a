"""Operators that run a job: gather on the main thread, work on another one, finish on the main thread."""

from collections.abc import Callable
from typing import Any

import bpy

from ...backend.protocol import Code, Event
from ..console import Interrupts, ProgressLines
from ..jobs import TICK, Cancelled, Job, Report
from ..link.service import backend_error
from ..setup import preferences
from . import activity
from .errors import fail

Result = set[str]
Work = Callable[[Report[Event], Cancelled], Any]


class JobOperator(bpy.types.Operator):
    """Runs a job: from a button beside everything else, from a script to its end.

    A class of operators says what to do in `prepare` (main thread), whose result runs on a thread, and in `finish`
    (main thread again).
    """

    task = ""
    running_text = ""

    def prepare(self, context: bpy.types.Context) -> Work:
        """Read everything that the work needs; return `work(report, cancelled)`, which must not touch bpy."""
        raise NotImplementedError

    def finish(self, context: bpy.types.Context, result: Any) -> None:
        """Put the work's result into Blender."""
        raise NotImplementedError

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Not beside another job, and not without a backend. The panel's button also wants its choices complete."""
        if activity.running():
            problem = activity.BUSY
        else:
            problem = preferences.gather().problem()
            settings = getattr(context, "pose2pose_settings", None)  # only the panel's buttons carry it
            if not problem and settings is not None:
                problem = cls.problem(settings.id_data)
        if problem:
            cls.poll_message_set(problem.removesuffix("."))  # as Blender's own
        return not problem

    @classmethod
    def problem(cls, scene: bpy.types.Scene) -> str:
        """Why the scene's choices cannot be worked on; empty if they can."""
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> Result:
        """Work until it is done, with progress on stderr. For scripts, and Blenders without a window."""
        try:
            with Interrupts() as interrupted, ProgressLines(f"pose2pose {self.task}") as lines:
                job = activity.start(self.task, self.prepare(context))
                while not job.wait(TICK):
                    if interrupted():
                        job.cancel()
                    for event in activity.show_messages(job):
                        lines.show(event)
            self._finish(context, job)
        except Exception as error:
            return fail(self, error)
        finally:
            activity.end()
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> Result:
        """Work while everything else goes on. ESC cancels, wherever the mouse is, as everywhere in Blender."""
        if bpy.app.background:
            return self.execute(context)
        try:
            self._job = activity.start(self.task, self.prepare(context))
        except Exception as error:
            activity.end()
            return fail(self, error)
        manager = context.window_manager
        self._timer = manager.event_timer_add(TICK, window=context.window)
        manager.modal_handler_add(self)
        activity.show_status(f"Pose2Pose: {self.running_text}    ESC: Cancel")
        activity.redraw()
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """Look at the job now and then; leave every other event to Blender."""
        if event.type == "ESC" and event.value == "PRESS":
            activity.cancel()
            activity.redraw()
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        activity.show_messages(self._job)
        if not self._job.finished or not self._announced():
            return {"PASS_THROUGH"}
        try:
            self._finish(context, self._job)
        except Exception as error:
            return fail(self, error)
        finally:
            self._leave(context)
        return {"FINISHED"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender calls this when the window is closed or another file is loaded."""
        self._job.cancel()
        self._leave(context)

    def _announced(self) -> bool:
        """Whether the panel shows that the last step runs, during which nothing is drawn; if not, it will."""
        state = bpy.context.window_manager.pose2pose
        shown = bool(state.stage == activity.KEYING) or self._job.cancelled
        if not shown:
            activity.show_stage(activity.KEYING)
            activity.redraw()
        return shown

    def _finish(self, context: bpy.types.Context, job: Job[Event, Any]) -> None:
        result = job.result()
        if job.cancelled:  # too late for the backend, but not for the scene
            raise backend_error(Code.CANCELLED, "Cancelled.")
        self.finish(context, result)

    def _leave(self, context: bpy.types.Context) -> None:
        context.window_manager.event_timer_remove(self._timer)
        activity.show_status(None)
        activity.end()
