"""`pose2pose serve`: the service from its start to its end. `server.py` holds what it answers."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import socket
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from ..protocol import PROTOCOL_VERSION, Ready, to_line
from ..server import Service, build_app
from ..version import VERSION
from .access import Guard, ServeError, find_token, make_token
from .jobs import Jobs
from .temporary import ServiceFolder
from .uploads import Uploads

log = logging.getLogger(__name__)

MEGABYTE = 10**6
GRACE_SECONDS = 1
"""How long answers under way are waited for at the end."""
EXIT_SECONDS = 3.0
"""After which the process ends anyway once its stdin has closed."""

REMOTE_WARNING = (
    "pose2pose: listening on {host}: anybody who reaches the port and has the token can send videos and capture, and "
    "what is sent is not encrypted. Prefer 127.0.0.1 with `ssh -L`, or put a proxy with TLS before it."
)


@dataclass(frozen=True)
class Settings:
    """How the service is started."""

    host: str = "127.0.0.1"
    port: int = 0
    """0 takes any that is free."""
    token_file: Path | None = None
    allow_paths: bool = False
    """Whether clients may name files of this machine."""
    allow_remote: bool = False
    """Whether other addresses than this machine's own may be listened on."""
    upload_limit: int = 4000
    """Megabytes of one upload."""
    end_with_stdin: bool = False
    """Whether the service ends when its stdin is closed, as when the process that started it dies."""
    device: str = "auto"


def serve(settings: Settings) -> None:
    """Run the service until it is told to end.

    Raises:
        ServeError: the token cannot be used, the address cannot be had, or there is no room for temporary files.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    token = find_token(settings.token_file)
    listener = listen(settings)
    try:
        folder = ServiceFolder()
        made = None if token else make_token(folder.path / "token")
    except OSError as error:
        raise ServeError(f"no folder for temporary files can be made: {error}; point TMPDIR to another disk") from error
    jobs = Jobs(settings.device, folder.path / "jobs")
    uploads = Uploads(folder.path / "uploads", settings.upload_limit * MEGABYTE)
    app = build_app(Service(jobs, uploads, paths_allowed=settings.allow_paths))
    token_file = str(folder.path / "token") if made else None
    ready = Ready(_url(listener), PROTOCOL_VERSION, VERSION, os.getpid(), token_file)
    server = _Server(Guard(app, token or made or ""), jobs, ready, folder)
    if settings.end_with_stdin:
        threading.Thread(target=_end_with_stdin, args=(server,), daemon=True).start()
    server.run(sockets=[listener])


def listen(settings: Settings) -> socket.socket:
    """A socket on the address that was asked for.

    Raises:
        ServeError: the address is not this machine's alone and nobody allowed that, or it cannot be had.
    """
    if not is_loopback(settings.host):
        if not settings.allow_remote:
            raise ServeError(
                f"'{settings.host}' can be reached from other machines; if that is wanted, add --allow-remote"
            )
        print(REMOTE_WARNING.format(host=settings.host), file=sys.stderr, flush=True)
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        other = "choose another --port, or 0 for any that is free" if settings.port else "choose another --host"
        raise ServeError(f"cannot listen on {settings.host} port {settings.port}: {error.strerror}; {other}") from error


def is_loopback(host: str) -> bool:
    """Whether an address can only be reached from this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Server(uvicorn.Server):
    """Says when it is ready, and ends everything before it waits for open connections."""

    def __init__(self, application: Guard, jobs: Jobs, ready: Ready, folder: ServiceFolder) -> None:
        config = uvicorn.Config(
            application,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        super().__init__(config)
        self._jobs = jobs
        self._ready = ready
        self._folder = folder

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._working = asyncio.create_task(self._jobs.run())
        self._working.add_done_callback(self._end_if_broken)
        print(to_line(self._ready), flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._working.cancel()
        await self._jobs.close()
        await super().shutdown(sockets)
        self._folder.remove()  # here, because a signal that ends the server is raised again after this

    def _end_if_broken(self, working: asyncio.Task[None]) -> None:
        """A service that answers but works no more would be worse than none."""
        if not working.cancelled() and (error := working.exception()) is not None:
            log.error("the queue of jobs broke", exc_info=error)
            self.should_exit = True


def _end_with_stdin(server: uvicorn.Server) -> None:
    """Wait for the end of stdin, then end the service; if it hangs, the process."""
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    server.should_exit = True
    threading.Event().wait(EXIT_SECONDS)
    os._exit(1)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
