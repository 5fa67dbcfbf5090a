"""One HTTP request and its answer on a connection of its own, which another thread can break off. Plain Python, no bpy.

`http.client` is used because it knows nothing of proxies: what is meant for this machine stays on it.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import TypeVar
from urllib.parse import urlsplit

_CONNECT_SECONDS = 5.0
_LONGEST_ERROR = 65536

Answer = TypeVar("Answer")


class RefusedError(Exception):
    """The server answered with an error."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"HTTP status {status}")
        self.status = status
        self.body = body


@dataclass(frozen=True)
class Address:
    """Where a service is."""

    host: str
    port: int
    secure: bool
    """Whether TLS is spoken there."""
    base: str
    """What comes before every path; "" for a service of its own."""


def parse_address(url: str) -> Address:
    """Understand `http://host:port`, `https://host/base` or just `host:port`.

    Raises:
        ValueError: it is something else.
    """
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is no address; expected one such as http://192.168.0.5:8000")
    secure = parts.scheme == "https"
    return Address(parts.hostname, parts.port or (443 if secure else 80), secure, parts.path.rstrip("/"))


def travels_openly(url: str) -> bool:
    """Whether others in the network can read what is sent there; False for what is no address."""
    try:
        address = parse_address(url)
    except ValueError:
        return False
    here = address.host in ("localhost", "::1") or address.host.startswith("127.")
    return not address.secure and not here


class Exchange:
    """A request that has not been sent yet, or that is under way."""

    def __init__(
        self,
        address: Address,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | Iterable[bytes] | None,
        timeout: float,
    ) -> None:
        self._address = address
        self._request = (method, address.base + path, body, {**headers, "Connection": "close"})
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._interrupted = False

    def run(self, read: Callable[[HTTPResponse], Answer]) -> Answer:
        """Send the request and return what `read` makes of the answer. Blocks.

        Raises:
            RefusedError: the server answered with an error.
            OSError, http.client.HTTPException: the connection failed, was silent for too long, or was interrupted.
        """
        kind = http.client.HTTPSConnection if self._address.secure else http.client.HTTPConnection
        connection = kind(self._address.host, self._address.port, timeout=min(_CONNECT_SECONDS, self._timeout))
        try:
            connection.connect()
            self._take_over(connection.sock)
            with _send(connection, *self._request) as answer:
                if answer.status >= 300:
                    raise RefusedError(answer.status, answer.read(_LONGEST_ERROR))
                return read(answer)
        finally:
            connection.close()

    def interrupt(self) -> None:
        """Break the connection off, so that `run` fails soon in its thread."""
        self._interrupted = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _take_over(self, connected: socket.socket) -> None:
        connected.settimeout(self._timeout)
        self._socket = connected
        if self._interrupted:
            raise ConnectionAbortedError("interrupted")


def _send(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | Iterable[bytes] | None,
    headers: Mapping[str, str],
) -> HTTPResponse:
    """Send a request; a server that refuses a body may answer and hang up before it has read all of it."""
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.request(method, path, body, headers)
    return connection.getresponse()
