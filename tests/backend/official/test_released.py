"""The authors' four networks give the authors' numbers."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pose2pose.backend.model.parts import PartOutput
from pose2pose.backend.model.pose2pose import IMAGE_SIZE, Pose2PoseOutput
from pose2pose.backend.model.released import BODY_GRID, HAND_GRID
from pose2pose.backend.motion.rotations import matrix_from_axis_angle
from pose2pose.backend.motion.skeleton import JAW, LEFT_HAND, RIGHT_HAND
from pose2pose.backend.official.released_models import RELEASED

REDUCED = Path(__file__).parents[2] / "data" / "released_networks.npz"
TOLERANCE = 1e-4
ROUNDING = 2e-3
"""Pixels, of boxes: they come out in pieces of 64 pixels, and the rounding of 32 bits differs between processors."""


def official(name: str, network: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """What a network says, under the names and in the units of the authors; rotations as matrices."""
    with torch.inference_mode():
        output = network(images)
    return _whole(output) if name == "hand4whole" else _part(name, output)


def _whole(output: Pose2PoseOutput) -> dict[str, Tensor]:
    # hands in cells of the body's heat map: 64 pixels of the input, counted from the middle of its first pixel
    hands = output.hand_points.flatten(1, 2)
    hand_cells = torch.cat([(hands[..., :2] - 0.5) / 64, HAND_GRID.cells(hands)[..., 2:]], dim=2)
    center, half = output.boxes[..., :2] - 0.5, output.boxes[..., 2:4] / 2
    boxes = torch.cat([center - half, center + half], dim=2)
    return {
        "joint_img": torch.cat([BODY_GRID.cells(output.body_points), hand_cells], dim=1),
        "smplx_root_pose": output.rotations[:, :1],
        "smplx_body_pose": output.rotations[:, 1:22],
        "smplx_lhand_pose": output.rotations[:, LEFT_HAND],
        "smplx_rhand_pose": output.rotations[:, RIGHT_HAND],
        "smplx_jaw_pose": output.rotations[:, JAW : JAW + 1],
        "smplx_shape": output.betas,
        "smplx_expr": output.expression,
        "cam_trans": output.translation,
        **dict(zip(("lhand_bbox", "rhand_bbox", "face_bbox"), boxes.unbind(1), strict=True)),
    }


def _part(name: str, output: PartOutput) -> dict[str, Tensor]:
    if name == "pose2pose_face":
        rotations = {"flame_root_pose": output.rotations[:, :1], "flame_jaw_pose": output.rotations[:, 1:]}
        shape = {"flame_shape": output.betas, "flame_expr": output.expression}
        return {"cam_trans": output.translation, **rotations, **shape}
    model, grid = ("smpl", BODY_GRID) if name == "pose2pose_body" else ("mano", HAND_GRID)
    return {
        "cam_trans": output.translation,
        "joint_img": grid.cells(output.positions.points),
        f"{model}_pose": output.rotations,
        f"{model}_shape": output.betas,
    }


def matrices(key: str, values: NDArray[np.float32]) -> NDArray[np.floating]:
    """Rotations (B, 3R) as (B, R, 3, 3), everything else as it is."""
    return matrix_from_axis_angle(values.reshape(len(values), -1, 3)) if key.endswith("_pose") else values


def difference(key: str, found: Tensor, expected: NDArray[np.floating]) -> float:
    if key == "smpl_pose":  # its two hand joints are no output of the network
        assert np.allclose(expected[:, 22:], np.eye(3))
        expected = expected[:, :22]
    assert found.shape == expected.shape
    return float(np.abs(found.numpy() - expected).max())


@pytest.mark.parametrize("name", sorted(RELEASED))
def test_parameters_are_those_of_the_authors(official_data: Path, name: str) -> None:
    parameters = json.loads((official_data / "parameters.json").read_text())[name]
    model = RELEASED[name]
    assert {model.theirs(key): list(value.shape) for key, value in model.expected().items()} == parameters


@pytest.mark.slow
@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("name", sorted(RELEASED))
def test_outputs_are_those_of_the_authors(
    official_data: Path,
    pseudo_random_network: Callable[[str], nn.Module],
    pictures: Callable[..., Tensor],
    record_property: Callable[[str, object], None],
    name: str,
) -> None:
    network = pseudo_random_network(name)
    size = IMAGE_SIZE if name == "hand4whole" else network.size
    found = official(name, network, pictures(2, size, 1))
    with np.load(official_data / f"{name}.npz") as expected:
        assert set(found) == set(expected.files)
        differences = {key: difference(key, found[key], matrices(key, expected[key])) for key in expected.files}
    record_property(name, differences)
    assert max(differences.values()) < TOLERANCE, differences


@pytest.mark.parametrize("name", sorted(RELEASED))
def test_outputs_stay_what_they_were(
    pseudo_random_network: Callable[[str], nn.Module], pictures: Callable[..., Tensor], name: str
) -> None:
    """One other picture by the same rule, computed by this code when it had been proved equal to the authors'.

    Made by `POSE2POSE_WRITE_REDUCED=1 python -m pytest tests/backend/official/test_released.py -k what_they_were`.
    """
    network = pseudo_random_network(name)
    size = IMAGE_SIZE if name == "hand4whole" else network.size
    found = official(name, network, pictures(1, size, 2))
    if os.environ.get("POSE2POSE_WRITE_REDUCED"):
        others = dict(np.load(REDUCED)) if REDUCED.is_file() else {}
        np.savez_compressed(REDUCED, **others | {f"{name}/{key}": value.numpy() for key, value in found.items()})
    kept = np.load(REDUCED)
    for key, value in found.items():
        tolerance = ROUNDING if key.endswith("_bbox") else TOLERANCE
        np.testing.assert_allclose(value.numpy(), kept[f"{name}/{key}"], rtol=0, atol=tolerance, err_msg=key)
