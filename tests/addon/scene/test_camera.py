"""The video stands behind the camera, in step with the keys."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
from pose2pose.addon.scene import takes  # noqa: E402
from pose2pose.addon.scene.background import pictures_at  # noqa: E402
from pose2pose.addon.scene.build import build_scene  # noqa: E402
from pose2pose.backend.motion.settings import KeySettings  # noqa: E402
from pose2pose.backend.motion.smoothing import Smoothing  # noqa: E402

pytestmark = pytest.mark.usefixtures("empty_scene")

RAW = KeySettings(smoothing=Smoothing("none"))


def background(take, body, video: Path, fps: float | None = None):
    built = build_scene([take], body, fps=fps, settings=RAW, video=video)
    return built.camera.data.background_images[0]


def picture_shown(shown, frame: int) -> int:
    """Number of the source's picture, from 1, as Blender's `BKE_image_user_frame_get` computes it."""
    bpy.context.scene.frame_set(frame)
    user = shown.image_user
    return min(max(frame - user.frame_start + 1, 1), user.frame_duration) + user.frame_offset


def test_video_at_its_own_rate(make_take, body, clip):
    shown = background(make_take(frames=20), body, clip)
    assert shown.image.source == "MOVIE"
    assert tuple(shown.image.size) == (480, 458)
    assert [picture_shown(shown, frame) for frame in (1, 2, 20)] == [1, 2, 20]


def test_video_in_a_scene_of_another_rate(make_take, body, clip):
    shown = background(make_take(frames=24, rate=30.0), body, clip, fps=24.0)
    assert [picture_shown(shown, frame) for frame in (1, 5, 9, 17)] == [1, 6, 11, 21]


def test_image_sequence(make_take, body, tmp_path):
    for number in range(7, 12):
        save_picture(tmp_path / f"shot.{number:04d}.png")
    shown = background(make_take(frames=5), body, tmp_path)
    assert shown.image.source == "SEQUENCE"
    assert [picture_shown(shown, frame) for frame in (1, 5)] == [7, 11]


@pytest.mark.parametrize("name", ["shot.####.png", "shot.%04d.png", "shot.0007.png"])
def test_image_sequence_by_its_pattern_or_its_first_picture(name, make_take, body, tmp_path):
    for number in range(7, 12):
        save_picture(tmp_path / f"shot.{number:04d}.png")
    built = build_scene([make_take(frames=5)], body, fps=None, settings=RAW, video=tmp_path / name)
    shown = built.camera.data.background_images[0]
    assert shown.image.source == "SEQUENCE"
    assert [picture_shown(shown, frame) for frame in (1, 5)] == [7, 11]
    assert not built.notes


def test_every_second_picture_of_a_source_leaves_its_rate_alone(make_take, body, clip):
    """Of a clip with 30 pictures a second 12 were captured, 15 a second."""
    take = replace(make_take(frames=12, rate=15.0), frames=2 * np.arange(12))
    built = build_scene([take], body, fps=None, settings=RAW, video=clip)
    assert built.fps == 30
    assert takes.describe(built.figures[0].armature).source_fps == pytest.approx(30)
    shown = built.camera.data.background_images[0]
    assert [picture_shown(shown, frame) for frame in (1, 9, 23)] == [1, 9, 23]
    assert pictures_at(np.array([0.0, 1.0]), take) == pytest.approx([0, 30])


def test_single_picture(make_take, body, tmp_path):
    save_picture(tmp_path / "person.png")
    shown = background(make_take(frames=1), body, tmp_path / "person.png")
    assert shown.image.source == "FILE"


def test_a_source_that_blender_cannot_read_costs_only_the_background(make_take, body, tmp_path):
    built = build_scene([make_take(frames=2)], body, fps=None, settings=RAW, video=tmp_path / "shot.####.png")
    assert len(built.figures) == 1
    assert not built.camera.data.background_images
    assert any("nothing stands behind the camera" in note for note in built.notes)


def test_a_video_that_lies_on_its_side_is_noted(make_take, body, clip):
    """As a portrait video does in Blender before 4.5, which ignores the rotation flag."""
    built = build_scene([make_take(frames=4, size=(458, 480))], body, fps=None, settings=RAW, video=clip)
    assert any("lying on its side" in note for note in built.notes)


def save_picture(path: Path) -> None:
    image = bpy.data.images.new("Picture", 8, 6)
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)


def test_a_video_of_variable_rate_is_in_step(make_take, body, write_video, tmp_path):
    """Blender looks in a movie for the time `frame / its rate`, not for the picture of that number."""
    times = np.cumsum([0.0] + [1 / 30] * 11 + [1 / 10] * 12)
    pictures = [np.full((64, 64, 3), 8 * k, np.uint8) for k in range(24)]
    video = write_video(tmp_path / "variable.mp4", pictures, list(times))
    clip = bpy.data.movieclips.load(str(video))
    take = make_take(times=times, rate=23 / times[-1], size=(64, 64))
    for fps in (30.0, 24.0):
        shown = background(take, body, video, fps)
        for frame in (1, 12, 20, 35):
            assert (picture_shown(shown, frame) - 1) / clip.fps == pytest.approx((frame - 1) / fps, abs=0.51 / clip.fps)


def test_a_sequence_of_pictures_is_in_step_with_their_times(make_take):
    take = make_take(times=np.array([0.0, 0.1, 0.2, 0.6]), rate=5.0)
    assert pictures_at(np.array([0.0, 0.1, 0.4, 0.6, 0.8]), take) == pytest.approx([0, 1, 2.5, 3, 4])


def test_pictures_hold_over_an_hour(make_take):
    take = make_take(frames=9, rate=30 / 1.001)
    assert pictures_at(np.array([0.0, 3600.0]), take) == pytest.approx([0, 3600 * 30 / 1.001])
