"""What the service and its clients say to each other: versions, requests, events, error codes.

Shared by both sides and therefore standard library only. Requests and answers are JSON objects with the fields of the
dataclasses below. Events are one JSON object a line, told apart by `type`; an empty line means "still here". Takes
travel as `.npz` without pickle, thumbnails as PNG.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, ClassVar, TypeVar

PROTOCOL_VERSION = 1
VERSION_HEADER = "Pose2Pose-Protocol"
"""HTTP header with the sender's `PROTOCOL_VERSION`; requests without it or with another one are refused."""
TOKEN_VARIABLE = "POSE2POSE_TOKEN"
"""Environment variable with the token that the client sends as `Authorization: Bearer TOKEN`."""
ALIVE_SECONDS = 1.0
"""The longest silence in a stream of events. A client may give up on a service that was silent for several of them."""

PARTS = ("body", "hands", "face")

_NUMBERS = re.compile(r"[1-9][0-9]{0,3}(,[1-9][0-9]{0,3})*")
_MOST_FRAMES = 2**31 - 1
_Request = TypeVar("_Request", "Selection", "CaptureRequest")


class Code(StrEnum):
    """Everything that can go wrong, for programs; people read the sentence that comes with it."""

    UNAUTHORIZED = "unauthorized"
    PROTOCOL = "protocol"
    BAD_REQUEST = "bad_request"
    NOT_FOUND = "not_found"
    NOT_READY = "not_ready"
    QUEUE_FULL = "queue_full"
    TOO_LARGE = "too_large"
    PATH_REFUSED = "path_refused"
    SOURCE = "source"
    NOBODY = "nobody"
    WEIGHTS = "weights"
    BODY = "body"
    DEVICE = "device"
    MEMORY = "memory"
    DISK_FULL = "disk_full"
    CANCELLED = "cancelled"
    CRASHED = "crashed"
    UNREACHABLE = "unreachable"
    NOT_STARTED = "not_started"
    INTERNAL = "internal"


REMEDIES = {
    Code.UNAUTHORIZED: "Enter the service's token in the add-on's preferences.",
    Code.PROTOCOL: "Install the same version of pose2pose on both sides.",
    Code.BAD_REQUEST: "Correct the value and try again.",
    Code.NOT_FOUND: "Capture again: results are kept until they are deleted or the service ends.",
    Code.NOT_READY: "Wait until it is done.",
    Code.QUEUE_FULL: "Wait until a running capture is done, or cancel one.",
    Code.TOO_LARGE: "Shorten the clip, or raise --upload-limit where the service runs.",
    Code.PATH_REFUSED: "Upload the file, or start the service with --allow-paths on the machine that has the file.",
    Code.SOURCE: "Choose another file or another range of frames.",
    Code.NOBODY: "Choose a part of the clip in which people are seen larger.",
    Code.WEIGHTS: "Install pose2pose again, or choose another preset.",
    Code.BODY: "Choose another body model file in the preferences, or clear the field.",
    Code.DEVICE: "Choose the device 'auto' or 'cpu'.",
    Code.MEMORY: "Close other programs, or choose the device 'cpu'.",
    Code.DISK_FULL: "Free some space where temporary files are kept, or point TMPDIR to another disk.",
    Code.CANCELLED: "",
    Code.CRASHED: "Try again; if it happens again, use Diagnose in the preferences and Copy Report.",
    Code.UNREACHABLE: "Check the address in the preferences and whether the service runs there.",
    Code.NOT_STARTED: "Use Diagnose in the add-on's preferences to see what is missing.",
    Code.INTERNAL: "This is a defect of pose2pose. Please report it with what Copy Report gives.",
}
"""What to do about each code, for when the sentence itself does not say."""


class ProtocolError(ValueError):
    """A message that the other side should not have sent. Names the field and the value."""


_STRICT: dict[str, str] = {"extra": "forbid"}
"""For the service's validation of requests: a field that nobody knows is a mistake, not something to pass over."""


@dataclass(frozen=True)
class SourceReference:
    """What is captured: a path on the service's machine, or an upload. Exactly one of the two is given."""

    __pydantic_config__: ClassVar = _STRICT
    path: str | None = None
    """A video, a picture, a folder of pictures, or a pattern such as `shot.####.png`."""
    upload: str | None = None
    """Number that `POST /v1/uploads` gave."""

    def __post_init__(self) -> None:
        if (self.path is None) == (self.upload is None):
            raise ProtocolError("a source is either a 'path' or an 'upload'")
        if self.path is not None and (not self.path or "\0" in self.path):
            raise ProtocolError(f"'path' must name a file or a folder, got {self.path[:80]!r}")


@dataclass(frozen=True)
class Selection:
    """Which frames of a source. Two requests with equal selections see the same people under the same numbers."""

    __pydantic_config__: ClassVar = _STRICT
    source: SourceReference
    start: int | None = None
    """First source frame, from 0."""
    end: int | None = None
    """Last source frame, included."""
    step: int = 1
    """Take every step-th frame."""
    frame_rate: float | None = None
    """Frames a second of an image sequence; videos carry their own times."""

    def __post_init__(self) -> None:
        if self.step < 1:
            raise ProtocolError(f"'step' must be at least 1, got {self.step}")
        if max(self.start or 0, self.end or 0, self.step) > _MOST_FRAMES:
            raise ProtocolError(f"frames are counted up to {_MOST_FRAMES}, got {self.start} to {self.end}")
        if (self.start or 0) < 0 or (self.end is not None and self.end < (self.start or 0)):
            raise ProtocolError(f"'start' to 'end' must be a range from 0 on, got {self.start} to {self.end}")
        _check_positive("frame_rate", self.frame_rate)


@dataclass(frozen=True)
class CaptureRequest:
    """Body of `POST /v1/captures`."""

    __pydantic_config__: ClassVar = _STRICT
    selection: Selection
    people: str = "all"
    """`all`, `largest`, or numbers as in `1,3`."""
    parts: tuple[str, ...] = PARTS
    """What is captured; the other parts stay at rest with confidence 0. The body always is."""
    preset: str = "open"
    focal: float | None = None
    """Focal length in pixels, if known."""
    fov: float | None = None
    """Field of view over the picture's longer side in degrees, if known."""
    body: str | None = None
    """Path of a licensed body file on the service's machine; None = the open body."""

    def __post_init__(self) -> None:
        if self.people not in ("all", "largest") and not _NUMBERS.fullmatch(self.people):
            raise ProtocolError(f"'people' must be 'all', 'largest' or numbers such as '1,3', got '{self.people}'")
        check_parts(self.parts)
        _check_positive("focal", self.focal)
        _check_positive("fov", self.fov)
        if self.fov is not None and (self.fov >= 180 or self.focal is not None):
            raise ProtocolError(f"'fov' must be below 180 degrees and comes without 'focal', got {self.fov}")


@dataclass(frozen=True)
class UploadCreated:
    """Answer to `POST /v1/uploads`: where files can be sent to."""

    upload: str
    """Number for `SourceReference.upload`; files go to `PUT /v1/uploads/{upload}/{name}`."""


@dataclass(frozen=True)
class Created:
    """Answer to `POST /v1/captures` and `POST /v1/scans`: the new job."""

    id: str
    url: str
    """Path of the job on this service, `/v1/captures/ID` or `/v1/scans/ID`."""


@dataclass(frozen=True)
class Info:
    """Answer to `GET /v1/info`."""

    version: str
    """Of the package."""
    protocol: int
    device: str
    """What captures are computed on, such as `cpu` or `cuda`; the reason where that is not possible."""
    devices: tuple[str, ...]
    """All that there are, described for people."""
    presets: tuple[str, ...]
    """Those whose weights are there."""
    weights: tuple[dict[str, str], ...]
    """For each file its name as `file`, the `set` that it belongs to, its `license` and what else its header says."""
    body: str
    """The open body, described for people."""
    missing: tuple[str, ...]
    """Sentences; nothing is missing where there is none."""
    paths_allowed: bool
    """Whether sources and bodies may be paths on the service's machine."""
    upload_limit: int
    """Bytes of one upload, all of its files together."""


@dataclass(frozen=True)
class Person:
    """Somebody in the source."""

    person: int
    """Number, from 1; 1 is the largest and longest seen."""
    first: int
    """First source frame in which they are."""
    last: int
    """Last source frame."""
    frames: int
    """How many frames of the selection they are in."""
    confidence: float
    """0..1, mean over the body's joints and the frames; of the detections when the source was only scanned."""


@dataclass(frozen=True)
class Queued:
    """Waiting for its turn."""

    ahead: int
    """Captures before this one."""


@dataclass(frozen=True)
class Loading:
    """The network and the body are being read."""

    what: str
    """For people, such as "Loading the network"."""


@dataclass(frozen=True)
class Progress:
    """How far the work is."""

    stage: str
    """`detect`, `capture` or `refine`."""
    done: int
    """Frames; of all people together when people are captured or refined."""
    total: int | None
    """Frames, None while the source does not say how many it has."""
    rate: float
    """Frames a second in this stage so far."""
    seconds_left: float | None
    """In this stage."""
    people: int
    """People found so far, or captured."""


@dataclass(frozen=True)
class Done:
    """The last event of what went well."""

    people: tuple[Person, ...]
    """Those with a take, or everybody who was found by a scan."""
    notes: tuple[str, ...]
    """Sentences that a user should read."""
    frames: int
    """Source frames that were read."""
    frames_per_second: float
    """Of the whole work, loading left out."""
    device: str


@dataclass(frozen=True)
class Failed:
    """The last event of what went wrong; also the body of every HTTP error."""

    code: Code
    message: str
    """One sentence with the values in it."""
    remedy: str = ""
    """What to do about it."""

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


Event = Queued | Loading | Progress | Done | Failed
LAST = (Done, Failed)
"""Events after which no other comes."""

_TYPES: dict[str, type[Any]] = {kind.__name__.lower(): kind for kind in (Queued, Loading, Progress, Done, Failed)}


@dataclass(frozen=True)
class Ready:
    """The one line that `pose2pose serve` prints on stdout when it listens."""

    url: str
    protocol: int
    version: str
    pid: int
    token_file: str | None = None
    """Where the token is, if the service had to make one."""


def failure(code: Code, message: str, remedy: str | None = None) -> Failed:
    """A failure with the usual remedy for its code, unless the caller knows a better one."""
    return Failed(code, message, REMEDIES[code] if remedy is None else remedy)


def to_line(message: Event | Ready) -> str:
    """One line of JSON, without its end. Events carry their `type`."""
    return json.dumps(asdict(message) if isinstance(message, Ready) else event_to_json(message))


def event_from_line(line: str) -> Event:
    """Read what `to_line` wrote.

    Raises:
        ProtocolError: not JSON, an unknown type, or fields that do not fit it.
    """
    try:
        values = json.loads(line)
    except ValueError as error:
        raise ProtocolError(f"not an event of protocol {PROTOCOL_VERSION}: {line[:200]!r}") from error
    return event_from_json(values)


def event_from_json(values: dict[str, Any]) -> Event:
    """Read an event, such as the answer to `GET /v1/captures/ID`.

    Raises:
        ProtocolError: an unknown type, or fields that do not fit it.
    """
    try:
        event: Event = _fill(_TYPES[values["type"]], values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProtocolError(f"not an event of protocol {PROTOCOL_VERSION}: {str(values)[:200]}") from error
    return event


def event_to_json(event: Event) -> dict[str, Any]:
    """An event as a JSON object, with its `type`."""
    return {"type": type(event).__name__.lower(), **asdict(event)}


def request_from_json(kind: type[_Request], values: dict[str, Any]) -> _Request:
    """Read the body of a request that `dataclasses.asdict` made.

    Raises:
        ProtocolError: fields are missing, unknown or out of range.
    """
    try:
        if kind is Selection:
            return kind(**{**values, "source": SourceReference(**values["source"])})
        selection = request_from_json(Selection, values["selection"])
        return kind(**{**values, "selection": selection, "parts": tuple(values["parts"])})
    except (KeyError, TypeError) as error:
        raise ProtocolError(f"not a request of protocol {PROTOCOL_VERSION}: {str(values)[:200]}") from error


def ready_from_line(line: str) -> Ready:
    """Read the line of a service that has started.

    Raises:
        ProtocolError: it is something else.
    """
    try:
        ready: Ready = _fill(Ready, json.loads(line))
    except (ValueError, TypeError) as error:
        raise ProtocolError(f"not the first line of a pose2pose service: {line[:200]!r}") from error
    return ready


def failed_from_json(values: dict[str, Any]) -> Failed:
    """Read the body of an HTTP error.

    Raises:
        ProtocolError: it is something else.
    """
    try:
        return Failed(Code(values["code"]), str(values["message"]), str(values.get("remedy", "")))
    except (KeyError, ValueError, TypeError) as error:
        raise ProtocolError(f"not an error of protocol {PROTOCOL_VERSION}: {str(values)[:200]}") from error


def _fill(kind: type[Any], values: dict[str, Any]) -> Any:
    """A message from its fields; a newer service may send more of them than are known here."""
    known = {field.name: values[field.name] for field in fields(kind) if field.name in values}
    if kind is Done:
        known["people"] = tuple(_fill(Person, person) for person in known["people"])
        known["notes"] = tuple(known["notes"])
    if kind is Failed:
        known["code"] = Code(known["code"])
    return kind(**known)


def check_parts(parts: tuple[str, ...]) -> None:
    """Whether these parts can be captured together.

    Raises:
        ProtocolError: an unknown part, or the body is left out.
    """
    if "body" not in parts or not set(parts) <= set(PARTS):
        raise ProtocolError(f"'parts' must hold 'body' and may hold 'hands' and 'face', got {list(parts)}")


def _check_positive(name: str, value: float | None) -> None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise ProtocolError(f"'{name}' must be positive, got {value}")
