"""MPII written in the authors' layout and read back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose2pose.training.body_models.joint_sets import MPII_LABELS, WHOLE
from pose2pose.training.datasets.mpii import MPII
from pose2pose.training.datasets.report import MissingDataError

Write = Callable[[Path, Any], None]


def rows_of(studio: Any, person: Any, lens: Any) -> Any:
    """16 labels; Thorax and Head_top, which no model has, lie in the middle of the picture."""
    points, pixels = studio.model.joint_set.points, lens.project(person.points)
    found = [pixels[points.index(name)] if name in points else lens.center for name in MPII_LABELS]
    return np.c_[np.array(found), np.ones(16)]


def written(root: Path, studio: Any, lens: Any, write: Write, model: str) -> Path:
    """Four people: complete, one label missing, without a fit, outside of the picture."""
    annotations, fits = [], {}
    for number in (1, 2, 3, 4):
        person = studio.person()
        rows = rows_of(studio, person, lens)
        rows[0, 2] = number != 2
        box = [20.0, lens.height + 9.0, 80.0, 80.0] if number == 4 else person.box(lens)
        annotations.append({"id": number, "image_id": 15, "bbox": box, "keypoints": rows.ravel(), "iscrowd": 0})
        if model == "SMPLX":
            pose = {"root_pose": person.pose[0], "body_pose": person.pose[1:22].ravel()}
        else:
            pose = {"pose": np.concatenate([person.pose, np.zeros((2, 3))]).ravel()}
        if number != 3:
            values = pose | {"shape": person.betas, "trans": person.trans}
            fits[str(number)] = {f"{model.lower()}_param": values, "cam_param": lens.as_json()}
    image = {"id": 15, "file_name": "images/015601864.jpg", "width": lens.width, "height": lens.height}
    folder = root / "data" / "annotations"
    write(folder / "train.json", {"images": [image], "annotations": annotations})
    write(folder / f"MPII_train_{model}_NeuralAnnot.json", fits)
    (root / "data" / "images").mkdir()
    return root


def opened(root: Path, studio: Any) -> MPII:
    return MPII(root=root, joint_set=studio.model.joint_set, mean_pose=studio.mean)


@pytest.mark.parametrize(("name", "model"), [("whole", "SMPLX"), ("body", "SMPL")])
def test_fits_land_on_the_labels(
    request: pytest.FixtureRequest, tmp_path: Path, lens: Any, write_json: Write, name: str, model: str
) -> None:
    studio = request.getfixturevalue(name)
    samples = opened(written(tmp_path, studio, lens, write_json, model), studio)
    assert len(samples) == 3
    assert samples.skipped == {"empty box": 1}
    for index in (0, 1):
        studio.check_labels(samples[index])
    assert samples[2].fit is None
    assert samples[0].image == tmp_path / "data" / "images" / "015601864.jpg"


def test_masks(tmp_path: Path, whole: Any, lens: Any, write_json: Write) -> None:
    samples = opened(written(tmp_path, whole, lens, write_json, "SMPLX"), whole)
    assert [int(samples[i].points_valid.sum()) for i in range(3)] == [14, 13, 14]
    assert not samples[1].points_valid[WHOLE.points.index("R_Ankle")]
    assert not any(samples[i].points_3d_valid.any() or samples[i].regions_valid.any() for i in range(3))
    fit = samples[0].fit
    assert fit is not None
    assert fit.points_valid.sum() == 19
    assert fit.rotations_valid.sum() == 18
    assert fit.betas_valid
    assert not fit.expression_valid


def test_missing_files_say_where_they_are_from(tmp_path: Path, whole: Any) -> None:
    with pytest.raises(MissingDataError, match=r"images: pictures; from http.*\n.*train\.json"):
        opened(tmp_path, whole)
