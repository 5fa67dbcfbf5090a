"""The whole pipeline on a real clip, and its parts at their edges."""

import numpy as np
import pytest
import torch

from pose2pose.backend.assembly import assemble_take, steady_translation
from pose2pose.backend.body.joints import COCO17
from pose2pose.backend.body.layer import BodyLayer
from pose2pose.backend.capture import CaptureError, capture, scan
from pose2pose.backend.confidence import joint_confidence
from pose2pose.backend.crops import crop_transform
from pose2pose.backend.frames import VideoError
from pose2pose.backend.lens import Lens, choose_lens
from pose2pose.backend.motion.body_file import BodyFile, load_body
from pose2pose.backend.motion.placement import WORLD_FROM_CAMERA, world_from_camera
from pose2pose.backend.motion.rotations import matrix_from_axis_angle
from pose2pose.backend.motion.skeleton import JOINT_INDEX, LEFT_HAND
from pose2pose.backend.motion.take import load_take, save_take
from pose2pose.backend.observations import Observations, bridge_rotations, bridge_values, possible_turns
from pose2pose.backend.protocol import ProtocolError
from pose2pose.backend.thumbnails import cut
from pose2pose.backend.tracking import Track
from pose2pose.backend.video import open_source

COCO_LIMBS = {
    "left_shoulder": 5, "right_shoulder": 6, "left_elbow": 7, "right_elbow": 8, "left_knee": 13, "right_knee": 14,
    "left_ankle": 15, "right_ankle": 16,
}  # fmt: skip


def facing(take) -> np.ndarray:
    """(T, 3) where the person's front points, camera axes."""
    root = WORLD_FROM_CAMERA.T @ matrix_from_axis_angle(take.poses[:, :3])
    return root[..., 2]


def reprojection_error(take) -> float:
    """Mean distance between the body's limb joints and the detected keypoints, as a share of the box's height."""
    joints = take.joints_img[:, [JOINT_INDEX[name] for name in COCO_LIMBS]]
    points = take.raw["keypoints"][:, list(COCO_LIMBS.values())]
    distance = np.linalg.norm(joints - points[..., :2], axis=-1)[points[..., 2] > 0.3]
    return float(distance.mean() / (take.boxes[:, 3] - take.boxes[:, 1]).mean())


def test_both_people_are_captured_with_their_motion(captured):
    walking, standing = captured.takes
    assert (walking.person, standing.person) == (1, 2)
    assert walking.frames.tolist() == standing.frames.tolist() == list(range(6))
    np.testing.assert_allclose(walking.times, np.arange(6) / 30, atol=1e-3)
    assert walking.mocap_frame_rate == pytest.approx(30, rel=1e-2)
    assert walking.image_size.tolist() == [480, 458]
    assert walking.boxes[0, 0] > 240 > standing.boxes[0, 2]


def test_people_face_where_they_do_in_the_picture(captured):
    walking, standing = (facing(take).mean(axis=0) for take in captured.takes)
    assert walking[0] < -0.5, "she walks to the left of the picture"
    assert standing[2] < -0.5, "he faces the camera"


def test_the_body_lies_on_the_person(captured):
    for take in captured.takes:
        assert reprojection_error(take) < 0.06
        assert np.all(take.joints_cam[..., 2] > 2)
        assert take.confidence[:, JOINT_INDEX["left_hip"]].min() > 0.3


def test_left_is_the_persons_left(captured):
    standing = captured.takes[1]
    left, right = (standing.joints_img[:, JOINT_INDEX[f"{side}_shoulder"], 0] for side in ("left", "right"))
    assert np.all(left > right), "he faces the camera, so his left is on the right of the picture"


def test_world_and_camera_agree(captured):
    for take in captured.takes:
        rest = captured.body.rest_joints(take.betas)[0]
        np.testing.assert_allclose(take.trans + rest, world_from_camera(take.joints_cam[:, 0]), atol=1e-4)


def test_takes_survive_the_file(captured, tmp_path):
    save_take(captured.takes[0], tmp_path / "person1.npz")
    again = load_take(tmp_path / "person1.npz")
    np.testing.assert_array_equal(again.poses, captured.takes[0].poses)
    assert set(again.raw) == {"poses_raw", "trans_raw", "keypoints"}
    assert again.body == "open"


def test_refinement_calms_the_motion_and_the_raw_one_is_kept(captured):
    for take in captured.takes:
        shaking = [np.abs(np.diff(t.poses[:, :66], n=2, axis=0)).mean() for t in (take, take.with_raw_motion())]
        assert shaking[0] < 0.5 * shaking[1]


def test_the_result_says_how_it_came_about(captured):
    assert set(captured.seconds) >= {"load", "decode", "detect", "crop", "network", "refine"}
    assert captured.frames == 6
    assert captured.frames_per_second > 0
    assert not captured.stopped
    assert captured.lens.origin == "assumed"
    assert any("focal length" in note for note in captured.notes)


def test_one_picture_gives_a_take_of_one_frame(clip_frames, tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "still.png"), clip_frames[3][..., ::-1])
    result = capture(tmp_path / "still.png", people="largest", device="cpu", fov=50)
    (take,) = result.takes
    assert len(take) == 1
    assert take.focal[0] == pytest.approx(240 / np.tan(np.radians(25)))
    assert len(result.people) == 2


def test_people_step_and_no_refinement(clip):
    result = capture(clip, people="2", end=8, step=4, refine=False, device="cpu")
    (take,) = result.takes
    assert (take.person, take.frames.tolist()) == (2, [0, 4, 8])
    assert take.mocap_frame_rate == pytest.approx(7.5, rel=1e-2)
    np.testing.assert_array_equal(take.poses[:, :66], take.raw["poses_raw"][:, :66])


def test_stopping_keeps_what_is_done(clip):
    seen = []
    result = capture(
        clip,
        people="largest",
        refine=False,
        device="cpu",
        end=11,
        progress=lambda message: seen.append(message),
        cancelled=lambda: bool(seen) and seen[-1].stage == "capture",
    )
    assert result.stopped
    assert 0 < len(result.takes[0]) < 12
    assert seen[-1].people == 1


def test_stopping_before_anybody_was_captured_says_so(clip):
    with pytest.raises(CaptureError, match="nothing was captured yet"):
        capture(clip, device="cpu", cancelled=lambda: True)


class Stop(Exception):  # noqa: N818
    """Raised by a caller who wants nothing kept."""


@pytest.mark.parametrize("stage", ["detect", "capture"])
def test_an_exception_from_a_callback_ends_the_capture_at_once(clip, stage):
    seen = []

    def report(message):
        seen.append(message.stage)
        if message.stage == stage:
            raise Stop

    with pytest.raises(Stop):
        capture(clip, end=11, device="cpu", people="largest", progress=report)
    assert seen[-1] == stage, "nothing is refined after it"
    asked = []

    def cancelled():
        asked.append(True)
        if len(asked) > 3:
            raise Stop
        return False

    with pytest.raises(Stop):
        capture(clip, end=11, device="cpu", cancelled=cancelled)
    assert len(asked) == 4


@pytest.mark.slow
def test_a_scan_finds_the_people_and_spares_the_capture_its_first_pass(clip, captured):
    found = scan(clip, end=5, device="cpu")
    assert [track.person for track in found.tracking.tracks] == [1, 2]
    assert found.frames == 6
    assert set(found.portraits) == {1, 2}
    stages = set()
    result = capture(clip, end=5, device="cpu", found=found, progress=lambda message: stages.add(message.stage))
    assert stages == {"capture", "refine"}
    for take, expected in zip(result.takes, captured.takes, strict=True):
        np.testing.assert_array_equal(take.poses, expected.poses)
        np.testing.assert_array_equal(take.trans, expected.trans)
    assert result.notes == captured.notes


def test_portraits_are_cut_around_the_person(clip, clip_frames):
    portraits = scan(clip, end=0, device="cpu").portraits
    for person, (left, right) in {1: (200, 480), 2: (0, 240)}.items():
        picture = portraits[person]
        assert picture.shape[0] == 160
        assert 0.4 <= picture.shape[1] / 160 <= 1.0
        inside = clip_frames[0][:, left:right].reshape(-1, 3).mean(axis=0)
        assert np.abs(picture.reshape(-1, 3).mean(axis=0) - inside).max() < 40, "colors of that side of the frame"


def test_a_box_beyond_the_frame_is_cut_with_black_around():
    image = np.full((100, 80, 3), 200, np.uint8)
    picture = cut(image, np.array([60.0, -20, 100, 60]))
    assert picture.shape[0] == 160
    assert picture[5, 5].tolist() == [0, 0, 0], "above the frame"
    assert picture[100, 20].tolist() == [200, 200, 200]
    assert cut(image, np.array([10.0, 10, 10, 10])).shape[0] == 160, "an empty box still gives a picture"


@pytest.mark.slow
@pytest.mark.parametrize("parts", [("body",), ("body", "face"), ("hands", "body")])
def test_parts_that_are_not_asked_for_rest(clip, captured, parts):
    result = capture(clip, end=5, device="cpu", parts=parts)
    rest = {"hands": result.body.hands_mean.reshape(30, 3), "face": np.zeros((1, 3))}
    for take, whole in zip(result.takes, captured.takes, strict=True):
        np.testing.assert_allclose(
            take.poses[:, :60], whole.poses[:, :60], atol=1e-4, err_msg="the body stays the same but for its wrists"
        )
        for part, joints in {"hands": slice(25, 55), "face": slice(22, 23)}.items():
            poses = take.poses.reshape(-1, 55, 3)[:, joints]
            if part in parts:
                np.testing.assert_allclose(take.confidence[:, joints], whole.confidence[:, joints], atol=1e-5)
                np.testing.assert_allclose(poses, whole.poses.reshape(-1, 55, 3)[:, joints], atol=1e-4)
            else:
                assert np.all(take.confidence[:, joints] == 0)
                np.testing.assert_allclose(poses, np.broadcast_to(rest[part], poses.shape), atol=1e-5)
                np.testing.assert_allclose(
                    take.raw["poses_raw"].reshape(-1, 55, 3)[:, joints],
                    np.broadcast_to(rest[part], poses.shape),
                    atol=1e-5,
                )
        if "face" not in parts:
            assert np.all(take.expression == 0)


def test_unknown_parts_are_refused(clip):
    with pytest.raises(ProtocolError, match="got \\['body', 'feet'\\]"):
        capture(clip, parts=("body", "feet"))
    with pytest.raises(ProtocolError, match="must hold 'body'"):
        capture(clip, parts=("hands",))


def test_nobody_and_the_wrong_person_are_errors(clip, tmp_path, write_video):
    gray = np.full((240, 320, 3), 90, np.uint8)
    with pytest.raises(CaptureError, match=r"no person was found in the 4 frames of .*empty\.mp4"):
        capture(write_video(tmp_path / "empty.mp4", [gray] * 4, [0, 0.1, 0.2, 0.3]), device="cpu")
    with pytest.raises(CaptureError, match=r"person 7 was asked for.*persons 1 to 2"):
        capture(clip, people="1,7", end=1, device="cpu")
    with pytest.raises(CaptureError, match="got 'everyone'"):
        capture(clip, people="everyone", end=1, device="cpu")


@pytest.mark.slow
def test_the_whole_clip_and_a_cut_off_one(clip, tmp_path):
    path = tmp_path / "cut.mp4"
    path.write_bytes(clip.read_bytes()[: clip.stat().st_size * 9 // 10])
    whole, cut = capture(clip, device="cpu"), capture(path, device="cpu")
    assert [len(take) for take in whole.takes] == [24, 24]
    assert all(reprojection_error(take) < 0.06 for take in whole.takes)
    assert all(10 < len(take) < 24 for take in cut.takes)
    assert any("cut.mp4" in note and "kept" in note for note in cut.notes)
    step = np.diff(whole.takes[0].joints_cam[:, 0, 0])
    assert np.all(step < 0), "she keeps walking to the left"


def test_focal_length_given_counts_before_recorded_before_assumed(clip):
    source = open_source(clip)
    assert choose_lens(source) == Lens(pytest.approx(240 / np.tan(np.radians(30))), (480, 458), "assumed")
    assert choose_lens(source).field_of_view == pytest.approx(60)
    source.focal = 700.0
    assert choose_lens(source) == Lens(700.0, (480, 458), "file")
    assert choose_lens(source, focal=500).origin == "given"
    assert choose_lens(source, fov=90).focal == pytest.approx(240)
    with pytest.raises(VideoError, match="between 0 and 180"):
        choose_lens(source, fov=200)


def observations(seen: list[bool]) -> Observations:
    """Somebody who stands still, found by the detector where `seen` says so; no results yet."""
    count = len(seen)
    track = Track(
        person=1,
        frames=np.arange(count),
        times=np.arange(count) / 10,
        boxes=np.tile([100.0, 100, 200, 300], (count, 1)),
        keypoints=np.zeros((count, 17, 3)),
        seen=np.array(seen),
    )
    return Observations(track, [], Lens(500.0, (640, 480), "given"))


def results(score: float) -> dict[str, np.ndarray]:
    """The network's answer for a crop, all keypoints in its middle."""
    return {
        "rotations": np.tile(np.eye(3, dtype=np.float32), (55, 1, 1)),
        "betas": np.zeros(10, np.float32),
        "expression": np.zeros(10, np.float32),
        "keypoints": np.tile(np.array([192, 256, score], np.float32), (17, 1)),
        "hands": np.tile(np.array([192, 256, 0], np.float32), (2, 21, 1)),
        "hand_scores": np.zeros(2, np.float32),
        "face_scores": np.float32(0),
        "head_turns": np.eye(3, dtype=np.float32),
        "head_places": np.array([192, 16], np.float32),
        "head_sizes": np.float32(90),
    }


def test_results_land_in_the_frame_turned_by_the_viewing_ray():
    seen = observations([True])
    seen.fill(0, crop_transform(seen.boxes[0]), results(0.9))
    np.testing.assert_allclose(seen.keypoints[0, :, :2], np.tile([150, 200], (17, 1)), atol=1e-3)
    np.testing.assert_allclose(seen.hands[0, ..., :2], np.tile([150, 200], (2, 21, 1)), atol=1e-3)
    ray = np.array([150 - 320, 200 - 240, 500.0])
    np.testing.assert_allclose(seen.rotations[0, 0] @ [0, 0, 1], ray / np.linalg.norm(ray), atol=1e-5)
    np.testing.assert_array_equal(seen.rotations[0, 1], np.eye(3))

    scale = crop_transform(seen.boxes[0]).scale
    ray = np.array([150 - 320, 200 - 240 / scale - 240, 500.0])
    np.testing.assert_allclose(seen.head_turns[0] @ [0, 0, 1], ray / np.linalg.norm(ray), atol=1e-5)
    assert seen.head_sizes[0] == pytest.approx(90 / scale), "small crops are enlarged"


def test_the_network_finds_who_the_detector_missed_but_not_who_is_hidden():
    seen = observations([True, False, False, True])
    for row, score in enumerate((0.8, 0.7, 0.05, 0.8)):
        seen.fill(row, crop_transform(seen.boxes[row]), results(score))
    assert seen.found.tolist() == [True, True, False, True]


def turned(degrees) -> np.ndarray:
    """(T, 3, 3) about the vertical."""
    angles = np.radians(np.asarray(degrees, dtype=float))
    return matrix_from_axis_angle(np.stack([0 * angles, angles, 0 * angles], axis=1))


def test_moments_in_which_a_back_is_taken_for_a_front_are_left_out_and_turning_is_not():
    times = np.arange(60) / 30
    flipped = np.full(60, 10.0)
    flipped[[20, 21, 22, 23, 40]] = 190, 180, 175, 185, 150
    assert np.flatnonzero(~possible_turns(turned(flipped), times)).tolist() == [20, 21, 22, 23, 40]
    assert possible_turns(turned(24.0 * np.arange(60)), times).all(), "two turns a second"
    assert possible_turns(turned([0, 100, 200, 300]), np.arange(4.0)).all(), "a picture a second"
    somersault = matrix_from_axis_angle(np.outer(np.radians([0, 0, 10, 110, 220, 330, 360]), [1.0, 0, 0]))
    assert possible_turns(somersault, times[:7]).all()
    for_good = possible_turns(turned(np.where(np.arange(60) < 30, 10.0, 170.0)), times)
    assert for_good[:15].all() and for_good[-15:].all()
    assert possible_turns(turned([]), times[:0]).shape == (0,)


def test_a_person_taken_for_their_back_is_not_found_there():
    seen = observations([True] * 5)
    for row in range(5):
        seen.fill(row, crop_transform(seen.boxes[row]), results(0.8))
    seen.rotations[2, 0] = seen.rotations[2, 0] @ turned([180])[0]
    assert seen.found.tolist() == [True, True, False, True, True]


def standing(degrees: float) -> tuple[Observations, BodyFile, BodyLayer]:
    """Six frames of somebody who holds one arm up, turned by these degrees from the camera; exact keypoints."""
    body = load_body()
    layer = BodyLayer(body)
    rotations = np.tile(np.eye(3), (6, 55, 1, 1))
    rotations[:, 0] = matrix_from_axis_angle(np.array([np.pi, 0, 0])) @ turned([degrees])[0]
    rotations[:, JOINT_INDEX["left_shoulder"]] = matrix_from_axis_angle(np.array([0, 0, 0.8]))
    points, _ = layer.skeleton(torch.tensor(rotations).float(), torch.zeros(6, 10))
    placed = points[:, COCO17].numpy() + np.array([0, 0, 4.0])
    seen = observations([True] * 6)
    seen.rotations[:], seen.filled[:] = rotations, True
    seen.keypoints[..., :2] = placed[..., :2] / placed[..., 2:] * 500 + [320, 240]
    seen.keypoints[..., 2] = 0.9
    return seen, body, layer


@pytest.mark.parametrize("degrees", [0.0, 150.0])
def test_keypoints_that_change_sides_do_not_twist_the_body(clip, degrees):
    seen, body, layer = standing(degrees)
    source = open_source(clip)

    def joints() -> np.ndarray:
        take = assemble_take(seen, source, body=body, layer=layer, weights="", refined=True)
        return take.joints_cam[:, :22] - take.joints_cam[:, :1]

    right = joints()
    others = [0, *(column for pair in range(1, 17, 2) for column in (pair + 1, pair))]
    seen.keypoints[2:5] = seen.keypoints[2:5][:, others]
    assert np.abs(joints() - right).max() < 1e-3


def test_gaps_are_turned_through_evenly():
    angles = np.array([0.0, 9, 9, 0.9, 9])
    rotations = matrix_from_axis_angle(np.stack([0 * angles, 0 * angles, angles], axis=1))[:, None]
    known, times = np.array([True, False, False, True, False]), np.array([0, 1, 2, 3, 4.0])
    bridged = bridge_rotations(rotations, known, times)
    expected = matrix_from_axis_angle(np.array([[0, 0, angle] for angle in (0, 0.3, 0.6, 0.9, 0.9)]))
    np.testing.assert_allclose(bridged[:, 0], expected, atol=1e-9)
    np.testing.assert_allclose(bridge_values(angles[:, None], known, times)[:, 0], [0, 0.3, 0.6, 0.9, 0.9])


def test_a_jump_in_depth_is_bridged_and_walking_away_is_not():
    times = np.arange(60) / 30
    walk = np.stack([0 * times, 0 * times, 4 + 1.5 * times], axis=1)
    jumping = walk.copy()
    jumping[20:24, 2] *= 0.4
    steady = steady_translation(jumping, np.arange(60) != 40, times)
    np.testing.assert_allclose(steady, walk, atol=1e-9)
    np.testing.assert_array_equal(steady_translation(walk[:1], np.array([True]), times[:1]), walk[:1])


def test_confidence_comes_from_the_points_next_to_a_joint():
    scores = np.zeros((1, 17))
    scores[0, [5, 7, 11, 12]] = [0.9, 0.4, 0.8, 0.6]
    confidence = joint_confidence(scores, np.array([[0.7, 0.0]]), np.array([0.2]))[0]
    expected = {"left_shoulder": 0.9, "left_elbow": 0.4, "pelvis": 0.7, "right_elbow": 0.0, "jaw": 0.2, "head": 0.0}
    assert {name: pytest.approx(confidence[JOINT_INDEX[name]]) for name in expected} == expected
    assert np.all(confidence[LEFT_HAND] == 0.7)


def test_another_body_gets_no_betas_that_mean_nothing_to_it(clip, tmp_path):
    from pose2pose.backend.motion.body_file import OPEN_BODY

    body = tmp_path / "SMPLX_NEUTRAL.npz"
    body.symlink_to(OPEN_BODY)
    result = capture(clip, end=1, device="cpu", body=body, people="largest")
    assert np.all(result.takes[0].betas == 0)
    assert np.all(result.takes[0].expression == 0)
    assert any("SMPLX_NEUTRAL" in note for note in result.notes)
