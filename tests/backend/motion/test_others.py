"""Result files of other programs, written here in the keys and shapes that their demos write."""

import json
import pickle  # noqa: TID251 - writes what is read here
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose2pose.backend.motion.body_file import load_body
from pose2pose.backend.motion.others import load_takes, motion_files
from pose2pose.backend.motion.placement import FEET, camera_from_world, posed_joints
from pose2pose.backend.motion.rotations import matrix_from_axis_angle
from pose2pose.backend.motion.skeleton import JAW, JOINT_INDEX, LEFT_HAND
from pose2pose.backend.motion.take import Take, TakeError, save_take

FRAMES = 6
FACING_THE_CAMERA = np.array([np.pi, 0.0, 0.0])
"""Axis-angle in camera axes of somebody upright who looks into the camera; in y-up axes that is no rotation."""
RANDOM = np.random.default_rng(0)
BODY = RANDOM.normal(scale=0.2, size=(FRAMES, 63))
BODY[:, :9] = 0  # hips and spine as at rest
WAY = np.stack([np.linspace(0, 1, FRAMES), np.zeros(FRAMES), np.full(FRAMES, 5.0)], axis=1)
"""To the right in the picture, at five meters."""
BETAS = np.linspace(-1, 1, 10)


def joints_of(take: Take) -> np.ndarray:
    return posed_joints(take, load_body().rest_joints())


def assert_upright(take: Take) -> None:
    """Head above the pelvis, toes toward -y, left hip on the world's +x: somebody who faces Blender's front."""
    joints = joints_of(take)
    place = {name: joints[:, JOINT_INDEX[name]] for name in ("pelvis", "spine1", "left_hip", "right_hip", "left_knee")}
    assert (place["spine1"][:, 2] > place["pelvis"][:, 2] + 0.03).all()
    assert (place["left_knee"][:, 2] < place["left_hip"][:, 2] - 0.3).all()
    assert (place["left_hip"][:, 0] > place["right_hip"][:, 0] + 0.05).all()


def assert_body(take: Take) -> None:
    np.testing.assert_allclose(take.poses[:, 3:66], BODY, atol=1e-5)


def assert_body_only(take: Take) -> None:
    assert not take.poses[:, 66:].any()
    assert not take.confidence[:, JAW:].any()
    assert (take.confidence[:, :22] == 1).all()


def assert_on_the_ground(take: Take) -> None:
    body = load_body()
    lowest = joints_of(take)[:, [JOINT_INDEX[name] for name in FEET], 2].min()
    rest = body.rest_joints()
    assert abs(lowest - (rest[:, 1].min() - body.v_template[:, 1].min())) < 0.03


def torch_file(path: Path, value: Any) -> Path:
    torch = pytest.importorskip("torch")
    tensors = {
        key: {k: torch.tensor(v, dtype=torch.float32) for k, v in item.items()}
        if isinstance(item, dict)
        else torch.tensor(item, dtype=torch.float32)
        for key, item in value.items()
    }
    torch.save(tensors, path)
    return path


def gvhmr(root: np.ndarray, transl: np.ndarray) -> dict[str, np.ndarray]:
    return {"body_pose": BODY, "betas": np.tile(BETAS, (FRAMES, 1)), "global_orient": root, "transl": transl}


def test_gvhmr(tmp_path: Path) -> None:
    """`hmr4d_results.pt`: the world's motion is y up, and chosen when it is there."""
    lens = np.tile(np.array([[1000.0, 0, 640], [0, 1000, 360], [0, 0, 1]]), (FRAMES, 1, 1))
    world = gvhmr(np.zeros((FRAMES, 3)), WAY * [1, 1, -1])
    camera = gvhmr(np.tile(FACING_THE_CAMERA, (FRAMES, 1)), WAY)
    both = {"smpl_params_global": world, "smpl_params_incam": camera, "K_fullimg": lens, "net_outputs": {"x": [1.0]}}
    (take,) = load_takes(torch_file(tmp_path / "hmr4d_results.pt", both), frame_rate=30)
    assert_upright(take)
    assert_body(take)
    assert_body_only(take)
    assert_on_the_ground(take)
    assert not take.has_camera
    np.testing.assert_allclose(np.ptp(take.trans, axis=0), [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(take.betas, BETAS, atol=1e-6)
    assert (take.body, take.weights, take.source) == ("smplx", "GVHMR", "hmr4d_results.pt")

    only = {"smpl_params_incam": camera, "K_fullimg": lens}
    (take,) = load_takes(torch_file(tmp_path / "incam.pt", only), frame_rate=30)
    assert_upright(take)
    assert take.has_camera
    assert take.image_size.tolist() == [1280, 720]
    pelvis = camera_from_world(joints_of(take)[:, 0])
    np.testing.assert_allclose(pelvis, WAY + load_body().rest_joints()[0], atol=1e-5)


def test_wham(tmp_path: Path) -> None:
    """`wham_output.pkl`: people by their number, SMPL's 72 numbers, y up, some frames of the video."""
    pose = np.concatenate([np.zeros((FRAMES, 3)), BODY, np.ones((FRAMES, 6))], axis=1)
    long = {
        "pose": pose,
        "trans": WAY,
        "pose_world": pose,
        "trans_world": WAY * [1, 1, -1],
        "betas": np.ones((FRAMES, 10)),
        "verts": np.zeros((FRAMES, 20, 3)),
        "frame_ids": 2 + np.arange(FRAMES),
    }
    short = {key: value[:3] for key, value in long.items()}
    (tmp_path / "wham_output.pkl").write_bytes(pickle.dumps({0: short, np.int64(4): long}))
    first, second = load_takes(tmp_path / "wham_output.pkl", frame_rate=25)
    assert (len(first), first.person, len(second), second.person) == (FRAMES, 1, 3, 2)
    assert first.times[0] == pytest.approx(2 / 25)
    assert_upright(first)
    assert_body(first)
    assert_body_only(first)
    assert_on_the_ground(first)
    assert not first.betas.any(), "SMPL's shapes mean something else"


def phalp_picture(time: int, people: dict[int, int]) -> dict[str, Any]:
    """What 4D-Humans says of one picture; `people` are numbers and since when they were last seen."""
    root = matrix_from_axis_angle(FACING_THE_CAMERA)[None]
    smpl = {
        "global_orient": root.astype(np.float32),
        "body_pose": np.concatenate([matrix_from_axis_angle(BODY[time].reshape(21, 3)), np.tile(np.eye(3), (2, 1, 1))]),
        "betas": np.ones(10, np.float32),
    }
    joints = np.zeros((45, 3), np.float32)
    joints[8] = [0.0, -0.2, 0.03]
    count = len(people)
    return {
        "time": time,
        "shot": 0,
        "tid": list(people),
        "tracked_time": list(people.values()),
        "tracked_ids": [person for person, age in people.items() if age == 0],
        "bbox": [np.array([10.0, 20.0, 30.0, 40.0])] * count,
        "smpl": [smpl] * count,
        "camera": [WAY[time].astype(np.float32) * 10] * count,
        "3d_joints": [joints] * count,
        "size": [[720, 1280]] * count,
        "mask": [[{"size": [720, 1280], "counts": "abc"}]] * count,
        "conf": [np.float32(0.9)] * count,
    }


def test_4d_humans(tmp_path: Path) -> None:
    """PHALP's pictures: what is only carried on from before is left out, gaps stay gaps."""
    ages = [{1: 0}, {1: 0, 7: 0}, {1: 1, 7: 0}, {1: 0}, {1: 0}, {1: 0}]
    pictures = {f"frame_{time:06d}.jpg": phalp_picture(time, people) for time, people in enumerate(ages)}
    (tmp_path / "demo_clip.pkl").write_bytes(pickle.dumps(pictures))
    first, second = load_takes(tmp_path / "demo_clip.pkl", frame_rate=30)
    assert first.frames.tolist() == [0, 1, 3, 4, 5]
    assert second.frames.tolist() == [1, 2]
    assert_upright(first)
    assert_body_only(first)
    np.testing.assert_allclose(first.poses[2, 3:66], BODY[3], atol=1e-5)
    pelvis = camera_from_world(joints_of(first)[:, 0])
    np.testing.assert_allclose(pelvis, 10 * WAY[first.frames] + [0, -0.2, 0.03], atol=1e-4)
    assert first.image_size.tolist() == [1280, 720]
    assert first.focal[0] == pytest.approx(5000 / 256 * 1280)
    assert first.boxes[0].tolist() == [10, 20, 40, 60]


def smplerx(frame: int) -> dict[str, np.ndarray]:
    return {
        "global_orient": FACING_THE_CAMERA[None],
        "body_pose": BODY[frame].reshape(21, 3),
        "left_hand_pose": np.full((15, 3), 0.1),
        "right_hand_pose": np.full((15, 3), -0.1),
        "jaw_pose": np.full((1, 3), 0.2),
        "leye_pose": np.zeros((1, 3)),
        "reye_pose": np.zeros((1, 3)),
        "betas": BETAS[None],
        "expression": np.full((1, 10), 0.5),
        "transl": np.array([[0.0, 0.3, 10.0 / (1 + frame)]]),
    }


def test_smplerx(tmp_path: Path) -> None:
    """A folder of `FRAME_PERSON.npz`, each seen through the lens of its own crop, which `meta` describes."""
    (tmp_path / "smplx").mkdir()
    (tmp_path / "meta").mkdir()
    for frame in range(FRAMES):
        np.savez(tmp_path / "smplx" / f"{frame + 1:05}_0.npz", **smplerx(frame))
        if frame < 2:
            np.savez(tmp_path / "smplx" / f"{frame + 1:05}_1.npz", **smplerx(frame))
        for person in (0, 1):  # nearer crops are larger; each is centered on the person, who walks to the right
            lens = {"focal": [2000.0 / (1 + frame)] * 2, "princpt": [300.0 + 100 * frame, 200.0]}
            (tmp_path / "meta" / f"{frame + 1:05}_{person}.json").write_text(json.dumps(lens))
    (folder,) = motion_files(tmp_path / "smplx")
    first, second = load_takes(folder, frame_rate=30)
    assert (first.frames.tolist(), second.frames.tolist()) == (list(range(FRAMES)), [0, 1])
    assert_upright(first)
    assert_body(first)
    assert_on_the_ground(first)
    assert not first.flat_hand_mean
    np.testing.assert_allclose(first.poses.reshape(-1, 55, 3)[:, LEFT_HAND], 0.1, atol=1e-6)
    np.testing.assert_allclose(first.expression, 0.5)
    assert (first.confidence == 1).all()
    depth = first.trans[:, 1] - first.trans[0, 1]
    np.testing.assert_allclose(depth, 0, atol=1e-4, err_msg="the lens, not the person, came nearer")
    steps = np.diff(first.trans[:, 0])
    np.testing.assert_allclose(steps, steps[0], atol=1e-4)
    assert steps[0] > 0.1


def test_names_of_smplx_in_one_file(tmp_path: Path) -> None:
    whole = {
        "global_orient": np.tile(FACING_THE_CAMERA, (FRAMES, 1)),
        "body_pose": BODY,
        "transl": WAY,
        "betas": np.tile(BETAS, (FRAMES, 1)),
    }
    np.savez(tmp_path / "result.npz", **whole)
    (take,) = load_takes(tmp_path / "result.npz", frame_rate=30)
    assert_upright(take)
    assert_body(take)
    assert_body_only(take)
    assert take.flat_hand_mean
    np.testing.assert_allclose(np.ptp(take.trans, axis=0), [1, 0, 0], atol=1e-5)


@pytest.mark.parametrize("tracked", [True, False])
def test_romp(tmp_path: Path, tracked: bool) -> None:
    """`video_results.npz`: a dictionary of pictures, pickled inside."""
    pictures = {}
    for frame in range(FRAMES):
        theta = np.concatenate([FACING_THE_CAMERA, BODY[frame], np.zeros(6)])
        joints = np.zeros((71, 3))
        joints[0] = [0, 0.2, 0]
        people = [9, 4] if tracked and frame else [4]
        pictures[f"{frame:08d}.png"] = {
            "smpl_thetas": np.tile(theta, (len(people), 1)).astype(np.float32),
            "smpl_betas": np.ones((len(people), 10)),
            "cam_trans": np.tile(WAY[frame], (len(people), 1)),
            "joints": np.tile(joints, (len(people), 1, 1)),
            **({"track_ids": np.array(people, np.int32)} if tracked else {}),
        }
    np.savez(tmp_path / "video_results.npz", results=pictures, sequence_results={})
    takes = load_takes(tmp_path / "video_results.npz", frame_rate=24)
    assert [len(take) for take in takes] == ([6, 5] if tracked else [6])
    assert_upright(takes[0])
    assert_body(takes[0])
    assert_body_only(takes[0])
    assert_on_the_ground(takes[0])
    np.testing.assert_allclose(np.ptp(takes[0].trans, axis=0), [1, 0, 0], atol=1e-5)


def test_our_own_and_amass(tmp_path: Path, make_take: Any) -> None:
    save_take(make_take(source="walk.mp4"), tmp_path / "own.npz")
    np.savez(tmp_path / "amass.npz", poses=np.zeros((3, 156)), trans=np.zeros((3, 3)), mocap_framerate=60)
    assert load_takes(tmp_path / "own.npz")[0].source == "walk.mp4"
    assert load_takes(tmp_path / "amass.npz")[0].mocap_frame_rate == 60


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"smpl_params_global": {"body_pose": 1}}, "not as its program writes it .KeyError"),
        (
            {"vertices": np.zeros(3), "camera": 1},
            "holds 'vertices', 'camera', which is no motion known here .AMASS, .*",
        ),
        ([1, 2], "holds a list, not arrays by name"),
        ({}, "holds nothing, which is no motion"),
        ({"results": {}}, "nobody is in it"),
    ],
)
def test_files_that_nobody_knows(tmp_path: Path, value: Any, message: str) -> None:
    (tmp_path / "odd.pkl").write_bytes(pickle.dumps(value))
    with pytest.raises(TakeError, match=rf"odd\.pkl: {message}"):
        load_takes(tmp_path / "odd.pkl", frame_rate=30)


def test_a_missing_frame_rate(tmp_path: Path) -> None:
    world = {"smpl_params_global": gvhmr(np.zeros((FRAMES, 3)), WAY)}
    (tmp_path / "gvhmr.pkl").write_bytes(pickle.dumps(world))
    with pytest.raises(TakeError, match=r"gvhmr\.pkl: .*--frame-rate"):
        load_takes(tmp_path / "gvhmr.pkl")


def test_what_can_only_be_read_by_running_it(tmp_path: Path) -> None:
    (tmp_path / "odd.pkl").write_bytes(pickle.dumps({"path": Path("x")}))
    with pytest.raises(TakeError, match=r"asks for 'pathlib.*', .*; or write an \.npz where it was made: numpy\.savez"):
        load_takes(tmp_path / "odd.pkl", frame_rate=30)


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.npz").write_bytes(b"PK")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("a.jpg", b"x")
    for name, message in (
        ("empty", "no results in this folder"),
        ("broken.npz", "not a readable take"),
        ("photos.zip", "a zip file, but none of torch"),
        ("nowhere.pkl", "no such file"),
    ):
        with pytest.raises(TakeError, match=message):
            load_takes(tmp_path / name)
