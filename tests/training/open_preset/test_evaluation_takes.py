"""Steadiness of takes: jitter, flips and swaps that are put in come out as numbers."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pose2pose.backend.body.joints import LIMBS12
from pose2pose.backend.motion.body_file import load_body
from pose2pose.backend.motion.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from pose2pose.backend.motion.take import Take, save_take
from pose2pose.training.open_preset.evaluation_takes import facing_flips, jitter, side_swaps, take_rows

RATE = 25.0


def make_take(frames: int = 50) -> Take:
    poses = np.zeros((frames, 165), np.float32)
    poses[:, 0] = np.pi / 2
    return Take(
        poses=poses, trans=np.zeros((frames, 3)), betas=np.zeros(10), expression=np.zeros((frames, 10)),
        times=np.arange(frames) / RATE, frames=np.arange(frames), joints_cam=np.zeros((frames, 55, 3)),
        joints_img=np.zeros((frames, 55, 2)), confidence=np.ones((frames, 55)), boxes=np.zeros((frames, 4)),
        focal=np.full(2, 500.0), principal_point=np.zeros(2), image_size=np.array([640, 480]), mocap_frame_rate=RATE,
    )  # fmt: skip


def test_jitter_is_the_acceleration_at_thirty_frames_a_second() -> None:
    times = np.arange(40) / 60
    joints = np.zeros((40, 22, 3))
    joints[..., 1] = 0.5 * 9.81 * times[:, None] ** 2  # free fall
    assert jitter(joints, times) == pytest.approx(1000 * 9.81 / 30**2, rel=1e-6)
    assert np.isnan(jitter(joints[:2], times[:2]))


def test_facing_flips_are_counted_and_turning_is_not() -> None:
    turning = matrix_from_axis_angle(np.linspace(0, 6, 60)[:, None] * np.array([0.0, 1.0, 0.0]))
    assert facing_flips(axis_angle_from_matrix(turning)) == 0
    flipped = turning.copy()
    flipped[20:30] = flipped[20:30] @ matrix_from_axis_angle(np.array([0.0, np.pi, 0.0]))
    assert facing_flips(axis_angle_from_matrix(flipped)) == 2


def test_swapped_sides_are_counted_and_crossing_is_not() -> None:
    walk = np.zeros((30, 22, 3))
    left, right = list(LIMBS12[0::2]), list(LIMBS12[1::2])
    walk[:, left, 0], walk[:, right, 0] = 0.2, -0.2
    walk[..., 1] = np.sin(np.arange(30) / 5)[:, None] * 0.1
    assert side_swaps(walk) == 0
    swapped = walk.copy()
    swapped[10:13, left], swapped[10:13, right] = walk[10:13, right], walk[10:13, left]
    assert side_swaps(swapped) == 2
    crossing = walk.copy()
    crossing[:, left, 0] = np.linspace(0.2, -0.2, 30)[:, None]
    crossing[:, right, 0] = np.linspace(-0.2, 0.2, 30)[:, None]
    assert side_swaps(crossing) == 0


def test_rows_of_a_take_compare_the_network_with_what_is_keyed(tmp_path: Path) -> None:
    take = make_take()
    shaking = take.poses + np.random.default_rng(0).normal(scale=0.02, size=take.poses.shape).astype(np.float32)
    raw = {"poses_raw": shaking, "trans_raw": take.trans, "keypoints": np.zeros((len(take), 17, 3))}
    save_take(replace(take, raw=raw), tmp_path / "person1.npz")
    (tmp_path / "summary.json").write_text(json.dumps({"frames_per_second": 7.5}))
    rows = take_rows(tmp_path / "person1.npz", load_body())
    assert rows["frames"] == 50
    assert rows["jitter, network"] > 5
    assert rows["jitter, refined"] == pytest.approx(0, abs=1e-3)
    assert rows["jitter, as keyed"] == pytest.approx(0, abs=1e-3)
    assert rows["facing flips a minute"] == rows["left-right swaps a minute"] == 0
    assert rows["frames a second of the capture"] == 7.5
    save_take(replace(take, poses=shaking), tmp_path / "shaking.npz")
    shaken = take_rows(tmp_path / "shaking.npz", load_body())
    assert shaken["jitter, as keyed"] < 0.5 * shaken["jitter, refined"]
