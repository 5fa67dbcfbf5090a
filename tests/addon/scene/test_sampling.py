"""From keys back to takes; other armatures are in test_target.py."""

import math
from dataclasses import replace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
from mathutils import Matrix  # noqa: E402

from pose2pose.addon.scene.build import build_scene  # noqa: E402
from pose2pose.addon.scene.sampling import sample_take  # noqa: E402
from pose2pose.backend.motion.amass import save_amass  # noqa: E402
from pose2pose.backend.motion.mean_hand import with_mean_hands  # noqa: E402
from pose2pose.backend.motion.rotations import matrix_from_axis_angle  # noqa: E402
from pose2pose.backend.motion.settings import KeySettings  # noqa: E402
from pose2pose.backend.motion.smoothing import Smoothing  # noqa: E402
from pose2pose.backend.motion.take import load_take  # noqa: E402

pytestmark = pytest.mark.usefixtures("empty_scene")

RAW = KeySettings(smoothing=Smoothing("none"))


def matrices(take) -> np.ndarray:
    return matrix_from_axis_angle(take.poses.reshape(-1, 55, 3))


def test_keys_give_the_take_back(make_take, in_scene, body) -> None:
    take = make_take(frames=12)
    built = build_scene([take], body, fps=None, settings=RAW, video=None)
    bpy.context.scene.frame_set(3, subframe=0.25)
    again = sample_take(built.figures[0].armature, bpy.context.scene)
    assert (bpy.context.scene.frame_current, bpy.context.scene.frame_subframe) == (3, 0.25)
    placed = in_scene(take, built.placement)
    assert np.abs(matrices(again) - matrices(placed)).max() < 1e-5
    assert np.abs(again.trans - placed.trans).max() < 1e-5
    assert np.abs(again.expression - take.expression).max() < 1e-6
    assert np.abs(again.betas - take.betas).max() < 1e-6
    assert np.allclose(again.times, take.times)
    assert (again.body, again.flat_hand_mean, again.has_camera) == ("open", True, False)


def test_the_pose_counts_also_where_the_rest_position_is_shown(make_take, in_scene, body) -> None:
    take = make_take(frames=3)
    built = build_scene([take], body, fps=None, settings=RAW, video=None)
    armature = built.figures[0].armature
    armature.data.pose_position = "REST"
    again = sample_take(armature, bpy.context.scene)
    assert np.abs(matrices(again) - matrices(in_scene(take, built.placement))).max() < 1e-5
    assert armature.data.pose_position == "REST"
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(ValueError, match="Edit Mode"):
        sample_take(armature, bpy.context.scene)


def test_what_an_animator_changed_is_in_it(make_take, body) -> None:
    take = make_take(frames=5)
    armature = build_scene([take], body, fps=None, settings=RAW, video=None).figures[0].armature
    before = sample_take(armature, bpy.context.scene)
    armature.matrix_world = Matrix.Translation((1, 2, 3)) @ Matrix.Rotation(math.pi / 2, 4, "Z") @ armature.matrix_world
    elbow = armature.pose.bones["left_elbow"].constraints.new("LIMIT_ROTATION")
    elbow.use_limit_x = elbow.use_limit_y = elbow.use_limit_z = True
    elbow.owner_space = "LOCAL"
    after = sample_take(armature, bpy.context.scene)
    turn = np.array(Matrix.Rotation(math.pi / 2, 3, "Z"))
    wanted = matrices(before)
    wanted[:, 0] = turn @ wanted[:, 0]
    wanted[:, 18] = np.eye(3)
    assert np.abs(matrices(after) - wanted).max() < 1e-5
    pelvis = body.rest_joints(take.betas)[0]
    assert np.abs(after.trans + pelvis - ((before.trans + pelvis) @ turn.T + [1, 2, 3])).max() < 1e-5


def test_to_the_scene_and_back_through_a_file_of_the_addon(make_take, body, tmp_path) -> None:
    take = make_take(frames=6)
    first = build_scene([take], body, fps=None, settings=RAW, video=None).figures[0].armature
    save_amass(sample_take(first, bpy.context.scene), tmp_path / "walk.npz")
    loaded = replace(load_take(tmp_path / "walk.npz"), body="open")
    second = build_scene([loaded], body, fps=None, settings=RAW, video=None).figures[0].armature
    assert second != first
    one, two = (sample_take(armature, bpy.context.scene) for armature in (first, second))
    assert np.abs(matrices(one) - matrices(two)).max() < 1e-5
    assert np.abs(one.trans - two.trans).max() < 1e-5


def test_fingers_relative_to_the_mean_hand_are_keyed_with_it(make_take, in_scene, body) -> None:
    take = make_take(frames=4)
    relative = with_mean_hands(take, body.hands_mean)
    built = build_scene([relative], body, fps=None, settings=RAW, video=None)
    again = sample_take(built.figures[0].armature, bpy.context.scene)
    assert np.abs(matrices(again) - matrices(in_scene(take, built.placement))).max() < 1e-5
    assert np.abs(matrices(again) - matrices(relative))[:, 1:].max() > 0.05


def test_no_smplx_armature() -> None:
    bpy.ops.object.armature_add()
    with pytest.raises(ValueError, match="no SMPL-X armature"):
        sample_take(bpy.context.object, bpy.context.scene)
