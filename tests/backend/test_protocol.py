"""What both sides say to each other survives the way, and what is no message is refused by name."""

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose2pose.backend.protocol import (
    REMEDIES,
    CaptureRequest,
    Code,
    Done,
    Event,
    Failed,
    Loading,
    Person,
    Progress,
    ProtocolError,
    Queued,
    Ready,
    Selection,
    SourceReference,
    event_from_json,
    event_from_line,
    event_to_json,
    failed_from_json,
    failure,
    ready_from_line,
    request_from_json,
    to_line,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)
COUNTS = st.integers(0, 10**9)
EVENTS = st.one_of(
    st.builds(Queued, ahead=COUNTS),
    st.builds(Loading, what=st.text()),
    st.builds(
        Progress,
        stage=st.sampled_from(["detect", "capture", "refine"]),
        done=COUNTS,
        total=st.none() | COUNTS,
        rate=FINITE,
        seconds_left=st.none() | FINITE,
        people=COUNTS,
    ),
    st.builds(
        Done,
        people=st.lists(st.builds(Person, COUNTS, COUNTS, COUNTS, COUNTS, FINITE)).map(tuple),
        notes=st.lists(st.text()).map(tuple),
        frames=COUNTS,
        frames_per_second=FINITE,
        device=st.text(),
    ),
    st.builds(Failed, st.sampled_from(Code), st.text(), st.text()),
)

SELECTION = Selection(SourceReference(path="/clip.mp4"), start=3, end=9, step=2, frame_rate=25.0)
REQUEST = CaptureRequest(SELECTION, people="1,3", parts=("body", "face"), focal=600.0)


@given(EVENTS)
def test_events_survive_the_way(event: Event):
    line = to_line(event)
    assert "\n" not in line
    assert event_from_line(line) == event
    assert event_from_json(event_to_json(event)) == event


def test_a_newer_service_may_say_more():
    values = event_to_json(Queued(2)) | {"mood": "good"}
    assert event_from_line(json.dumps(values)) == Queued(2)


@pytest.mark.parametrize(
    "line",
    ["", "{", "[]", "null", "7", "{}", '{"type": "news"}', '{"type": "queued"}', '{"type": "failed", "code": "odd"}'],
)
def test_what_is_no_event_is_refused(line):
    with pytest.raises(ProtocolError, match="not an event of protocol 1"):
        event_from_line(line)


def test_the_first_line_of_a_service():
    ready = Ready("http://127.0.0.1:1", 1, "0.1.0", 7)
    assert ready_from_line(to_line(ready)) == ready
    newer = json.dumps(asdict(ready) | {"protocol": 2, "of_a_newer_service": True})
    assert ready_from_line(newer).protocol == 2, "told apart by its number, not by what else it says"
    for line in ("Traceback (most recent call last):", "{}", "[]", "3", '"url"', "null"):
        with pytest.raises(ProtocolError, match="not the first line of a pose2pose service"):
            ready_from_line(line)


@pytest.mark.parametrize("request_", [SELECTION, REQUEST, CaptureRequest(SELECTION)])
def test_requests_survive_the_way(request_):
    values = json.loads(json.dumps(asdict(request_)))
    assert request_from_json(type(request_), values) == request_


@pytest.mark.parametrize("values", [{}, {"source": 3}, {"source": {"paht": "/a"}}, {"source": {"path": "/a"}, "x": 1}])
def test_what_is_no_request_is_refused(values):
    with pytest.raises(ProtocolError):
        request_from_json(Selection, values)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"step": 0}, "'step' must be at least 1, got 0"),
        ({"start": -1}, "got -1 to 9"),
        ({"start": 10}, "got 10 to 9"),
        ({"end": 2**31}, "up to 2147483647"),
        ({"frame_rate": 0.0}, "'frame_rate' must be positive, got 0.0"),
        ({"frame_rate": float("nan")}, "'frame_rate' must be positive, got nan"),
    ],
)
def test_a_selection_is_a_range_of_frames(changes, sentence):
    with pytest.raises(ProtocolError, match=sentence):
        replace(SELECTION, **changes)


@pytest.mark.parametrize("people", ["", "0", "1,", "1, 2", "everyone", "01", "-1", "1.5"])
def test_people_are_all_the_largest_or_numbers(people):
    with pytest.raises(ProtocolError, match="'people' must be 'all', 'largest' or numbers"):
        replace(REQUEST, people=people)


@pytest.mark.parametrize(
    "changes",
    [
        {"parts": ()},
        {"parts": ("hands",)},
        {"parts": ("body", "feet")},
        {"focal": -1.0},
        {"fov": 50.0},
        {"focal": None, "fov": 180.0},
    ],
)
def test_a_request_that_cannot_be_met_is_refused(changes):
    with pytest.raises(ProtocolError):
        replace(REQUEST, **changes)


@pytest.mark.parametrize("source", [{}, {"path": "/a", "upload": "1"}, {"path": ""}, {"path": "/a\0"}])
def test_a_source_is_a_path_or_an_upload(source):
    with pytest.raises(ProtocolError):
        SourceReference(**source)


def test_every_code_says_what_to_do():
    assert set(REMEDIES) == set(Code)
    assert [code for code, remedy in REMEDIES.items() if not remedy] == [Code.CANCELLED]
    assert str(failure(Code.DEVICE, "There is no GPU.")) == "There is no GPU. Choose the device 'auto' or 'cpu'."
    assert failure(Code.DEVICE, "No.", "Buy one.").remedy == "Buy one."


def test_errors_survive_the_way():
    failed = failure(Code.TOO_LARGE, "Too much.")
    assert failed_from_json(json.loads(json.dumps(asdict(failed)))) == failed
    for values in ({}, {"code": "odd", "message": ""}, {"detail": "Not Found"}):
        with pytest.raises(ProtocolError, match="not an error of protocol 1"):
            failed_from_json(values)
