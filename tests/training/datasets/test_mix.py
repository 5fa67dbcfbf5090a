"""The mix of data sets: what an epoch takes, in which order, on how many processes; and data sets by their names."""

from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from pose2pose.training.body_models.joint_sets import WHOLE
from pose2pose.training.config import DataConfig, Source
from pose2pose.training.datasets.build import build_samples, build_training
from pose2pose.training.datasets.catalog import LOADERS, DataError
from pose2pose.training.datasets.fitted_meshes import root_joint_of
from pose2pose.training.datasets.mix import EmptyGroupError, MixedSamples
from pose2pose.training.datasets.sample import Sample
from pose2pose.training.learning.loading import load_batches, shares
from pose2pose.training.transforms import Prepare, PreparedSamples

COUNT = len(WHOLE.points)


def sample(name: str, image: Path = Path("none.png")) -> Sample:
    return Sample(
        name=name,
        image=image,
        box=np.array([4, 4, 20, 28], np.float32),
        points=np.zeros((COUNT, 2), np.float32),
        points_valid=np.zeros(COUNT, bool),
        points_3d=np.zeros((COUNT, 3), np.float32),
        points_3d_valid=np.zeros(COUNT, bool),
        fit=None,
        regions=np.zeros((3, 4), np.float32),
        regions_valid=np.zeros(3, bool),
    )


def numbered(name: str, count: int) -> list[Sample]:
    return [sample(f"{name}{k}") for k in range(count)]


@pytest.fixture()
def mix() -> MixedSamples:
    """3D: 7 samples; 2D: 20 + 10 samples."""
    return MixedSamples(groups=[[numbered("a", 7)], [numbered("b", 20), numbered("c", 10)]])


def test_samples_are_counted_through_all_sets(mix: MixedSamples) -> None:
    assert len(mix) == 37
    assert [mix[k].name for k in (0, 6, 7, 26, 27, 36)] == ["a0", "a6", "b0", "b19", "c0", "c9"]
    assert mix.starts == (0, 7)
    with pytest.raises(IndexError, match="sample 37 of 37"):
        mix[37]


def test_an_epoch_is_twice_the_longer_group(mix: MixedSamples) -> None:
    order = mix.order(0, 0)
    assert len(order) == mix.epoch_length == 60
    counts = Counter(order.tolist())
    assert all(counts[k] == 1 for k in range(7, 37))
    assert sum(counts[k] for k in range(7)) == 30
    assert all(counts[k] >= 4 for k in range(7))  # 30 // 7, and two more somewhere
    assert not np.array_equal(order, np.sort(order))


def test_the_rest_is_drawn_anew_in_every_epoch(mix: MixedSamples) -> None:
    rests = {tuple(np.bincount(mix.order(0, epoch), minlength=37)[:7].tolist()) for epoch in range(8)}
    assert len(rests) > 3


def test_the_order_follows_from_seed_and_epoch(mix: MixedSamples) -> None:
    again = MixedSamples(groups=[[numbered("a", 7)], [numbered("b", 20), numbered("c", 10)]])
    assert np.array_equal(mix.order(3, 5), again.order(3, 5))
    assert not np.array_equal(mix.order(3, 5), mix.order(3, 6))
    assert not np.array_equal(mix.order(3, 5), mix.order(4, 5))


def test_one_group_is_taken_once() -> None:
    mix = MixedSamples(groups=[[numbered("a", 9)]])
    assert sorted(mix.order(0, 2).tolist()) == list(range(9))


def test_a_group_without_samples_is_refused() -> None:
    with pytest.raises(EmptyGroupError, match=r"groups of \[3, 0\]"):
        MixedSamples(groups=[[numbered("a", 3)], [[]]])


@pytest.mark.parametrize("workers", [0, 2])
def test_processes_and_a_later_start_give_the_same_examples(tmp_path: Path, workers: int) -> None:
    """Batches of two processes joined, and those after a start in the middle, are one process's batches."""
    random = np.random.default_rng(0)
    samples = []
    for k in range(10):
        cv2.imwrite(str(tmp_path / f"{k}.png"), random.integers(0, 255, (32, 24, 3), np.uint8))
        samples.append(sample(str(k), tmp_path / f"{k}.png"))
    mix = MixedSamples(groups=[[samples[:3]], [samples[3:]]])
    prepare = Prepare(joint_set=WHOLE, size=(32, 24), augmentation=DataConfig().augmentation)
    examples = PreparedSamples(samples=mix, prepare=prepare, seed=1, starts=mix.starts)

    def batches(processes: int, rank: int, start: int) -> list[Any]:
        order = mix.order(1, 2).tolist()
        items = shares(order, epoch=2, batch=4, start=start, rank=rank, processes=processes, parts=1)
        return [part[0] for part in load_batches(examples, items, parts=1, workers=workers, pinned=False)]

    alone, left, right = batches(1, 0, 0), batches(2, 0, 0), batches(2, 1, 0)
    assert len(alone) == 3
    for one, first, second in zip(alone, left, right, strict=True):
        for key, value in one.items():
            assert torch.equal(value, torch.cat([first[key], second[key]])), key
    for one, later in zip(alone[1:], batches(1, 0, 1), strict=True):
        assert all(torch.equal(value, later[key]) for key, value in one.items())
    assert {int(g) for batch in alone for g in batch["group"]} == {0, 1}


def test_unknown_names_list_the_known_ones(tmp_path: Path, whole_model: Any) -> None:
    def build(entry: Source) -> None:
        build_samples(entry, root=tmp_path, model=whole_model, models=None)

    with pytest.raises(DataError, match=r"no data set 'coco'; there are agora, .*mscoco, .*synthetic"):
        build(Source(name="coco"))
    with pytest.raises(DataError, match=r"freihand has no labels for the whole; these have: agora.* synthetic"):
        build(Source(name="freihand"))
    with pytest.raises(DataError, match=r"mscoco has no split 'test'; it has train, val"):
        build(Source(name="mscoco", split="test"))


@pytest.mark.parametrize("name", sorted(LOADERS))
def test_every_data_set_says_what_is_missing(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    for loader in LOADERS[name]:
        model = request.getfixturevalue(f"{loader.parts[-1]}_model")
        entry = Source(name=name, split=(loader.splits or ("test",))[0], folder="elsewhere")
        folder = request.getfixturevalue("model_folder")
        with pytest.raises(FileNotFoundError, match=rf"{tmp_path / 'elsewhere'}.*; from "):
            build_samples(entry, root=tmp_path, model=model, models=folder)


def test_a_training_needs_data(whole_model: Any) -> None:
    with pytest.raises(DataError, match=r"data.train is empty"):
        build_training(DataConfig(), whole_model, None, size=(64, 48), seed=0)


def test_the_root_at_rest_follows_the_shape(whole: Any) -> None:
    betas = np.random.default_rng(0).normal(size=10)
    np.testing.assert_allclose(root_joint_of(whole.model)(betas), whole.root_joint(betas), atol=1e-5)
