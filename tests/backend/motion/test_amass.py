"""Files of AMASS and of the SMPL-X add-on, both ways."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pose2pose.backend.motion.amass import save_amass
from pose2pose.backend.motion.mean_hand import with_mean_hands
from pose2pose.backend.motion.skeleton import JAW, LEFT_HAND
from pose2pose.backend.motion.take import Take, TakeError, load_take

MakeTake = Callable[..., Take]


@pytest.fixture
def take(make_take: MakeTake) -> Take:
    rng = np.random.default_rng(0)
    return make_take(
        frames=6,
        poses=rng.normal(scale=0.4, size=(6, 165)).astype(np.float32),
        trans=rng.normal(size=(6, 3)).astype(np.float32),
        expression=rng.normal(size=(6, 10)).astype(np.float32),
        gender="neutral",
        body="SMPLX_NEUTRAL",
    )


def test_our_own_reader_gives_the_take_back(take: Take, tmp_path: Path) -> None:
    save_amass(take, tmp_path / "walk.npz")
    again = load_take(tmp_path / "walk.npz")
    for name in ("poses", "trans", "betas", "expression", "times", "mocap_frame_rate", "gender", "flat_hand_mean"):
        np.testing.assert_array_equal(getattr(again, name), getattr(take, name))
    assert [path.name for path in tmp_path.iterdir()] == ["walk.npz"]


def test_the_addon_reads_it_as_it_reads_files(take: Take, tmp_path: Path) -> None:
    """Keys, shapes and types of AMASS's stage II files, and what the add-on's Add Animation does with its five."""
    save_amass(replace(take, mocap_frame_rate=29.97), tmp_path / "walk.npz")
    with np.load(tmp_path / "walk.npz") as data:
        shapes = {key: (data[key].shape, data[key].dtype.kind) for key in data.files}
        assert str(data["gender"]) == "neutral"
        assert int(data["mocap_frame_rate"]) == 30, "its default target of 30 is refused by files of 29.97"
        assert data["poses"][0].reshape(-1, 3).shape == (55, 3)
        assert str(data["surface_model_type"]) == "smplx"
        joined = [data[key] for key in ("root_orient", "pose_body", "pose_jaw", "pose_eye", "pose_hand")]
        np.testing.assert_array_equal(np.concatenate(joined, axis=1), data["poses"])
    assert shapes == {
        "trans": ((6, 3), "f"),
        "gender": ((), "U"),
        "mocap_frame_rate": ((), "f"),
        "mocap_time_length": ((), "f"),
        "betas": ((10,), "f"),
        "num_betas": ((), "i"),
        "poses": ((6, 165), "f"),
        "surface_model_type": ((), "U"),
        "expressions": ((6, 10), "f"),
        "root_orient": ((6, 3), "f"),
        "pose_body": ((6, 63), "f"),
        "pose_jaw": ((6, 3), "f"),
        "pose_eye": ((6, 6), "f"),
        "pose_hand": ((6, 90), "f"),
    }


def test_the_shape_of_the_open_body_is_not_passed_off_as_smplx(take: Take, tmp_path: Path) -> None:
    save_amass(replace(take, body="open"), tmp_path / "walk.npz")
    again = load_take(tmp_path / "walk.npz")
    assert take.betas.any()
    assert not again.betas.any()
    assert not again.expression.any()
    np.testing.assert_array_equal(again.poses, take.poses)


def test_fingers_are_written_relative_to_flat_hands(take: Take, tmp_path: Path) -> None:
    mean = np.random.default_rng(1).normal(scale=0.3, size=(2, 15, 3))
    relative = with_mean_hands(take, mean)
    with pytest.raises(TakeError, match="relative to the mean hand"):
        save_amass(relative, tmp_path / "walk.npz")
    save_amass(relative, tmp_path / "walk.npz", mean)
    np.testing.assert_allclose(load_take(tmp_path / "walk.npz").poses, take.poses, atol=1e-6)


def test_uneven_times_become_even(take: Take, tmp_path: Path) -> None:
    save_amass(replace(take, times=np.array([0, 0.1, 0.12, 0.13, 0.2, 0.4])), tmp_path / "walk.npz")
    again = load_take(tmp_path / "walk.npz")
    assert len(again) == 13
    np.testing.assert_allclose(again.trans[3], take.trans[1], atol=1e-6)


@pytest.mark.parametrize(("width", "hands", "face"), [(165, 1, 1), (156, 1, 0), (66, 0, 0), (72, 0, 0)])
def test_what_a_body_model_has_no_joints_for_was_not_seen(tmp_path: Path, width: int, hands: int, face: int) -> None:
    motion = np.random.default_rng(0).normal(size=(4, width))
    np.savez(tmp_path / "a.npz", poses=motion, trans=np.zeros((4, 3)), betas=np.ones(16), mocap_framerate=120)
    take = load_take(tmp_path / "a.npz")
    assert (take.confidence[:, LEFT_HAND] == hands).all()
    assert (take.confidence[:, JAW] == face).all()
    assert (take.confidence[:, :22] == 1).all()
    if not hands:
        assert not take.poses[:, 66:].any()
    assert take.betas.any() == (width in (66, 165)), "shapes of SMPL and SMPL-H mean something else"


def test_stage_ii_files(tmp_path: Path) -> None:
    """Of AMASS, with its other keys, some of them pickled; and files that hold only the parts of the pose."""
    rng = np.random.default_rng(0)
    parts = {"root_orient": 3, "pose_body": 63, "pose_jaw": 3, "pose_eye": 6, "pose_hand": 90}
    data = {name: rng.normal(size=(5, width)) for name, width in parts.items()}
    poses = np.concatenate(list(data.values()), axis=1)
    others = {
        "trans": np.ones((5, 3)),
        "gender": np.array(b"female"),
        "surface_model_type": np.array("smplx_locked_head"),
        "mocap_frame_rate": np.array([60.0]),
        "betas": np.arange(300.0),
        "latent_labels": np.array(["C7", None], dtype=object),
        "markers_latent": np.zeros((53, 3)),
    }
    np.savez(tmp_path / "whole.npz", poses=poses, **data, **others)
    np.savez(tmp_path / "parts.npz", **data, **others)
    for name in ("whole", "parts"):
        take = load_take(tmp_path / f"{name}.npz")
        np.testing.assert_allclose(take.poses, poses, atol=1e-6)
        assert (take.gender, take.mocap_frame_rate, take.betas.tolist()) == ("female", 60.0, list(range(10)))


def test_expressions_of_the_addon_and_the_rule_of_hands(tmp_path: Path) -> None:
    faces = np.random.default_rng(0).normal(size=(3, 100))
    values = {"poses": np.zeros((3, 165)), "trans": np.zeros((3, 3)), "mocap_frame_rate": 30}
    np.savez(tmp_path / "a.npz", **values, expressions=faces, flat_hand_mean=False)
    take = load_take(tmp_path / "a.npz")
    np.testing.assert_allclose(take.expression, faces[:, :10], atol=1e-6)
    assert not take.flat_hand_mean
