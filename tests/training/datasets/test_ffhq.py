"""FFHQ: faces written in the layout of its FLAME fits are read back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose2pose.training.body_models.joint_sets import FACE
from pose2pose.training.datasets.ffhq import Ffhq

Write = Callable[[Path, Any], None]


@pytest.fixture()
def root(tmp_path: Path, face: Any, lens: Any, write_json: Write) -> Path:
    """Three faces: with a fit, with two points that are not valid and no fit, with a box outside of the picture."""
    people = [face.person(place=(0.05, 0.02 * k, 1.2)) for k in range(3)]
    images = [{"id": k, "file_name": f"{k:05d}.png", "width": 640, "height": 480} for k in range(3)]
    annotations = [
        {
            "id": 70 + k,
            "image_id": k,
            "bbox": p.box(lens),
            "keypoints": lens.project(p.points),
            "keypoints_valid": [1] * 73,
        }
        for k, p in enumerate(people)
    ]
    annotations[1]["keypoints_valid"][5:7] = [0, 0]
    annotations[2]["bbox"] = [700, 10, 60, 60]
    data = tmp_path / "data"
    write_json(data / "FFHQ.json", {"images": images, "annotations": annotations})
    p = people[0]
    fit = {"root_pose": p.pose[0], "jaw_pose": p.pose[1], "shape": p.betas, "expr": p.expression, "trans": p.trans}
    write_json(data / "FFHQ_FLAME_NeuralAnnot.json", {"70": {"flame_param": fit, "cam_param": lens.as_json()}})
    (data / "images").mkdir()
    return tmp_path


def test_the_fit_lands_on_the_labels(root: Path, face: Any) -> None:
    samples = Ffhq(root=root, joint_set=FACE, mean_pose=face.mean)
    face.check_labels(samples[0])
    fit = samples[0].fit
    assert fit is not None and fit.rotations_valid.all() and fit.expression_valid and fit.betas_valid
    assert samples[0].points_valid.all() and not samples[0].points_3d_valid.any()


def test_points_and_fits_may_be_missing(root: Path, face: Any) -> None:
    samples = Ffhq(root=root, joint_set=FACE, mean_pose=face.mean)
    assert len(samples) == 2
    assert samples.skipped == {"empty box": 1}
    assert samples[1].fit is None
    assert np.flatnonzero(~samples[1].points_valid).tolist() == [5, 6]
