"""The process that computes: reads requests from stdin, writes events to stdout, one JSON object a line each.

    {"job": ID, "folder": PATH, "capture": {...} or "scan": {...}}      to it: a request with the folder for its files
    {"cancel": ID}                                                      to it: stop that job, keep nothing
    {"job": ID or null, "event": {...}}                                 from it; null while it starts
    {"info": {...}}                                                     from it, once it is warm

It has the memory of torch and may crash; the service (`server.py`) then says so and starts another. It ends with its
stdin, so it never outlives the service. Its log is stderr.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import logging
import os
import signal
import sys
import threading
from queue import SimpleQueue
from typing import Any, TextIO

from ..memory import keep_freed_memory
from ..protocol import Event, Loading, event_to_json


class Mailbox:
    """The worker's end of the two pipes."""

    def __init__(self, outgoing: TextIO) -> None:
        self.requests: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self.cancelled: set[str] = set()
        self._outgoing = outgoing

    def listen(self) -> None:
        """Sort what comes in, for ever. When nothing can come any more, the process ends wherever it is."""
        for line in sys.stdin:
            message = json.loads(line)
            if "cancel" in message:
                self.cancelled.add(message["cancel"])
            else:
                self.requests.put(message)
        os._exit(0)

    def say(self, event: Event, job: str | None = None) -> None:
        """Send an event about a job, or about the start."""
        self._send({"job": job, "event": event_to_json(event)})

    def inform(self, info: dict[str, Any]) -> None:
        """Say that the worker is warm, and what it is."""
        self._send({"info": info})

    def _send(self, message: dict[str, Any]) -> None:
        self._outgoing.write(json.dumps(message) + "\n")
        self._outgoing.flush()


def main() -> None:
    """Get warm, then work on one request after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    device = parser.parse_args().device
    mailbox = Mailbox(_keep_stdout())
    faulthandler.enable()
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which ends this process
    threading.Thread(target=mailbox.listen, daemon=True).start()
    keep_freed_memory()

    mailbox.say(Loading("Loading torch"))
    from .work import Workbench

    bench = Workbench(device)
    mailbox.say(Loading("Loading the network"))
    mailbox.inform(bench.warm_up())
    while True:
        bench.work(mailbox.requests.get(), mailbox)


def _keep_stdout() -> TextIO:
    """The protocol's stream. Whatever else is printed from here on, in Python or below it, goes to stderr."""
    protocol = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return protocol


if __name__ == "__main__":
    main()
