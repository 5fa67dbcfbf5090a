"""Captures and scans as jobs: one runs, a few wait, and what was said about each is kept for whoever comes back."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections import deque
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from ..protocol import CaptureRequest, Code, Event, Failed, Loading, Queued, Selection, failure
from .job import Job, within
from .worker_process import Worker, WorkerDied

WAITING = 8
"""Jobs that may wait beside the one that runs."""
CANCEL_SECONDS = 1.2
"""How long the worker has to stop by itself."""
WARM_SECONDS = 60.0
"""A worker that takes longer to get warm is not waited for any more once its job is cancelled."""


class QueueFull(Exception):  # noqa: N818  not an error of the service
    """Too many jobs are waiting."""


class Jobs:
    """All jobs of a service, and the worker that does them."""

    def __init__(self, device: str, folder: Path) -> None:
        """Starts nothing yet.

        Args:
            device: for the worker.
            folder: for the jobs' files.
        """
        self.worker = Worker(device, self._hear)
        self.folder = folder
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._arrived = asyncio.Event()
        self._loading = Loading("Starting the process for captures")

    def submit(self, request: CaptureRequest | Selection) -> Job:
        """Put a job into the queue.

        Raises:
            QueueFull: too many are waiting already.
            OSError: its folder cannot be made.
        """
        if len(self._waiting) >= WAITING:
            raise QueueFull
        job = Job(request, self.folder)
        job.folder.mkdir(parents=True)
        self._jobs[job.id] = job
        self._waiting.append(job)
        self._count()
        self._arrived.set()
        return job

    def find(self, kind: str, job_id: str) -> Job | None:
        """The job of that kind and id, if it was not removed."""
        job = self._jobs.get(job_id)
        return job if job is not None and job.kind == kind else None

    async def remove(self, job: Job) -> None:
        """Stop a job wherever it is, and remove its files. Whoever follows it hears that it was cancelled."""
        self._jobs.pop(job.id, None)
        if job in self._waiting:
            self._waiting.remove(job)
            self._count()
        elif job.sent and not job.ended:
            self.worker.send({"cancel": job.id})
            await within(CANCEL_SECONDS, job.end())
        if not job.ended:
            if job.sent or self._is_stuck(job):
                self.worker.stop()
            job.say(failure(Code.CANCELLED, f"The {job.kind} was cancelled."))
        await _remove(job.folder)

    async def run(self) -> None:
        """Do one job after the other, for ever. The worker gets warm while there is none."""
        self._early = asyncio.create_task(self._warm_up())
        while True:
            while not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            self._running = self._waiting.popleft()
            self._running.begun = time.monotonic()
            self._count()
            await self._do(self._running)
            self._running = None

    async def _warm_up(self) -> None:
        with suppress(WorkerDied):  # the first capture will start another, or say why there is none
            await self.worker.warm()

    async def close(self) -> None:
        """End all jobs and the worker."""
        self.worker.stop()
        for job in self._jobs.values():
            job.say(failure(Code.CANCELLED, "The service was stopped."))
        await self.worker.gone()

    async def _do(self, job: Job) -> None:
        """One job from its turn to its last event."""
        if not self.worker.is_warm:
            job.say(self._loading)
        warming, ending = asyncio.create_task(self.worker.warm()), asyncio.create_task(job.end())
        await asyncio.wait({warming, ending}, return_when=asyncio.FIRST_COMPLETED)
        if warming.done() and isinstance(death := warming.exception(), WorkerDied):
            job.say(death.failure)
        if not job.ended:
            job.sent = True
            self.worker.send({"job": job.id, "folder": str(job.folder), job.kind: asdict(job.request)})
        await ending
        warming.cancel()
        if isinstance(job.last, Failed):
            await _remove(job.folder)

    def _hear(self, job_id: str | None, event: Event) -> None:
        """The worker said something, about the job that runs or about its own start or end."""
        if isinstance(event, Loading) and job_id is None:
            self._loading = event
        job = self._running
        if job is not None and job_id in (None, job.id):
            job.say(event)

    def _is_stuck(self, job: Job) -> bool:
        """Whether a job is waiting for a worker that should have been warm long ago."""
        return job is self._running and time.monotonic() - job.begun > WARM_SECONDS

    def _count(self) -> None:
        """Tell those who wait how many are before them."""
        for ahead, job in enumerate(self._waiting):
            job.say(Queued(ahead + (self._running is not None and not self._running.ended)))


async def _remove(folder: Path) -> None:
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
