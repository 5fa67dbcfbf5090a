"""What the layouts of COCO share, and the table that samples are kept in."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose2pose.training.body_models.joint_sets import HAND, MPII_LABELS, WHOLE
from pose2pose.training.datasets.coco_layout import AnnotationError, clipped_box, labeled_sample, placed, read_json
from pose2pose.training.datasets.report import Source, missing
from pose2pose.training.datasets.sample import Fit, Sample
from pose2pose.training.datasets.table import CHUNK, SampleTable


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((10, 20, 30, 40), (10.5, 20.5, 39.5, 59.5)),
        ((-10, 20, 30, 40), (0.5, 20.5, 29.5, 59.5)),
        ((80, 50, 30, 40), (80.5, 50.5, 99.5, 79.5)),
        ((100, 20, 30, 40), None),
        ((10, 20, 0, 40), None),
        ((10, 20, 1, 40), None),
        ((10, 90, 5, 5), None),
    ],
)
def test_boxes_are_cut_by_the_released_rule(box: Any, expected: Any) -> None:
    found = clipped_box(box, 100, 80)
    assert (found is None) == (expected is None)
    if found is not None:
        np.testing.assert_allclose(found, expected)


def test_labels_are_placed_by_name_and_the_rest_is_zero() -> None:
    values, valid = np.arange(32.0).reshape(16, 2) + 1, np.arange(16) != MPII_LABELS.index("L_Knee")
    points, mask = placed(WHOLE, MPII_LABELS, values, valid)
    np.testing.assert_array_equal(points[WHOLE.points.index("R_Wrist")], values[MPII_LABELS.index("R_Wrist")])
    assert mask.sum() == 13
    assert not points[~mask].any()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "train.json"
    file.write_text('{"images": [')
    with pytest.raises(AnnotationError, match=r"train\.json is damaged"):
        read_json(file)


def test_only_what_is_absent_is_missing(tmp_path: Path) -> None:
    sources = [Source(tmp_path, "pictures", "here"), Source(tmp_path / "a.json", "annotations", "there")]
    assert missing(sources) == sources[1:]


def sample(index: int, random: np.random.Generator) -> Sample:
    numbers = random.normal(size=(21, 2)).astype(np.float32)
    plain = labeled_sample(
        name=f"hand {index}",
        image=Path(f"{index}.jpg"),
        box=random.normal(size=4).astype(np.float32),
        points=(numbers, numbers[:, 0] > 0),
        mirrored=bool(index % 2),
    )
    fit = Fit(
        rotations=random.normal(size=(16, 3)).astype(np.float32),
        rotations_valid=random.normal(size=16) > 0,
        betas=np.zeros(10, np.float32),
        betas_valid=index % 4 == 1,
        expression=np.zeros(10, np.float32),
        expression_valid=False,
        trans=np.full(3, index, np.float32),
        gender=("male", "female")[index % 2],
        points_valid=np.ones(21, bool),
        focal=np.ones(2, np.float32),
        principal_point=np.zeros(2, np.float32),
    )
    return replace(plain, fit=fit if index % 3 else None)


def equal(first: Any, second: Any) -> None:
    for field in fields(first):
        one, other = getattr(first, field.name), getattr(second, field.name)
        if isinstance(one, Fit):
            equal(one, other)
        else:
            np.testing.assert_array_equal(one, other)


def test_a_table_gives_back_what_it_was_given() -> None:
    random = np.random.default_rng(0)
    samples = [sample(i, random) for i in range(CHUNK + 5)]
    table = SampleTable(iter(samples))
    assert len(table) == len(samples)
    for index in (0, 1, 2, 3, CHUNK - 1, CHUNK, CHUNK + 1, CHUNK + 4, -1):
        equal(table[index], samples[index])
    with pytest.raises(IndexError, match=f"sample {len(samples)} of"):
        table[len(samples)]


def test_samples_of_a_table_cannot_be_changed() -> None:
    table = SampleTable(sample(i, np.random.default_rng(i)) for i in range(3))
    with pytest.raises(ValueError, match="read-only"):
        table[1].points[0] = 0
    assert len(HAND.points) == len(table[1].points_3d)
    assert len(SampleTable([])) == 0
