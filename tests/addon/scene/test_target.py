"""Armatures that are there already get the motion, wherever they stand and however their bones lie."""

import math

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
from mathutils import Matrix, Vector  # noqa: E402

from pose2pose.addon.scene import takes  # noqa: E402
from pose2pose.addon.scene.build import build_scene  # noqa: E402
from pose2pose.addon.scene.sampling import sample_take  # noqa: E402
from pose2pose.backend.motion.body_file import BodyFile  # noqa: E402
from pose2pose.backend.motion.placement import WORLD_FROM_BODY  # noqa: E402
from pose2pose.backend.motion.rotations import matrix_from_axis_angle  # noqa: E402
from pose2pose.backend.motion.settings import KeySettings  # noqa: E402
from pose2pose.backend.motion.skeleton import JOINT_NAMES, PARENTS, forward_kinematics  # noqa: E402
from pose2pose.backend.motion.smoothing import Smoothing  # noqa: E402

pytestmark = pytest.mark.usefixtures("empty_scene")

RAW = KeySettings(smoothing=Smoothing("none"))
Y_UP = Matrix.Rotation(math.pi / 2, 4, "X")
"""Stands a body of y-up data upright."""
LIKE_THE_OFFICIAL_ADDON = (np.eye(3), 1.0, Y_UP)
STANDS = {
    "like the official add-on": LIKE_THE_OFFICIAL_ADDON,
    "z up": (WORLD_FROM_BODY, 1.0, Matrix.Identity(4)),
    "in centimeters": (np.eye(3), 100.0, Y_UP @ Matrix.Scale(0.01, 4)),
    "moved and turned": (
        np.eye(3),
        1.0,
        Matrix.Translation((3, -2, 1)) @ Matrix.Rotation(0.7, 4, "Z") @ Y_UP,
    ),
    "lying": (WORLD_FROM_BODY, 1.0, Matrix.Rotation(-math.pi / 2, 4, "X") @ Matrix.Scale(2, 4)),
    "data turned about its height": (
        WORLD_FROM_BODY @ np.array(Matrix.Rotation(0.5, 3, "Y")),
        1.0,
        Matrix.Identity(4),
    ),
}
"""Rotation from the body file's axes to the armature's data, scale of the data, and the object's transform."""


def other_rest(body: BodyFile) -> np.ndarray:
    """Rest joints of somebody else: taller, and of another shape."""
    return 1.1 * body.rest_joints(np.random.default_rng(9).normal(0, 1.5, 10))


def other_armature(body: BodyFile, axes=WORLD_FROM_BODY, scale=1.0, stand=None, *, root_bone=True):
    """An armature with SMPL-X's names, bones in whatever axes, and a bone `root` above the pelvis."""
    rng = np.random.default_rng(5)
    data = bpy.data.armatures.new("SMPLX-neutral")
    armature = bpy.data.objects.new("SMPLX-neutral", data)
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    if root_bone:
        data.edit_bones.new("root").tail = (0, scale * 0.2, 0)
    for joint, (name, place) in enumerate(zip(JOINT_NAMES, scale * other_rest(body) @ axes.T, strict=True)):
        bone = data.edit_bones.new(name)
        bone.head = Vector(place)
        bone.tail = Vector(place + scale * 0.1 * rng.normal(size=3))
        bone.roll = float(rng.uniform(-3, 3))
        above = JOINT_NAMES[PARENTS[joint]] if joint else ("root" if root_bone else None)
        bone.parent = data.edit_bones[above] if above else None
    bpy.ops.object.mode_set(mode="OBJECT")
    armature.matrix_world = stand or Matrix.Identity(4)
    return armature


def add_face(armature, count: int = 100):
    """A mesh as the official add-on has it: betas and many expressions."""
    data = bpy.data.meshes.new("SMPLX-mesh-neutral")
    data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    mesh = bpy.data.objects.new(data.name, data)
    bpy.context.scene.collection.objects.link(mesh)
    mesh.shape_key_add(name="Basis")
    for name in (*(f"Shape{i:03d}" for i in range(10)), *(f"Exp{i:03d}" for i in range(count))):
        mesh.shape_key_add(name=name)
    data.shape_keys.key_blocks["Shape001"].value = 0.7
    mesh.modifiers.new("Skin", "ARMATURE").object = armature
    return mesh


def posed(armature, seconds: float, fps: float):
    """World heads (55, 3), and world rotations (55, 3, 3) from rest to pose."""
    frame = 1 + seconds * fps
    bpy.context.scene.frame_set(int(frame), subframe=frame - int(frame))
    stand = armature.matrix_world
    heads, turns = [], []
    for name in JOINT_NAMES:
        bone = armature.pose.bones[name]
        heads.append(stand @ bone.head)
        turns.append((stand @ bone.matrix @ (stand @ bone.bone.matrix_local).inverted()).to_3x3().normalized())
    return np.array(heads), np.array(turns)


def expected(take, body, rest, stand_axes, placement, frame):
    rotations = matrix_from_axis_angle(take.poses[frame].reshape(55, 3))
    rotations[0] = placement.rotation @ rotations[0]
    joints, turns = forward_kinematics(rotations, rest)
    pelvis = placement.place(body.rest_joints(take.betas)[0] + take.trans[frame])
    return joints - joints[0] + pelvis, turns @ stand_axes.T


@pytest.mark.parametrize("stand", STANDS.values(), ids=STANDS)
def test_joints_are_where_the_take_says(stand, make_take, body):
    axes, scale, transform = stand
    take = make_take(frames=8)
    armature = other_armature(body, axes, scale, transform)
    bpy.context.view_layer.update()
    grown = np.cbrt(transform.determinant()) * scale
    upright = np.array(transform.to_3x3().normalized()) @ axes
    built = build_scene([take], body, fps=None, settings=RAW, video=None, target=armature)
    assert len(bpy.data.armatures) == 1
    for frame in (0, 3, 7):
        heads, turns = posed(armature, take.times[frame], built.fps)
        wanted, wanted_turns = expected(take, body, grown * other_rest(body), upright, built.placement, frame)
        assert np.abs(turns - wanted_turns).max() < 2e-4
        assert np.abs(heads - wanted).max() < 1e-3


@pytest.mark.parametrize("stand", STANDS.values(), ids=STANDS)
def test_its_keys_give_the_take_back(stand, make_take, in_scene, body):
    from dataclasses import replace

    take = replace(make_take(frames=6), body="SMPLX_NEUTRAL")
    armature = other_armature(body, *stand)
    add_face(armature)
    built = build_scene([take], body, fps=None, settings=RAW, video=None, target=armature)
    again = sample_take(armature, bpy.context.scene)
    placed = in_scene(take, built.placement)
    turns, wanted = (matrix_from_axis_angle(t.poses.reshape(-1, 55, 3)) for t in (again, placed))
    assert np.abs(turns - wanted).max() < 1e-5
    assert np.abs(again.trans - placed.trans).max() < 1e-5
    assert np.abs(again.expression - take.expression).max() < 1e-6
    assert again.betas[1] == pytest.approx(0.7), "its own shape"
    assert again.body == "smplx"


def test_motion_of_the_official_addon_is_read(make_take, body):
    """As its Add Animation keys it: y-up motion on a rig of its own axes, which the bone `root` turns upright."""
    take = make_take(frames=4)
    armature = other_armature(body, *LIKE_THE_OFFICIAL_ADDON)
    build_scene([take], body, fps=None, settings=RAW, video=None, target=armature)
    first = sample_take(armature, bpy.context.scene)
    takes.delete(armature)
    assert np.abs(sample_take(armature, bpy.context.scene).poses[:, 3:]).max() < 1e-5, "at rest"
    root, turn = armature.pose.bones["root"], Matrix.Rotation(-math.pi / 2, 4, "X")
    root.rotation_mode = "QUATERNION"
    build_scene([take], body, fps=None, settings=RAW, video=None, target=armature)
    upright = root.bone.matrix_local
    root.matrix_basis = upright.inverted() @ turn @ upright
    second = sample_take(armature, bpy.context.scene)
    world = np.array((armature.matrix_world @ turn @ armature.matrix_world.inverted()).to_3x3())
    ours, theirs = (matrix_from_axis_angle(t.poses.reshape(-1, 55, 3)) for t in (first, second))
    assert np.abs(theirs[:, 0] - world @ ours[:, 0]).max() < 1e-5
    assert np.abs(theirs[:, 1:] - ours[:, 1:]).max() < 1e-5


def test_its_own_feet_stand_on_the_ground(make_take, body):
    take = make_take(frames=30)
    armature = other_armature(body, *LIKE_THE_OFFICIAL_ADDON)
    built = build_scene([take], body, fps=None, settings=RAW, video=None, target=armature)
    lowest = [posed(armature, time, built.fps)[0][:, 2].min() for time in take.times]
    assert 0.0 < np.percentile(lowest, 5) < 0.06


def test_the_face_of_another_body_model_is_left_out_with_a_note(make_take, body):
    armature = other_armature(body)
    mesh = add_face(armature)
    built = build_scene([make_take(frames=4)], body, fps=None, settings=RAW, video=None, target=armature)
    bpy.context.scene.frame_set(3)
    keys = mesh.data.shape_keys.key_blocks
    assert all(keys[f"Exp{i:03d}"].value == 0 for i in range(10))
    assert keys["Shape001"].value == pytest.approx(0.7), "shape stays"
    assert any("expression" in note for note in built.notes)


def test_the_face_of_the_same_body_model_moves(make_take, body):
    from dataclasses import replace

    take = replace(make_take(frames=4), body="SMPLX_NEUTRAL")
    armature = other_armature(body)
    mesh = add_face(armature)
    build_scene([take], body, fps=None, settings=RAW, video=None, target=armature)
    bpy.context.scene.frame_set(4)
    keys = mesh.data.shape_keys.key_blocks
    assert [keys[f"Exp{i:03d}"].value for i in range(10)] == pytest.approx(take.expression[3], abs=1e-4)
    assert take.expression[3].min() < -0.3, "sliders of 0..1 would clip it"


def test_our_own_armature_gets_a_new_action_and_keeps_the_old_one(make_take, body):
    first = build_scene([make_take(frames=6)], body, fps=None, settings=RAW, video=None)
    armature = first.figures[0].armature
    old = armature.animation_data.action
    shape = first.figures[0].mesh.data.shape_keys.key_blocks["Shape002"].value
    take = make_take(frames=9, person=2)
    built = build_scene([take], body, fps=None, settings=RAW, video=None, target=armature)
    assert built.figures[0].armature == armature
    assert old.use_fake_user
    assert takes.describe(armature).frames == 9
    assert first.figures[0].mesh.data.shape_keys.key_blocks["Shape002"].value == shape
    assert len(takes.stored(old)[0]) == 6, "the former take is still there"
    rest = body.rest_joints(make_take(frames=6).betas)
    heads, _ = posed(armature, take.times[5], built.fps)
    wanted, _ = expected(take, body, rest, WORLD_FROM_BODY, built.placement, 5)
    assert np.abs(heads - wanted).max() < 1e-3


def test_keying_again_leaves_an_armature_where_the_user_put_it(make_take, body):
    armature = other_armature(body, *LIKE_THE_OFFICIAL_ADDON)
    build_scene([make_take(frames=6)], body, fps=None, settings=RAW, video=None, target=armature)
    before, _ = posed(armature, 0.1, 30)
    armature.location.x += 5
    takes.rekey(armature, RAW)
    after, _ = posed(armature, 0.1, 30)
    assert np.abs(after - before - np.array([5, 0, 0])).max() < 1e-4


def test_bones_above_the_pelvis_and_moved_bones_come_to_rest(make_take, body):
    take = make_take(frames=4)
    armature = other_armature(body)
    armature.pose.bones["root"].rotation_euler = (0.5, 0, 0)
    armature.pose.bones["root"].location = (1, 2, 3)
    armature.pose.bones["left_knee"].scale = (2, 2, 2)
    armature.pose.bones["left_knee"].rotation_mode = "XYZ"
    built = build_scene([take], body, fps=None, settings=RAW, video=None, target=armature)
    heads, _ = posed(armature, take.times[2], built.fps)
    wanted, _ = expected(take, body, other_rest(body), WORLD_FROM_BODY, built.placement, 2)
    assert np.abs(heads - wanted).max() < 1e-3


def test_missing_bones_are_named(make_take, body):
    data = bpy.data.armatures.new("Rig")
    armature = bpy.data.objects.new("Rig", data)
    bpy.context.scene.collection.objects.link(armature)
    with pytest.raises(ValueError, match=r"'Rig' is no SMPL-X armature: it has no bone pelvis, .* and 50 more"):
        build_scene([make_take(frames=2)], body, fps=None, video=None, target=armature)


def test_only_armatures_are_targets(make_take, body):
    mesh = add_face(other_armature(body))
    with pytest.raises(ValueError, match="'SMPLX-mesh-neutral' is no armature"):
        build_scene([make_take(frames=2)], body, fps=None, video=None, target=mesh)


def test_a_body_that_hangs_together_otherwise(make_take, body):
    armature = other_armature(body)
    bpy.ops.object.mode_set(mode="EDIT")
    armature.data.edit_bones["jaw"].parent = armature.data.edit_bones["neck"]
    bpy.ops.object.mode_set(mode="OBJECT")
    with pytest.raises(ValueError, match="bone 'jaw' of 'SMPLX-neutral' hangs below 'neck'; in SMPL-X it is 'head'"):
        build_scene([make_take(frames=2)], body, fps=None, video=None, target=armature)


def test_deleting_the_take_leaves_the_users_armature_at_rest(make_take, body):
    armature = other_armature(body)
    mesh = add_face(armature)
    build_scene([make_take(frames=5)], body, fps=None, video=None, target=armature)
    takes.delete(armature)
    assert not bpy.data.actions
    assert mesh.name in bpy.data.objects
    bpy.context.scene.frame_set(3)
    assert np.allclose(armature.pose.bones["left_wrist"].matrix, armature.data.bones["left_wrist"].matrix_local)
    assert "confidence_face" not in armature


def test_mirrored_armature(make_take, body):
    armature = other_armature(body, stand=Matrix.Scale(-1, 4, (1, 0, 0)))
    with pytest.raises(ValueError, match="mirrored"):
        build_scene([make_take(frames=2)], body, fps=None, video=None, target=armature)
    assert armature.animation_data is None


def test_two_people_for_one_armature(make_take, body):
    pair = [make_take(frames=2), make_take(frames=2, person=2)]
    with pytest.raises(ValueError, match="got 2 takes"):
        build_scene(pair, body, fps=None, video=None, target=other_armature(body))


def test_a_failure_leaves_the_users_action_in_place(make_take, body):
    """A take with an array of objects cannot be read back from its action, which comes late."""
    from dataclasses import replace

    armature = other_armature(body)
    armature.animation_data_create().action = bpy.data.actions.new("Mine")
    armature.pose.bones["left_knee"].rotation_mode = "XYZ"
    broken = replace(make_take(frames=3), raw={"keypoints": np.array([[None]])})
    with pytest.raises(ValueError, match="not a readable take"):
        build_scene([broken], body, fps=None, settings=RAW, video=None, target=armature)
    assert armature.animation_data.action.name == "Mine"
    assert armature.pose.bones["left_knee"].rotation_mode == "XYZ"
    assert [action.name for action in bpy.data.actions] == ["Mine"]
    assert [item.name for item in bpy.data.objects] == ["SMPLX-neutral"]
