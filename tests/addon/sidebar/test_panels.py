"""The sidebar without a window: when buttons are gray and why, and what its texts say. tests/ui draws it."""

import pytest

bpy = pytest.importorskip("bpy")
from pose2pose.addon.jobs import Job  # noqa: E402
from pose2pose.addon.sidebar import activity, panels  # noqa: E402
from pose2pose.backend.protocol import Done, Loading, Person, Progress, Queued  # noqa: E402

pytestmark = pytest.mark.usefixtures("addon", "empty_scene")


def settings():
    return bpy.context.scene.pose2pose


def state():
    return bpy.context.window_manager.pose2pose


def why_gray(operator: str = "capture") -> str:
    """What the panel's button says; empty if it can be pressed."""
    call = getattr(bpy.ops.pose2pose, operator)
    with bpy.context.temp_override(pose2pose_settings=settings()):
        if call.poll():
            return ""
        with pytest.raises(RuntimeError) as refused:
            call()
    return str(refused.value).split("poll() ")[1]


def test_a_file_must_be_chosen(clip, tmp_path):
    assert "Choose a video or a picture" in why_gray()
    settings().filepath = str(tmp_path / "missing.mp4")
    assert "missing.mp4: no such file" in why_gray()
    settings().filepath = str(clip)
    assert why_gray() == ""


def test_a_script_that_names_its_file_is_not_stopped():
    assert bpy.ops.pose2pose.capture.poll()


def test_a_movie_clip_must_be_chosen(clip):
    settings().kind = "CLIP"
    assert "Choose a movie clip" in why_gray()
    settings().clip = bpy.data.movieclips.load(str(clip))
    assert why_gray() == ""


def test_a_range_must_not_be_empty(clip):
    settings().filepath, settings().use_range = str(clip), True
    settings().start, settings().end = 9, 8
    assert "The frame range is empty" in why_gray()


def test_people_are_picked_from_a_scan_of_the_same_frames(clip):
    from pose2pose.addon.sidebar.plan import plan_selection, scan_key

    settings().filepath, settings().people = str(clip), "PICK"
    assert "Scan for people first" in why_gray()
    assert why_gray("scan") == ""
    state().scanned = scan_key(plan_selection(bpy.context.scene))
    state().people.add().number = 1
    assert "Tick at least one person" in why_gray()
    state().people[0].use = True
    assert why_gray() == ""
    settings().step = 2
    assert "scan again" in why_gray()


def test_an_armature_takes_one_person(clip, make_take, body):
    settings().filepath, settings().target_kind = str(clip), "EXISTING"
    assert "Choose the armature" in why_gray()
    settings().target = smplx_armature(make_take, body)
    assert "takes the motion of one person" in why_gray()
    settings().people = "LARGEST"
    assert why_gray() == ""


def test_an_armature_that_cannot_take_motion_is_refused_before_anything_runs(clip, make_take, body):
    settings().filepath, settings().people, settings().target_kind = str(clip), "LARGEST", "EXISTING"
    settings().target = smplx_armature(make_take, body)
    settings().target.scale.x = -1
    bpy.context.view_layer.update()
    assert "mirrored" in why_gray()
    with pytest.raises(RuntimeError, match="There is no armature 'Nobody'"):
        bpy.ops.pose2pose.capture(filepath=str(clip), people="1", target="Nobody")


def test_a_frame_rate_that_was_changed_during_the_capture_is_kept(clip, make_take):
    from pose2pose.addon.link.capturing import CapturedTakes
    from pose2pose.addon.sidebar.capture_operators import build
    from pose2pose.addon.sidebar.plan import plan_capture

    settings().filepath = str(clip)
    bpy.context.scene.render.fps = 24
    plan = plan_capture(bpy.context.scene)
    bpy.context.scene.render.fps = 60
    done = Done(people=(), notes=(), frames=4, frames_per_second=4.0, device="cpu")
    built = build(plan, CapturedTakes(takes=(make_take(frames=4),), done=done))
    assert (built.fps, bpy.context.scene.render.fps) == (60, 60)


def test_which_files_are_sequences(tmp_path):
    from pose2pose.addon.sidebar.plan import is_sequence

    (tmp_path / "shot #1.png").touch()
    (tmp_path / "shot.0001.png").touch()
    found = {}
    for name in ("", ".", "shot.####.png", "shot #1.png", "shot.0001.png", "walk.mp4"):
        settings().filepath = str(tmp_path / name) if name else ""
        found[name] = is_sequence(settings())
    assert found == {
        "": False, ".": True, "shot.####.png": True, "shot #1.png": False, "shot.0001.png": False, "walk.mp4": False,
    }  # fmt: skip
    settings().filepath, settings().use_sequence = str(tmp_path / "shot.0001.png"), True
    assert is_sequence(settings())


def test_a_take_in_an_excluded_collection_says_so(make_take, body):
    name = smplx_armature(make_take, body).name
    bpy.context.view_layer.layer_collection.children[0].exclude = True
    with pytest.raises(RuntimeError, match="excluded from the view layer"):
        bpy.ops.pose2pose.select_take(armature=name)


def smplx_armature(make_take, body):
    from pose2pose.addon.scene.build import build_scene
    from pose2pose.backend.motion.settings import KeySettings

    built = build_scene([make_take(frames=4)], body, fps=None, settings=KeySettings(), video=None)
    return built.figures[0].armature


def test_one_thing_at_a_time(clip):
    import threading

    settings().filepath = str(clip)
    assert "Nothing is running" in why_gray("cancel")
    go = threading.Event()
    activity.start("capture", lambda report, cancelled: go.wait(10))
    try:
        assert "Something is being captured" in why_gray()
        assert why_gray("cancel") == ""
    finally:
        go.set()
        activity.end()
    assert why_gray() == ""


def test_takes_want_one_to_be_active():
    for operator in ("rekey", "match_camera", "delete_take"):
        assert "Select an armature with a take first" in why_gray(operator)


def test_a_backend_must_be_set_up(clip):
    from pose2pose.addon.setup import preferences

    settings().filepath = str(clip)
    values = preferences.preferences()
    before, values.backend, values.python_path = values.python_path, "PYTHON", ""
    try:
        assert why_gray() != "" and why_gray() == preferences.gather().problem().removesuffix(".")
    finally:
        values.python_path = before


def test_events_become_words_and_numbers():
    activity.show_event(Queued(ahead=2))
    assert state().stage == "Waiting, 2 ahead"
    activity.show_event(Progress("capture", 12, 24, 3.21, 100.0, 2))
    assert state().stage == "Capturing"
    assert panels.progress_lines(state()) == ["12 of 24 frames", "3.2 frames a second", "1:40 min left", "2 people"]
    activity.show_event(Loading("Loading the network"))
    assert state().stage == "Loading the network"
    assert panels.progress_lines(state()) == []


def test_only_the_newest_of_many_events_is_shown():
    job = Job(lambda report, cancelled: [report(Progress("capture", n, 500, 1.0, None, 1)) for n in range(500)])
    assert job.wait(5)
    activity.show_messages(job)
    assert state().done == 499


def test_another_file_ends_what_runs_and_forgets_messages(clip):
    import time

    def work(report, cancelled):
        while not cancelled():
            time.sleep(0.01)
        return "stopped"

    job = activity.start("capture", work)
    activity.show_error("Something is wrong.", "")
    state().people.add()
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert job.wait(5) and job.cancelled
    assert not activity.running()
    assert not state().error and not state().task and not len(state().people)


def test_people_are_listed_with_what_is_known():
    from pose2pose.addon.sidebar.capture_operators import list_people

    list_people(state(), [Person(1, 0, 23, 24, 0.9), Person(2, 4, 9, 6, 0.5)])
    rows = [(row.name, row.number, row.frames, row.use) for row in state().people]
    assert rows == [("Person 1", 1, 24, True), ("Person 2", 2, 6, False)]
