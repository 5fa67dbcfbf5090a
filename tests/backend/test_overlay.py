"""The overlay: the body where the person is, with the source's times."""

import av
import numpy as np
import pytest

from pose2pose.backend.figure import Figure
from pose2pose.backend.lens import Lens
from pose2pose.backend.overlay import COLORS, overlay_frames, write_overlay
from pose2pose.backend.video import open_source


def changed(frame: np.ndarray, overlay: np.ndarray) -> np.ndarray:
    """(H, W) where the overlay differs from the frame."""
    return np.abs(overlay.astype(int) - frame).max(axis=2) > 25


def test_the_figure_covers_the_person_and_nothing_else(captured, clip, clip_frames):
    first = next(overlay_frames(open_source(clip), captured.takes, captured.body))
    mask = changed(clip_frames[0], first.image)
    rows, columns = np.indices(mask.shape)
    inside = np.zeros_like(mask)
    for take in captured.takes:
        left, top, right, bottom = take.boxes[0] + np.array([-30, -30, 30, 30])
        inside |= (columns > left) & (columns < right) & (rows > top) & (rows < bottom)
    assert mask[inside].mean() > 0.12
    assert not mask[~inside].any()


def test_each_person_has_a_color(captured, clip):
    first = next(overlay_frames(open_source(clip), captured.takes, captured.body))
    for take in captured.takes:
        x, y = take.joints_img[0, 3].astype(int)
        color = first.image[y - 4 : y + 4, x - 4 : x + 4].reshape(-1, 3).mean(axis=0)
        nearest = np.argmin([np.linalg.norm(color / np.linalg.norm(color) - c / np.linalg.norm(c)) for c in COLORS])
        assert nearest == take.person - 1


def test_video_has_the_frames_and_times_of_the_source(captured, clip, tmp_path):
    write_overlay(open_source(clip, end=5), captured.takes, captured.body, tmp_path / "overlay.mp4")
    with av.open(str(tmp_path / "overlay.mp4")) as container:
        stream = container.streams.video[0]
        times = [frame.time for frame in container.decode(stream)]
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 480, 458)
    np.testing.assert_allclose(np.array(times) - times[0], np.arange(6) / 30, atol=1e-3)
    assert [path.name for path in tmp_path.iterdir()] == ["overlay.mp4"]


def test_interrupting_leaves_no_half_video(captured, clip, tmp_path):
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_overlay(open_source(clip), captured.takes, captured.body, tmp_path / "o.mp4", progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_large_frames_become_1280_pixels_long(captured, clip_frames, tmp_path, write_video):
    tall = np.kron(clip_frames[0], np.ones((4, 2, 1), np.uint8))
    source = open_source(write_video(tmp_path / "tall.mp4", [tall], [0]))
    (frame,) = overlay_frames(source, [], captured.body)
    assert max(frame.image.shape) == 1280
    assert all(side % 2 == 0 for side in frame.image.shape[:2])


def test_figure_stands_where_the_take_says(captured):
    take = captured.takes[0]
    vertices = Figure(captured.body, take).vertices(2)
    joints = take.joints_cam[2]
    np.testing.assert_allclose(vertices.mean(axis=0), joints[:22].mean(axis=0), atol=0.2)
    assert vertices[:, 1].max() > joints[:22, 1].max() > vertices[:, 1].min()


def test_a_figure_outside_the_picture_is_no_error(captured):
    figure = Figure(captured.body, captured.takes[0])
    image = np.full((100, 100, 3), 50, np.uint8)
    for shift in ([100, 0, 0], [0, 0, -100], [0, 0, -captured.takes[0].joints_cam[0, 0, 2]]):
        figure.draw(image, figure.vertices(0) + shift, Lens(100.0, (100, 100), "given"), COLORS[0], 1.0)
    assert image.shape == (100, 100, 3)
