"""The table of the preset `open`: exact answers give zero errors, known errors known numbers, mistakes are named."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pose2pose.backend.body.joints import POINT_INDEX
from pose2pose.backend.body.layer import BodyLayer
from pose2pose.backend.crops import ray_rotation
from pose2pose.backend.model.pose2pose import Pose2PoseOutput
from pose2pose.backend.motion.body_file import load_body
from pose2pose.training.body_models.joint_sets import WHOLE
from pose2pose.training.datasets.coco_layout import AnnotationError
from pose2pose.training.open_preset.evaluation import markdown
from pose2pose.training.open_preset.evaluation_measures import (
    at_rest,
    body_rows,
    face_rows,
    hand_rows,
    hand_shape_errors,
    presence_rows,
    shape_rows,
    turn_degrees,
    wrist_rows,
)
from pose2pose.training.open_preset.evaluation_people import (
    People,
    Scores,
    Shown,
    ValidationSetError,
    ask_network,
    open_people,
    posed,
    read_truth,
)
from pose2pose.training.open_preset.evaluation_worst import draw_worst
from pose2pose.training.rotation_vectors import matrix_from_axis_angle

COUNT = 6
SIZE = (256, 192)
LEVEL = 32
FOCAL = 800.0


@pytest.fixture(scope="module")
def layer() -> BodyLayer:
    return BodyLayer(load_body())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, layer: BodyLayer) -> Path:
    """People whose labels are true projections; each picture is of one gray, by which `Knowing` tells them apart."""
    folder = tmp_path_factory.mktemp("sets") / "validation"
    (folder / "images").mkdir(parents=True)
    random = np.random.default_rng(0)
    rotations = 0.2 * random.normal(size=(COUNT, 55, 3))
    rotations[:, 0] += [np.pi, 0, 0]
    betas, trans = random.normal(size=(COUNT, 10)), np.tile([0.4, 0.3, 4.0], (COUNT, 1))
    focal, principal = np.full((COUNT, 2), FOCAL), np.tile([90.0, 130.0], (COUNT, 1))
    points, _ = layer.skeleton(matrix_from_axis_angle(torch.tensor(rotations).float()), torch.tensor(betas).float())
    placed = points.numpy() + trans[:, None]
    flat = placed[..., :2] / placed[..., 2:] * FOCAL + principal[:, None]
    known = np.minimum(WHOLE.layer_points, len(POINT_INDEX) - 1)  # landmarks of the face are not looked at
    visible = np.ones((COUNT, 137), bool)
    visible[0, 25:] = False  # neither hands nor face
    np.savez(
        folder / "people.npz",
        rotations=rotations, betas=betas, expression=random.normal(size=(COUNT, 10)), trans=trans, focal=focal,
        principal_point=principal, points_2d=flat[:, known], points_visible=visible,
        boxes=np.tile([20.0, 20, 170, 240], (COUNT, 1)), regions=np.tile([50.0, 50, 70, 70], (COUNT, 3, 1)),
        regions_visible=np.ones((COUNT, 3)),
    )  # fmt: skip
    for index in range(COUNT):
        picture = np.full((*SIZE, 3), LEVEL * (index + 1), np.uint8)
        cv2.imwrite(str(folder / "images" / f"{index:08d}.jpg"), picture)
    return folder


class Knowing(nn.Module):
    """Says the truth about the pictures of `folder`, the root as seen by the crop's own camera."""

    def __init__(self, truth: People) -> None:
        super().__init__()
        self.truth = truth
        turn = ray_rotation(np.array([96.0, 128.0]), np.array([FOCAL, FOCAL]), np.array([90.0, 130.0]))
        self.away = torch.from_numpy(turn).float().T

    def forward(self, images: Tensor) -> Pose2PoseOutput:
        assert images.shape[1:] == (3, 512, 384)
        rows = (images[:, 0, 256, 192] * 255 / LEVEL).round().long() - 1
        rotations = self.truth.rotations[rows].clone()
        rotations[:, 0] = self.away @ rotations[:, 0]
        keypoints = torch.zeros(len(rows), 17, 3)
        keypoints[:, 5:, :2] = self.truth.limbs[rows] / 2
        return Pose2PoseOutput(
            rotations=rotations,
            betas=self.truth.betas[rows],
            expression=self.truth.expression[rows],
            translation=None,
            body_points=keypoints,
            body_scores=torch.full((len(rows), 17), 0.8),
            hand_points=torch.nn.functional.pad(self.truth.hands[rows], (0, 1)),
            hand_scores=torch.where(rows[:, None] == 0, 0.1, 0.9).expand(-1, 2),
            face_score=torch.where(rows == 0, 0.1, 0.9),
            boxes=torch.zeros(len(rows), 3, 5),
        )


Measured = tuple[People, Scores, People, Shown]


@pytest.fixture(scope="module")
def exact(folder: Path, layer: BodyLayer) -> Iterator[Measured]:
    """What a network that knows everything says, and the truth."""
    people = open_people(folder)
    truth, shown = read_truth(people, layer)
    said, scores = ask_network(Knowing(truth), people, layer, torch.device("cpu"), batch=4)  # type: ignore[arg-type]
    yield said, scores, truth, shown


def test_the_truth_has_no_errors(exact: Measured, layer: BodyLayer) -> None:
    said, scores, truth, shown = exact
    body, hands = body_rows(said, truth, shown), hand_rows(said, truth, shown, scores)
    wrists, face = wrist_rows(said, truth, shown, scores), face_rows(said, truth, shown, scores, layer)
    errors = {
        *("limbs PA-MPJPE", "limbs MPJPE", "limbs MPJPE, most limbs seen", "22 joints MPJPE", "root rotation"),
        *("clear hands PA", "found hands, wrist turned onto the truth", "clear hands 2D over hand size"),
        *("local, visible", "global, visible and found", "local, hidden", "jaw", "skin"),
    }
    everything = body | hands | wrists | face
    assert {name: everything[name] for name in errors} == pytest.approx(dict.fromkeys(errors, 0.0), abs=0.05)
    assert np.isnan(everything["limbs MPJPE, few of them"])  # there are none
    assert body["people, most limbs seen"] == COUNT
    assert hands["clear hands"] == 2 * (COUNT - 1)
    assert hands["found hands PA"] == pytest.approx(0, abs=0.01)
    assert face["clear faces found, %"] == 100
    assert face["expression correlation, mean of 10"] == pytest.approx(1, abs=1e-3)
    assert face["skin of a resting face"] > 0.5
    assert shape_rows(said, truth, layer)["skin at rest"] == pytest.approx(0, abs=1e-3)
    assert presence_rows(shown, scores) == pytest.approx(
        {f"{part} {what}, %": 100 for part in ("hands", "faces") for what in ("precision", "recall")}
        | {f"hidden {part} recognized, %": 100 for part in ("hands", "faces")}
    )


def turned(people: People, layer: BodyLayer, joint: int, vector: list[float]) -> People:
    """The same people with one more rotation at a joint."""
    rotations = people.rotations.clone()
    rotations[:, joint] = rotations[:, joint] @ matrix_from_axis_angle(torch.tensor(vector))
    return posed(layer, rotations, people.betas, people.expression, people.limbs, people.hands)


def test_a_turned_wrist_costs_what_it_was_turned(exact: Measured, layer: BodyLayer) -> None:
    _, scores, truth, shown = exact
    said = turned(truth, layer, 20, [0.0, 0.0, 0.5])
    rows = wrist_rows(said, truth, shown, scores)
    assert rows["local, visible"] == pytest.approx(np.degrees(0.5) / 2, abs=1e-3)  # of two hands one was turned
    assert rows["global, hidden"] == pytest.approx(np.degrees(0.5) / 2, abs=1e-3)
    # neither the hand's shape nor the limbs know of it
    assert hand_shape_errors(said, truth).max() < 1e-4
    assert body_rows(said, truth, shown)["limbs MPJPE"] == pytest.approx(0, abs=1e-3)


def test_a_bent_elbow_moves_the_wrist_alone(exact: Measured, layer: BodyLayer) -> None:
    _, _, truth, shown = exact
    said = turned(truth, layer, 18, [0.0, 1.0, 0.0])
    forearm = (truth.points[:, 20] - truth.points[:, 18]).norm(dim=1)
    axis = truth.turns[:, 18, :, 1]
    along = truth.points[:, 20] - truth.points[:, 18]
    lever = (along - (along * axis).sum(1, keepdim=True) * axis).norm(dim=1)
    moved = 2 * lever * np.sin(0.5)
    assert (lever <= forearm).all()
    assert body_rows(said, truth, shown)["limbs MPJPE"] == pytest.approx(1000 * float(moved.mean()) / 12, rel=1e-3)


def test_a_person_turned_around_is_counted(exact: Measured, layer: BodyLayer) -> None:
    _, _, truth, shown = exact
    rotations = truth.rotations.clone()
    rotations[0, 0] = matrix_from_axis_angle(torch.tensor([0.0, np.pi * 0.9, 0.0])) @ rotations[0, 0]
    said = posed(layer, rotations, truth.betas, truth.expression, truth.limbs, truth.hands)
    rows = body_rows(said, truth, shown)
    assert rows["root off by over 90 degrees, %"] == pytest.approx(100 / COUNT)
    assert rows["root rotation"] == pytest.approx(162 / COUNT, abs=0.01)
    assert rows["limbs PA-MPJPE"] == pytest.approx(0, abs=0.01)


def test_hands_are_measured_in_their_own_size(exact: Measured) -> None:
    _, scores, truth, shown = exact
    off = replace(truth, hands=truth.hands + torch.tensor([3.0, 4.0]))
    found = shown.hands >= 0.8
    expected = float((5 / shown.hand_sizes)[found & (shown.hand_sizes >= 40)].mean())
    assert hand_rows(off, truth, shown, scores)["clear hands 2D over hand size"] == pytest.approx(expected, rel=1e-4)


def test_a_resting_face_is_the_yardstick(exact: Measured, layer: BodyLayer) -> None:
    _, scores, truth, shown = exact
    rows = face_rows(at_rest(truth), truth, shown, scores, layer)
    assert rows["skin"] == rows["skin of a resting face"]


@pytest.mark.parametrize("degrees", [0.001, 1.0, 90.0, 179.0, 180.0])
def test_angles_between_rotations(degrees: float) -> None:
    start = matrix_from_axis_angle(torch.tensor([0.3, -1.0, 0.4], dtype=torch.float64))
    turn = matrix_from_axis_angle(torch.tensor([0.0, np.radians(degrees), 0.0], dtype=torch.float64))
    assert turn_degrees(start, start @ turn).item() == pytest.approx(degrees, rel=1e-5)


def test_folders_without_a_set_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValidationSetError, match=r"nowhere is no set of rendered people: people.npz is missing.*synth"):
        open_people(tmp_path / "nowhere")
    (tmp_path / "images").mkdir()
    np.savez(tmp_path / "people.npz", rotations=np.zeros((2, 55, 3)))
    with pytest.raises(AnnotationError, match="lacks betas"):
        open_people(tmp_path)


def test_the_table_says_what_has_no_number() -> None:
    text = markdown("title", {"hands": {"clear hands": 0.0, "PA": float("nan"), "size": 0.12345, "mm": 12.345}})
    assert text.splitlines()[2:] == [
        "| about | what | |", "|---|---|--:|", "| hands | clear hands | 0 |", "|  | PA | - |", "|  | size | 0.123 |",
        "|  | mm | 12.3 |",
    ]  # fmt: skip


def test_the_sheet_shows_the_worst_first(exact: Measured, folder: Path, tmp_path: Path, layer: BodyLayer) -> None:
    _, scores, truth, shown = exact
    rotations = truth.rotations.clone()
    rotations[3, 0] = matrix_from_axis_angle(torch.tensor([0.0, 2.0, 0.0])) @ rotations[3, 0]
    said = posed(layer, rotations, truth.betas, truth.expression, truth.limbs, truth.hands)
    draw_worst(tmp_path / "worst.jpg", open_people(folder), said, truth, shown, scores)
    sheet = cv2.imread(str(tmp_path / "worst.jpg"))
    assert sheet is not None
    assert sheet.shape == (600, 900, 3)
    gray = np.median(sheet[200:260, :40].reshape(-1, 3), axis=0)  # corner of the first picture of the second row
    assert gray == pytest.approx(np.full(3, LEVEL * 4), abs=4)


@pytest.mark.slow
def test_the_command_measures_the_shipped_weights(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pose2pose.training.cli import main

    assert main(["open", "evaluate", str(folder), "-o", str(tmp_path), "--worst", str(tmp_path / "worst.jpg")]) == 0
    rows = json.loads((tmp_path / "open.json").read_text())["rows"]
    assert set(rows) == {"body", "shape", "hands", "wrists", "face", "resting faces", "presence"}
    assert rows["resting faces"]["resting faces"] == 50
    assert rows["resting faces"]["expression of resting faces, mean size"] < 0.2
    assert (tmp_path / "open.md").read_text() in capsys.readouterr().out
    assert main(["open", "evaluate", str(tmp_path)]) == 2
    assert "is no set of rendered people" in capsys.readouterr().err
