"""People drawn at random with a human model, from whom small data sets in the published formats are written."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pose2pose.backend.motion.rotations import axis_angle_from_matrix, matrix_from_axis_angle  # noqa: E402
from pose2pose.training.datasets.sample import Fit, Sample  # noqa: E402

UPRIGHT = (np.pi, 0.0, 0.0)
"""Root rotation of a person who stands and faces the camera."""


@dataclass(frozen=True)
class Lens:
    """A camera; pixels as the files count them, from the middle of the first one."""

    width: int = 640
    height: int = 480
    focal: tuple[float, float] = (620.0, 610.0)
    center: tuple[float, float] = (322.5, 236.0)

    def project(self, points: Any) -> Any:
        return points[:, :2] / points[:, 2:] * self.focal + self.center

    def as_json(self) -> dict[str, list[float]]:
        return {"focal": list(self.focal), "princpt": list(self.center)}


@dataclass(frozen=True)
class Person:
    """Parameters as files hold them (without the mean hand), and the joint set's points in the same axes, meters."""

    pose: Any
    betas: Any
    expression: Any
    trans: Any
    points: Any

    def box(self, lens: Lens, points: Any = slice(None), grow: float = 1.2) -> list[float]:
        """x, y, width, height around projected points."""
        pixels = lens.project(self.points[points])
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        middle, size = (low + high) / 2, (high - low) * grow
        return [float(v) for v in (*(middle - size / 2), *size)]


class Studio:
    """Draws people of one human model and poses what loaders read."""

    def __init__(self, model: Any, seed: int) -> None:
        self.model, self.mean = model, model.mean_pose.numpy()
        self._random = np.random.default_rng(seed)

    def posed(self, rotations: Any, betas: Any, expression: Any, trans: Any) -> Any:
        matrices = torch.tensor(matrix_from_axis_angle(rotations), dtype=torch.float32)
        rows = (torch.tensor(np.asarray(x, dtype=np.float32))[None] for x in (betas, expression, trans))
        with torch.no_grad():
            return self.model(matrices[None], *rows)

    def person(self, *, place: Any = (0.1, 0.2, 4.0), root: Any = UPRIGHT, betas: Any = None) -> Person:
        """Someone with random limbs and shape whose root stands about at a place."""
        pose = self._random.normal(0, 0.15, self.mean.shape)
        pose[0] = axis_angle_from_matrix(matrix_from_axis_angle(np.array(root)) @ matrix_from_axis_angle(pose[0]))
        pose[23:25] = 0  # eyes
        betas = self._random.normal(0, 0.7, 10) if betas is None else betas
        expression = self._random.normal(0, 0.5, 10)
        trans = np.array(place) - self.root_joint(betas)
        return self.remade(pose, betas, expression, trans)

    def remade(self, pose: Any, betas: Any, expression: Any, trans: Any) -> Person:
        points = self.posed(pose + self.mean, betas, expression, trans).points[0].numpy()
        return Person(pose, np.asarray(betas), expression, trans, points.astype(np.float64))

    def root_joint(self, betas: Any) -> Any:
        """Where the root's joint is at rest."""
        still = np.zeros_like(self.mean)
        return self.posed(still, betas, np.zeros(10), np.zeros(3)).points[0, 0].numpy()

    def fit_points(self, fit: Fit) -> Any:
        """(J, 3) points of a fit, meters, camera axes."""
        return self.posed(fit.rotations, fit.betas, fit.expression, fit.trans).points[0].numpy().astype(np.float64)

    def fit_pixels(self, fit: Fit) -> Any:
        """(J, 2) points of a fit in the picture, counted from its edge."""
        points = self.fit_points(fit)
        return points[:, :2] / points[:, 2:] * fit.focal + fit.principal_point

    def mesh(self, fit: Fit) -> Any:
        """(V, 3)."""
        return self.posed(fit.rotations, fit.betas, fit.expression, fit.trans).vertices[0].numpy()

    def check_labels(self, sample: Sample, *, made: tuple[str, ...] = (), tolerance: float = 0.02) -> None:
        """The fit lands on those labels that both have, within so many pixels; all but those made of others."""
        assert sample.fit is not None
        both = sample.points_valid & sample.fit.points_valid
        both &= np.array([name not in made for name in self.model.joint_set.points])
        assert both.any()
        np.testing.assert_allclose(self.fit_pixels(sample.fit)[both], sample.points[both], rtol=0, atol=tolerance)


@pytest.fixture(scope="session")
def lens() -> Lens:
    return Lens()


@pytest.fixture(scope="session")
def whole(whole_model: Any) -> Studio:
    return Studio(whole_model, 1)


@pytest.fixture(scope="session")
def body(body_model: Any) -> Studio:
    return Studio(body_model, 2)


@pytest.fixture(scope="session")
def hand(hand_model: Any) -> Studio:
    return Studio(hand_model, 3)


@pytest.fixture(scope="session")
def face(face_model: Any) -> Studio:
    return Studio(face_model, 4)


@pytest.fixture(scope="session")
def write_json() -> Callable[[Path, Any], None]:
    """Writes a JSON file and its folders; numpy arrays become lists."""

    def write(path: Path, data: Any) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data, default=lambda value: np.asarray(value).tolist()))

    return write


@pytest.fixture(scope="session")
def write_picture() -> Callable[[Path, int, int], None]:
    """Writes a picture of one gray with the given width and height, and its folders."""

    def write(path: Path, width: int, height: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((height, width, 3), 128, np.uint8))

    return write
