"""The command line of Blender's side."""

from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
from pose2pose.addon.commands import main  # noqa: E402
from pose2pose.addon.headless.arguments import outputs  # noqa: E402
from pose2pose.addon.headless.batch import find_clips  # noqa: E402
from pose2pose.backend.motion.take import load_take, save_take  # noqa: E402

pytestmark = pytest.mark.usefixtures("empty_scene")


@pytest.mark.slow
def test_one_call_writes_every_format(take_file: Path, tmp_path: Path) -> None:
    outputs = [tmp_path / "new" / f"scene{suffix}" for suffix in (".blend", ".fbx", ".glb", ".bvh")]
    assert main([str(take_file), *(part for path in outputs for part in ("--output", str(path)))]) == 0
    assert all(path.stat().st_size > 10_000 for path in outputs)


def test_smoothing_is_applied(make_take, tmp_path: Path) -> None:
    from dataclasses import replace

    take = make_take(frames=40)
    noise = np.random.default_rng(0).normal(0, 0.05, take.poses.shape).astype(np.float32)
    save_take(replace(take, poses=take.poses + noise), tmp_path / "noisy.npz")
    rough = {smoothing: roughness(tmp_path, smoothing) for smoothing in ("none", "one-euro")}
    assert rough["one-euro"] < 0.5 * rough["none"]


def roughness(folder: Path, smoothing: str) -> float:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert main([str(folder / "noisy.npz"), "-o", str(folder / "out.blend"), "--smoothing", smoothing]) == 0
    armature = next(item for item in bpy.data.objects if item.type == "ARMATURE")
    heads = []
    for frame in range(1, 41):
        bpy.context.scene.frame_set(frame)
        heads.append(armature.pose.bones["left_wrist"].head.copy())
    return float(np.abs(np.diff(np.array(heads), n=2, axis=0)).mean())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.npz", "-o", "out.blend"], "missing.npz: no such file"),
        (["TAKE", "-o", "out.blend", "--body", "TAKE"], "holds motion, not a body model"),
        (["clip.mp4", "-o", "out.blend"], "backend"),
        (["clip.mp4", "-o", "out.blend", "--python", "no/such/python"], "no/such/python"),
        (["clip.mp4", "-o", "out.blend", "--server", "127.0.0.1:9"], "127.0.0.1:9"),
    ],
)
def test_errors_name_the_cause(arguments, message, take_file, capsys, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").write_text("This is a text.")
    assert main([str(take_file) if part == "TAKE" else part for part in arguments]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["TAKE"], "nothing to write"),
        (["TAKE", "-o", "out.abc"], "must end in one of .blend"),
        (["TAKE", "-o", "out", "--format", "blend,abc"], "'abc' is none of blend, fbx"),
        (["TAKE", "-o", "out.blend", "--smoothing", "magic"], "invalid choice: 'magic'"),
        (["TAKE", "clip.mp4", "-o", "out.blend"], "2 clips need a folder"),
        (["TAKE", "-o", "out", "--parts", "feet"], "'feet' is none of body"),
        (["TAKE", "-o", "out", "--step", "0"], "'step' must be at least 1"),
        (["TAKE", "-o", "out", "--start", "9", "--end", "8"], "must be a range"),
    ],
)
def test_wrong_arguments_are_told_before_any_work(arguments, message, take_file, capsys) -> None:
    with pytest.raises(SystemExit) as left:
        main([str(take_file) if part == "TAKE" else part for part in arguments])
    assert left.value.code == 2
    assert message in capsys.readouterr().err


def test_takes_of_one_source_are_one_clip(make_take, tmp_path) -> None:
    from dataclasses import replace

    (tmp_path / "many").mkdir()
    for name, source in (("a", "walk.mp4"), ("b", "walk.mp4"), ("c", "run.mp4")):
        save_take(replace(make_take(frames=3), source=source), tmp_path / "many" / f"{name}.npz")
    found = find_clips(
        [tmp_path / "many", Path("dance.mp4"), Path("shot.####.png"), Path("x/dance.mp4")], one_scene=False
    )
    assert [(clip.name, len(clip.takes)) for clip in found] == [
        ("walk", 2), ("run", 1), ("dance", 0), ("shot", 0), ("dance_2", 0),
    ]  # fmt: skip
    assert len(find_clips([tmp_path / "many"], one_scene=True)) == 1


def test_files_are_named_after_the_clip() -> None:
    assert outputs([Path("out.blend")], [], "walk") == [Path("out.blend")]
    assert outputs([Path("out.blend")], ["blend", "fbx"], "walk") == [Path("out.blend"), Path("out.fbx")]
    assert outputs([Path("folder")], [], "walk") == [Path("folder/walk.blend")]
    assert outputs([Path("folder")], ["glb", "bvh"], "walk") == [Path("folder/walk.glb"), Path("folder/walk.bvh")]


def test_a_clip_that_fails_stops_no_other(make_take, tmp_path, capsys) -> None:
    from dataclasses import replace

    for name in ("walk", "run"):
        save_take(replace(make_take(frames=3), source=f"{name}.mp4"), tmp_path / f"{name}.npz")
    inputs = [tmp_path / "walk.npz", tmp_path / "missing.npz", tmp_path / "run.npz"]
    assert main([*map(str, inputs), "-o", str(tmp_path / "out")]) == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["run.blend", "walk.blend"]
    assert "missing (2 of 3): " in capsys.readouterr().err


def test_each_clip_begins_with_the_file_that_was_open(make_take, tmp_path) -> None:
    from dataclasses import replace

    bpy.ops.mesh.primitive_monkey_add()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "stage.blend"))
    for name in ("walk", "run"):
        save_take(replace(make_take(frames=3), source=f"{name}.mp4"), tmp_path / f"{name}.npz")
    assert main([str(tmp_path / "walk.npz"), str(tmp_path / "run.npz"), "-o", str(tmp_path / "out")]) == 0
    for name in ("walk", "run"):
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out" / f"{name}.blend"))
        armatures = [item.name for item in bpy.data.objects if item.type == "ARMATURE"]
        assert "Suzanne" in bpy.data.objects and armatures == [f"{name} Person 1"]


@pytest.mark.slow
def test_videos_and_takes_in_one_call(clip, take_file, backend_python, tmp_path, capsys) -> None:
    arguments = [str(clip), str(take_file), "--people", "largest", "--end", "5", "--python", str(backend_python)]
    assert main([*arguments, "-o", str(tmp_path / "out"), "--format", "blend,bvh"]) == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"{name}.{ending}" for name in (clip.stem, "walk") for ending in ("blend", "bvh")]
    assert f"{clip.stem} (1 of 2): capturing" in capsys.readouterr().err


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_writes_nothing(clip, backend_python, tmp_path) -> None:
    import signal
    import subprocess
    import sys

    command = [sys.executable, "-m", "pose2pose.addon.commands", str(clip), str(clip), "-o", str(tmp_path / "out")]
    process = subprocess.Popen(
        [*command, "--python", str(backend_python)], stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if "capturing" in line:
            process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130, said
    assert not (tmp_path / "out").exists()


def test_source_beside_the_take_is_found(make_take, tmp_path, clip) -> None:
    from dataclasses import replace

    (tmp_path / "takes").mkdir()
    (tmp_path / clip.name).write_bytes(clip.read_bytes())
    save_take(replace(make_take(frames=4), source=clip.name), tmp_path / "takes" / "take.npz")
    assert load_take(tmp_path / "takes" / "take.npz").source == clip.name
    assert main([str(tmp_path / "takes" / "take.npz"), "-o", str(tmp_path / "out.blend")]) == 0
    assert [Path(image.filepath).name for image in bpy.data.images if image.source == "MOVIE"] == [clip.name]


@pytest.mark.slow
def test_views_show_the_figure(take_file, tmp_path) -> None:
    pytest.importorskip("cv2")
    import cv2

    assert main([str(take_file), "--views", str(tmp_path), "--times", "0,0.3", "--size", "160"]) == 0
    pictures = [cv2.imread(str(tmp_path / f"{view}_{k:03d}.png")) for view in ("front", "side") for k in (0, 1)]
    for picture in pictures:
        assert picture.shape == (160, 160, 3)
        orange = (picture[..., 2] > 150) & (picture[..., 0] < 80)  # the bones, blue green red
        assert 20 < orange.sum() < 4000
    assert np.abs(pictures[0].astype(int) - pictures[1]).max() > 30, "the figure moves"
