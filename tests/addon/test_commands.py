"""The command line of Blender's side."""

from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
from pose2pose.addon.commands import main  # noqa: E402
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
        (["TAKE", "-o", "out.abc"], "must end in one of .blend"),
        (["TAKE", "-o", "out.blend", "--smoothing", "magic"], "unknown smoothing 'magic'"),
        (["TAKE", "-o", "out.blend", "--body", "TAKE"], "has no array 'v_template'"),
    ],
)
def test_errors_name_the_cause(arguments, message, take_file, capsys, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([str(take_file) if part == "TAKE" else part for part in arguments]) == 1
    assert message in capsys.readouterr().err


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
