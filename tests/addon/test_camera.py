"""The video stands behind the camera, in step with the keys."""

from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
from pose2pose.addon.camera import source_offsets  # noqa: E402
from pose2pose.addon.scene import build_scene  # noqa: E402

pytestmark = pytest.mark.usefixtures("empty_scene")


def background(take, body, video: Path, fps: float | None = None):
    built = build_scene([take], body, fps=fps, smoothing="none", video=video)
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


def test_single_picture(make_take, body, tmp_path):
    save_picture(tmp_path / "person.png")
    shown = background(make_take(frames=1), body, tmp_path / "person.png")
    assert shown.image.source == "FILE"


def test_a_source_that_blender_cannot_read_costs_only_the_background(make_take, body, tmp_path, capsys):
    built = build_scene([make_take(frames=2)], body, fps=None, smoothing="none", video=tmp_path / "shot.####.png")
    assert len(built.figures) == 1
    assert not built.camera.data.background_images
    assert "nothing stands behind the camera" in capsys.readouterr().err


def test_a_video_that_lies_on_its_side_is_noted(make_take, body, clip, capsys):
    """As a portrait video does in Blender before 4.5, which ignores the rotation flag."""
    background(make_take(frames=4, size=(458, 480)), body, clip)
    assert "lying on its side" in capsys.readouterr().err


def save_picture(path: Path) -> None:
    image = bpy.data.images.new("Picture", 8, 6)
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)


def test_offsets_hold_over_an_hour():
    frames = np.array([1, 24 * 3600 + 1])
    assert source_offsets(frames, 30 / 1.001, 24.0).tolist() == [0, round(3600 * 30 / 1.001) - 24 * 3600]
