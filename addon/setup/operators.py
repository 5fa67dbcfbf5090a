"""The buttons of the preferences: set up, cancel, diagnose, report, restart."""

from __future__ import annotations

import platform
from functools import partial
from pathlib import Path

import bpy

from ..console import say
from ..link.connection import stop_backend
from . import preferences
from .diagnosis import Check, report_text
from .job import Result, SetupOperator, Work, redraw_preferences
from .pip_progress import SetupProgress
from .requirements import read_requirements
from .state import STATE
from .work import find_what_is_broken, make_environment

OFFLINE = "Allow Online Access in Preferences > System, or choose a folder of wheels"
STOP_SECONDS = 2.0
"""How long the end of Blender waits for a set-up to end its programs."""


class POSE2POSE_OT_set_up_backend(SetupOperator):
    """The button `Set Up Backend`."""

    bl_idname = "pose2pose.set_up_backend"
    bl_label = "Set Up Backend"
    bl_description = (
        "Make the backend's own Python environment, outside of Blender's: downloads torch, which takes minutes"
    )
    task = "set_up"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Downloading needs the permission that Blender asks its users for."""
        if not bpy.app.online_access and preferences.wheels_folder() is None:
            cls.poll_message_set(OFFLINE)
            return False
        return super().poll(context)

    def work(self) -> Work:
        """Choose and install."""
        STATE.checks = []
        return partial(make_environment, preferences.gather(), preferences.wheels_folder())

    def show(self, message: SetupProgress) -> None:
        """The progress bar; without a window a line for each step."""
        if bpy.app.background and (STATE.progress is None or STATE.progress.step != message.step):
            say(f"{message.step} {message.line}".strip())
        STATE.progress = message

    def finish(self, result: Path) -> None:
        """Say where it is."""
        self.report({"INFO"}, f"The backend is ready: {result}")


class POSE2POSE_OT_diagnose_backend(SetupOperator):
    """The button `Diagnose`."""

    bl_idname = "pose2pose.diagnose_backend"
    bl_label = "Diagnose"
    bl_description = "Look at each link from this add-on to the backend, and say which one is broken"
    task = "diagnose"

    def work(self) -> Work:
        """Check after check."""
        STATE.checks = []
        return partial(find_what_is_broken, preferences.gather(), preferences.body_file())

    def show(self, message: Check) -> None:
        """One more line."""
        STATE.checks.append(message)

    def finish(self, result: list[Check]) -> None:
        """Say the first broken link; all others can be read below the button."""
        broken = [check for check in result if check.ok is False]
        if broken:
            self.report({"WARNING"}, f"{broken[0].name}: {broken[0].sentence}")
        else:
            self.report({"INFO"}, "Everything works")


class POSE2POSE_OT_cancel_set_up(bpy.types.Operator):
    """The button `Cancel`."""

    bl_idname = "pose2pose.cancel_set_up"
    bl_label = "Cancel"
    bl_description = "Stop; what is set up already stays as it is"

    def execute(self, context: bpy.types.Context) -> Result:
        """Ask the job to stop, which takes less than two seconds."""
        STATE.cancel()
        redraw_preferences()
        return {"FINISHED"}


class POSE2POSE_OT_copy_report(bpy.types.Operator):
    """The button `Copy Report`."""

    bl_idname = "pose2pose.copy_report"
    bl_label = "Copy Report"
    bl_description = (
        "Copy versions, paths, the last diagnosis and the ends of the logs, for whoever shall help; without the token"
    )

    def execute(self, context: bpy.types.Context) -> Result:
        """To the clipboard."""
        context.window_manager.clipboard = compose_report()
        self.report({"INFO"}, "The report is on the clipboard")
        return {"FINISHED"}


class POSE2POSE_OT_restart_backend(bpy.types.Operator):
    """The button `Restart Backend`."""

    bl_idname = "pose2pose.restart_backend"
    bl_label = "Restart Backend"
    bl_description = "End the backend's process; the next capture starts another"

    def execute(self, context: bpy.types.Context) -> Result:
        """End it."""
        stop_backend()
        self.report({"INFO"}, "The backend starts again with the next capture")
        return {"FINISHED"}


class POSE2POSE_OT_show_setup_log(bpy.types.Operator):
    """The button `Show Log`."""

    bl_idname = "pose2pose.show_setup_log"
    bl_label = "Show Log"
    bl_description = "Open what the programs wrote that the set-up started"

    def execute(self, context: bpy.types.Context) -> Result:
        """In the program that the system opens text files with."""
        return set(bpy.ops.wm.path_open(filepath=str(preferences.gather().setup_log)))


def compose_report() -> str:
    """What Copy Report copies."""
    connection = preferences.gather()
    facts = {
        "Blender": f"{bpy.app.version_string}, {bpy.app.build_platform.decode()}",
        "Python in Blender": platform.python_version(),
        "pose2pose": _version(),
        "add-on": preferences.ADDON,
        "backend": connection.kind,
        "Python": str(connection.python) if connection.kind != "SERVER" else "elsewhere",
        "server": connection.server_url or "none",
        "device": connection.device,
        "body": str(preferences.body_file() or "open"),
        "folder": str(connection.folder),
        "online access": str(bpy.app.online_access),
    }
    logs = [connection.setup_log, connection.previous_log, connection.service_log]
    return report_text(STATE.checks, facts, logs, [preferences.preferences().server_token])


def _version() -> str:
    try:
        return read_requirements().version
    except FileNotFoundError as error:
        return str(error)


classes = (
    POSE2POSE_OT_set_up_backend,
    POSE2POSE_OT_diagnose_backend,
    POSE2POSE_OT_cancel_set_up,
    POSE2POSE_OT_copy_report,
    POSE2POSE_OT_restart_backend,
    POSE2POSE_OT_show_setup_log,
)
_register, _unregister = bpy.utils.register_classes_factory(classes)


def register() -> None:
    """Register the operators."""
    _register()


def unregister() -> None:
    """Stop what runs, with the programs that it has started, and unregister the operators."""
    STATE.cancel(wait=STOP_SECONDS)
    _unregister()
