"""One source, three doors: the panel, Blender without a window, and the command line give the same keys."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
from pose2pose.addon.commands import main  # noqa: E402
from pose2pose.addon.scene.takes import armatures  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("addon", "empty_scene")]

Keys = dict[tuple[str, str, int], np.ndarray]


def all_keys() -> Keys:
    """(owner, path, index) -> (T, 2) of every F-curve on the open file's armatures and faces."""
    found: Keys = {}
    for armature in armatures(bpy.context.scene):
        for owner in (armature, *(child.data.shape_keys for child in armature.children)):
            for curve in fcurves(owner.animation_data):
                points = np.empty(2 * len(curve.keyframe_points))
                curve.keyframe_points.foreach_get("co", points)
                found[f"{armature.name} {owner.id_type}", curve.data_path, curve.array_index] = points.reshape(-1, 2)
    return found


def fcurves(animation):
    if hasattr(animation.action, "slots"):
        return animation.action.layers[0].strips[0].channelbag(animation.action_slot).fcurves
    return animation.action.fcurves


def keys_in(path: Path) -> Keys:
    bpy.ops.wm.open_mainfile(filepath=str(path))
    return all_keys()


def assert_same(one: Keys, other: Keys) -> None:
    assert one.keys() == other.keys()
    assert len(one) > 230
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=str(name))


def test_panel_headless_and_command_line_agree(clip: Path, tmp_path: Path, backend_python: Path) -> None:
    pytest.importorskip("torch")  # `pose2pose animate` captures in this Python
    settings = bpy.context.scene.pose2pose
    settings.filepath, settings.rate = str(clip), "SOURCE"
    assert bpy.ops.pose2pose.capture() == {"FINISHED"}
    panel = all_keys()
    assert main([str(clip), "--output", str(tmp_path / "headless.blend"), "--python", str(backend_python)]) == 0
    assert_same(panel, keys_in(tmp_path / "headless.blend"))
    animate = [sys.executable, "-m", "pose2pose.backend", "animate", str(clip), "-o", str(tmp_path / "animate.blend")]
    subprocess.run(animate, check=True, cwd=tmp_path)
    assert_same(panel, keys_in(tmp_path / "animate.blend"))
