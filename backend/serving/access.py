"""Who may talk to the service: the token, and the check of every request before anything of it is read."""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from fastapi import HTTPException
from fastapi.responses import JSONResponse

from ..protocol import PROTOCOL_VERSION, TOKEN_VARIABLE, VERSION_HEADER, Code, Failed, failure

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = {"/docs", "/openapi.json"}
"""Paths that need no token: they describe the service and say nothing about what it does."""
BODY_LIMIT = 2**16
"""Bytes of a request other than an upload's."""


class ServeError(Exception):
    """The service cannot start. The message says why and what to do."""


def find_token(file: Path | None) -> str | None:
    """The token from a file that only its owner may read, or from the environment; None where neither is.

    Raises:
        ServeError: the file is missing, open to others, or what is in it is no token.
    """
    given = os.environ.pop(TOKEN_VARIABLE, None) or None  # popped: child processes need not know it
    if file is not None:
        given = _read_private(file)
    if given is None:
        return None
    token = given.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ServeError(f"the token {f'in {file}' if file else f'in {TOKEN_VARIABLE}'} must be one printable word")
    return token


def make_token(file: Path) -> str:
    """Write a new token to a file that only its owner may read."""
    token = secrets.token_urlsafe(32)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as private:
        private.write(token + "\n")
    return token


def _read_private(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as text:
            mode = stat.S_IMODE(os.fstat(text.fileno()).st_mode)
            if os.name == "posix" and mode & 0o077:
                raise ServeError(f"{file} can be read by others (mode {mode:04o}); run: chmod 600 '{file}'")
            return text.read(4096)
    except (OSError, UnicodeDecodeError) as error:
        raise ServeError(f"the token file {file} cannot be read: {error}") from error


class Guard:
    """Lets only requests with the token and this protocol version through, and only bodies of a sensible size."""

    def __init__(self, application: Application, token: str) -> None:
        self._application = application
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that may not pass; hand over one that may."""
        if scope["type"] != "http" or scope["path"] in OPEN:
            await self._application(scope, receive, send)
            return
        headers = dict(reversed(scope["headers"]))
        if not self._knows(headers.get(b"authorization", b"")):
            refusal = failure(Code.UNAUTHORIZED, "The request has no token, or not the service's.")
            await error_response(refusal, 401, {"WWW-Authenticate": "Bearer"})(scope, receive, send)
        elif (version := headers.get(VERSION_HEADER.lower().encode(), b"")) != b"%d" % PROTOCOL_VERSION:
            await error_response(other_version(version.decode("latin-1")), 426)(scope, receive, send)
        elif scope["method"] == "PUT":
            await self._application(scope, receive, send)
        else:
            await self._application(scope, _limited(receive), send)

    def _knows(self, authorization: bytes) -> bool:
        scheme, _, token = authorization.partition(b" ")
        return hmac.compare_digest(token.strip(), self._token) and scheme.lower() == b"bearer"


def other_version(version: str) -> Failed:
    """The client speaks another protocol, or does not say which."""
    theirs = f"protocol {version[:20]}" if version else f"no protocol version (header {VERSION_HEADER})"
    return failure(Code.PROTOCOL, f"The client speaks {theirs}, the service speaks protocol {PROTOCOL_VERSION}.")


def error_response(failed: Failed, status: int, headers: dict[str, str] | None = None) -> JSONResponse:
    """The body of every error is a `Failed`."""
    return JSONResponse({"code": failed.code, "message": failed.message, "remedy": failed.remedy}, status, headers)


def _limited(receive: Receive) -> Receive:
    """Receive no more than `BODY_LIMIT` bytes."""
    received = 0

    async def counted() -> MutableMapping[str, Any]:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > BODY_LIMIT:
            raise HTTPException(413, f"The request is larger than {BODY_LIMIT} bytes.")
        return message

    return counted
