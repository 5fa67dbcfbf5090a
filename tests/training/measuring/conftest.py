"""A test set of rendered people without the rendering: each picture has one gray level, by which a network that knows
the truth recognizes it."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pose2pose.backend.model.pose2pose import Pose2PoseOutput
from pose2pose.training.rotation_vectors import matrix_from_axis_angle

LEVEL = 16
"""Steps of gray between pictures, more than JPEG changes."""
SIZE = (160, 120)
BOX = (20.0, 20.0, 100.0, 140.0)
REGIONS = ((30.0, 60.0, 50.0, 80.0), (70.0, 60.0, 90.0, 84.0), (50.0, 24.0, 66.0, 48.0))


def write_people(root: Path, count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """`synthetic/train` and `synthetic/test`, the same people in both; returns their arrays."""
    generator = np.random.default_rng(seed)
    people = {
        "rotations": 0.25 * generator.normal(size=(count, 55, 3)),
        "betas": generator.uniform(-2, 2, size=(count, 10)),
        "expression": generator.normal(size=(count, 10)),
        "trans": np.tile([0.0, 0.3, 4.0], (count, 1)),
        "focal": np.full((count, 2), 200.0),
        "principal_point": np.tile([60.0, 80.0], (count, 1)),
        "points_2d": generator.uniform(30, 90, size=(count, 137, 2)),
        "points_visible": np.ones((count, 137), bool),
        "boxes": np.tile(BOX, (count, 1)),
        "regions": np.tile(REGIONS, (count, 1, 1)),
        "regions_visible": np.ones((count, 3)),
    }
    people["rotations"][:, 0] += [np.pi, 0, 0]
    people["rotations"][:, 23:25] = 0  # eyes
    people["regions_visible"][0] = [0, 1, 0]  # one person hides a hand and the face
    for split in ("train", "test"):
        folder = root / "synthetic" / split
        (folder / "images").mkdir(parents=True)
        np.savez(folder / "people.npz", **people)
        for index in range(count):
            picture = np.full((*SIZE, 3), LEVEL * (index + 1), np.uint8)
            cv2.imwrite(str(folder / "images" / f"{index:08d}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 92])
    return people


class Knowing(nn.Module):
    """A network that tells people apart by the gray of their pictures and says what it was given about them.

    Args:
        people: as `write_people` returns them.
        turn: (3,) axis-angle by which all roots are wrong.
        shift: of all boxes, as a share of their widths.
    """

    def __init__(self, people: dict[str, np.ndarray], turn: tuple[float, ...] = (0, 0, 0), shift: float = 0.0) -> None:
        super().__init__()
        self.people = {name: torch.from_numpy(np.asarray(array)).float() for name, array in people.items()}
        self.turn = matrix_from_axis_angle(torch.tensor(turn, dtype=torch.float32))
        self.shift = shift

    def forward(self, images: Tensor) -> Pose2PoseOutput:
        """(B, 3, 256, 192) 0..1; the crops of `BOX` are 1.25 times 120 pixels high."""
        assert not self.training
        count, height = len(images), images.shape[2]
        known = (images[:, :, height // 2, images.shape[3] // 2].mean(1) * 255 / LEVEL).round().long() - 1
        rotations = matrix_from_axis_angle(self.people["rotations"][known])
        rotations[:, 0] = self.turn @ rotations[:, 0]
        zoom = height / (1.25 * 120)
        center = torch.tensor([60.0, 80.0])
        low, high = self.people["regions"][known].split(2, dim=2)
        size = (high - low) * zoom
        middle = ((low + high) / 2 - center) * zoom + torch.tensor([images.shape[3] / 2, height / 2])
        middle = middle + size * torch.tensor([self.shift, 0.0])
        return Pose2PoseOutput(
            rotations=rotations,
            betas=self.people["betas"][known],
            expression=self.people["expression"][known],
            translation=self.people["trans"][known],
            body_points=torch.zeros(count, 0, 3),
            body_scores=torch.zeros(count, 0),
            hand_points=torch.zeros(count, 2, 0, 3),
            hand_scores=torch.ones(count, 2),
            face_score=torch.ones(count),
            boxes=torch.cat([middle, size, torch.zeros(count, 3, 1)], dim=2),
        )


@pytest.fixture(scope="session")
def tiny() -> SimpleNamespace:
    """The above, for the tests of this folder."""
    return SimpleNamespace(write_people=write_people, Knowing=Knowing, LEVEL=LEVEL)
