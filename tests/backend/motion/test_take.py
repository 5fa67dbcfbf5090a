"""Takes survive the disk, speak AMASS, and refuse what is broken."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from pose2pose.backend.motion.take import Take, TakeError, load_take, save_take

MakeTake = Callable[..., Take]


def test_round_trip(make_take: MakeTake, tmp_path: Path) -> None:
    raw = {"poses_raw": np.ones((5, 165), np.float32), "trans_raw": np.ones((5, 3), np.float32)}
    take = make_take(source="dänce.mp4", person=3, weights="open 1", raw=raw)
    save_take(take, tmp_path / "take.npz")
    back = load_take(tmp_path / "take.npz")
    for field in fields(Take):
        if field.name != "raw":
            assert np.array_equal(getattr(back, field.name), getattr(take, field.name)), field.name
    assert np.array_equal(back.with_raw_motion().poses, raw["poses_raw"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["take.npz"], "no partial file is left"


def test_amass_tools_find_their_keys(make_take: MakeTake, tmp_path: Path) -> None:
    save_take(make_take(frames=7), tmp_path / "take.npz")
    with np.load(tmp_path / "take.npz", allow_pickle=False) as file:
        assert file["poses"].shape == (7, 165)
        assert file["trans"].shape == (7, 3)
        assert file["betas"].shape == (10,)
        assert str(file["gender"]) == "neutral"
        assert float(file["mocap_frame_rate"]) == 30.0
        assert str(file["surface_model_type"]) == "smplx"


@pytest.mark.parametrize("rate_key", ["mocap_frame_rate", "mocap_framerate"])
@pytest.mark.parametrize(("width", "betas"), [(165, 16), (66, 300)])
def test_amass_files_load(tmp_path: Path, rate_key: str, width: int, betas: int) -> None:
    motion = np.random.default_rng(0).normal(size=(6, width))
    path = tmp_path / "amass.npz"
    np.savez(path, poses=motion, trans=np.ones((6, 3)), betas=np.arange(betas), gender="male", **{rate_key: 120.0})
    take = load_take(path)
    assert np.allclose(take.poses[:, : min(width, 165)], motion[:, :165], atol=1e-6)
    assert take.times[-1] == pytest.approx(5 / 120)
    assert take.betas.tolist() == list(range(10))
    assert not take.has_camera


def test_hands_of_smplh_stand_behind_jaw_and_eyes(tmp_path: Path) -> None:
    motion = np.random.default_rng(0).normal(size=(6, 156))
    np.savez(tmp_path / "smplh.npz", poses=motion, trans=np.zeros((6, 3)), mocap_framerate=120.0)
    poses = load_take(tmp_path / "smplh.npz").poses
    assert np.allclose(poses[:, :66], motion[:, :66], atol=1e-6)
    assert not poses[:, 66:75].any()
    assert np.allclose(poses[:, 75:], motion[:, 66:], atol=1e-6)


def test_a_rate_that_the_file_does_not_say(tmp_path: Path) -> None:
    np.savez(tmp_path / "amass.npz", poses=np.zeros((4, 165)), trans=np.zeros((4, 3)))
    with pytest.raises(TakeError, match="--frame-rate"):
        load_take(tmp_path / "amass.npz")
    assert load_take(tmp_path / "amass.npz", frame_rate=50).times[-1] == pytest.approx(3 / 50)
    with pytest.raises(TakeError, match="must be a positive number, got -1"):
        load_take(tmp_path / "amass.npz", frame_rate=-1)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"trans": np.zeros((3, 3)), "mocap_frame_rate": 30}, "'poses' is missing"),
        ({"poses": np.zeros((3, 165)), "trans": np.zeros((3, 3))}, "'mocap_frame_rate' is missing"),
        (
            {"poses": np.zeros((3, 60)), "trans": np.zeros((3, 3)), "mocap_frame_rate": 30},
            r"'poses' must have shape .*66, 72, 156, 165.*got \(3, 60\)",
        ),
        ({"format_version": 99}, "update pose2pose"),
        ({"format_version": 1, "poses": np.zeros((3, 165))}, "'trans' is missing"),
        ({"poses": np.zeros((3, 165)), "trans": np.zeros((4, 3)), "mocap_frame_rate": 30}, r"'trans' must have shape"),
    ],
)
def test_files_that_are_no_takes(tmp_path: Path, contents: dict[str, object], message: str) -> None:
    np.savez(tmp_path / "bad.npz", **contents)
    with pytest.raises(TakeError, match=rf"bad\.npz: .*{message}"):
        load_take(tmp_path / "bad.npz")


def test_damaged_files(make_take: MakeTake, tmp_path: Path) -> None:
    save_take(make_take(), tmp_path / "take.npz")
    whole = (tmp_path / "take.npz").read_bytes()
    for name, data in (("cut", whole[: len(whole) // 2]), ("text", b"hello"), ("empty", b"")):
        (tmp_path / f"{name}.npz").write_bytes(data)
        with pytest.raises(TakeError, match=f"{name}.npz is not a readable take"):
            load_take(tmp_path / f"{name}.npz")
    with pytest.raises(TakeError, match="no such file"):
        load_take(tmp_path / "missing.npz")


def test_pickles_stay_unopened(tmp_path: Path) -> None:
    np.savez(tmp_path / "evil.npz", poses=np.array([{"a": 1}], dtype=object))
    with pytest.raises(TakeError, match="without pickle"):
        load_take(tmp_path / "evil.npz")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"joints_img": np.zeros((4, 55, 2))}, r"'joints_img' must have shape \(5, 55, 2\), got \(4, 55, 2\)"),
        ({"trans": np.full((5, 3), np.nan)}, "'trans' holds values that are not finite"),
        ({"times": np.array([0, 1, 1, 2, 3.0])}, "'times' must increase"),
    ],
)
def test_wrong_arrays_are_named(make_take: MakeTake, changes: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(TakeError, match=message):
        make_take(**changes)


def test_no_frames(make_take: MakeTake) -> None:
    with pytest.raises(TakeError, match="at least one frame"):
        make_take(frames=0)
