"""Seconds from the click on Capture to the first progress: the backend yet to be started, and warm. Prints JSON.

    python tools/bench_service.py CLIP

Uses the add-on's own client, which needs no Blender.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from pose2pose.addon.link.client import Client, start_backend
from pose2pose.addon.setup.environment import serve_command
from pose2pose.backend.protocol import LAST, CaptureRequest, Progress, Selection, SourceReference


def seconds_to_progress(client: Client, clip: Path) -> float:
    """Ask for a capture, wait until it has done something, cancel it."""
    start = time.perf_counter()
    job = client.start_capture(CaptureRequest(Selection(SourceReference(path=str(clip.absolute())))))
    for event in client.events(job):
        if isinstance(event, Progress):
            break
        if isinstance(event, LAST):
            raise RuntimeError(f"the capture ended before any progress: {event}")
    seconds = time.perf_counter() - start
    client.delete(job)
    return seconds


def measure(clip: Path, log: Path) -> dict[str, float]:
    """Start a service, capture twice."""
    command, environment = serve_command(Path(sys.executable))
    start = time.perf_counter()
    backend = start_backend(command, environment, log)
    try:
        listens = time.perf_counter() - start
        client = Client(backend.url, backend.token, backend)
        cold = listens + seconds_to_progress(client, clip)
        client.info()  # cancelling may have restarted the worker: wait until it is warm again
        return {"listen_seconds": listens, "cold_seconds": cold, "warm_seconds": seconds_to_progress(client, clip)}
    finally:
        backend.stop()


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(sys.argv[1]), Path(folder) / "service.log")))


if __name__ == "__main__":
    main()
