"""The one place where errors become what a person sees: a sentence in the panel, a report, and what to do."""

import traceback

import bpy

from ...backend.protocol import Code
from ..link.client import BackendError
from ..texts import sentence
from . import activity

EXPECTED = (ValueError, OSError, RuntimeError)
"""What the add-on's own errors are, and Blender's: their text is meant for people."""
DEFECT = "This is a defect of Pose2Pose. Please report it with what Copy Report in the preferences gives."


def describe_error(error: Exception) -> tuple[str, str]:
    """A sentence and what to do. An error that nobody expected is a defect, and also leaves its traceback."""
    if isinstance(error, BackendError):
        return error.failure.message, error.failure.remedy
    if isinstance(error, OSError) and error.filename and error.strerror:
        return sentence(f"{error.filename}: {error.strerror}"), ""
    if isinstance(error, EXPECTED):
        return sentence(str(error).removeprefix("Error: ")), ""  # which Blender's own begin with
    traceback.print_exception(error)
    return f"Unexpected: {type(error).__name__}: {error}", DEFECT


def is_cancelled(error: Exception) -> bool:
    """Whether somebody wanted this."""
    return isinstance(error, BackendError) and error.failure.code == Code.CANCELLED


def fail(operator: bpy.types.Operator, error: Exception) -> set[str]:
    """End an operator: show the error in the panel and report it. What was cancelled is no error."""
    if is_cancelled(error):
        operator.report({"INFO"}, "Cancelled")
        return {"CANCELLED"}
    message, remedy = describe_error(error)
    activity.show_error(message, remedy)
    operator.report({"ERROR"}, f"{message} {remedy}".strip())
    return {"CANCELLED"}
