"""Stirling: pictures, scans and landmarks whose names differ in case find each other."""

import json
from pathlib import Path

import numpy as np
import pytest

from pose2pose.training.body_models.joint_sets import FACE
from pose2pose.training.datasets.coco_layout import AnnotationError
from pose2pose.training.datasets.report import MissingDataError
from pose2pose.training.datasets.stirling import Stirling, read_landmarks

POINTS = np.arange(21.0).reshape(7, 3) - 8.25


@pytest.fixture()
def root(tmp_path: Path) -> Path:
    pictures = tmp_path / "Subset_2D_FG2018" / "LQ"
    pictures.mkdir(parents=True)
    for name in ("F1001_001.jpg", "F1001_002.jpg", "m1002_001.JPG", "F1003_001.jpg", "F1004_001.jpg", "notes.txt"):
        (pictures / name).touch()
    for folder in ("F_3D_N", "M_3D_N", "annotations/F_3D_N", "annotations/M_3D_N"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("F_3D_N/f1001_N.obj", "M_3D_N/M1002_N.obj", "F_3D_N/F1004_N.obj"):
        (tmp_path / name).write_text("v 1.5 2 3\nv 4 5 6\nv 7 8 9\nvt 0 0\nf 1/1 2/1 3/1\n")
    lines = "".join(f"{k} {x} {y} {z}\n" for k, (x, y, z) in enumerate(POINTS)) + "\n"
    for name in ("F_3D_N/F1001_n.lnd", "M_3D_N/M1002_N.lnd", "F_3D_N/F1003_N.lnd"):
        (tmp_path / "annotations" / name).write_text(lines)
    boxes = {f"LQ/{p.name}": [10, 20, 30, 40] for p in pictures.iterdir() if p.name != "F1001_002.jpg"}
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    return tmp_path


def test_pictures_find_their_scans_and_landmarks(root: Path) -> None:
    samples = Stirling(root=root, split="LQ", joint_set=FACE)
    assert [samples[k].name for k in range(len(samples))] == ["Stirling LQ/F1001_001.jpg", "Stirling LQ/m1002_001.JPG"]
    assert samples.skipped == {"no box": 1, "no scan": 1, "no landmarks": 1}
    assert samples[0].box.tolist() == [10.5, 20.5, 40.5, 60.5]
    truths = [samples.truth(k) for k in range(2)]
    assert [truth.scan.name for truth in truths if truth.scan] == ["f1001_N.obj", "M1002_N.obj"]
    assert truths[0].landmarks is not None
    np.testing.assert_array_equal(truths[0].landmarks, POINTS)


def test_an_unknown_split_is_named(root: Path) -> None:
    with pytest.raises(MissingDataError, match=r"Subset_2D_FG2018/HQ: pictures"):
        Stirling(root=root, split="HQ", joint_set=FACE)


@pytest.mark.parametrize("text", ["0 1 2 3\n" * 6, "0 1 2 x\n" * 7])
def test_damaged_landmarks_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "F1.lnd").write_text(text)
    with pytest.raises(AnnotationError, match=r"F1.lnd"):
        read_landmarks(tmp_path / "F1.lnd")
