"""The data set of rendered people: labels agree with the smplx layer, restarts change nothing, the command explains."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import smplx
import torch

from pose2pose.backend.motion.body_file import OPEN_BODY, load_body
from pose2pose.backend.motion.rotations import matrix_from_axis_angle
from pose2pose.backend.motion.skeleton import JOINT_INDEX, forward_kinematics
from pose2pose.training.body_models.joint_sets import WHOLE
from pose2pose.training.synthetic import picture_set
from pose2pose.training.synthetic.key_poses import sample_key_poses
from pose2pose.training.synthetic.people import PeopleSampler
from pose2pose.training.synthetic.picture_set import PictureSetError, write_pictures
from pose2pose.training.synthetic.scenery import Scenery
from pose2pose.training.synthetic.synthesize import main

HEIGHT, WIDTH = 128, 96


@pytest.fixture(scope="module")
def sampler() -> PeopleSampler:
    body = load_body()
    poses = sample_key_poses(torch.Generator().manual_seed(0), body, 50)
    return PeopleSampler(body=body, poses=poses, scenery=Scenery(), height=HEIGHT, width=WIDTH)


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_set, "SHARD", 4)
    monkeypatch.setattr(picture_set, "AT_ONCE", 2)


def write(folder: Path, count: int, sampler: PeopleSampler, **settings: object) -> dict[str, np.ndarray]:
    path = write_pictures(folder, count, sampler, seed=5, settings=settings, body="open", command="test")
    with np.load(path, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "images").iterdir())}


def test_points_are_where_the_smplx_layer_puts_them(sampler: PeopleSampler, tmp_path: Path, small_shards: None) -> None:
    labels = write(tmp_path, 8, sampler)
    layer = smplx.SMPLXLayer(str(OPEN_BODY), use_face_contour=True, use_pca=False, flat_hand_mean=True)
    rotations = torch.from_numpy(matrix_from_axis_angle(labels["rotations"].astype(np.float64))).float()
    layer.batch_size = len(rotations)
    posed = layer(
        global_orient=rotations[:, :1], body_pose=rotations[:, 1:22], jaw_pose=rotations[:, 22:23],
        leye_pose=rotations[:, 23:24], reye_pose=rotations[:, 24:25], left_hand_pose=rotations[:, 25:40],
        right_hand_pose=rotations[:, 40:], betas=torch.from_numpy(labels["betas"]),
        expression=torch.from_numpy(labels["expression"]), transl=torch.from_numpy(labels["trans"]),
    )  # fmt: skip
    points = posed.joints[:, list(WHOLE.layer_points)].numpy()
    projected = points[..., :2] / points[..., 2:] * labels["focal"][:, None] + labels["principal_point"][:, None]
    # Labels lie within a millimeter of the layer's, at the distance at which the body fills the picture.
    body_points = slice(0, 120)
    assert np.abs(projected - labels["points_2d"])[:, body_points].max() < 0.15
    # A head turned by half a degree more or less has its outline at the next row of the table.
    outline = np.linalg.norm(projected - labels["points_2d"], axis=-1)[:, 120:]
    assert np.median(outline) < 0.05 and outline.max() < 3


def test_boxes_hold_what_they_are_of(sampler: PeopleSampler, tmp_path: Path, small_shards: None) -> None:
    labels = write(tmp_path, 8, sampler)
    seen, points = labels["points_visible"], labels["points_2d"]
    assert labels["points_visible"].dtype == bool and labels["points_2d"].shape == (8, 137, 2)
    inside = (points >= 0).all(-1) & (points <= [WIDTH, HEIGHT]).all(-1)
    assert not (seen & ~inside).any()
    boxes = labels["boxes"][:, None]
    skin = seen[:, 25:] & inside[:, 25:]
    within = ((points >= boxes[..., :2] - 1.5) & (points <= boxes[..., 2:] + 1.5)).all(-1)
    assert within[:, 25:][skin].all()
    for region, part in enumerate((slice(25, 45), slice(45, 65), slice(69, 137))):
        box = labels["regions"][:, region, None]
        assert ((points[:, part] > box[..., :2]) & (points[:, part] < box[..., 2:])).all()
        share = seen[:, part].mean(1)
        np.testing.assert_allclose(labels["regions_visible"][:, region], share, atol=0.1)


@pytest.mark.slow
def test_a_run_that_was_stopped_ends_with_the_same_files(
    sampler: PeopleSampler, tmp_path: Path, small_shards: None
) -> None:
    whole = write(tmp_path / "a", 7, sampler)
    write(tmp_path / "b", 4, sampler)  # one shard; then a shard that was cut short
    (tmp_path / "b" / "images" / "00000004.jpg").write_bytes(b"half a file")
    again = write(tmp_path / "b", 7, sampler)
    assert len(files(tmp_path / "a")) == 7
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert all(np.array_equal(whole[key], again[key]) for key in whole)
    picture = cv2.imread(str(tmp_path / "a" / "images" / "00000006.jpg"))
    assert picture.shape == (HEIGHT, WIDTH, 3)


def test_finished_shards_are_not_rendered_again(
    sampler: PeopleSampler, tmp_path: Path, small_shards: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 4, sampler)
    monkeypatch.setattr(sampler, "sample", None)
    assert len(write(tmp_path, 4, sampler)["betas"]) == 4


def test_a_folder_made_with_other_settings_is_left_alone(
    sampler: PeopleSampler, tmp_path: Path, small_shards: None
) -> None:
    write(tmp_path, 2, sampler, height=HEIGHT)
    before = files(tmp_path)
    with pytest.raises(PictureSetError, match="height 128, asked is 256"):
        write(tmp_path, 2, sampler, height=256)
    assert files(tmp_path) == before


@pytest.mark.slow
def test_the_command_writes_a_set_and_a_sheet(
    tmp_path: Path, small_shards: None, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, sheet = tmp_path / "people", tmp_path / "sheet.png"
    options = ["-o", str(folder), "--people", "3", "--size", "64x48"]
    assert main([*options, "--sheet", str(sheet)]) == 0
    assert len(files(folder)) == 3 and cv2.imread(str(sheet)).shape == (384, 8 * 288, 3)
    with np.load(folder / "people.npz", allow_pickle=False) as archive:
        assert archive["body"] == "open" and archive["seed"] == 0
    assert main([*options, "--seed", "1"]) == 1
    assert "seed" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["-o", str(folder), "--people", "3", "--size", "64x64"])


def test_key_poses_bend_limbs_the_way_they_bend() -> None:
    body = load_body()
    poses = sample_key_poses(torch.Generator().manual_seed(1), body, 200)
    assert torch.allclose(poses @ poses.transpose(-1, -2), torch.eye(3).expand_as(poses), atol=1e-5)
    _, turned = forward_kinematics(poses.double().numpy(), body.rest_joints()[:22])
    rest = body.rest_joints()
    for side in ("left", "right"):
        hip, knee, ankle = (JOINT_INDEX[f"{side}_{part}"] for part in ("hip", "knee", "ankle"))
        shank = np.einsum("nij,j->ni", turned[:, knee], rest[ankle] - rest[knee])
        front = np.einsum("nij,j->ni", turned[:, hip], np.array([0, 0, 1.0]))
        assert ((shank * front).sum(1) < 0.08).all()  # no knee bends forward
    assert np.linalg.norm(poses[:100, 4] - poses[100:, 4], axis=(1, 2)).mean() > 0.2  # and they differ
