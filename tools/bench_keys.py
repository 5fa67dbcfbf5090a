"""Key a take of 300 frames onto an armature with a mesh, and print the seconds as JSON. Needs the bpy module.

Beside it: what the rotations alone take with `keyframe_insert`, key by key.

    python tools/bench_keys.py TAKE.npz

Writes the take as well, so that whole commands can be measured with it.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

from pose2pose.addon.scene.armature import build_armature
from pose2pose.addon.scene.body_mesh import build_mesh
from pose2pose.addon.scene.keyframes import key_take
from pose2pose.backend.motion.body_file import load_body
from pose2pose.backend.motion.placement import AS_RECORDED
from pose2pose.backend.motion.skeleton import JOINT_COUNT
from pose2pose.backend.motion.take import Take, save_take

FRAMES = 300
FRAME_RATE = 30.0


def swinging_take(frames: int) -> Take:
    """A take in which every joint and every expression swings, three meters before a camera."""
    phase = np.linspace(0, 20, frames, dtype=np.float32)[:, None] + np.arange(3 * JOINT_COUNT, dtype=np.float32)
    place = np.array([0, 0, 3], np.float32)
    return Take(
        poses=0.2 * np.sin(phase),
        trans=np.tile(place[[0, 2, 1]], (frames, 1)),
        betas=np.zeros(10, np.float32),
        expression=np.sin(phase[:, :10]),
        times=np.arange(frames) / FRAME_RATE,
        frames=np.arange(frames),
        joints_cam=np.tile(place, (frames, JOINT_COUNT, 1)),
        joints_img=np.full((frames, JOINT_COUNT, 2), 100, np.float32),
        confidence=np.ones((frames, JOINT_COUNT), np.float32),
        boxes=np.tile(np.array([0, 0, 200, 200], np.float32), (frames, 1)),
        focal=np.array([600, 600], np.float32),
        principal_point=np.array([320, 240], np.float32),
        image_size=np.array([640, 480]),
        mocap_frame_rate=FRAME_RATE,
    )


def key_seconds(take: Take) -> float:
    """Seconds that the keys alone take, in a scene that holds armature and mesh already."""
    body = load_body()
    joints = body.rest_joints(take.betas)
    armature = build_armature("Bench", joints, 0.0)
    mesh = build_mesh("Bench Body", body, take.betas, 0.0, armature)
    start = time.perf_counter()
    key_take(armature, mesh, take, joints[0], AS_RECORDED, FRAME_RATE)
    return time.perf_counter() - start


def insert_seconds(frames: int) -> float:
    """Seconds for the same rotations of 55 bones the slow way."""
    armature = build_armature("Slow", load_body().rest_joints(np.zeros(10)), 0.0)
    bones = list(armature.pose.bones)
    start = time.perf_counter()
    for frame in range(1, frames + 1):
        for bone in bones:
            bone.rotation_quaternion = (1.0, 0.0, 0.0, 0.1 * frame)
            bone.keyframe_insert("rotation_quaternion", frame=frame, group=bone.name)
    return time.perf_counter() - start


def main() -> None:
    """Write the take and print what keying it took."""
    take = swinging_take(FRAMES)
    save_take(take, Path(sys.argv[1]))
    print(json.dumps({"frames": FRAMES, "key_seconds": key_seconds(take), "insert_seconds": insert_seconds(FRAMES)}))


if __name__ == "__main__":
    main()
