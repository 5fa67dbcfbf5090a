"""`pose2pose-train check-data` on small sets of rendered people's layout: what it counts, finds and draws."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

pytest.importorskip("smplx")

from pose2pose.training.body_models.human_models import build_human_model
from pose2pose.training.checking.check_sheet import FITTED, LABEL
from pose2pose.training.cli import main

COUNT = 70
WIDTH, HEIGHT = 96, 128
FOCAL = 160.0


@pytest.fixture(scope="module")
def people() -> dict[str, Any]:
    """Everybody stands upright in front of the camera; a hand is hidden every now and then."""
    model = build_human_model("whole", None)
    rotations = np.zeros((COUNT, 55, 3), np.float32)
    rotations[:, 0, 0] = np.pi
    matrices = torch.eye(3).repeat(1, 55, 1, 1)
    matrices[:, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    trans = torch.tensor([[0.0, 0.0, 3.2]])
    points = model(matrices, torch.zeros(1, 10), None, trans).points[0].numpy()
    pixels = points[:, :2] / points[:, 2:] * FOCAL + (WIDTH / 2, HEIGHT / 2)
    regions = slice(25, 45), slice(45, 65), slice(65, 137)
    hands = [[*pixels[part].min(axis=0), *pixels[part].max(axis=0)] for part in regions]
    visible = np.ones((COUNT, 137), bool)
    visible[::5, 25:45] = False
    one = {"points_2d": pixels, "trans": trans[0], "focal": [FOCAL, FOCAL], "principal_point": [WIDTH / 2, HEIGHT / 2],
           "boxes": [*pixels.min(axis=0), *pixels.max(axis=0)], "regions": hands, "regions_visible": [1, 1, 1],
           "betas": np.zeros(10), "expression": np.zeros(10)}  # fmt: skip
    same = {key: np.repeat(np.asarray(value, np.float32)[None], COUNT, axis=0) for key, value in one.items()}
    return {**same, "rotations": rotations, "points_visible": visible}


@pytest.fixture()
def config(tmp_path: Path, people: dict[str, Any]) -> Path:
    images = tmp_path / "data" / "synthetic" / "train" / "images"
    images.mkdir(parents=True)
    random = np.random.default_rng(0)
    for k in range(COUNT):
        cv2.imwrite(str(images / f"{k:08d}.jpg"), random.integers(0, 90, (HEIGHT, WIDTH, 3), np.uint8))
    np.savez(images.parent / "people.npz", **people)
    file = tmp_path / "small.toml"
    file.write_text(
        "[network]\ninput_size = [256, 192]\n[data]\n"
        f'root = "{tmp_path / "data"}"\ntrain = [{{name = "synthetic", group = "3d"}}]\nworkers = 1\n'
    )
    return file


def check(config: Path, *more: str) -> tuple[int, Path]:
    folder = config.parent / "sheets"
    return main(["check-data", str(config), "-o", str(folder), "--draw", "2", *more]), folder


def test_a_good_set_is_counted_and_drawn(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, folder = check(config)
    said = capsys.readouterr().out
    assert code == 0
    assert "70 samples in 70 pictures" in said
    assert "70 with labeled points, 0 of them in 3D, 70 with a fit" in said
    assert "64 of 70 samples opened, 0 cannot be used" in said
    assert "fits and labels lie 0.0 % of the crop's height apart" in said
    assert "WRONG" not in said and not (folder / "problems.txt").exists()
    sheet = cv2.cvtColor(cv2.imread(str(folder / "synthetic-train.png")), cv2.COLOR_BGR2RGB)
    labels, mesh = sheet[:256, :192], sheet[:256, 192:384]  # of the first sample
    assert (labels == LABEL).all(axis=2).sum() > 50
    assert not (labels == FITTED).all(axis=2).any()
    assert (mesh == FITTED).all(axis=2).sum() > 50
    middle = mesh[110:150, 90:102].mean()  # the trunk, which is brighter than the noise around it
    assert middle > 100 > 60 > mesh[:60, :60].mean()


def test_pictures_that_are_missing_or_cut_short_are_named(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = config.parent / "data" / "synthetic" / "train" / "images"
    (images / "00000007.jpg").unlink()
    damaged = images / "00000000.jpg"
    damaged.write_bytes(damaged.read_bytes()[:2000])
    code, folder = check(config)
    said = capsys.readouterr().out
    assert code == 1
    assert "WRONG: synthetic train/00000007: " in said and "00000007.jpg is missing; get the pictures again" in said
    assert "WRONG: synthetic train/00000000: " in said and "fetch it again" in said
    assert (folder / "problems.txt").read_text().count("\n") == 2


def test_all_pictures_are_opened_if_asked_for(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = config.parent / "data" / "synthetic" / "train" / "images"
    for damaged in images.iterdir():
        if damaged.stem not in {f"{int(k):08d}" for k in np.linspace(0, COUNT - 1, 64)}:
            damaged.write_bytes(b"")
    assert check(config)[0] == 0
    assert check(config, "--all")[0] == 1
    assert "70 of 70 samples opened, 6 cannot be used" in capsys.readouterr().out


def test_labels_that_do_not_fit_their_parameters_stand_out(
    config: Path, people: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    file = config.parent / "data" / "synthetic" / "train" / "people.npz"
    np.savez(file, **people | {"points_2d": people["points_2d"] + np.float32([13, 0])})
    check(config)
    width, height = people["boxes"][0, 2:] - people["boxes"][0, :2]
    share = 100 * 13 / (max(height, width * 256 / 192) * 1.25)
    assert f"fits and labels lie {share:.1f} % of the crop's height apart" in capsys.readouterr().out


def test_what_is_missing_is_said_with_the_way_out(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, folder = check(config, 'data.test=[{name = "ehf", split = "test"}, {name = "ffhq"}]')
    said = capsys.readouterr().out
    assert code == 1
    assert "EHF.json: boxes; from" in said
    assert "01_align.ply: registered mesh; from the EHF download" in said
    assert "ffhq has no labels for the whole; these have: agora" in said
    assert "70 samples in 70 pictures" in said  # the others are checked nevertheless
    assert "ehf test: missing" in (folder / "problems.txt").read_text()


def test_annotations_of_another_layout_are_a_finding(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = config.parent / "data" / "EHF" / "data"
    folder.mkdir(parents=True)
    images = '"images": [{"id": 1, "file_name": "01_img.jpg"}]'
    (folder / "EHF.json").write_text(f'{{{images}, "annotations": []}}')
    assert check(config, 'data.train=[{name = "ehf"}]')[0] == 1
    assert "no sample is left" in capsys.readouterr().out
    (folder / "EHF.json").write_text(f'{{{images}, "annotations": [{{"image_id": 1}}]}}')
    (folder / "01_align.ply").touch()
    assert check(config, 'data.train=[{name = "ehf"}]')[0] == 1
    assert "not laid out as expected (KeyError: 'body_bbox')" in capsys.readouterr().out
