"""Rendered people: the arrays of `people.npz` come back as samples, and their fits pose the labels."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pose2pose.training.body_models.joint_sets import WHOLE
from pose2pose.training.datasets.coco_layout import AnnotationError
from pose2pose.training.datasets.report import MissingDataError
from pose2pose.training.datasets.synthetic import SyntheticPeople

COUNT = 3


@pytest.fixture()
def root(tmp_path: Path, whole: Any, lens: Any) -> Path:
    people = [whole.person(place=(0.1 * k, 0.2, 4.0)) for k in range(COUNT)]
    folder = tmp_path / "train"
    (folder / "images").mkdir(parents=True)
    for k in range(COUNT):
        cv2.imwrite(str(folder / "images" / f"{k:08d}.jpg"), np.full((480, 640, 3), 90, np.uint8))
    pixels = np.stack([lens.project(p.points) for p in people])
    visible = np.ones((COUNT, 137), bool)
    visible[1, 25:45] = False
    np.savez(
        folder / "people.npz",
        rotations=np.stack([p.pose + whole.mean for p in people]),
        betas=np.stack([p.betas for p in people]),
        expression=np.stack([p.expression for p in people]),
        trans=np.stack([p.trans for p in people]),
        focal=np.tile(lens.focal, (COUNT, 1)),
        principal_point=np.tile(lens.center, (COUNT, 1)),
        points_2d=pixels,
        points_visible=visible,
        boxes=np.concatenate([pixels.min(1), pixels.max(1)], axis=1),
        regions=np.tile([[10.0, 10, 30, 30]], (COUNT, 3, 1)),
        regions_visible=np.array([[1, 1, 1], [0, 1, 1], [1, 0.1, 0.9]]),
        body=np.array("open"),
        seed=np.array(0),
        command=np.array("by hand"),
    )
    return tmp_path


def test_fits_land_on_the_labels(root: Path, whole: Any) -> None:
    samples = SyntheticPeople(root=root, split="train", joint_set=WHOLE)
    assert len(samples) == COUNT
    for k in range(COUNT):
        whole.check_labels(samples[k])
        assert samples[k].image.exists()
        fit = samples[k].fit
        assert fit is not None and fit.points_valid.all()
        assert np.flatnonzero(~fit.rotations_valid).tolist() == [23, 24]  # eyes


def test_what_is_hidden_is_not_learnt(root: Path) -> None:
    samples = SyntheticPeople(root=root, split="train", joint_set=WHOLE)
    assert np.flatnonzero(~samples[1].points_valid).tolist() == list(range(25, 45))
    assert [samples[k].regions_valid.tolist() for k in range(COUNT)] == [
        [True] * 3,
        [False, True, True],
        [True, False, True],
    ]


def test_labels_of_another_layout_are_named(root: Path) -> None:
    with pytest.raises(MissingDataError, match="pose2pose-train synthesize"):
        SyntheticPeople(root=root, split="test", joint_set=WHOLE)
    file = root / "train" / "people.npz"
    arrays = dict(np.load(file))
    np.savez(file, **arrays | {"points_2d": arrays["points_2d"][:, :76]})
    with pytest.raises(AnnotationError, match=r"points_2d must have the shape \(N, \(137, 2\)\)"):
        SyntheticPeople(root=root, split="train", joint_set=WHOLE)
    del arrays["trans"], arrays["focal"]
    np.savez(file, **arrays)
    with pytest.raises(AnnotationError, match=r"lacks trans, focal; render the set again"):
        SyntheticPeople(root=root, split="train", joint_set=WHOLE)
