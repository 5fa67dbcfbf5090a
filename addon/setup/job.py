"""How a button of the preferences runs its work: beside everything else, or to its end without a window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

from ..jobs import TICK, Cancelled, Job, Report
from ..link.processes import StoppedError
from ..sidebar import activity
from .environment import SetupCancelledError
from .environment_maker import SetupError
from .state import STATE

Result = set[str]
Work = Callable[[Report[Any], Cancelled], Any]


class SetupOperator(bpy.types.Operator):
    """Runs a job beside everything else, or to its end where Blender has no window."""

    task = ""

    def work(self) -> Work:
        """Read everything that the work needs; it must not touch bpy itself."""
        raise NotImplementedError

    def show(self, message: Any) -> None:
        """Let the preferences show what the work reports."""
        raise NotImplementedError

    def finish(self, result: Any) -> None:
        """Tell the user what came of it."""
        raise NotImplementedError

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """One at a time, and not below a capture."""
        problem = "The backend is being set up or diagnosed" if STATE.job is not None else ""
        if activity.running():
            problem = activity.BUSY
        if problem:
            cls.poll_message_set(problem)
        return not problem

    def execute(self, context: bpy.types.Context) -> Result:
        """Work until it is done."""
        self._begin()
        while not self._job.wait(TICK):
            self._show_messages()
        return self._end()

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> Result:
        """Work while everything else goes on."""
        if bpy.app.background:
            return self.execute(context)
        self._begin()
        self._timer = context.window_manager.event_timer_add(TICK, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """Look at the job now and then; leave every other event to Blender."""
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        if self._show_messages():
            redraw_preferences()
        if not self._job.finished:
            return {"PASS_THROUGH"}
        context.window_manager.event_timer_remove(self._timer)
        result = self._end()
        redraw_preferences()
        return result

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender calls this when the window is closed or another file is loaded."""
        STATE.cancel(wait=2.0)
        context.window_manager.event_timer_remove(self._timer)
        STATE.end("Cancelled.")

    def _begin(self) -> None:
        self._job: Job[Any, Any] = Job(self.work())
        STATE.begin(self.task, self._job)

    def _show_messages(self) -> bool:
        messages = self._job.messages()
        for message in messages:
            self.show(message)
        return bool(messages)

    def _end(self) -> Result:
        self._show_messages()
        try:
            result = self._job.result()
        except (SetupCancelledError, StoppedError):
            STATE.end("Cancelled.")
            self.report({"INFO"}, "Cancelled")
            return {"CANCELLED"}
        except (SetupError, OSError) as error:
            STATE.end(str(error))
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        except BaseException:  # a defect: the buttons must work again before its traceback is shown
            STATE.end("Unexpected. Please report it with what Copy Report gives.")
            raise
        STATE.end()
        self.finish(result)
        return {"FINISHED"}


def redraw_preferences() -> None:
    """Draw the preferences again, wherever they are open."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()
