"""The operators as a script calls them, with a real backend process. tests/ui clicks them."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
from pose2pose.addon.link import connection  # noqa: E402
from pose2pose.addon.scene import takes  # noqa: E402
from pose2pose.addon.scene.build import build_scene  # noqa: E402
from pose2pose.addon.setup import preferences  # noqa: E402
from pose2pose.addon.sidebar import activity  # noqa: E402
from pose2pose.backend.motion.settings import KeySettings  # noqa: E402
from pose2pose.backend.motion.smoothing import Smoothing  # noqa: E402
from pose2pose.backend.motion.take import save_take  # noqa: E402
from pose2pose.backend.protocol import Progress  # noqa: E402

pytestmark = pytest.mark.usefixtures("addon", "empty_scene")


def state():
    return bpy.context.window_manager.pose2pose


def settings():
    return bpy.context.scene.pose2pose


def armature() -> bpy.types.Object:
    return next(item for item in bpy.data.objects if item.type == "ARMATURE")


def contents() -> dict[str, list[str]]:
    """Everything in the file."""
    kinds = [name for name in dir(bpy.data) if isinstance(getattr(bpy.data, name), bpy.types.bpy_prop_collection)]
    return {kind: sorted(getattr(bpy.data, kind).keys()) for kind in kinds}


def curves(item: bpy.types.Object) -> dict[tuple[str, int], np.ndarray]:
    """(path, index) -> (T, 2) keys of an armature, and of the expression of the body below it."""
    owners = [item, *(child.data.shape_keys for child in item.children)]
    return {key: value for owner in owners for key, value in owner_curves(owner).items()}


def owner_curves(owner) -> dict[tuple[str, int], np.ndarray]:
    animation = owner.animation_data
    if hasattr(animation.action, "slots"):
        bag = animation.action.layers[0].strips[0].channelbag(animation.action_slot)
        found = bag.fcurves
    else:
        found = animation.action.fcurves
    result = {}
    for curve in found:
        points = np.empty(2 * len(curve.keyframe_points))
        curve.keyframe_points.foreach_get("co", points)
        result[curve.data_path, curve.array_index] = points.reshape(-1, 2)
    return result


def assert_same_curves(one: dict, other: dict) -> None:
    assert one.keys() == other.keys() and len(one) > 220
    for key, value in one.items():
        np.testing.assert_array_equal(value, other[key], err_msg=str(key))


@pytest.fixture
def build(make_take, body):
    """Put takes into the scene without a backend."""

    def build(*people: int, **options):
        made = [make_take(person=person, right=person - 1.0, **options) for person in people or (1,)]
        return build_scene(made, body, fps=None, settings=KeySettings(), video=None).figures

    return build


@pytest.mark.slow
class TestCapture:
    def test_a_script_gets_keys_and_no_window_is_needed(self, clip: Path, capsys) -> None:
        scene = bpy.context.scene
        scene.render.fps = 24
        assert bpy.ops.pose2pose.capture(filepath=str(clip), people="largest", end=12) == {"FINISHED"}
        take, _ = takes.stored(armature().animation_data.action)
        assert list(take.frames) == list(range(12))
        keys = curves(armature())['pose.bones["pelvis"].rotation_quaternion', 0]
        assert keys[:, 0] == pytest.approx(1 + take.times * 24, abs=0.03)
        assert scene.render.fps == 24
        assert "1 person, 12 frames" in state().summary
        assert not state().error and not state().task
        said = capsys.readouterr().err
        assert "Starting the backend" in said and "capturing" in said

    def test_panel_settings_count_where_a_script_says_nothing(self, clip: Path) -> None:
        settings().filepath, settings().people, settings().rate = str(clip), "LARGEST", "SOURCE"
        settings().use_range, settings().start, settings().end, settings().step = True, 3, 9, 2
        settings().keying.method, settings().keying.space = "none", "CAMERA"
        settings().parts = {"HANDS"}
        settings().use_camera = True
        assert bpy.ops.pose2pose.capture() == {"FINISHED"}
        take, keyed = takes.stored(armature().animation_data.action)
        assert list(take.frames) == [2, 4, 6, 8]
        assert keyed == KeySettings(smoothing=Smoothing(method="none"), ground=False)
        assert not take.confidence[:, 22:25].any() and take.confidence[:, 25:].any()
        assert bpy.context.scene.render.fps == 30  # the clip's own, though every second frame was captured
        assert bpy.context.scene.camera.data.background_images[0].image.filepath.endswith(clip.name)

    def test_a_movie_clip_of_the_scene_is_captured(self, clip: Path) -> None:
        settings().kind, settings().clip = "CLIP", bpy.data.movieclips.load(str(clip))
        assert bpy.ops.pose2pose.capture(people="largest", end=6) == {"FINISHED"}
        assert takes.describe(armature()).frames == 6

    def test_an_armature_of_the_scene_gets_the_motion(self, clip: Path, build) -> None:
        target = build()[0].armature
        before = contents()
        assert bpy.ops.pose2pose.capture(filepath=str(clip), people="1", end=6, target=target.name) == {"FINISHED"}
        assert takes.describe(target).frames == 6
        assert contents()["armatures"] == before["armatures"]

    def test_focal_length_in_millimeters_reaches_the_take(self, clip: Path) -> None:
        bpy.ops.pose2pose.capture(filepath=str(clip), people="1", end=4, focal=50.0)
        take, _ = takes.stored(armature().animation_data.action)
        assert take.focal[0] == pytest.approx(50 / 36 * max(take.image_size), rel=1e-3)

    def test_people_who_were_scanned_have_the_same_numbers(self, clip: Path) -> None:
        settings().filepath, settings().people = str(clip), "PICK"
        assert bpy.ops.pose2pose.scan() == {"FINISHED"}
        from pose2pose.addon.sidebar import thumbnails

        found = [(person.number, person.frames) for person in state().people]
        assert found and all(thumbnails.has(number) for number, _ in found)
        for person in state().people:
            person.use = person.number == found[-1][0]
        assert bpy.ops.pose2pose.capture() == {"FINISHED"}
        assert [takes.describe(item).person for item in takes.armatures(bpy.context.scene)] == [found[-1][0]]


@pytest.mark.slow
class TestFailures:
    """Each is one sentence in the panel, and the scene is what it was."""

    @pytest.fixture(autouse=True)
    def unchanged(self, empty_scene: None) -> Iterator[None]:
        before = contents()
        yield
        assert contents() == before
        assert not state().task
        assert state().error.count("\n") == 0

    def fails(self, **arguments) -> str:
        with pytest.raises(RuntimeError) as failed:
            bpy.ops.pose2pose.capture(**arguments)
        assert state().error and state().error in str(failed.value)
        return f"{state().error} {state().remedy}"

    def test_no_such_file(self, tmp_path: Path) -> None:
        assert "missing.mp4: no such file" in self.fails(filepath=str(tmp_path / "missing.mp4"))

    def test_no_video(self, tmp_path: Path) -> None:
        (tmp_path / "text.mp4").write_text("This is a text.")
        assert "text.mp4" in self.fails(filepath=str(tmp_path / "text.mp4"))

    def test_nobody_is_seen(self, tmp_path: Path) -> None:
        image = bpy.data.images.new("gray", 320, 240)
        image.filepath_raw, image.file_format = str(tmp_path / "gray.png"), "PNG"
        image.save()
        bpy.data.images.remove(image)
        sentence = self.fails(filepath=str(tmp_path / "gray.png"))
        assert "nobody" in sentence.lower() or "no person" in sentence.lower() or "no people" in sentence.lower()

    def test_a_wrong_token(self, clip: Path, service, preferred) -> None:
        preferred(backend="SERVER", server_url=service.url, server_token="wrong")
        assert "token" in self.fails(filepath=str(clip))

    def test_a_wrong_address(self, clip: Path, preferred) -> None:
        preferred(backend="SERVER", server_url="http://127.0.0.1:9", server_token="any")
        assert "127.0.0.1:9" in self.fails(filepath=str(clip))

    def test_a_python_without_the_backend(self, clip: Path, tmp_path: Path, preferred) -> None:
        preferred(backend="PYTHON", python_path=str(tmp_path / "python"))
        assert str(tmp_path / "python") in self.fails(filepath=str(clip))

    def test_a_backend_that_is_killed(self, clip: Path, once_capturing) -> None:
        once_capturing(kill_backend)
        assert "backend" in self.fails(filepath=str(clip))

    def test_ctrl_c_cancels(self, clip: Path, once_capturing) -> None:
        once_capturing(lambda: signal.raise_signal(signal.SIGINT))
        assert bpy.ops.pose2pose.capture(filepath=str(clip)) == {"CANCELLED"}
        assert not state().error

    def test_the_cancel_button_cancels(self, clip: Path, once_capturing) -> None:
        once_capturing(bpy.ops.pose2pose.cancel)
        assert bpy.ops.pose2pose.capture(filepath=str(clip)) == {"CANCELLED"}
        assert not state().error


@pytest.fixture
def once_capturing(monkeypatch):
    """Do something, once, when the first frames have been captured."""

    def arrange(act: Callable[[], object]) -> None:
        show, acts = activity.show_event, [act]

        def watch(event: object) -> None:
            show(event)
            if acts and isinstance(event, Progress) and event.stage == "capture":
                acts.pop()()

        monkeypatch.setattr(activity, "show_event", watch)

    return arrange


def kill_backend() -> None:
    os.kill(connection.running_backend().pid, signal.SIGKILL)


@pytest.mark.slow
def test_after_a_crash_the_next_capture_works(clip: Path, once_capturing) -> None:
    once_capturing(kill_backend)
    with pytest.raises(RuntimeError, match="backend"):
        bpy.ops.pose2pose.capture(filepath=str(clip))
    assert bpy.ops.pose2pose.capture(filepath=str(clip), people="1", end=4) == {"FINISHED"}
    assert not state().error
    assert takes.describe(armature()).frames == 4


@pytest.mark.slow
def test_a_service_elsewhere_gives_the_same_keys(clip: Path, service, preferred) -> None:
    arguments = {"filepath": str(clip), "people": "1", "end": 6}
    bpy.ops.pose2pose.capture(**arguments)
    here = curves(armature())
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    preferred(backend="SERVER", server_url=service.url, server_token=service.token)
    bpy.ops.pose2pose.capture(**arguments)
    assert_same_curves(here, curves(armature()))


class TestTakes:
    """What needs no backend."""

    def test_smoothing_again_changes_the_keys_and_keeps_the_take(self, build) -> None:
        item = build(frames=30)[0].armature
        before, (take, _) = curves(item), takes.stored(item.animation_data.action)
        settings().keying.method = "butterworth"
        settings().keying.body.cutoff = 1.0
        assert bpy.ops.pose2pose.rekey() == {"FINISHED"}
        after, (again, keyed) = curves(item), takes.stored(item.animation_data.action)
        assert before.keys() == after.keys()
        path = ('pose.bones["left_knee"].rotation_quaternion', 1)
        assert np.abs(np.diff(after[path][:, 1])).max() < np.abs(np.diff(before[path][:, 1])).max()
        np.testing.assert_array_equal(take.poses, again.poses)
        assert keyed.smoothing.body.cutoff == 1.0

    def test_defaults_of_the_panel_are_those_of_the_command_line(self) -> None:
        assert settings().keying.as_settings() == KeySettings()

    def test_selecting_shows_what_a_take_was_keyed_with(self, build) -> None:
        first, second = (figure.armature for figure in build(1, 2))
        settings().keying.method = "none"
        bpy.ops.pose2pose.select_take(armature=second.name)
        assert bpy.context.view_layer.objects.active == second
        assert second.select_get() and not first.select_get()
        assert settings().keying.method == "one-euro"
        with pytest.raises(RuntimeError, match="no armature 'nobody'"):
            bpy.ops.pose2pose.select_take(armature="nobody")

    def test_a_body_stands_for_its_armature(self, build) -> None:
        figure = build()[0]
        bpy.context.view_layer.objects.active = figure.mesh
        settings().keying.space = "CAMERA"
        assert bpy.ops.pose2pose.rekey() == {"FINISHED"}
        assert not takes.stored(figure.armature.animation_data.action)[1].ground

    def test_deleting_leaves_nothing(self, build) -> None:
        before = contents()
        build()
        assert bpy.ops.pose2pose.delete_take() == {"FINISHED"}
        after = contents()
        for kind in ("objects", "meshes", "armatures", "actions", "shape_keys"):
            assert after[kind] == before[kind]

    def test_matching_the_camera_says_how_far_off_it_is(self, build, clip: Path) -> None:
        from pose2pose.addon.sidebar.plan import remember_source

        item = build()[0].armature
        remember_source(item, clip)
        assert bpy.ops.pose2pose.match_camera() == {"FINISHED"}
        assert bpy.context.scene.camera.data.background_images[0].image.filepath.endswith(clip.name)

    def test_takes_are_imported_together(self, make_take, tmp_path: Path) -> None:
        for person in (1, 2):
            save_take(make_take(person=person), tmp_path / f"person_{person}.npz")
        files = [{"name": f"person_{person}.npz"} for person in (1, 2)]
        assert bpy.ops.pose2pose.import_takes(directory=str(tmp_path), files=files) == {"FINISHED"}
        assert len(takes.armatures(bpy.context.scene)) == 2

    def test_a_file_that_is_no_take_gets_a_sentence(self, tmp_path: Path) -> None:
        before = contents()
        (tmp_path / "text.npz").write_text("This is a text.")
        with pytest.raises(RuntimeError, match=r"text\.npz is not a readable take"):
            bpy.ops.pose2pose.import_takes(filepath=str(tmp_path / "text.npz"))
        assert "text.npz" in state().error
        assert contents() == before
        assert bpy.ops.pose2pose.dismiss_error() == {"FINISHED"}
        assert not state().error

    def test_nothing_of_a_broken_import_is_left(self, make_take, tmp_path: Path) -> None:
        save_take(make_take(), tmp_path / "good.npz")
        (tmp_path / "bad.npz").write_text("This is a text.")
        before, fps = contents(), bpy.context.scene.render.fps
        with pytest.raises(RuntimeError):
            bpy.ops.pose2pose.import_takes(directory=str(tmp_path), files=[{"name": "good.npz"}, {"name": "bad.npz"}])
        assert (contents(), bpy.context.scene.render.fps) == (before, fps)


def test_preferences_choose_the_backend(preferred) -> None:
    preferred(backend="PYTHON", python_path="")
    assert not bpy.ops.pose2pose.capture.poll()
    assert preferences.gather().problem()
