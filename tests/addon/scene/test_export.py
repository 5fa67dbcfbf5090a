"""Export, read back, and find the same joints at the same time."""

from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
from pose2pose.addon.scene.build import build_scene  # noqa: E402
from pose2pose.addon.scene.export import save_scene  # noqa: E402
from pose2pose.backend.motion.settings import KeySettings  # noqa: E402
from pose2pose.backend.motion.skeleton import JOINT_NAMES  # noqa: E402
from pose2pose.backend.motion.smoothing import Smoothing  # noqa: E402

pytestmark = pytest.mark.usefixtures("empty_scene")

RAW = KeySettings(smoothing=Smoothing("none"))

FRAMES = 15


@pytest.fixture
def exported(make_take, body, tmp_path: Path):
    """Write to a suffix; returns the file, and the world positions (55, 3) of joints at frame 10."""

    def write(suffix: str) -> tuple[Path, np.ndarray]:
        take = make_take(frames=FRAMES)
        built = build_scene([take], body, fps=None, settings=RAW, video=None)
        path = tmp_path / f"walk{suffix}"
        save_scene(path, built.figures)
        positions = joints(built.figures[0].armature, 10)
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        return path, positions

    return write


def joints(armature, frame: int) -> np.ndarray:
    bpy.context.scene.frame_set(frame)
    return np.array([armature.matrix_world @ armature.pose.bones[name].head for name in JOINT_NAMES])


def only(kind: str):
    (found,) = [item for item in bpy.data.objects if item.type == kind]
    return found


def span(item) -> tuple[int, float]:
    """First frame, and length in frames: importers put the beginning on frame 0, 1 or 2."""
    first, last = item.animation_data.action.frame_range
    return round(first), last - first


def test_blend(exported):
    path, expected = exported(".blend")
    bpy.ops.wm.open_mainfile(filepath=str(path))
    assert np.allclose(joints(only("ARMATURE"), 10), expected, atol=1e-6)
    assert bpy.context.scene.camera is not None


def test_glb(exported):
    path, expected = exported(".glb")
    bpy.context.scene.render.fps = 30
    bpy.ops.import_scene.gltf(filepath=str(path))
    armature = only("ARMATURE")
    first, length = span(armature)
    assert np.allclose(joints(armature, first + 9), expected, atol=1e-3)
    assert length == pytest.approx(FRAMES - 1, abs=0.01)
    (mesh,) = [item for item in bpy.data.objects if item.type == "MESH" and item.parent is armature]
    smile = mesh.data.shape_keys.key_blocks["Exp000"]
    assert smile.value == pytest.approx(np.sin(5 * 9 / 30), abs=0.01)


def test_fbx(exported):
    path, expected = exported(".fbx")
    bpy.ops.import_scene.fbx(filepath=str(path))
    armature = only("ARMATURE")
    assert len(armature.data.bones) == 55
    first, length = span(armature)
    assert np.allclose(joints(armature, first + 9), expected, atol=2e-3)
    assert length == pytest.approx(FRAMES - 1, abs=0.01)
    assert len(only("MESH").data.vertices) == 13718
    assert len(only("MESH").data.shape_keys.key_blocks) == 21


def test_bvh(exported):
    path, expected = exported(".bvh")
    bpy.ops.import_anim.bvh(filepath=str(path), rotate_mode="NATIVE")  # y up, as readers of BVH expect
    armature = only("ARMATURE")
    assert len(armature.data.bones) == 55
    first, length = span(armature)
    assert np.allclose(joints(armature, first + 9), expected, atol=2e-3)
    assert length == pytest.approx(FRAMES - 1, abs=0.01)


def test_bvh_of_two_people_is_two_files(make_take, body, tmp_path):
    takes = [make_take(frames=3), make_take(frames=3, person=2)]
    built = build_scene(takes, body, fps=None, settings=RAW, video=None)
    save_scene(tmp_path / "pair.bvh", built.figures)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pair.bvh", "pair_2.bvh"]
