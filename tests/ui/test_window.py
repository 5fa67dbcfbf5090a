"""From the installed zip to a playing animation, with mouse and keys, as an animator does it. Each test builds on those
before it.
"""

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.ui

BACKEND = "pose2pose.backend"
CAPTURE, CANCEL = "bpy.ops.pose2pose.capture(", "bpy.ops.pose2pose.cancel("
FILE = "pose2pose.filepath"
CAPTURE_SECONDS = 240
FRAMES, JOINTS = 24, 55
VIEWPORT = (400, 500)
"""Somewhere in the 3D view."""


@pytest.fixture(scope="module")
def window(desktop: Any, open_window: Any, clip: Path) -> Any:
    shutil.copy(clip, desktop.folder / "walk.mp4")
    (desktop.folder / "not a video.mp4").write_text("This is a text.\n" * 100)
    window = open_window()
    over_viewport(window, "a", "Delete")
    return window


@pytest.fixture
def shot(window: Any, pictures: Path) -> Any:
    """Keep a screenshot under out/ui. Move the mouse away before: a button below it stays as it was until it leaves."""

    def keep(name: str, mouse: tuple[int, int] = VIEWPORT) -> None:
        window.desktop.move(*mouse)
        time.sleep(0.5)
        window.ask("draw()")
        shutil.copy(window.desktop.screenshot(name), pictures)

    return keep


def over_viewport(window: Any, *keys: str) -> None:
    """Press keys with the mouse over the 3D view."""
    window.desktop.move(*VIEWPORT)
    window.desktop.key(*keys)


def captured(window: Any) -> bool:
    state = window.ask("state()")
    assert not state["error"], state["error"]
    return not state["task"] and bool(state["summary"])


def test_the_panel_leads_to_preferences_and_diagnosis(window: Any, shot: Any) -> None:
    assert "not set up" in " ".join(window.ask("texts()"))
    window.click_button("bpy.ops.pose2pose.open_preferences(")
    window.wait_until("len(bpy.context.window_manager.windows) == 2", 20)
    window.desktop.resize("Preferences", 860, 840)
    window.ask(f"use_python({sys.executable!r})")
    window.click_button("bpy.ops.pose2pose.diagnose_backend(", "PREFERENCES", "WINDOW")
    window.wait_until("diagnosis() and module('addon.setup.state').STATE.job is None", CAPTURE_SECONDS)
    assert [check for check in window.ask("diagnosis()") if check[1] is False] == []
    shot("preferences", mouse=(500, 800))
    window.ask("close_preferences()")
    window.wait_until("'not set up' not in ' '.join(texts())", 20)


def test_the_button_waits_for_a_source(window: Any, shot: Any) -> None:
    window.click_button(CAPTURE)
    assert not window.ask("state()['task']"), "the button is gray while there is no source"
    window.fill(FILE, "/tmp/walk.mp4")
    shot("before")


def test_a_file_that_is_no_video_gets_one_sentence(window: Any, shot: Any) -> None:
    before = window.ask("contents()")
    window.fill(FILE, "/tmp/not a video.mp4")
    window.click_button(CAPTURE)
    error = window.wait_until("state()['error']", CAPTURE_SECONDS)
    assert "not a video.mp4" in error
    shown = " ".join(window.wait_until("texts()", 5))
    assert error in shown
    assert window.ask("contents()") == before
    shot("error")


def test_a_click_captures(window: Any, shot: Any, pictures: Path) -> None:
    window.fill(FILE, "/tmp/walk.mp4")
    place = window.find(CAPTURE)
    window.ask("pauses()")
    window.desktop.move(*place)
    window.desktop.run("sleep 0.3; xdotool click 1")
    clicked = time.monotonic()
    window.wait_until("state()['task'] == 'capture'", 5)
    window.wait_until("state()['total']", CAPTURE_SECONDS)
    first = time.monotonic() - clicked
    window.wait_until("state()['stage'] == 'Capturing' and state()['done'] > 0", CAPTURE_SECONDS)
    assert any("frames a second" in text for text in window.ask("texts()"))
    shot("progress")
    pauses = sorted(window.ask("pauses()"))
    wait_seconds = {"first_progress": first, "window_median": pauses[len(pauses) // 2], "window_longest": pauses[-1]}
    window.wait_until("not state()['task']", CAPTURE_SECONDS)
    assert captured(window)
    wait_seconds["building"] = max(window.ask("pauses()"))
    (pictures / "seconds.json").write_text(json.dumps(wait_seconds, indent=2) + "\n")
    assert wait_seconds["window_longest"] < 3, "the window goes on while a capture runs"


def test_every_bone_is_keyed(window: Any) -> None:
    curves = window.ask("curves()")
    bones = {path.split('"')[1] for path, _, _ in curves if path.endswith("rotation_quaternion")}
    assert len(bones) == JOINTS
    assert all(0 < keys <= FRAMES for _, _, keys in curves)
    assert any("location" in path for path, _, _ in curves)


def test_undo_takes_everything_back_in_one_step(window: Any) -> None:
    after = window.ask("contents()")
    over_viewport(window, "ctrl+z")
    window.wait_until("not [o for o in bpy.data.objects if o.type == 'ARMATURE']", 20)
    assert not window.ask("contents()")["objects"]
    over_viewport(window, "ctrl+shift+z")
    window.wait_until("[o.name for o in bpy.data.objects if o.type == 'ARMATURE']", 20)
    assert window.ask("contents()") == after
    assert len({path for path, _, _ in window.ask("curves()") if path.endswith("rotation_quaternion")}) == JOINTS


def test_the_animation_plays(window: Any, shot: Any) -> None:
    over_viewport(window, "KP_Decimal", "KP_Subtract", "KP_Subtract", "alt+a", "space")
    before = window.ask("bpy.context.scene.frame_current")
    assert window.wait_until(f"bpy.context.scene.frame_current != {before}", 20)
    shot("result")
    over_viewport(window, "space")
    window.wait_until("not bpy.context.screen.is_animation_playing", 20)


def test_the_matched_camera_shows_the_body_over_the_person(window: Any, shot: Any) -> None:
    window.click_button("bpy.ops.pose2pose.match_camera(")
    window.wait_until("bpy.context.scene.camera.data.background_images[0:]", 20)
    over_viewport(window, "KP_Insert")  # numpad 0 without Num Lock
    window.wait_until("place()[1].spaces.active.region_3d.view_perspective == 'CAMERA'", 20)
    over_viewport(window, "Home", "alt+z")  # all of the picture, and the person seen through the body
    window.ask("bpy.context.scene.frame_set(8)")
    measured = "[module('addon.scene.takes').describe(a).error_share for a in bpy.data.objects if a.type == 'ARMATURE']"
    assert max(window.ask(measured)) < 0.05, "of the person's height"
    shot("camera")


def test_escape_cancels_and_changes_nothing(window: Any) -> None:
    before, curves = window.ask("contents()"), window.ask("curves()")
    window.click_button(CAPTURE)
    window.wait_until("state()['task'] == 'capture' and state()['done'] > 0", CAPTURE_SECONDS)
    pressed = time.monotonic()
    window.desktop.key("Escape")
    window.wait_until("not state()['task']", 20)
    assert time.monotonic() - pressed < 4
    assert not window.ask("state()['error']")
    assert (window.ask("contents()"), window.ask("curves()")) == (before, curves)


def test_the_window_closes_and_nothing_is_left(window: Any) -> None:
    assert window.desktop.processes(BACKEND)
    window.ask("bpy.ops.wm.save_as_mainfile(filepath='/tmp/saved.blend')")
    over_viewport(window, "ctrl+q")
    window.wait_closed(20)
    window.desktop.wait_gone(BACKEND, 5)


def test_a_killed_blender_leaves_no_backend(open_window: Any) -> None:
    window = open_window("/tmp/saved.blend")
    window.click_button(CAPTURE)
    window.wait_until("state()['total']", CAPTURE_SECONDS)
    assert window.desktop.processes(BACKEND)
    window.kill()
    window.desktop.wait_gone(BACKEND, 5)
