"""People, hands and heads of whom everything is known, in pictures of their points; small enough to learn by heart."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("smplx")

import torch

from pose2pose.training.body_models.human_models import HumanModel, build_human_model
from pose2pose.training.datasets.sample import Fit, Sample
from pose2pose.training.rotation_vectors import axis_angle_from_matrix, matrix_from_axis_angle
from pose2pose.training.transforms import Prepare, PreparedSamples

WIDTH, HEIGHT = 96, 128
DISTANCES = {"whole": 3.0, "body": 3.0, "hand": 0.5, "face": 0.5}
"""Meters."""
HEIGHTS = {"whole": 1.8, "body": 1.8, "hand": 0.22, "face": 0.3}
"""Meters that fill the picture's height."""
REGIONS = ("left_hand", "right_hand", "face")


class Known:
    """Samples in memory."""

    def __init__(self, samples: list[Sample]) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index]

    def examples(self, model: HumanModel, size: tuple[int, int]) -> PreparedSamples:
        prepare = Prepare(joint_set=model.joint_set, size=size, augmentation=None)
        return PreparedSamples(samples=self, prepare=prepare, seed=0)


def make_known(model: HumanModel, folder: Path, count: int, seed: int = 0) -> Known:
    """So many samples of a model, all with labels, fit and boxes; before the camera, upright, a little turned."""
    random = np.random.default_rng(seed)
    joint_set = model.joint_set
    rotations = random.normal(0, 0.15, (count, len(joint_set.rotations), 3))
    eyes = [i for i, name in enumerate(joint_set.rotations) if "eye" in name]
    rotations[:, eyes] = 0
    upright = matrix_from_axis_angle(torch.tensor([[np.pi, 0.0, 0.0]]))
    turned = upright @ matrix_from_axis_angle(torch.from_numpy(rotations[:, 0]).float())
    rotations[:, 0] = axis_angle_from_matrix(turned).numpy()
    betas, expression = random.normal(0, 0.5, (2, count, 10))
    focal = HEIGHT * DISTANCES[joint_set.name] / HEIGHTS[joint_set.name]
    vectors = [torch.from_numpy(array).float() for array in (rotations, betas, expression)]
    points = model(matrix_from_axis_angle(vectors[0]), *vectors[1:]).points.numpy()
    trans = -(points.min(axis=1) + points.max(axis=1)) / 2 + np.array([0, 0, DISTANCES[joint_set.name]])
    points = points + trans[:, None]
    places = points[..., :2] / points[..., 2:] * focal + np.array([WIDTH, HEIGHT]) / 2
    folder.mkdir(parents=True, exist_ok=True)
    samples = []
    for i in range(count):
        image = folder / f"{i}.png"
        cv2.imwrite(str(image), _picture(places[i], random))
        regions = np.zeros((3, 4))
        for part in joint_set.parts:
            if part.name in REGIONS and joint_set.name == "whole":
                regions[REGIONS.index(part.name)] = _box(places[i, part.points], 1.2)
        fit = Fit(
            rotations=rotations[i].astype(np.float32),
            rotations_valid=np.array([k not in eyes for k in range(len(joint_set.rotations))]),
            betas=betas[i].astype(np.float32),
            betas_valid=True,
            expression=expression[i].astype(np.float32),
            expression_valid=True,
            trans=trans[i].astype(np.float32),
            gender="neutral",
            points_valid=np.ones(len(joint_set.points), bool),
            focal=np.array([focal, focal], np.float32),
            principal_point=np.array([WIDTH / 2, HEIGHT / 2], np.float32),
        )
        samples.append(
            Sample(
                name=f"known {joint_set.name} {i}",
                image=image,
                box=_box(places[i], 1.0),
                points=places[i].astype(np.float32),
                points_valid=np.ones(len(joint_set.points), bool),
                points_3d=points[i].astype(np.float32),
                points_3d_valid=np.ones(len(joint_set.points), bool),
                fit=fit,
                regions=regions.astype(np.float32),
                regions_valid=np.full(3, joint_set.name == "whole"),
            )
        )
    return Known(samples)


def write_synthetic(known: Known, folder: Path) -> Path:
    """The samples as a data set of rendered people on disk."""
    rows = [(sample, sample.fit) for sample in known.samples]
    (folder / "train" / "images").mkdir(parents=True)
    for number, sample in enumerate(known.samples):
        picture = cv2.imread(str(sample.image))
        cv2.imwrite(str(folder / "train" / "images" / f"{number:08d}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 92])
    fits = ("rotations", "betas", "expression", "trans", "focal", "principal_point")
    np.savez(
        folder / "train" / "people.npz",
        **{name: np.stack([getattr(fit, name) for _, fit in rows]) for name in fits},
        points_2d=np.stack([sample.points for sample, _ in rows]),
        points_visible=np.stack([sample.points_valid for sample, _ in rows]),
        boxes=np.stack([sample.box for sample, _ in rows]),
        regions=np.stack([sample.regions for sample, _ in rows]),
        regions_visible=np.ones((len(rows), 3), np.float32),
    )
    return folder


def _picture(places: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
    """A background of its own and a dot at every point, its color telling which."""
    background = cv2.resize(random.integers(0, 160, (4, 3, 3)).astype(np.uint8), (WIDTH, HEIGHT))
    for number, (x, y) in enumerate(places):
        color = tuple(int(c) for c in (number * 37 % 256, number * 91 % 256, 255 - number * 53 % 256))
        cv2.circle(background, (round(float(x)), round(float(y))), 2, color, -1)
    return background


def _box(places: NDArray[Any], growth: float) -> NDArray[Any]:
    low, high = places.min(axis=0), places.max(axis=0)
    center, half = (low + high) / 2, (high - low) / 2 * growth
    return np.concatenate([center - half, center + half]).astype(np.float32)


@pytest.fixture(scope="session")
def open_model() -> HumanModel:
    """The open body."""
    return build_human_model("whole", None)


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Known]:
    """`make_known` that makes each set once."""
    made: dict[tuple[object, ...], Known] = {}

    def make(model: HumanModel, count: int) -> Known:
        key = (id(model), count)
        if key not in made:
            made[key] = make_known(model, tmp_path_factory.mktemp("known"), count)
        return made[key]

    return make


TINY = {
    "body_resnet": 10,
    "input_size": [64, 64],
    "body_stride": 8,
    "width": 0.125,
    "trained": ["body"],
}
"""A body branch alone that computes in milliseconds."""


@pytest.fixture(scope="session")
def tiny_network() -> dict[str, Any]:
    """`[network]` of a body branch alone that computes in milliseconds."""
    return TINY


@pytest.fixture(scope="session")
def synthetic_folder(
    open_model: HumanModel, known: Callable[..., Known], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """`data.root` with 8 people in the layout of the synthetic data set; to be read, not changed."""
    root = tmp_path_factory.mktemp("data")
    write_synthetic(known(open_model, 8), root / "synthetic")
    return root


@pytest.fixture
def synthetic_copy(synthetic_folder: Path, tmp_path: Path) -> Callable[[], Path]:
    """A copy of it that may be damaged."""
    return lambda: Path(shutil.copytree(synthetic_folder, tmp_path / "data"))
