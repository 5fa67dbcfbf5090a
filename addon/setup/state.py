"""The one set-up or diagnosis that may run at a time, as the preferences show it. Plain Python, no bpy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..jobs import Job
from .diagnosis import Check
from .pip_progress import SetupProgress


@dataclass
class SetupState:
    """What is going on, and what came of the last time."""

    job: Job[Any, Any] | None = None
    task: str = ""
    """What runs, or ran last."""
    progress: SetupProgress | None = None
    error: str = ""
    checks: list[Check] = field(default_factory=list)

    def begin(self, task: str, job: Job[Any, Any]) -> None:
        """Start to show a job; what came of the last one is forgotten."""
        self.job, self.task, self.progress, self.error = job, task, None, ""

    def cancel(self, wait: float = 0.0) -> None:
        """Ask the job, if one runs, to stop, and wait for it at most some seconds."""
        if self.job is not None:
            self.job.cancel()
            self.job.wait(wait)

    def end(self, error: str = "") -> None:
        """The job is over."""
        self.job, self.progress, self.error = None, None, error


STATE = SetupState()
