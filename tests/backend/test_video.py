"""Sources: videos with their timestamps and rotation, pictures, ranges, damage."""

import struct
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from pose2pose.backend.frames import VideoError
from pose2pose.backend.video import FOCAL_35MM_TAG, open_source

QUARTER_TURN_CLOCKWISE = (0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)


def turned(path: Path, matrix: tuple[int, ...], out: Path) -> Path:
    """The MP4 with another display matrix in its track header, as a phone held upright writes it."""
    data = path.read_bytes()
    place = data.index(b"tkhd") + 4 + 40
    out.write_bytes(data[:place] + struct.pack(">9i", *matrix) + data[place + 36 :])
    return out


def pictures(folder: Path, frames: list[np.ndarray], name: str = "shot_{:04d}.png") -> Path:
    folder.mkdir(exist_ok=True)
    for number, frame in enumerate(frames, start=1):
        cv2.imwrite(str(folder / name.format(number)), frame[..., ::-1])
    return folder


def test_reads_every_frame_with_its_time(clip, clip_frames):
    source = open_source(clip)
    frames = list(source)
    assert (source.width, source.height, source.count, source.damage) == (480, 458, 24, None)
    assert [frame.index for frame in frames] == list(range(24))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(24) / 30, atol=1e-4)
    for frame, expected in zip(frames, clip_frames, strict=True):
        np.testing.assert_array_equal(frame.image, expected)


def test_reads_twice(clip):
    source = open_source(clip, end=2)
    assert [f.index for f in source] == [f.index for f in source] == [0, 1, 2]


@pytest.mark.parametrize(
    ("start", "end", "step", "expected"),
    [(5, 9, 2, [5, 7, 9]), (10, 12, 5, [10]), (None, None, 10, [0, 10, 20]), (23, None, 1, [23])],
)
def test_range_is_in_source_frames_with_the_end_included(clip, start, end, step, expected):
    source = open_source(clip, start=start, end=end, step=step)
    frames = list(source)
    assert [frame.index for frame in frames] == expected
    assert source.expected == len(expected)
    np.testing.assert_allclose([frame.time for frame in frames], np.array(expected) / 30, atol=1e-4)


@pytest.mark.parametrize(("start", "end"), [(24, None), (30, 40)])
def test_range_outside_names_what_was_asked_and_what_there_is(clip, start, end):
    with pytest.raises(VideoError, match=rf"frames {start} to .*asked.*has frames 0 to 23"):
        open_source(clip, start=start, end=end)


def test_range_that_ends_after_the_source_ends_with_it(clip):
    source = open_source(clip, start=20, end=250)
    assert [frame.index for frame in source] == [20, 21, 22, 23]
    assert source.notes == [f"{clip.name} has 24 frames: it ends before the range that was asked for"]


def test_range_outside_is_found_while_reading_when_the_container_does_not_count(clip_frames, tmp_path, write_video):
    path = write_video(tmp_path / "clip.mkv", clip_frames[:4], [0, 0.1, 0.2, 0.3])
    with pytest.raises(VideoError, match=r"from 7 on were asked for.*has frames 0 to 3"):
        list(open_source(path, start=7))


def test_variable_frame_rate_keeps_the_true_times(clip_frames, tmp_path, write_video):
    times = [0.0, 0.033, 0.2, 0.25, 0.9]
    for name in ("clip.mp4", "clip.mkv"):
        source = open_source(write_video(tmp_path / name, clip_frames[:5], times))
        np.testing.assert_allclose([frame.time for frame in source], times, atol=2e-3)
        assert source.damage is None


def test_times_count_from_the_first_frame(clip_frames, tmp_path, write_video):
    source = open_source(write_video(tmp_path / "late.mkv", clip_frames[:3], [5.0, 5.5, 6.0]))
    np.testing.assert_allclose([frame.time for frame in source], [0, 0.5, 1.0], atol=2e-3)


def test_rotation_flag_is_honored(clip, clip_frames, tmp_path):
    source = open_source(turned(clip, QUARTER_TURN_CLOCKWISE, tmp_path / "phone.mp4"), end=0)
    (frame,) = source
    assert (source.width, source.height) == (458, 480)
    np.testing.assert_array_equal(frame.image, np.rot90(clip_frames[0], k=-1))


def test_truncated_video_keeps_what_was_decoded_and_says_so(clip, tmp_path):
    path = tmp_path / "cut.mp4"
    path.write_bytes(clip.read_bytes()[: clip.stat().st_size * 9 // 10])
    source = open_source(path)
    frames = list(source)
    assert 5 < len(frames) < 24
    assert f"after frame {frames[-1].index} ({frames[-1].time:.2f} s)" in source.damage


def test_matroska_cut_off_is_noticed_by_its_length(clip_frames, tmp_path, write_video):
    path = write_video(tmp_path / "whole.mkv", clip_frames, [i / 10 for i in range(24)])
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])
    source = open_source(cut)
    assert 0 < len(list(source)) < 24
    assert "cut.mkv" in source.damage


@pytest.mark.parametrize("content", [b"", b"not a video at all" * 50])
def test_unreadable_file_is_named(tmp_path, content):
    path = tmp_path / "notes.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoError, match=r"notes\.mp4.*convert"):
        open_source(path)


def test_missing_file_and_empty_folder_are_named(tmp_path):
    with pytest.raises(VideoError, match=r"gone\.mp4: no such file"):
        open_source(tmp_path / "gone.mp4")
    with pytest.raises(VideoError, match="holds no pictures"):
        open_source(tmp_path)
    with pytest.raises(VideoError, match=r"no picture matches .*shot_####\.png"):
        open_source(tmp_path / "shot_####.png")


def test_folder_of_pictures_in_order_of_their_numbers(clip_frames, tmp_path):
    folder = pictures(tmp_path / "shot", clip_frames[:12], "shot{}.png")
    source = open_source(folder, frame_rate=24)
    for frame, expected in zip(source, clip_frames[:12], strict=True):
        np.testing.assert_array_equal(frame.image, expected)
        assert frame.time == pytest.approx(frame.index / 24)
    assert source.notes == []
    assert "30 frames a second are assumed" in open_source(folder).notes[0]


@pytest.mark.parametrize("name", ["shot_####.png", "shot_%04d.png", "shot_0001.png"])
def test_numbered_sequence_by_pattern_or_first_file(clip_frames, tmp_path, name):
    folder = pictures(tmp_path, clip_frames[:3])
    (folder / "shot_0009.txt").write_text("not a picture")
    assert len(list(open_source(folder / name, frame_rate=25))) == 3


def test_one_picture_is_one_frame(clip_frames, tmp_path):
    folder = pictures(tmp_path, clip_frames[:3])
    (frame,) = open_source(folder / "shot_0002.png")
    np.testing.assert_array_equal(frame.image, clip_frames[1])


def test_broken_picture_ends_the_sequence_and_is_named(clip_frames, tmp_path):
    folder = pictures(tmp_path, clip_frames[:4])
    (folder / "shot_0003.png").write_bytes(b"broken")
    source = open_source(folder, frame_rate=25)
    assert len(list(source)) == 2
    assert "shot_0003.png (frame 2)" in source.damage


def test_pictures_of_two_sizes_are_refused(clip_frames, tmp_path):
    folder = pictures(tmp_path, [clip_frames[0], clip_frames[1][:200]])
    with pytest.raises(VideoError, match=r"shot_0002\.png is 480x200 pixels.*480x458"):
        list(open_source(folder, frame_rate=25))


def test_focal_length_comes_from_exif(clip_frames, tmp_path):
    exif = Pillow.Exif()
    exif.get_ifd(0x8769)[0xA405] = 26
    Pillow.fromarray(clip_frames[0]).save(tmp_path / "photo.jpg", exif=exif)
    diagonal = np.hypot(480, 458)
    assert open_source(tmp_path / "photo.jpg").focal == pytest.approx(26 * diagonal / 43.267, rel=1e-4)


def test_focal_length_comes_from_the_container(clip, tmp_path):
    path = tmp_path / "phone.mov"
    with av.open(str(clip)) as source, av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as out:
        out.metadata[FOCAL_35MM_TAG] = "24"
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    assert open_source(path).focal == pytest.approx(24 * np.hypot(480, 458) / 43.267, rel=1e-4)
    assert open_source(clip).focal is None
