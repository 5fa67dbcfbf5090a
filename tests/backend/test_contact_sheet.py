"""The sheet shows the right frames of the right person."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pose2pose.backend.contact_sheet import CELL, GAP, LEFT, TOP, assemble, contact_sheet, pick_frames, spread, windows
from pose2pose.backend.frames import VideoError
from pose2pose.backend.motion.take import Take, save_take


@pytest.fixture
def standing() -> Callable[..., Take]:
    """A take of somebody who stands still in the left part of a picture of 480x458."""

    def make(frames: int = 20, first: int = 0) -> Take:
        poses = np.zeros((frames, 165), np.float32)
        poses[:, 0] = np.pi / 2
        return Take(
            poses=poses,
            trans=np.tile(np.array([0, 4, 0], np.float32), (frames, 1)),
            betas=np.zeros(10, np.float32),
            expression=np.zeros((frames, 10), np.float32),
            times=(first + np.arange(frames)) / 30,
            frames=first + np.arange(frames),
            joints_cam=np.tile(np.array([0, 0, 4], np.float32), (frames, 55, 1)),
            joints_img=np.full((frames, 55, 2), 200, np.float32),
            confidence=np.ones((frames, 55), np.float32),
            boxes=np.tile(np.array([20, 100, 120, 300], np.float32), (frames, 1)),
            focal=np.full(2, 600, np.float32),
            principal_point=np.array([240, 229], np.float32),
            image_size=np.array([480, 458]),
            mocap_frame_rate=30.0,
        )

    return make


def test_moments_are_spread_and_name_source_frames(standing: Callable[..., Take]) -> None:
    moments = spread(standing(frames=20, first=5), 4)
    assert [moment.frame for moment in moments] == [5 + moment.row for moment in moments]
    assert [moment.row for moment in moments] == [2, 7, 12, 17]
    assert len(spread(standing(frames=3), 6)) == 3


def test_frames_are_the_ones_asked_for(clip: Path, clip_frames: list[np.ndarray]) -> None:
    for number, image in zip((3, 11, 3), pick_frames(clip, [3, 11, 3]), strict=True):
        assert np.array_equal(np.asarray(image), clip_frames[number])
    with pytest.raises(VideoError):
        pick_frames(clip, [3, 500])


def test_windows_hold_the_person_and_stay_inside(standing: Callable[..., Take]) -> None:
    for left, top, right, bottom in windows(standing(), [0, 10]):
        assert right - left == bottom - top == 260
        assert 0 <= left <= 20
        assert right >= 120
        assert 0 <= top <= 100
        assert bottom >= 300


def test_pictures_stand_in_their_cells() -> None:
    colors = [[(10 * row + column, 200, 90) for column in range(3)] for row in range(4)]
    sheet = assemble([[Image.new("RGB", (50, 50), color) for color in row] for row in colors], ["a", "b", "c"])
    for row in range(4):
        for column in range(3):
            x = LEFT + column * (CELL + GAP) + CELL // 2
            assert sheet.getpixel((x, TOP + row * (CELL + GAP) + CELL // 2)) == colors[row][column]


def test_a_folder_without_a_capture(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"summary\.json is missing"):
        contact_sheet(tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="needs the bpy module")
def test_command(standing: Callable[..., Take], clip: Path, clip_frames: list[np.ndarray], tmp_path: Path) -> None:
    save_take(standing(frames=20, first=2), tmp_path / "person1.npz")
    save_take(standing(frames=4), tmp_path / "person2.npz")
    (tmp_path / "overlay.mp4").write_bytes(clip.read_bytes())
    summary = {"source": str(clip), "overlay": "overlay.mp4", "start": 0, "step": 1}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    command = [sys.executable, "-m", "pose2pose.backend.contact_sheet", str(tmp_path), "-o", str(tmp_path / "s.png")]
    subprocess.run([*command, "--columns", "2"], check=True, cwd=tmp_path)
    sheet = np.asarray(Image.open(tmp_path / "s.png")).astype(float)
    assert sheet.shape == (TOP + 4 * (CELL + GAP), LEFT + 2 * (CELL + GAP), 3)
    left, top, right, bottom = windows(standing(), [0])[0]
    expected = np.asarray(Image.fromarray(clip_frames[7][top:bottom, left:right]).resize((CELL, CELL), 1), float)
    assert np.abs(sheet[TOP : TOP + CELL, LEFT : LEFT + CELL] - expected).mean() < 3, "frame 7 is the first moment"
    for row in (2, 3):
        start = TOP + row * (CELL + GAP)
        cell = sheet[start : start + CELL, LEFT : LEFT + CELL]
        orange = (cell[..., 0] > 150) & (cell[..., 2] < 90)
        assert orange.sum() > 100, "the bones are seen"
