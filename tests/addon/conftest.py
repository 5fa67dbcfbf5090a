"""Tests of Blender's side need the bpy module; each starts from an empty scene."""

import atexit
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pose2pose.backend.motion.body_file import BodyFile, load_body
from pose2pose.backend.motion.placement import WORLD_FROM_CAMERA, Placement, camera_from_world, world_from_camera
from pose2pose.backend.motion.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from pose2pose.backend.motion.skeleton import JOINT_INDEX, forward_kinematics
from pose2pose.backend.motion.take import Take, save_take

# Before anything imports bpy: tests must not touch the settings of the person who runs them.
os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp(prefix="pose2pose_blender_")

MakeTake = Callable[..., Take]


def pytest_sessionfinish(exitstatus: int) -> None:
    """Leave the process before bpy's own clean-up: with many libraries loaded, bpy 4.5 waits there forever.

    It destroys a condition variable that one of its threads still waits on (`delayed_close_thread_run`).
    """
    if "bpy" in sys.modules:
        atexit.register(_leave, int(exitstatus))


def _leave(exitstatus: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exitstatus)


@pytest.fixture(scope="session")
def backend_python() -> Path:
    """The Python that the backend process runs in: bpy's own where torch is, else another environment's."""
    named = os.environ.get("POSE2POSE_TEST_PYTHON")
    if named:
        return Path(named)
    if importlib.util.find_spec("torch") is None:
        pytest.skip("no torch here, and POSE2POSE_TEST_PYTHON names no Python that has it")
    return Path(sys.executable)


@pytest.fixture(scope="session")
def body() -> BodyFile:
    return load_body()


@pytest.fixture
def empty_scene() -> None:
    bpy = pytest.importorskip("bpy", reason="needs the bpy module: pip install 'pose2pose[blender]'")
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


@pytest.fixture
def take_file(tmp_path: Path, make_take: MakeTake) -> Path:
    path = tmp_path / "take.npz"
    save_take(make_take(frames=12), path)
    return path


@pytest.fixture(scope="session")
def make_take(body: BodyFile) -> MakeTake:
    """Somebody who walks past a camera, in the way a capture would record it: joints agree with the poses."""

    def make(
        *,
        frames: int = 20,
        rate: float = 30.0,
        size: tuple[int, int] = (640, 360),
        person: int = 1,
        right: float = 0.0,
        times: np.ndarray | None = None,
        pitch: float = 0.0,
    ) -> Take:
        times = np.arange(frames) / rate if times is None else times
        betas = np.random.default_rng(person).normal(0, 0.8, 10)
        rest = body.rest_joints(betas)
        rotations = matrix_from_axis_angle(_walk(times))
        rotations[:, 0] = WORLD_FROM_CAMERA @ np.diag([1.0, -1.0, -1.0]) @ rotations[:, 0]
        pelvis = np.stack([right + 0.4 * times, 0.1 + 0.02 * np.sin(9 * times), 4 - 0.5 * times], axis=-1)
        tilt = matrix_from_axis_angle(np.array([-pitch, 0.0, 0.0]))
        rotations[:, 0] = tilt @ rotations[:, 0]
        trans = world_from_camera(pelvis) @ tilt.T - rest[0]
        joints = camera_from_world(forward_kinematics(rotations, rest)[0] + trans[:, None])
        focal = np.array([0.9, 0.92]) * max(size)
        center = np.array(size) / 2 + np.array([11.0, -7.0])
        return Take(
            poses=axis_angle_from_matrix(rotations).reshape(len(times), 165).astype(np.float32),
            trans=trans.astype(np.float32),
            betas=betas.astype(np.float32),
            expression=np.sin(5 * times[:, None] + np.arange(10)).astype(np.float32),
            times=times,
            frames=np.arange(len(times)),
            joints_cam=joints.astype(np.float32),
            joints_img=(joints[..., :2] / joints[..., 2:] * focal + center).astype(np.float32),
            confidence=np.full((len(times), 55), 0.9, np.float32),
            boxes=np.zeros((len(times), 4), np.float32),
            focal=focal.astype(np.float32),
            principal_point=center.astype(np.float32),
            image_size=np.array(size),
            mocap_frame_rate=rate,
            person=person,
            source="walk.mp4",
        )

    return make


@pytest.fixture(scope="session")
def in_scene(body: BodyFile) -> Callable[[Take, Placement], Take]:
    """A take as it stands in the scene."""

    def place(take: Take, placement: Placement) -> Take:
        poses = take.poses.copy()
        root = placement.rotation @ matrix_from_axis_angle(poses[:, :3])
        poses[:, :3] = axis_angle_from_matrix(root)
        pelvis = body.rest_joints(take.for_body(body.name).betas)[0]
        return replace(take, poses=poses, trans=placement.place(pelvis + take.trans) - pelvis)

    return place


def _walk(times: np.ndarray) -> np.ndarray:
    """(T,) seconds -> (T, 55, 3) axis-angle: legs and arms swing, the body turns, every finger bends."""
    poses = np.zeros((len(times), 55, 3))
    swing = np.sin(6 * times)
    poses[:, 0, 1] = 0.4 * times
    for side, sign in (("left", 1.0), ("right", -1.0)):
        poses[:, JOINT_INDEX[f"{side}_hip"], 0] = -0.5 * sign * swing
        poses[:, JOINT_INDEX[f"{side}_knee"], 0] = 0.4 + 0.4 * sign * swing
        poses[:, JOINT_INDEX[f"{side}_shoulder"], 2] = -1.1 * sign
        poses[:, JOINT_INDEX[f"{side}_elbow"], 1] = -0.6 * sign
    poses[:, JOINT_INDEX["head"], 1] = 0.5 * swing
    poses[:, JOINT_INDEX["jaw"], 0] = 0.1 + 0.1 * swing
    poses[:, 25:, 2] = 0.3 * swing[:, None]
    return poses
