"""Takes live in the scene: keyed again, placed, matched, described, removed, without backend and source."""

import json
from dataclasses import replace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from pose2pose.addon.scene import takes  # noqa: E402
from pose2pose.addon.scene.build import build_scene  # noqa: E402
from pose2pose.addon.scene.camera import match_camera  # noqa: E402
from pose2pose.addon.scene.keyframes import assign, curves, write_curves  # noqa: E402
from pose2pose.addon.scene.stored import take_action  # noqa: E402
from pose2pose.backend.motion.settings import KeySettings  # noqa: E402
from pose2pose.backend.motion.smoothing import Smoothing  # noqa: E402
from pose2pose.backend.motion.take import Take  # noqa: E402

pytestmark = pytest.mark.usefixtures("empty_scene")

RAW = KeySettings(smoothing=Smoothing("none"))
CALM = KeySettings(smoothing=Smoothing("butterworth"), ground=False, fade=0.0)
COCO = ("nose", "left_eye_smplhf", "right_eye_smplhf", "left_eye_smplhf", "right_eye_smplhf", "left_shoulder",
        "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip",
        "left_knee", "right_knee", "left_ankle", "right_ankle")  # fmt: skip


@pytest.fixture
def seen_take(make_take):
    """A take with keypoints on its joints, the whole set moved by some pixels."""

    def make(by: float = 0.0, **options) -> Take:
        from pose2pose.backend.motion.skeleton import JOINT_INDEX

        take = make_take(**options)
        points = np.zeros((len(take), 17, 3), np.float32)
        joints = [JOINT_INDEX.get(name, 15) for name in COCO]
        points[..., :2] = take.joints_img[:, joints] + np.array([0.6 * by, 0.8 * by])
        points[..., 2] = 0.9
        low, high = take.joints_img.min(axis=1), take.joints_img.max(axis=1)
        return replace(take, boxes=np.concatenate([low, high], axis=1), raw={"keypoints": points})

    return make


def build(takes_, body, settings=RAW, **options):
    return build_scene(takes_, body, fps=options.pop("fps", None), settings=settings, video=None, **options)


def keys_of(armature) -> dict[str, np.ndarray]:
    """All keys of an armature and its face by what they move."""
    face = next(item for item in armature.children if item.type == "MESH").data.shape_keys
    found = {}
    for owner in (armature, face):
        action = owner.animation_data.action
        for curve in f_curves(owner, action):
            points = np.empty(2 * len(curve.keyframe_points), np.float32)
            curve.keyframe_points.foreach_get("co", points)
            found[f"{owner.id_type} {curve.data_path} {curve.array_index}"] = points
    return found


def f_curves(owner, action):
    if not hasattr(action, "slots"):
        return action.fcurves
    if not action.layers:
        return []
    return action.layers[0].strips[0].channelbag(owner.animation_data.action_slot).fcurves


def test_take_and_settings_lie_in_the_action(make_take, body):
    take = make_take(frames=5)
    armature = build([take], body, CALM).figures[0].armature
    back, settings = takes.stored(armature.animation_data.action)
    assert settings == CALM
    assert np.array_equal(back.poses, take.poses)
    assert np.array_equal(back.joints_img, take.joints_img)


def test_a_take_survives_saving_appending_and_copying(make_take, body, tmp_path):
    take = make_take(frames=5)
    armature = build([take], body).figures[0].armature
    name, copy = armature.animation_data.action.name, armature.animation_data.action.copy()
    assert np.array_equal(takes.stored(copy)[0].poses, take.poses)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"), compress=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"))
    (armature,) = takes.armatures(bpy.context.scene)
    assert np.array_equal(takes.stored(armature.animation_data.action)[0].poses, take.poses)
    takes.rekey(armature, CALM)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(str(tmp_path / "saved.blend")) as (_, wanted):
        wanted.actions = [name]
    assert np.array_equal(takes.stored(wanted.actions[0])[0].poses, take.poses)


def test_a_take_survives_undo(make_take, body):
    take = make_take(frames=5)
    bpy.ops.ed.undo_push(message="before")
    build([take], body)
    bpy.ops.ed.undo_push(message="captured")
    (armature,) = takes.armatures(bpy.context.scene)
    before = keys_of(armature)
    takes.rekey(armature, CALM)
    bpy.ops.ed.undo_push(message="keyed again")
    bpy.ops.ed.undo()
    (armature,) = takes.armatures(bpy.context.scene)
    assert takes.stored(armature.animation_data.action)[1] == RAW
    assert all(np.array_equal(before[path], values) for path, values in keys_of(armature).items())
    bpy.ops.ed.undo()
    assert not takes.armatures(bpy.context.scene)
    bpy.ops.ed.redo()
    assert np.array_equal(takes.stored(take_action(takes.armatures(bpy.context.scene)[0]))[0].poses, take.poses)


@pytest.mark.parametrize("settings", [KeySettings(), CALM], ids=["default", "calm"])
def test_keying_again_is_keying_for_the_first_time(settings, make_take, body):
    """The ground alone stays where the first keys put it: smoothing does not move anybody."""
    take = make_take(frames=40)
    armature = build([take], body, RAW).figures[0].armature
    takes.rekey(armature, settings)
    again = keys_of(armature)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    first = keys_of(build([take], body, settings).figures[0].armature)
    assert again.keys() == first.keys()
    for path, values in first.items():
        moved = (again[path] - values)[1::2]
        assert np.array_equal(again[path][::2], values[::2])
        assert np.ptp(moved) < 1e-6, path
        assert np.abs(moved).max() < (0.1 if "location" in path else 1e-6), path


def test_what_the_user_added_to_the_action_stays(make_take, body):
    armature = build([make_take(frames=9)], body).figures[0].armature
    action = armature.animation_data.action
    armature["grip"] = 0.0
    write_curves(curves(armature, action), '["grip"]', "Mine", np.array([1.0, 4.0]), np.array([[0.0], [1.0]]))
    pose = curves(armature, action)('pose.bones["jaw"].rotation_quaternion', 1, "jaw")
    pose.mute = True
    takes.rekey(armature, CALM)
    assert armature.animation_data.action == action
    assert keys_of(armature)['OBJECT ["grip"] 0'].tolist() == [1, 0, 4, 1]
    assert curves(armature, action)('pose.bones["jaw"].rotation_quaternion', 1, "jaw").mute
    assert len(bpy.data.actions) == (1 if hasattr(action, "slots") else 2)


def test_renamed_and_moved_objects_are_keyed_again(make_take, body):
    figure = build([make_take(frames=9)], body).figures[0]
    figure.armature.name, figure.mesh.name, figure.armature.animation_data.action.name = "Anna", "Skin", "Dance"
    figure.armature.location = (3, 0, 0)
    takes.rekey(figure.armature, KeySettings(ground=False))
    assert figure.armature.location.x == 3
    smile = keys_of(figure.armature)['KEY key_blocks["Exp000"].value 0'][1::2]
    assert smile.std() > 0.1


def test_a_face_with_an_action_of_the_users_is_left_to_them(make_take, body):
    figure = build([make_take(frames=9)], body).figures[0]
    keys = figure.mesh.data.shape_keys
    assign(keys, bpy.data.actions.new("Lip Sync"))
    takes.rekey(figure.armature, CALM)
    assert keys.animation_data.action.name == "Lip Sync"
    assert not [path for path in keys_of(figure.armature) if path.startswith("KEY")]


def test_the_scenes_frame_rate_may_change_meanwhile(make_take, body):
    armature = build([make_take(frames=31, rate=30.0)], body).figures[0].armature
    bpy.context.scene.render.fps = 60
    takes.rekey(armature, RAW)
    frames = keys_of(armature)['OBJECT pose.bones["pelvis"].location 0'][::2]
    assert frames[-1] == pytest.approx(61)
    assert bpy.context.scene.frame_end == 61
    assert takes.describe(armature).scene_fps == 60


def test_a_take_pushed_down_to_the_nla_is_found(make_take, body):
    armature = build([make_take(frames=9)], body).figures[0].armature
    action = armature.animation_data.action
    armature.animation_data.nla_tracks.new().strips.new("Take", 1, action)
    armature.animation_data.action = None
    assert takes.armatures(bpy.context.scene) == [armature]
    takes.rekey(armature, CALM)
    assert takes.stored(action)[1] == CALM
    assert armature.animation_data.action is None


def test_what_has_no_take_says_so():
    armature = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    for function in (takes.describe, takes.delete, lambda item: takes.rekey(item, RAW)):
        with pytest.raises(ValueError, match="'Rig' holds no take"):
            function(armature)


def test_description(seen_take, body):
    built = build([seen_take(frames=31, rate=25.0, person=3, by=4)], body, fps=24.0)
    info = takes.describe(built.figures[0].armature)
    assert (info.person, info.source, info.frames) == (3, "walk.mp4", 31)
    assert (info.source_fps, info.scene_fps) == (25.0, 24.0)
    assert info.confidence == pytest.approx(dict.fromkeys(("body", "left_hand", "right_hand", "face"), 0.9), abs=1e-3)
    assert info.error_px == pytest.approx(4, abs=0.2)


@pytest.mark.parametrize("size", [(640, 360), (360, 640)], ids=["landscape", "portrait"])
@pytest.mark.parametrize("settings", [RAW, replace(RAW, ground=False)], ids=["on the ground", "as recorded"])
def test_the_matched_camera_sees_joints_where_they_were(settings, size, seen_take, body):
    """To a tenth of a pixel; keypoints that lie five pixels beside it are five pixels off."""
    scene = bpy.context.scene
    for by in (0.0, 5.0):
        armature = build([seen_take(by, size=size)], body, settings).figures[0].armature
        matched = match_camera(scene, armature, None)
        assert matched.error_px == pytest.approx(by, abs=0.1)
        box = np.median(np.diff(takes.stored(take_action(armature))[0].boxes[:, 1::2]))
        assert matched.error_share == pytest.approx(by / box, rel=0.1, abs=0.001)
        assert scene.camera == matched.camera


def test_smoothing_that_goes_too_far_shows_as_an_error(seen_take, body):
    armature = build([seen_take(frames=60)], body).figures[0].armature
    match_camera(bpy.context.scene, armature, None)
    much = replace(Smoothing().root, cutoff=0.2)
    takes.rekey(armature, KeySettings(smoothing=Smoothing("butterworth", root=much, body=much)))
    assert takes.describe(armature).error_px > 3


def test_people_of_one_source_share_camera_and_ground_also_when_captured_one_by_one(seen_take, body):
    scene = bpy.context.scene
    first = build([seen_take()], body).figures[0].armature
    second = build([seen_take(person=2, right=1.5)], body).figures[0].armature
    cameras = {match_camera(scene, armature, None).camera.name for armature in (first, second)}
    assert cameras == {"Source Camera"}
    assert takes.describe(first).error_px < 0.1
    assert takes.describe(second).error_px < 0.1


def test_another_source_has_another_camera(seen_take, body):
    build([seen_take()], body)
    other = build([replace(seen_take(), source="other.mp4")], body).figures[0].armature
    match_camera(bpy.context.scene, other, None)
    assert len(bpy.data.cameras) == 2


def test_placing_again_takes_the_camera_along(seen_take, body):
    built = build([seen_take()], body)
    armature, camera = built.figures[0].armature, built.camera
    assert camera.location.length > 0.5
    takes.rekey(armature, replace(RAW, ground=False))
    assert camera.location.length == 0
    assert takes.describe(armature).error_px < 0.1
    takes.rekey(armature, RAW)
    assert camera.location.length > 0.5
    assert takes.describe(armature).error_px < 0.1


def test_a_file_from_before_cameras_were_tilted_stays_level(seen_take, body):
    """Its takes know no pitch and its camera has three numbers: both as a level camera's."""
    built = build([seen_take(pitch=-0.35)], body)
    armature, camera = built.figures[0].armature, built.camera
    group = take_action(armature)["pose2pose"]
    fit = json.loads(group["fit"])
    assert fit.pop("pitch") < -0.3
    group["fit"] = json.dumps(fit)
    takes.rekey(armature, RAW)
    match_camera(bpy.context.scene, armature, None)
    camera["pose2pose_follows"] = list(camera["pose2pose_follows"])[:3]
    takes.rekey(armature, replace(RAW, ground=False))
    assert camera.location.length == 0
    assert takes.describe(armature).error_px < 0.1
    second = build([seen_take(person=2, right=1.5, pitch=-0.35)], body)
    assert second.placement.pitch == 0, "with those who are there already"


def test_a_person_who_was_moved_can_be_matched_again(seen_take, body):
    armature = build([seen_take()], body).figures[0].armature
    armature.location, armature.rotation_euler.z, armature.scale = (4, 1, 0.5), 1.0, (2, 2, 2)
    bpy.context.view_layer.update()
    assert match_camera(bpy.context.scene, armature, None).error_px < 0.1


def test_the_rest_position_is_not_measured(seen_take, body):
    armature = build([seen_take()], body).figures[0].armature
    armature.data.pose_position = "REST"
    assert match_camera(bpy.context.scene, armature, None).error_px < 0.1
    assert armature.data.pose_position == "REST"


def test_nothing_is_measured_in_edit_mode(seen_take, body):
    armature = build([seen_take()], body).figures[0].armature
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    assert match_camera(bpy.context.scene, armature, None).error_px is None
    takes.rekey(armature, RAW)
    assert takes.describe(armature).error_px is None
    bpy.ops.object.mode_set(mode="OBJECT")
    takes.rekey(armature, RAW)
    assert takes.describe(armature).error_px < 0.1


def test_a_hidden_armature_can_be_matched(seen_take, body):
    armature = build([seen_take()], body).figures[0].armature
    armature.hide_viewport = True
    assert match_camera(bpy.context.scene, armature, None).error_px < 0.1
    assert armature.hide_viewport


def test_matching_notes_a_new_picture_size(seen_take, body):
    scene = bpy.context.scene
    scene.camera = bpy.data.objects.new("Mine", bpy.data.cameras.new("Mine"))
    scene.collection.objects.link(scene.camera)
    scene.render.resolution_x = 4096
    armature = build([seen_take()], body).figures[0].armature
    assert (scene.camera.name, scene.render.resolution_x) == ("Mine", 4096), "capturing alone leaves them alone"
    matched = match_camera(scene, armature, None)
    assert matched.notes == ("the scene's picture size is the source's now, 640 x 360 (before: 4096 x 1080)",)
    assert match_camera(scene, armature, None).notes == ()


def test_a_take_without_keypoints_or_camera(make_take, body):
    armature = build([make_take()], body).figures[0].armature
    assert match_camera(bpy.context.scene, armature, None).error_px is None
    unknown = np.full(2, np.nan)
    blind = replace(make_take(), focal=unknown, principal_point=unknown)
    with pytest.raises(ValueError, match="which camera saw it"):
        match_camera(bpy.context.scene, build([blind], body).figures[0].armature, None)


def left() -> dict[str, list[str]]:
    """Names of what is in the file."""
    kinds = ("objects", "armatures", "meshes", "shape_keys", "actions", "cameras", "images", "materials", "collections")
    return {kind: [item.name for item in getattr(bpy.data, kind)] for kind in kinds if len(getattr(bpy.data, kind))}


def test_deleting_leaves_nothing(seen_take, body, clip):
    before = left()
    build_scene([seen_take()], body, fps=24.0, settings=RAW, video=clip)
    assert left()["images"]
    takes.delete(takes.armatures(bpy.context.scene)[0])
    assert left() == before
    assert bpy.context.scene.camera is None


def test_deleting_one_of_two_leaves_the_other_whole(seen_take, body):
    first, second = build([seen_take(), seen_take(person=2)], body).figures
    takes.delete(first.armature)
    assert left()["objects"] == ["Source Camera", "walk Person 2", "walk Person 2 Body"]
    assert second.mesh.data.materials[0].name == "Pose2Pose Body"
    takes.rekey(second.armature, CALM)


def test_deleting_spares_what_the_user_added(make_take, body):
    figure = build([make_take()], body).figures[0]
    hat = bpy.data.objects.new("Hat", bpy.data.meshes.new("Hat"))
    bpy.context.scene.collection.objects.link(hat)
    hat.parent = figure.armature
    figure.armature.location.x = 2
    hat.modifiers.new("Armature", "ARMATURE").object = figure.armature
    figure.mesh.data.materials[0].use_fake_user = True
    bpy.context.view_layer.update()
    takes.delete(figure.armature)
    assert left()["objects"] == ["Hat"]
    assert hat.matrix_world.translation.x == 2
    assert left()["materials"] == ["Pose2Pose Body"]


def test_deleting_from_pose_mode(make_take, body):
    armature = build([make_take()], body).figures[0].armature
    bpy.ops.object.mode_set(mode="POSE")
    takes.delete(armature)
    assert "objects" not in left()
    bpy.context.view_layer.update()
