"""What the service says when it cannot answer a request: always a `Failed`, with the HTTP status of its code."""

from __future__ import annotations

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError

from ..failures import internal_failure, sentence, system_failure
from ..protocol import Code, Failed, failure
from .access import error_response
from .uploads import TooLargeError, UploadError
from .worker_process import WorkerDied

STATUS = {
    Code.PATH_REFUSED: 403,
    Code.NOT_FOUND: 404,
    Code.NOT_READY: 409,
    Code.TOO_LARGE: 413,
    Code.BAD_REQUEST: 422,
    Code.INTERNAL: 500,
    Code.CRASHED: 502,
    Code.QUEUE_FULL: 503,
    Code.DISK_FULL: 507,
}
"""Of codes that answer a request. Other codes end a job and come as its last event."""


class Refused(Exception):  # noqa: N818  it is the client that did something wrong
    """A request cannot be answered; holds what to say."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.failure = failure(code, f"{message[:1].upper()}{message[1:]}.")


def add_error_handlers(app: FastAPI) -> None:
    """Answer every exception that leaves an endpoint."""

    @app.exception_handler(Refused)
    @app.exception_handler(WorkerDied)
    async def refused(_request: Request, error: Refused | WorkerDied) -> Response:
        return _answer(error.failure)

    @app.exception_handler(UploadError)
    async def bad_upload(_request: Request, error: UploadError) -> Response:
        return _answer(failure(Code.BAD_REQUEST, sentence(error)))

    @app.exception_handler(TooLargeError)
    async def too_large(_request: Request, error: TooLargeError) -> Response:
        return _answer(failure(Code.TOO_LARGE, sentence(error)))

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Response:
        return _answer(failure(Code.BAD_REQUEST, _first_mistake(error)))

    @app.exception_handler(OSError)
    async def trouble(_request: Request, error: OSError) -> Response:
        return _answer(system_failure(error))

    @app.exception_handler(Exception)
    async def bug(_request: Request, error: Exception) -> Response:
        return _answer(internal_failure(error))  # its traceback is logged by uvicorn

    @app.exception_handler(400)
    @app.exception_handler(404)
    @app.exception_handler(405)
    @app.exception_handler(413)
    async def unknown(request: Request, error: HTTPException) -> Response:
        codes = {404: Code.NOT_FOUND, 413: Code.TOO_LARGE}
        texts = {404: f"There is no {request.url.path}.", 405: f"{request.method} does not fit {request.url.path}."}
        failed = failure(codes.get(error.status_code, Code.BAD_REQUEST), texts.get(error.status_code, error.detail))
        return error_response(failed, error.status_code, dict(error.headers or {}))


def _answer(failed: Failed) -> Response:
    return error_response(failed, STATUS[failed.code])


def _first_mistake(error: RequestValidationError) -> str:
    """What is wrong with the request, and where."""
    mistake = error.errors()[0]
    where = ".".join(str(part) for part in mistake["loc"][1:])
    text = str(mistake["msg"]).removeprefix("Value error, ")
    return f"{where}: {text}." if where else f"{text}."
