"""Open the scene as an animator would and measure it against the take."""

from dataclasses import replace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
from bpy_extras.object_utils import world_to_camera_view  # noqa: E402
from mathutils import Vector  # noqa: E402

from pose2pose.addon.scene.build import BuiltScene, build_scene  # noqa: E402
from pose2pose.addon.scene.timeline import frame_rate  # noqa: E402
from pose2pose.backend.motion.body_file import BodyFile  # noqa: E402
from pose2pose.backend.motion.placement import world_from_camera  # noqa: E402
from pose2pose.backend.motion.settings import KeySettings  # noqa: E402
from pose2pose.backend.motion.skeleton import JOINT_NAMES, PARENTS  # noqa: E402
from pose2pose.backend.motion.smoothing import Smoothing  # noqa: E402
from pose2pose.backend.motion.take import Take  # noqa: E402

pytestmark = pytest.mark.usefixtures("empty_scene")

RAW = KeySettings(smoothing=Smoothing("none"))

VARIABLE = np.cumsum([0, 0.031, 0.04, 0.029, 0.035, 0.09, 0.033])


def build(takes: list[Take], body: BodyFile, fps: float | None = None) -> BuiltScene:
    return build_scene(takes, body, fps=fps, settings=RAW, video=None)


def go_to(seconds: float, fps: float) -> None:
    frame = 1 + seconds * fps
    bpy.context.scene.frame_set(int(frame), subframe=frame - int(frame))


def heads(armature) -> np.ndarray:
    return np.array([armature.matrix_world @ armature.pose.bones[name].head for name in JOINT_NAMES])


def heads_at(seconds: float, built: BuiltScene) -> np.ndarray:
    go_to(seconds, built.fps)
    return heads(built.figures[0].armature)


@pytest.mark.parametrize(
    ("options", "fps"),
    [
        ({}, None),
        ({"rate": 29.97}, None),
        ({"rate": 30.0}, 24.0),
        ({"times": VARIABLE}, None),
        ({"size": (360, 640)}, None),
        ({"pitch": -0.35}, None),
    ],
    ids=["plain", "ntsc", "other rate", "variable rate", "portrait", "looking down"],
)
def test_posed_joints_are_the_takes(options, fps, make_take, body):
    take = make_take(**options)
    built = build([take], body, fps)
    scene = bpy.context.scene
    expected = built.placement.place(world_from_camera(take.joints_cam))
    for frame, time in enumerate(take.times):
        go_to(time, built.fps)
        posed = heads(built.figures[0].armature)
        assert np.abs(posed - expected[frame]).max() < 0.0005
        seen = np.array([world_to_camera_view(scene, built.camera, Vector(p)) for p in posed])[:, :2]
        pixels = np.stack([seen[:, 0], 1 - seen[:, 1]], axis=-1) * take.image_size
        assert np.abs(pixels - take.joints_img[frame]).max() < 0.2


def test_the_mesh_is_skinned_like_the_body_model(make_take, body):
    take = make_take(frames=5)
    built = build([take], body)
    go_to(take.times[3], built.fps)
    evaluated = built.figures[0].mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
    got = np.array([v.co for v in evaluated.data.vertices])
    assert np.abs(got - built.placement.place(skinned(take, body, 3))).max() < 0.002


def skinned(take: Take, body: BodyFile, frame: int) -> np.ndarray:
    """Linear blend skinning without pose correctives, in numpy."""
    from pose2pose.backend.motion.rotations import matrix_from_axis_angle
    from pose2pose.backend.motion.skeleton import forward_kinematics

    rest = body.rest_joints(take.betas)
    shaped = body.v_template + body.shapedirs @ take.betas + body.exprdirs @ take.expression[frame]
    joints, turns = forward_kinematics(matrix_from_axis_angle(take.poses[frame].reshape(55, 3)), rest)
    moved = np.einsum("jab,vjb->vja", turns, shaped[:, None] - rest) + joints
    return np.einsum("vj,vja->va", body.weights, moved) + take.trans[frame]


def test_the_armature_is_smplx(make_take, body):
    figure = build([make_take()], body).figures[0]
    bones = figure.armature.data.bones
    parents = {bone.name: bone.parent.name if bone.parent else None for bone in bones}
    assert parents == {JOINT_NAMES[i]: JOINT_NAMES[p] if p >= 0 else None for i, p in enumerate(PARENTS)}
    assert bones["left_wrist"].head_local.x > 0.5 > -0.5 > bones["right_wrist"].head_local.x
    assert bones["head"].head_local.z > 1.3
    assert bones["left_foot"].head_local.y < bones["left_ankle"].head_local.y  # toes point to -Y
    keys = figure.mesh.data.shape_keys.key_blocks
    assert [key.name for key in keys][1::10] == ["Shape000", "Exp000"]
    assert keys["Shape003"].value == pytest.approx(figure.take.betas[3], abs=1e-5)
    assert figure.mesh["Exp000"] == "smile"
    corners = np.array([v.co for v in keys["Basis"].data])
    assert corners[:, 2].min() == pytest.approx(0, abs=0.05)


def test_feet_stand_on_the_ground_and_people_keep_their_distance(make_take, body):
    takes = [make_take(), make_take(person=2, right=1.5)]
    built = build(takes, body)
    go_to(0, built.fps)
    first, second = (heads(figure.armature) for figure in built.figures)
    assert np.allclose(first[0, :2], 0, atol=1e-4)
    assert 0.0 < min(first[:, 2].min(), second[:, 2].min()) < 0.06
    apart = built.placement.rotation @ world_from_camera(takes[1].joints_cam[0, 0] - takes[0].joints_cam[0, 0])
    assert np.allclose(second[0] - first[0], apart, atol=1e-4)


def test_a_camera_that_looked_down_is_tilted_and_its_people_are_not(make_take, body):
    level = build([make_take()], body)
    standing, tilt = heads_at(0, level), level.camera.matrix_world.to_euler().x
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    tilted = build([make_take(pitch=-0.35)], body)
    assert np.abs(heads_at(0, tilted) - standing).max() < 0.02
    assert tilted.camera.matrix_world.to_euler().x - tilt == pytest.approx(-0.35, abs=0.01)


def test_people_of_other_programs_stand_upright_too(make_take, body):
    """They know the camera and no joints; where those are known, they count."""
    take = make_take(pitch=-0.35)
    seen = build([take], body).placement
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    posed = build([replace(take, joints_cam=np.full_like(take.joints_cam, np.nan))], body).placement
    assert posed.pitch == pytest.approx(seen.pitch, abs=0.01)
    assert posed.pitch < -0.3


def test_expression_and_confidence_move(make_take, body):
    take = make_take()
    built = build([take], body)
    figure = built.figures[0]
    for frame in (0, 7, 19):
        go_to(take.times[frame], built.fps)
        keys = figure.mesh.data.shape_keys.key_blocks
        assert [keys[f"Exp{i:03d}"].value for i in range(10)] == pytest.approx(take.expression[frame], abs=1e-4)
    assert figure.armature["confidence_left_hand"] == pytest.approx(0.9, abs=1e-5)


def test_unseen_hands_and_faces_rest(make_take, body):
    from dataclasses import replace

    take = make_take()
    confidence = take.confidence.copy()
    confidence[:, 22:] = 0.0
    built = build([replace(take, confidence=confidence)], body)
    go_to(take.times[9], built.fps)
    keyed = built.figures[0].take
    assert np.allclose(keyed.poses[9].reshape(55, 3)[25:40], body.hands_mean[0], atol=1e-5)
    assert not keyed.expression.any()
    wrist = built.figures[0].armature.pose.bones["left_wrist"].head
    expected = built.placement.place(world_from_camera(take.joints_cam[9, 20]))
    assert np.allclose(wrist, expected, atol=5e-4)


def test_keys_stand_on_the_sources_timestamps(make_take, body):
    build([make_take(times=VARIABLE, rate=25.0)], body, 25.0)
    action = bpy.data.actions[0]
    curves = action.layers[0].strips[0].channelbags[0].fcurves if hasattr(action, "layers") else action.fcurves
    frames = [point.co[0] for point in curves.find('pose.bones["jaw"].rotation_quaternion').keyframe_points]
    assert frames == pytest.approx(1 + 25 * VARIABLE, abs=0.02)
    assert {point.interpolation for point in curves[0].keyframe_points} == {"LINEAR"}
    assert (bpy.context.scene.frame_start, bpy.context.scene.frame_end) == (1, 8)


@pytest.mark.parametrize(
    ("rate", "exact", "expected"),
    [
        (29.97, False, 30 / 1.001),
        (30000 / 1001, True, 30 / 1.001),
        (23.976, False, 24 / 1.001),
        (27.9, False, 30 / 1.001),
        (13.7, True, 13.7),
        (25.0, False, 25.0),
    ],
)
def test_scene_rate(rate, exact, expected):
    fps, base = frame_rate(rate, exact=exact)
    assert fps / base == pytest.approx(expected)


def test_shape_of_another_body_is_left_out(make_take, body):
    from dataclasses import replace

    built = build([replace(make_take(), body="smplx")], body)
    assert not built.figures[0].take.betas.any()
    assert "body 'smplx'" in built.notes[0]


def test_a_take_without_a_camera_stays_where_it_is(make_take, body):
    from dataclasses import replace

    unknown = np.full(2, np.nan)
    take = replace(make_take(), focal=unknown, principal_point=unknown)
    built = build([take], body)
    assert built.camera is None
    assert not built.placement.offset.any()


def users_mesh(name: str = "Mine"):
    data = bpy.data.meshes.new(name)
    data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    item = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(item)
    item.select_set(True)
    bpy.context.view_layer.objects.active = item
    return item


def test_the_users_work_in_edit_mode_goes_on(make_take, body):
    mine = users_mesh()
    bpy.ops.object.mode_set(mode="EDIT")
    built = build([make_take(frames=3)], body)
    assert (mine.mode, bpy.context.mode) == ("EDIT", "EDIT_MESH")
    assert bpy.context.view_layer.objects.active == mine
    assert len(built.figures[0].armature.data.bones) == 55
    bpy.ops.object.mode_set(mode="OBJECT")


def test_what_was_made_is_selected(make_take, body):
    mine = users_mesh()
    figure = build([make_take(frames=3)], body).figures[0]
    assert not mine.select_get()
    assert bpy.context.view_layer.objects.active == figure.armature
    assert bpy.context.view_layer.objects.selected[:] == [figure.armature]


def layer(name: str):
    collection = bpy.data.collections.new(name)
    bpy.context.scene.collection.children.link(collection)
    found = bpy.context.view_layer.layer_collection.children[name]
    bpy.context.view_layer.active_layer_collection = found
    return found


@pytest.mark.parametrize("how", ["exclude", "hide_viewport", "whole"])
def test_a_hidden_active_collection_gets_nothing(how, make_take, body):
    active = layer("Hidden")
    if how == "whole":
        active.collection.hide_viewport = True
    else:
        setattr(active, how, True)
    figure = build([make_take(frames=3)], body).figures[0]
    assert figure.armature.visible_get()
    assert not active.collection.all_objects
    assert [c.name for c in bpy.context.scene.collection.children] == ["Hidden", "walk"]


def test_a_clip_has_one_collection_within_the_active_one(make_take, body):
    active = layer("Shot 7").collection
    build([make_take(frames=3)], body)
    build([make_take(frames=3, person=2)], body)
    assert [child.name for child in active.children] == ["walk"]
    names = ["Source Camera", "walk Person 1", "walk Person 1 Body", "walk Person 2", "walk Person 2 Body"]
    assert sorted(item.name for item in active.children[0].objects) == names
    assert not bpy.context.scene.collection.objects


def test_a_scene_with_a_past_keeps_its_times_and_grows(make_take, body):
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 5, 10
    scene.frame_set(7)
    scene.render.fps, scene.render.fps_base = 2500, 100.0
    build([make_take(frames=31)], body, 25.0)
    assert (scene.frame_start, scene.frame_end, scene.frame_current) == (1, 26, 7)
    assert (scene.render.fps, scene.render.fps_base) == (2500, 100.0)


def contents() -> set[str]:
    return {f"{type(item).__name__} {item.name}" for item in bpy.data.user_map()}


def test_a_body_that_does_not_fit_leaves_nothing_behind(make_take, body):
    """The mesh fails when the armature stands already."""
    from dataclasses import replace

    scene = bpy.context.scene
    users_mesh()
    scene.frame_end, scene.render.resolution_x = 99, 1234
    before = contents()
    for broken in (
        replace(body, exprdirs=body.exprdirs[:100]),
        replace(body, vt=body.vt[:10]),
        replace(body, weights=body.weights[:, :3]),
    ):
        with pytest.raises((ValueError, IndexError, RuntimeError)):
            build([make_take(frames=3)], broken, 12.0)
        assert contents() == before
        assert (scene.frame_end, scene.render.resolution_x, scene.render.fps) == (99, 1234, 24)
        assert bpy.context.view_layer.objects.active.name == "Mine"
    build([make_take(frames=3)], body)


def test_fingers_from_the_mean_hand_of_smplx_are_told_of_on_the_open_body(make_take, body):
    take = replace(make_take(person=1), flat_hand_mean=False)
    assert any("mean hand of SMPL-X" in note for note in build([take], body).notes)
    assert not any("mean hand" in note for note in build([make_take(person=2)], body).notes)
