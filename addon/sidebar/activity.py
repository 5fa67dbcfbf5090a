"""The one job that may run at a time: begun by an operator, shown by the panel, ended by whoever closes the file."""

import atexit
from collections.abc import Callable
from typing import Any

import bpy

from ...backend.protocol import Event, Loading, Progress, Queued
from ..jobs import Cancelled, Job, Report
from ..texts import stage_words

KEYING = "Keying"
CANCELLING = "Cancelling"
BUSY = "Something is being captured. Wait for it, or cancel it"
STOP_SECONDS = 2.5
"""How long the end of Blender or of the add-on waits for a cancelled job. The backend needs under 2."""

_job: Job[Event, Any] | None = None


def running() -> bool:
    """Whether a job has been started and not been ended."""
    return _job is not None


def start(task: str, work: Callable[[Report[Event], Cancelled], Any]) -> Job[Event, Any]:
    """Begin a job; `work` runs on a thread and must not touch bpy."""
    global _job
    state = bpy.context.window_manager.pose2pose
    clear_messages(state)
    state.task = task
    _job = Job(work)
    return _job


def cancel() -> None:
    """Ask the running job, if there is one, to stop."""
    if _job is not None:
        _job.cancel()
        bpy.context.window_manager.pose2pose.stage = CANCELLING


def end() -> None:
    """Forget the job: its operator is through with it."""
    global _job
    _job = None
    _clear_progress(bpy.context.window_manager.pose2pose)
    redraw()


def abandon() -> Job[Event, Any] | None:
    """Cancel the job and forget it at once: its file is being closed. Returns it."""
    global _job
    job, _job = _job, None
    if job is not None:
        job.cancel()
    return job


def stop() -> None:
    """Abandon the job, and wait a moment so that it can tell the backend: add-on or Blender are closed."""
    job = abandon()
    if job is not None:
        job.wait(STOP_SECONDS)


def show_messages(job: Job[Event, Any]) -> list[Event]:
    """Take over what the job has reported; the newest counts. Returns the messages."""
    messages = job.messages()
    if messages and not job.cancelled:
        show_event(messages[-1])
        redraw()
    return messages


def show_event(event: Event) -> None:
    """Let the panel show an event."""
    state = bpy.context.window_manager.pose2pose
    if isinstance(event, Progress):
        state.stage = stage_words(event.stage)
        state.done, state.total, state.rate = event.done, event.total or 0, event.rate
        state.seconds_left = -1.0 if event.seconds_left is None else event.seconds_left
        state.seen = event.people
    elif isinstance(event, Loading):
        show_stage(event.what)
    elif isinstance(event, Queued) and event.ahead:
        show_stage(f"Waiting, {event.ahead} ahead")


def show_stage(stage: str) -> None:
    """Let the panel show what goes on, with no numbers yet."""
    state = bpy.context.window_manager.pose2pose
    task = state.task
    _clear_progress(state)
    state.task, state.stage = task, stage


def show_error(message: str, remedy: str) -> None:
    """Let the panel show what went wrong until somebody dismisses it."""
    state = bpy.context.window_manager.pose2pose
    state.error, state.remedy = message, remedy
    redraw()


def show_status(text: str | None) -> None:
    """Write into the status bar; None gives it back to Blender."""
    if bpy.context.workspace is not None:
        bpy.context.workspace.status_text_set(text)


def clear_messages(state: Any) -> None:
    """Remove error, notes and summary of the last job."""
    for name in ("error", "remedy", "notes", "summary"):
        state.property_unset(name)


def redraw() -> None:
    """Draw the sidebars again."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


@bpy.app.handlers.persistent
def _before_loading(*_: object) -> None:
    abandon()


@bpy.app.handlers.persistent
def _after_loading(*_: object) -> None:
    """The file may have been saved while something ran or an error was shown."""
    state = bpy.context.window_manager.pose2pose
    _clear_progress(state)
    clear_messages(state)
    state.people.clear()
    state.scanned = ""


def register() -> None:
    """Watch for files that are opened, and for the end of Blender."""
    bpy.app.handlers.load_pre.append(_before_loading)
    bpy.app.handlers.load_post.append(_after_loading)
    atexit.register(stop)


def unregister() -> None:
    """Take back what `register` did. A running job is cancelled."""
    stop()
    show_status(None)
    atexit.unregister(stop)
    bpy.app.handlers.load_post.remove(_after_loading)
    bpy.app.handlers.load_pre.remove(_before_loading)


def _clear_progress(state: Any) -> None:
    for name in ("task", "stage", "done", "total", "rate", "seconds_left", "seen"):
        state.property_unset(name)
