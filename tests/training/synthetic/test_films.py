"""Films of rendered people: the take beside each is what its pictures show, and only the person moves."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pose2pose.backend.motion.body_file import load_body
from pose2pose.backend.motion.placement import world_from_camera
from pose2pose.backend.motion.rotations import matrix_from_axis_angle
from pose2pose.backend.motion.skeleton import JOINT_COUNT, forward_kinematics
from pose2pose.backend.motion.take import load_take
from pose2pose.training.cli import main
from pose2pose.training.synthetic.films import first_frames
from pose2pose.training.synthetic.poses import PoseLibraryError

FRAMES = 3


@pytest.fixture(scope="module")
def motion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips, of two frames and of five, in which the arms go down."""
    file = tmp_path_factory.mktemp("motion") / "motion.npz"
    packed = np.zeros((7, 22, 3))
    packed[:, 16, 2] = np.linspace(0, -1, 7)
    packed[:, 17, 2] = np.linspace(0, 1, 7)
    clips = {"clip": np.array([0, 0, 1, 1, 1, 1, 1]), "clip_names": np.array(["short", "long"])}
    np.savez(file, rotvec_i16=np.round(packed * 32767 / np.pi).astype(np.int16), **clips)
    return file


@pytest.fixture(scope="module")
def films(motion: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    assert main(film(motion, folder, 2)) == 0
    return folder


def film(motion: Path, folder: Path, count: int) -> list[str]:
    return ["film", str(motion), "-o", str(folder), f"--films={count}", f"--frames={FRAMES}", "--size=128x96"]


def read(folder: Path) -> np.ndarray:
    return np.stack([cv2.imread(str(file)) for file in sorted(folder.iterdir())])


def test_takes_are_of_the_pictures(films: Path) -> None:
    body = load_body()
    for file in (films / "000.npz", films / "001.npz"):
        take = load_take(file)
        assert read(file.with_suffix("")).shape == (FRAMES, 128, 96, 3) and len(take) == FRAMES
        rotations = matrix_from_axis_angle(take.poses.reshape(FRAMES, JOINT_COUNT, 3).astype(np.float64))
        joints, _ = forward_kinematics(rotations, body.rest_joints(take.betas.astype(np.float64)))
        placed = joints + take.trans[:, None]
        assert np.abs(placed - world_from_camera(take.joints_cam)).max() < 0.002
        pixels = take.joints_cam[..., :2] / take.joints_cam[..., 2:] * take.focal + take.principal_point
        assert np.abs(pixels - take.joints_img).max() < 0.05
        assert take.principal_point.tolist() == [48, 64]
        seen = take.confidence > 0
        assert seen.any() and ((take.joints_img[seen] >= 0) & (take.joints_img[seen] <= [96, 128])).all()


def test_only_the_person_moves(films: Path) -> None:
    take = load_take(films / "000.npz")
    turned = np.abs(np.diff(take.poses.reshape(FRAMES, JOINT_COUNT, 3), axis=0)).max((0, 2))
    assert turned[16] > 0.05 and turned[17] > 0.05
    assert np.delete(turned, [16, 17]).max() < 1e-3
    assert np.abs(np.diff(take.trans, axis=0)).max() < 1e-6
    pictures = read(films / "000").astype(int)
    still = np.abs(pictures[1:] - pictures[:-1]).max((0, -1)) < 24  # as JPEG files
    assert 0.5 < still.mean() < 1


def test_finished_films_are_left_as_they_are(films: Path, motion: Path) -> None:
    files = [films / "000.npz", films / "000" / "0001.jpg"]
    before = [(file.stat().st_mtime_ns, file.read_bytes()) for file in files]
    (films / "001.npz").unlink()
    pixels = read(films / "001")
    assert main(film(motion, films, 2)) == 0
    assert [(file.stat().st_mtime_ns, file.read_bytes()) for file in files] == before
    assert (read(films / "001") == pixels).all() and (films / "001.npz").is_file()


def test_films_of_another_kind_need_another_folder(
    films: Path, motion: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*film(motion, films, 2), "--seed=6"]) != 0
    assert "holds a set with seed 5, asked is 6" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(film(motion, films, 0))
    assert "--films: expected a number of at least 1, got '0'" in capsys.readouterr().err


def test_films_stay_within_a_clip(motion: Path) -> None:
    assert first_frames(motion, 2).tolist() == [0, 2, 3, 4, 5]
    assert first_frames(motion, 3).tolist() == [2, 3, 4]


def test_motion_without_clips_that_are_long_enough_is_refused(motion: Path, tmp_path: Path) -> None:
    with pytest.raises(PoseLibraryError, match="no clip of at least 6 frames"):
        first_frames(motion, 6)
    with pytest.raises(PoseLibraryError, match="no clip of at least 100 frames"):
        first_frames(motion, 100)
    np.savez(tmp_path / "poses.npz", rotvec_i16=np.zeros((9, 22, 3), np.int16))
    with pytest.raises(PoseLibraryError, match=r"poses.npz: no 'clip' among \['rotvec_i16'\]"):
        first_frames(tmp_path / "poses.npz", 3)
