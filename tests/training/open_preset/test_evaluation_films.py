"""Captures of films: the truth itself has no error, known errors have known numbers, nobody found counts as nothing."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose2pose.backend.capture import CaptureResult
from pose2pose.backend.motion.body_file import load_body
from pose2pose.backend.motion.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from pose2pose.backend.motion.skeleton import JOINT_INDEX
from pose2pose.backend.motion.take import Take, save_take
from pose2pose.training.cli import main
from pose2pose.training.open_preset.evaluation_films import film_rows, motion_errors

WRIST = JOINT_INDEX["left_wrist"]


@pytest.fixture(scope="module")
def take(captured: CaptureResult) -> Take:
    """Of six frames of a real clip, as the truth of them: all joints are seen."""
    found = captured.takes[0]
    return replace(found, confidence=np.ones_like(found.confidence), mocap_frame_rate=30.0)


def means(take: Take, truth: Take) -> dict[str, float]:
    return {name: float(values.mean()) for name, values in motion_errors(take, truth, load_body()).items()}


def turned(take: Take, joint: int, degrees: float) -> Take:
    """A joint turned about the y axis of its parent's frame in every frame."""
    poses = take.poses.reshape(len(take), -1, 3).copy()
    by = matrix_from_axis_angle(np.array([0, np.deg2rad(degrees), 0]))
    poses[:, joint] = axis_angle_from_matrix(by @ matrix_from_axis_angle(poses[:, joint].astype(np.float64)))
    return replace(take, poses=poses.reshape(len(take), -1))


def test_the_truth_has_no_error(take: Take) -> None:
    rows = means(take, take)
    jitter = rows.pop("jitter")
    assert 0 < jitter < 20
    assert rows.pop("limbs PA-MPJPE, half of them") != 0  # no frame is so, a mean of nothing
    rows.pop("limbs PA-MPJPE, few of them")
    assert max(rows.values()) < 0.05 and not np.isnan(list(rows.values())).any()


def test_a_turned_wrist_is_off_by_its_angle_and_a_turned_root_only_in_camera_axes(take: Take) -> None:
    wrist = means(turned(take, WRIST, 20), take)
    # One hand of two.
    assert wrist["wrists of seen hands, to the forearm"] == pytest.approx(10, abs=0.05)
    assert wrist["wrists of seen hands, camera axes"] == pytest.approx(10, abs=0.05)
    assert wrist["limbs MPJPE"] < 0.05 and wrist["joints of seen hands, PA"] < 0.05
    assert wrist["heads whose eyes are seen, camera axes"] < 0.05
    root = means(turned(take, 0, 20), take)
    assert root["heads whose eyes are seen, camera axes"] == pytest.approx(20, abs=0.05)
    assert root["wrists of seen hands, to the forearm"] < 0.05
    assert root["wrists of seen hands, camera axes"] == pytest.approx(20, abs=0.05)
    assert root["limbs PA-MPJPE"] < 0.05 and root["limbs MPJPE"] > 30


def test_hands_that_are_hidden_are_not_asked_for(take: Take) -> None:
    hidden = take.confidence.copy()
    hidden[:, WRIST] = 0
    hidden[:, 25:40] = 0
    rows = means(turned(take, WRIST, 20), replace(take, confidence=hidden))
    assert rows["wrists of seen hands, to the forearm"] < 0.05


def test_frames_that_were_left_out_are_compared_with_their_own(take: Take) -> None:
    shorter = replace(
        take,
        **{name: getattr(take, name)[2:] for name in ("poses", "trans", "expression", "times", "frames", "joints_cam")},
        **{name: getattr(take, name)[2:] for name in ("joints_img", "confidence", "boxes")},
        raw={},
    )  # fmt: skip
    rows = motion_errors(shorter, take, load_body())
    assert len(rows["limbs MPJPE"]) == len(take) - 2 and float(rows["limbs MPJPE"].max()) < 0.05


def test_films_without_a_take_count_as_not_captured(take: Take) -> None:
    table = film_rows([take, None], [take, take], load_body())
    assert table["films"]["frames captured, %"] == 50 and table["films"]["frames"] == 2 * len(take)
    assert table["refined"]["limbs MPJPE"] < 0.05 < table["network"]["limbs MPJPE"]
    assert table["as keyed"]["jitter"] < table["network"]["jitter"]
    assert list(film_rows([None], [take], load_body())) == ["films"]


@pytest.mark.slow
def test_the_command_captures_each_film(
    take: Take, clip_frames: list[np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    films = tmp_path / "films"
    for name in ("000", "001"):
        (films / name).mkdir(parents=True)
        save_take(take, films / f"{name}.npz")
    for number, frame in enumerate(clip_frames[: len(take)]):
        cv2.imwrite(str(films / "000" / f"{number:04d}.png"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        cv2.imwrite(str(films / "001" / f"{number:04d}.png"), np.full_like(frame, 127))
    assert main(["open", "films", str(films), "--device=cpu", "-o", str(tmp_path / "out")]) == 0
    rows = json.loads((tmp_path / "out" / "films.json").read_text())["rows"]
    assert rows["films"]["frames captured, %"] == 50
    assert rows["refined"]["limbs MPJPE"] < 1
    assert "| films | frames |" in capsys.readouterr().out
    assert "limbs PA-MPJPE" in (tmp_path / "out" / "films.md").read_text()


def test_a_folder_without_films_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["open", "films", str(tmp_path)]) != 0
    assert "holds no films; write some by `pose2pose-train film`" in capsys.readouterr().err
