"""Scenes through whichever Blender there is, always in a process of its own."""

import importlib.util
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from pose2pose.backend import blend
from pose2pose.backend.blend import BlendError, blender_command, write_scene
from pose2pose.backend.motion.take import Take, save_take

HAS_BPY = importlib.util.find_spec("bpy") is not None


@pytest.fixture
def take_file(tmp_path: Path) -> Path:
    """An AMASS-like take: somebody stands for four frames."""
    unknown = {"joints_cam": (4, 55, 3), "joints_img": (4, 55, 2), "boxes": (4, 4), "focal": (2,)}
    take = Take(
        poses=np.zeros((4, 165), np.float32),
        trans=np.zeros((4, 3), np.float32),
        betas=np.zeros(10, np.float32),
        expression=np.zeros((4, 10), np.float32),
        times=np.arange(4) / 25,
        frames=np.arange(4),
        confidence=np.ones((4, 55), np.float32),
        principal_point=np.full(2, np.nan, np.float32),
        image_size=np.zeros(2, np.int64),
        mocap_frame_rate=25.0,
        **{name: np.full(shape, np.nan, np.float32) for name, shape in unknown.items()},
    )
    path = tmp_path / "take.npz"
    save_take(take, path)
    return path


@pytest.fixture
def without_bpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blend.importlib.util, "find_spec", lambda name: None)
    monkeypatch.delenv("BLENDER", raising=False)


def fake_blender(folder: Path, script: str) -> Path:
    path = folder / "my blender"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.skipif(not HAS_BPY, reason="needs the bpy module")
def test_writes_through_the_module(take_file: Path, tmp_path: Path) -> None:
    notes = write_scene([take_file], [tmp_path / "out.blend", tmp_path / "out.bvh"])
    assert (tmp_path / "out.blend").stat().st_size > 1_000_000
    assert (tmp_path / "out.bvh").read_text().startswith("HIERARCHY\nROOT pelvis")
    assert notes == [f"wrote {tmp_path / 'out.blend'}", f"wrote {tmp_path / 'out.bvh'}"]


@pytest.mark.skipif(not HAS_BPY, reason="needs the bpy module")
def test_an_error_inside_blender_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken.npz").write_bytes(b"no archive")
    with pytest.raises(BlendError, match=r"broken\.npz is not a readable take"):
        write_scene([tmp_path / "broken.npz"], [tmp_path / "out.blend"])


def test_unknown_ending(tmp_path: Path) -> None:
    with pytest.raises(BlendError, match=r"out\.usd.*\.blend, \.fbx, \.glb, \.bvh"):
        write_scene([tmp_path / "take.npz"], [tmp_path / "out.usd"])


@pytest.mark.usefixtures("without_bpy")
def test_no_blender_names_both_ways_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BlendError, match=r"pose2pose\[blender\].*PATH"):
        blender_command()


@pytest.mark.usefixtures("without_bpy")
def test_variable_that_names_no_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BLENDER", str(tmp_path / "nothing"))
    with pytest.raises(BlendError, match="BLENDER names"):
        blender_command()


@pytest.mark.usefixtures("without_bpy")
def test_program_gets_the_arguments_behind_two_dashes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = fake_blender(tmp_path, f'printf "%s\\n" "$@" > "{tmp_path}/arguments"')
    monkeypatch.setenv("BLENDER", str(program))
    write_scene([tmp_path / "a.npz"], [tmp_path / "out.blend"], fps=24.0)
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert arguments[: arguments.index("--")] == [
        "--background", "--factory-startup", "--python-exit-code", "1", "--python", str(blend.COMMANDS),
    ]  # fmt: skip
    assert arguments[arguments.index("--") + 1] == str(tmp_path / "a.npz")
    assert arguments[arguments.index("--fps") + 1] == "24.0"


@pytest.mark.usefixtures("without_bpy")
def test_a_crash_of_blender_is_an_error_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = fake_blender(tmp_path, 'echo "Couldn\'t open libEGL.so.1" >&2; kill -ABRT $$')
    monkeypatch.setenv("BLENDER", str(program))
    with pytest.raises(BlendError, match="libEGL"):
        write_scene([tmp_path / "a.npz"], [tmp_path / "out.blend"])


@pytest.mark.slow
@pytest.mark.skipif("BLENDER" not in os.environ, reason="the variable BLENDER names no Blender program")
def test_writes_through_a_program(take_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blend.importlib.util, "find_spec", lambda name: None)
    write_scene([take_file], [tmp_path / "out.blend", tmp_path / "out.glb"])
    assert (tmp_path / "out.blend").stat().st_size > 1_000_000
