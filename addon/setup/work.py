"""What the buttons of the preferences do on a thread: set up, diagnose. Plain Python, no bpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..jobs import Cancelled, Report
from ..link.connection import Connection, stop_backend
from .accelerators import detect_accelerator
from .diagnosis import Check, diagnose
from .environment import set_up
from .environment_maker import SetupError
from .pip_progress import SetupProgress
from .pythons import NEWEST, OLDEST, find_pythons


def make_environment(connection: Connection, wheels: Path | None, report: Report[Any], cancelled: Cancelled) -> Path:
    """Choose a Python and an accelerator, and set the managed environment up.

    Raises:
        SetupError: with what to do.
    """
    report(SetupProgress("Looking for a Python and a GPU", None, ""))
    accelerator = detect_accelerator()
    pythons = find_pythons()
    if not pythons:
        versions = " to ".join(".".join(map(str, version)) for version in (OLDEST, NEWEST))
        raise SetupError(f"No Python can make an environment here. Install Python {versions} from python.org.")
    if accelerator.note:
        report(SetupProgress("Looking for a Python and a GPU", None, accelerator.note))
    stop_backend()  # it may run from the environment that is replaced
    return set_up(
        connection.environment,
        python=pythons[0],
        wheels=wheels,
        accelerator=accelerator,
        log=connection.setup_log,
        report=report,
        cancelled=cancelled,
    )


def find_what_is_broken(
    connection: Connection, body: Path | None, report: Report[Any], cancelled: Cancelled
) -> list[Check]:
    """Look at every link of the chain."""
    checks = []
    for check in diagnose(connection, body, cancelled):
        checks.append(check)
        report(check)
    return checks
