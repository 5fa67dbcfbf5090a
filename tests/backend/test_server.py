"""What the service answers: a real process, real HTTP, a real clip."""

import asyncio
import http.client
import json
import time

import numpy as np
import pytest

from pose2pose.backend.motion.take import load_take
from pose2pose.backend.protocol import Code, Done, Failed, Loading, Progress, Queued
from pose2pose.backend.serving.uploads import TooLargeError, Upload

END = 5
"""Last frame of most captures here, the one of the fixture `captured`."""


def take_from(service, job, person, folder):
    answer, data = service.send("GET", f"{job}/takes/{person}")
    assert answer.status == 200, data
    (folder / "take.npz").write_bytes(data)
    return load_take(folder / "take.npz")


def assert_equal_takes(first, second):
    for name in ("poses", "trans", "betas", "expression", "times", "frames", "joints_cam", "confidence", "boxes"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)
    assert (first.person, first.source, first.body) == (second.person, second.source, second.body)


# --- captures --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_capture_gives_the_takes_of_the_same_capture_without_a_service(service, clip, captured, tmp_path):
    job = service.submit(clip, end=END)
    events = service.events(job)
    kinds = [type(event) for event in events]
    assert kinds[0] is Queued
    assert kinds[-1] is Done, events[-1]
    assert kinds.index(Loading) < kinds.index(Progress)
    done = events[-1]
    assert [(p.person, p.first, p.last, p.frames) for p in done.people] == [(1, 0, 5, 6), (2, 0, 5, 6)]
    assert all(0.5 < person.confidence <= 1 for person in done.people)
    assert (done.frames, done.device) == (6, "cpu")
    assert any("focal length" in note for note in done.notes)
    for take in captured.takes:
        assert_equal_takes(take_from(service, job, take.person, tmp_path), take)
    assert service.ask("DELETE", job)[0] == 204


@pytest.mark.slow
def test_progress_says_how_far_it_is(service, clip):
    job = service.submit(clip, start=1, end=9)
    steps = [event for event in service.events(job) if isinstance(event, Progress)]
    assert {step.stage for step in steps} >= {"detect", "capture"}
    last = [step for step in steps if step.stage == "capture"][-1]
    assert (last.done, last.total, last.people) == (18, 18, 2)
    assert last.rate > 0
    assert last.seconds_left == 0


@pytest.mark.slow
def test_thumbnails_show_the_person_alone(service, clip, clip_frames):
    import cv2

    job = service.submit(clip, end=END)
    assert isinstance(service.events(job)[-1], Done)
    sizes = []
    for person in (1, 2):
        answer, data = service.send("GET", f"{job}/takes/{person}/thumbnail")
        assert answer.getheader("Content-Type") == "image/png"
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert picture.shape[0] == 160
        sizes.append(picture.shape[1])
        # it is a part of one of the frames: found again in it at the scale of the person's box
        best = 0.0
        for frame in clip_frames[: END + 1]:
            for height in range(150, 459, 14):
                small = cv2.resize(frame, None, fx=160 / height, fy=160 / height, interpolation=cv2.INTER_AREA)
                if small.shape[0] >= 160 and small.shape[1] >= picture.shape[1]:
                    middle = np.ascontiguousarray(picture[20:140])
                    best = max(best, float(cv2.matchTemplate(small, middle, cv2.TM_CCOEFF_NORMED).max()))
        assert best > 0.9
    assert sizes[0] > sizes[1], "she strides, he stands"


@pytest.mark.slow
def test_an_equal_scan_spares_the_capture_its_first_pass(service, clip, captured, tmp_path):
    _, created = service.ask("POST", "/v1/scans", service.request(clip, end=END)["selection"])
    done = service.events(created["url"])[-1]
    assert [(person.person, person.frames) for person in done.people] == [(1, 6), (2, 6)]
    assert service.send("GET", f"{created['url']}/people/2/thumbnail")[1].startswith(b"\x89PNG")
    assert service.ask("GET", f"{created['url']}/people/3/thumbnail")[0] == 404
    job = service.submit(clip, end=END)
    events = service.events(job)
    assert isinstance(events[-1], Done)
    assert "detect" not in {event.stage for event in events if isinstance(event, Progress)}
    assert_equal_takes(take_from(service, job, 2, tmp_path), captured.takes[1])
    other = service.events(service.submit(clip, end=END - 1, people="2"))
    assert "detect" in {event.stage for event in other if isinstance(event, Progress)}, "other frames, other people"


def test_a_source_that_changed_is_looked_at_again(service, clip_frames, tmp_path, write_video):
    path = write_video(tmp_path / "clip.mp4", clip_frames[:3], [0, 0.1, 0.2])
    selection = service.request(path)["selection"]
    assert len(service.events(service.ask("POST", "/v1/scans", selection)[1]["url"])[-1].people) == 2
    alone = [frame[:, 240:] for frame in clip_frames[:3]]
    write_video(path, alone, [0, 0.1, 0.2])
    assert len(service.events(service.ask("POST", "/v1/scans", selection)[1]["url"])[-1].people) == 1


@pytest.mark.slow
def test_parts_that_are_not_asked_for_stay_at_rest(service, clip, tmp_path):
    job = service.submit(clip, end=2, people="largest", parts=["body"])
    assert isinstance(service.events(job)[-1], Done)
    take = take_from(service, job, 1, tmp_path)
    assert np.all(take.confidence[:, 22:] == 0)
    assert np.all(take.expression == 0)
    assert np.ptp(take.poses[:, 66:], axis=0).max() < 1e-6


@pytest.mark.slow
def test_whoever_comes_back_hears_everything(service, clip):
    job = service.submit(clip, end=11)
    for event in service.follow(job):
        if isinstance(event, Progress):
            break  # the connection is dropped here
    status, last = service.ask("GET", job)
    assert status == 200
    assert last["type"] in ("progress", "loading")
    events = service.events(job)
    assert isinstance(events[0], Queued)
    assert isinstance(events[-1], Done)
    again = service.events(job)
    assert [type(event) for event in again] == [Queued, Loading, Progress, Done], "progress is condensed to the newest"
    assert service.ask("GET", job)[1]["type"] == "done"


@pytest.mark.parametrize(
    ("values", "code", "sentence"),
    [
        ({"path": "gone.mp4"}, Code.SOURCE, "gone.mp4: no such file"),
        ({"start": 90}, Code.SOURCE, "frames 90 to the end were asked for"),
        ({"people": "7", "end": 1}, Code.BAD_REQUEST, "person 7 was asked for"),
        ({"preset": "closed"}, Code.BAD_REQUEST, "'closed'"),
        ({"preset": "paper"}, Code.WEIGHTS, "'paper'"),
        ({"body": "gone.npz", "end": 1}, Code.BODY, "gone.npz"),
    ],
)
def test_what_cannot_be_captured_fails_with_a_code_and_a_sentence(service, clip, tmp_path, values, code, sentence):
    paths = {name: str(tmp_path / values[name]) for name in ("path", "body") if name in values}
    last = service.events(service.submit(**({"path": clip} | values | paths)))[-1]
    assert isinstance(last, Failed)
    assert last.code == code, last
    assert sentence.lower() in last.message.lower()
    assert last.remedy
    assert "\n" not in last.message
    assert not any("Traceback" in line for line in service.log), "expected, and no matter for the log"


def test_nobody_in_the_picture_is_a_failure_of_its_own(service, tmp_path, write_video):
    path = write_video(tmp_path / "empty.mp4", [np.full((240, 320, 3), 90, np.uint8)] * 3, [0, 0.1, 0.2])
    last = service.events(service.submit(path))[-1]
    assert last.code == Code.NOBODY
    assert "seen larger" in last.remedy


# --- the queue -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_one_runs_eight_wait_and_no_more(service, clip):
    running = service.submit(clip)
    service.until(running, lambda event: isinstance(event, Progress))
    waiting = [service.submit(clip, end=1) for _ in range(8)]
    status, refused = service.ask("POST", "/v1/captures", service.request(clip, end=1))
    assert status == 503
    assert refused["code"] == "queue_full"
    assert [service.ask("GET", job)[1] for job in waiting] == [
        {"type": "queued", "ahead": ahead} for ahead in range(1, 9)
    ]
    following = service.follow(waiting[0])
    assert isinstance(next(following), Queued)
    assert service.ask("DELETE", waiting[0])[0] == 204
    assert service.ask("GET", waiting[0])[0] == 404
    assert [event.code for event in following if event] == [Code.CANCELLED], "who follows hears the end"
    assert service.ask("GET", waiting[1])[1] == {"type": "queued", "ahead": 1}
    for job in [*waiting[1:], running]:
        assert service.ask("DELETE", job)[0] == 204
    assert isinstance(service.events(service.submit(clip, end=1, people="largest"))[-1], Done)


# --- information and errors ------------------------------------------------------------------------------------------


def test_info_says_what_the_service_can(service):
    status, info = service.ask("GET", "/v1/info")
    assert status == 200
    assert (info["protocol"], info["device"], info["presets"], info["missing"]) == (1, "cpu", ["open"], [])
    assert {file["file"] for file in info["weights"]} >= {"open_body.safetensors", "person_detector.safetensors"}
    assert all(file["license"] for file in info["weights"])
    assert (info["paths_allowed"], info["upload_limit"]) == (True, 10**6)


@pytest.mark.parametrize(
    "token", ["", "Bearer wrong", "Basic a-token-for-tests", "Bearer", "a-token-for-tests", "Bearer ü"]
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/info"), ("POST", "/v1/captures"), ("GET", "/nowhere")])
def test_without_the_token_nothing_is_answered(service, token, method, path):
    answer, data = service.send(method, path, {} if method == "POST" else None, Authorization=token)
    assert answer.status == 401
    assert json.loads(data)["code"] == "unauthorized"
    assert "token" in json.loads(data)["remedy"]


@pytest.mark.parametrize("version", ["", "2", "one"])
def test_another_protocol_version_is_refused_by_name(service, version):
    answer, data = service.send("GET", "/v1/info", **{"Pose2Pose-Protocol": version})
    refused = json.loads(data)
    assert (answer.status, refused["code"]) == (426, "protocol")
    assert "protocol 1" in refused["message"]
    assert version in refused["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/v1/captures/0", None, 404, "not_found"),
        ("GET", "/v1/captures/0/events", None, 404, "not_found"),
        ("DELETE", "/v1/scans/0", None, 404, "not_found"),
        ("PUT", "/v1/uploads/0/a.mp4", b"", 404, "not_found"),
        ("GET", "/elsewhere", None, 404, "not_found"),
        ("PATCH", "/v1/info", None, 405, "bad_request"),
        ("POST", "/v1/captures", b"no json", 422, "bad_request"),
        ("POST", "/v1/captures", {}, 422, "bad_request"),
        ("POST", "/v1/captures", {"selection": {"source": {"upload": "0"}}}, 404, "not_found"),
        ("POST", "/v1/captures", {"selection": {"source": {}}}, 422, "bad_request"),
        ("POST", "/v1/captures", {"selection": {"source": {"path": "clip.mp4"}}}, 422, "bad_request"),
        ("POST", "/v1/captures", {"selection": {"source": {"path": "/a\0b"}}}, 422, "bad_request"),
        ("POST", "/v1/captures", {"selection": {"source": {"path": "/a"}}, "poeple": "1"}, 422, "bad_request"),
        ("POST", "/v1/captures", {"selection": {"source": {"path": "/a"}}, "people": "me"}, 422, "bad_request"),
        ("POST", "/v1/captures", {"selection": {"source": {"path": "/a"}}, "parts": ["face"]}, 422, "bad_request"),
        ("POST", "/v1/captures", {"selection": {"source": {"path": "/a"}}, "fov": 200}, 422, "bad_request"),
        ("POST", "/v1/scans", {"source": {"path": "/a"}, "step": 0}, 422, "bad_request"),
        ("POST", "/v1/scans", {"source": {"path": "/a"}, "start": 5, "end": 4}, 422, "bad_request"),
        ("POST", "/v1/scans", {"source": {"path": "/a"}, "end": 10**30}, 422, "bad_request"),
        ("POST", "/v1/scans", b'{"source": {"path": "/a"}, "frame_rate": NaN}', 422, "bad_request"),
        ("POST", "/v1/scans", {"source": {"path": "/a" * 40000}}, 413, "too_large"),
    ],
)
def test_every_error_says_what_is_wrong(service, method, path, body, status, code):
    got, answer = service.ask(method, path, body)
    assert (got, answer["code"]) == (status, code), answer
    assert answer["message"]
    assert answer["remedy"]


def test_the_mistake_is_named(service):
    selection = {"source": {"path": "/a"}, "step": 0}
    assert "'step' must be at least 1, got 0" in service.ask("POST", "/v1/scans", selection)[1]["message"]
    capture = {"selection": {"source": {"path": "/a"}}, "poeple": "1"}
    assert "poeple" in service.ask("POST", "/v1/captures", capture)[1]["message"]


def test_results_before_the_end_are_not_ready(service, clip):
    job = service.submit(clip)
    status, answer = service.ask("GET", f"{job}/takes/1")
    assert (status, answer["code"]) == (409, "not_ready")
    service.ask("DELETE", job)


def test_the_description_is_open_to_all(service):
    for path in ("/docs", "/openapi.json"):
        answer, data = service.send("GET", path, Authorization="", **{"Pose2Pose-Protocol": ""})
        assert answer.status == 200
        assert service.token.encode() not in data


# --- uploads ---------------------------------------------------------------------------------------------------------


def new_upload(service) -> str:
    status, created = service.ask("POST", "/v1/uploads")
    assert status == 201
    return created["upload"]


@pytest.mark.slow
def test_an_upload_is_captured_like_a_path(service, clip, captured, tmp_path):
    upload = new_upload(service)
    assert service.send("PUT", f"/v1/uploads/{upload}/person_walking.mp4", clip.read_bytes())[0].status == 204
    _, created = service.ask("POST", "/v1/captures", service.request(upload=upload, end=END))
    assert isinstance(service.events(created["url"])[-1], Done)
    assert_equal_takes(take_from(service, created["url"], 2, tmp_path), captured.takes[1])
    assert service.ask("DELETE", f"/v1/uploads/{upload}")[0] == 204
    assert service.ask("POST", "/v1/captures", service.request(upload=upload))[0] == 404


def test_several_pictures_are_a_sequence(service, clip_frames):
    import cv2

    upload = new_upload(service)
    for number in (2, 0, 1):
        data = cv2.imencode(".jpg", clip_frames[number][..., ::-1])[1].tobytes()
        assert service.send("PUT", f"/v1/uploads/{upload}/shot.{number:04d}.jpg", data)[0].status == 204
    _, created = service.ask("POST", "/v1/scans", service.request(upload=upload, frame_rate=25)["selection"])
    done = service.events(created["url"])[-1]
    assert [(person.first, person.last) for person in done.people] == [(0, 2), (0, 2)]


def test_an_upload_without_files_cannot_be_captured(service):
    status, answer = service.ask("POST", "/v1/captures", service.request(upload=new_upload(service)))
    assert (status, answer["code"]) == (422, "bad_request")
    assert "no file yet" in answer["message"]


def test_the_limit_counts_all_files_together(service):
    upload = new_upload(service)
    assert service.send("PUT", f"/v1/uploads/{upload}/a.png", bytes(600_000))[0].status == 204
    for name, size, expected in (("b.png", 600_000, 413), ("b.png", 300_000, 204), ("a.png", 650_000, 204)):
        assert service.send("PUT", f"/v1/uploads/{upload}/{name}", bytes(size))[0].status == expected
    status, answer = service.ask("PUT", f"/v1/uploads/{upload}/c.png", bytes(60_000))
    assert (status, answer["code"]) == (413, "too_large")
    assert "1 MB" in answer["message"]
    assert "--upload-limit" in answer["remedy"]


def test_the_limit_holds_for_who_does_not_say_how_much_comes(service):
    upload = new_upload(service)
    connection = http.client.HTTPConnection(service.address, timeout=20)
    headers = {"Authorization": f"Bearer {service.token}", "Pose2Pose-Protocol": "1"}
    chunks = (bytes(200_000) for _ in range(6))
    connection.request("PUT", f"/v1/uploads/{upload}/a.mp4", chunks, headers, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_files_that_come_at_once_share_the_limit(tmp_path):
    async def chunks():
        for _ in range(6):
            await asyncio.sleep(0)
            yield bytes(10)

    async def send_both():
        both = (upload.receive(name, 0, chunks()) for name in ("a.png", "b.png"))
        return await asyncio.gather(*both, return_exceptions=True)

    upload = Upload(tmp_path / "upload", limit=100)
    results = asyncio.run(send_both())
    assert sorted(type(result) for result in results if result is not None) == [TooLargeError]
    assert upload.source().stat().st_size == 60


@pytest.mark.parametrize(
    "name",
    [
        *("..", ".", ".hidden", "a%2Fb.mp4", "..%2Fa.mp4", "%2Fetc%2Fpasswd", "a%5Cb.mp4", "c:a.mp4", "nul", "con.mp4"),
        *("a%00b", "a%0Ab", "a" * 300, "a.", "a%3Fb"),
    ],
)
def test_names_that_could_lead_elsewhere_are_refused(service, name):
    upload = new_upload(service)
    status, answer = service.ask("PUT", f"/v1/uploads/{upload}/{name}", b"data")
    assert (status, answer["code"]) in ((422, "bad_request"), (404, "not_found"), (405, "bad_request"))
    status, answer = service.ask("POST", "/v1/captures", service.request(upload=upload))
    assert "no file yet" in answer["message"]


def test_a_client_that_goes_away_leaves_nothing_behind(service):
    upload = new_upload(service)
    connection = http.client.HTTPConnection(service.address, timeout=20)
    connection.putrequest("PUT", f"/v1/uploads/{upload}/a.mp4")
    for name, value in {"Authorization": f"Bearer {service.token}", "Pose2Pose-Protocol": "1"}.items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", "500000")
    connection.endheaders(bytes(1000))
    time.sleep(0.2)
    connection.close()
    status, answer = service.ask("POST", "/v1/captures", service.request(upload=upload))
    assert status == 422
    assert "no file yet" in answer["message"]
    assert not any("Traceback" in line for line in service.log)
