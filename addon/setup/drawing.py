"""How the preferences look."""

from __future__ import annotations

from typing import Any

import bpy

from ..link.connection import Connection, running_backend
from ..link.exchange import travels_openly
from ..texts import draw_text
from .environment import damage, installed
from .requirements import read_requirements
from .state import STATE

OPEN_NETWORK = "Token and videos travel unencrypted: use a network that you trust, or an https address"
_ICONS = {True: "CHECKMARK", False: "CANCEL", None: "DOT"}


def draw_preferences(layout: Any, values: Any, connection: Connection, context: bpy.types.Context) -> None:
    """Draw everything: backend, device, body, diagnosis."""
    layout.use_property_split = True
    layout.use_property_decorate = False
    layout.row().prop(values, "backend", expand=True)
    if values.backend == "MANAGED":
        _draw_environment(layout, values, connection, context)
    elif values.backend == "PYTHON":
        layout.prop(values, "python_path")
    else:
        layout.prop(values, "server_url")
        layout.prop(values, "server_token")
        if travels_openly(connection.server_url):
            draw_text(layout, context, OPEN_NETWORK, "UNLOCKED")
    if values.backend != "SERVER":
        layout.prop(values, "device")
    _draw_body(layout, values, context)
    _draw_diagnosis(layout, context)


def _draw_environment(layout: Any, values: Any, connection: Connection, context: bpy.types.Context) -> None:
    box = layout.box()
    try:
        problem = damage(connection.environment, read_requirements())
    except FileNotFoundError as error:
        problem = str(error)
    if problem:
        draw_text(box, context, problem, "INFO")
    else:
        box.label(text=f"Ready: {installed(connection.environment)}", icon="CHECKMARK")
    box.prop(values, "wheels_folder")
    if STATE.job is not None and STATE.task == "set_up":
        _draw_progress(box, context)
    else:
        if STATE.error and STATE.task == "set_up":
            draw_text(box, context, STATE.error, "ERROR")
        row = box.row()
        text = "Try Again" if STATE.error and STATE.task == "set_up" else "Set Up Backend"
        row.operator("pose2pose.set_up_backend", text=text, icon="IMPORT")
        if connection.setup_log.exists():
            row.operator("pose2pose.show_setup_log", icon="TEXT")


def _draw_progress(layout: Any, context: bpy.types.Context) -> None:
    progress = STATE.progress
    step = "Starting" if progress is None else progress.step
    if STATE.job is not None and STATE.job.cancelled:
        step = "Cancelling"
    row = layout.row()
    if progress is not None and progress.fraction is not None:
        row.progress(factor=progress.fraction, text=step)
    else:
        row.label(text=step, icon="SORTTIME")
    row.operator("pose2pose.cancel_set_up", text="", icon="CANCEL")
    if progress is not None:
        draw_text(layout, context, progress.line, "BLANK1", most=2)


def _draw_body(layout: Any, values: Any, context: bpy.types.Context) -> None:
    layout.prop(values, "body_path")
    if values.body_path and values.body_note:
        draw_text(layout, context, values.body_note, "ERROR" if values.body_broken else "CHECKMARK")
    elif not values.body_path:
        layout.label(text="The open body: CC0, free for every use", icon="CHECKMARK")


def _draw_diagnosis(layout: Any, context: bpy.types.Context) -> None:
    row = layout.row(align=True)
    running = STATE.job is not None and STATE.task == "diagnose"
    row.operator("pose2pose.diagnose_backend", text="Looking..." if running else "Diagnose", icon="VIEWZOOM")
    row.operator("pose2pose.copy_report", icon="COPYDOWN")
    if running_backend() is not None:
        row.operator("pose2pose.restart_backend", icon="FILE_REFRESH")
    if STATE.error and STATE.task == "diagnose":
        draw_text(layout, context, STATE.error, "ERROR")
    if STATE.checks:
        box = layout.box().column(align=True)
        for check in STATE.checks:
            draw_text(box, context, f"{check.name}: {check.sentence}", _ICONS[check.ok])
