"""The HTTP service: what can be asked, and how it is answered. The modules of `serving/` run it and compute for it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, Request
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from .protocol import (
    PROTOCOL_VERSION,
    VERSION_HEADER,
    CaptureRequest,
    Code,
    Created,
    Done,
    Event,
    Failed,
    Info,
    Selection,
    SourceReference,
    UploadCreated,
    event_to_json,
    to_line,
)
from .serving.job import Job
from .serving.jobs import WAITING, Jobs, QueueFull
from .serving.refusals import STATUS, Refused, add_error_handlers
from .serving.uploads import Upload, Uploads
from .summary import take_name, thumbnail_name
from .version import VERSION


@dataclass(frozen=True, eq=False)
class Service:
    """What a running service has."""

    jobs: Jobs
    uploads: Uploads
    paths_allowed: bool


def _answers(*codes: Code) -> dict[int | str, dict[str, Any]]:
    """For the OpenAPI page: errors that a request may be answered with."""
    statuses = {401, 413, 422, 426, 500} | {STATUS[code] for code in codes}
    return {status: {"model": Failed} for status in sorted(statuses)}


def _file(media_type: str) -> dict[str, Any]:
    return {"content": {media_type: {"schema": {"type": "string", "format": "binary"}}}}


def _carries(
    _token: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
    _version: Annotated[str, Header(alias=VERSION_HEADER)] = str(PROTOCOL_VERSION),
) -> None:
    """What every request carries, for the OpenAPI page; `access.Guard` checks it before anything else happens."""


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Running = Annotated[Service, Depends(_service)]
router = APIRouter(prefix="/v1", dependencies=[Depends(_carries)])


@router.get("/info", responses=_answers(Code.CRASHED))
async def get_info(service: Running) -> Info:
    """Versions, device, presets, weights and what is missing. Waits until the network is loaded."""
    facts = await service.jobs.worker.warm()
    return Info(
        version=VERSION,
        protocol=PROTOCOL_VERSION,
        device=facts["device"],
        devices=tuple(facts["devices"]),
        presets=tuple(facts["presets"]),
        weights=tuple(facts["weights"]),
        body=facts["body"],
        missing=tuple(facts["missing"]),
        paths_allowed=service.paths_allowed,
        upload_limit=service.uploads.limit,
    )


@router.post("/uploads", status_code=201, responses=_answers(Code.DISK_FULL))
async def create_upload(service: Running) -> UploadCreated:
    """Begin an upload: a video, or the pictures of a sequence, for any number of scans and captures."""
    return UploadCreated(service.uploads.create())


@router.put(
    "/uploads/{upload}/{name}",
    status_code=204,
    responses=_answers(Code.NOT_FOUND, Code.DISK_FULL),
    openapi_extra={"requestBody": {"required": True} | _file("application/octet-stream")},
)
async def put_file(upload: str, name: str, request: Request, service: Running) -> None:
    """Send one file as the body of the request. The limit counts all files of the upload together."""
    stated = int(request.headers.get("content-length", "0"))
    await _upload(service, upload).receive(name, stated, _body(request))


@router.delete("/uploads/{upload}", status_code=204, responses=_answers(Code.NOT_FOUND))
async def delete_upload(upload: str, service: Running) -> None:
    """Remove an upload and its files."""
    _upload(service, upload)
    await service.uploads.remove(upload)


_SUBMIT = _answers(Code.NOT_FOUND, Code.PATH_REFUSED, Code.QUEUE_FULL, Code.DISK_FULL) | {400: {"model": Failed}}


@router.post("/captures", status_code=201, responses=_SUBMIT)
async def create_capture(asked: CaptureRequest, service: Running) -> Created:
    """Capture people. The answer names the job; follow its events."""
    if asked.body is not None:
        _check_path(service, asked.body)
    return _submit(service, replace(asked, selection=_with_path(service, asked.selection)))


@router.post("/scans", status_code=201, responses=_SUBMIT)
async def create_scan(asked: Selection, service: Running) -> Created:
    """Find people only. A capture of the same selection is faster after it."""
    return _submit(service, _with_path(service, asked))


@router.get(
    "/captures/{job}/takes/{person}",
    response_class=FileResponse,
    responses=_answers(Code.NOT_FOUND, Code.NOT_READY) | {200: _file("application/octet-stream")},
)
async def get_take(job: str, person: int, service: Running) -> FileResponse:
    """A person's take, an `.npz` without pickle."""
    return _result(service, "capture", job, person, take_name(person), "application/octet-stream")


@router.get(
    "/captures/{job}/takes/{person}/thumbnail",
    response_class=FileResponse,
    responses=_answers(Code.NOT_FOUND, Code.NOT_READY) | {200: _file("image/png")},
)
async def get_take_thumbnail(job: str, person: int, service: Running) -> FileResponse:
    """A captured person, cut from the frame in which they are seen best."""
    return _result(service, "capture", job, person, thumbnail_name(person), "image/png")


@router.get(
    "/scans/{job}/people/{person}/thumbnail",
    response_class=FileResponse,
    responses=_answers(Code.NOT_FOUND, Code.NOT_READY) | {200: _file("image/png")},
)
async def get_person_thumbnail(job: str, person: int, service: Running) -> FileResponse:
    """A person who was found, cut from the frame in which they are seen best."""
    return _result(service, "scan", job, person, thumbnail_name(person), "image/png")


def _job_routes(kind: str) -> APIRouter:
    """What captures and scans have in common."""
    routes = APIRouter(prefix=f"/{kind}s/{{job}}")
    lines = {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}

    @routes.get("", response_model=Event, responses=_answers(Code.NOT_FOUND))
    async def get_last_event(job: str, service: Running) -> JSONResponse:
        """What was said last."""
        return JSONResponse(event_to_json(_find(service, kind, job).last))

    @routes.get("/events", response_class=StreamingResponse, responses=_answers(Code.NOT_FOUND) | {200: lines})
    async def get_events(job: str, service: Running) -> StreamingResponse:
        """Everything that was said from the beginning on, one JSON object a line; an empty line means "still here"."""
        return StreamingResponse(_lines(_find(service, kind, job)), media_type="application/x-ndjson")

    @routes.delete("", status_code=204, responses=_answers(Code.NOT_FOUND))
    async def delete_job(job: str, service: Running) -> None:
        """Cancel what is not done, and remove all files."""
        await service.jobs.remove(_find(service, kind, job))

    return routes


router.include_router(_job_routes("capture"))
router.include_router(_job_routes("scan"))


def build_app(service: Service) -> FastAPI:
    """The application; requests must pass `access.Guard` before."""
    app = FastAPI(
        title="pose2pose",
        version=VERSION,
        description="From a video of people to takes: the motion of body, hands and face on an SMPL-X armature.",
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    app.state.service = service
    app.include_router(router)
    add_error_handlers(app)
    return app


def _submit(service: Service, request: CaptureRequest | Selection) -> Created:
    try:
        job = service.jobs.submit(request)
    except QueueFull:
        raise Refused(Code.QUEUE_FULL, f"{WAITING} captures are waiting already, and no more can") from None
    return Created(id=job.id, url=f"/v1/{job.kind}s/{job.id}")


def _with_path(service: Service, selection: Selection) -> Selection:
    """The selection with a path in place of an upload."""
    source = selection.source
    if source.path is not None:
        _check_path(service, source.path)
        return selection
    sent = _upload(service, source.upload or "").source()
    return replace(selection, source=SourceReference(path=str(sent)))


def _check_path(service: Service, path: str) -> None:
    if not service.paths_allowed:
        raise Refused(Code.PATH_REFUSED, f"this service takes no paths on its own machine, got '{path}'")
    if not os.path.isabs(path):
        raise Refused(Code.BAD_REQUEST, f"a path must be absolute, got '{path}'")


def _upload(service: Service, number: str) -> Upload:
    upload = service.uploads.find(number)
    if upload is None:
        raise Refused(Code.NOT_FOUND, f"there is no upload '{number}'")
    return upload


def _find(service: Service, kind: str, job_id: str) -> Job:
    job = service.jobs.find(kind, job_id)
    if job is None:
        raise Refused(Code.NOT_FOUND, f"there is no {kind} '{job_id}'")
    return job


def _result(service: Service, kind: str, job_id: str, person: int, name: str, media_type: str) -> FileResponse:
    """A file that a job made."""
    job = _find(service, kind, job_id)
    if not isinstance(job.last, Done):
        raise Refused(
            Code.NOT_READY, f"the {kind} has no results: {'it failed' if job.ended else 'it is not done yet'}"
        )
    path: Path = job.folder / name
    if not path.is_file():
        raise Refused(Code.NOT_FOUND, f"the {kind} has no person {person}")
    return FileResponse(path, media_type=media_type, filename=name)


async def _lines(job: Job) -> AsyncIterator[bytes]:
    async for event in job.follow():
        yield b"\n" if event is None else to_line(event).encode() + b"\n"


async def _body(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes."""
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise Refused(Code.BAD_REQUEST, "the client went away while it sent a file")
        more = message.get("more_body", False)
        yield message.get("body", b"")
