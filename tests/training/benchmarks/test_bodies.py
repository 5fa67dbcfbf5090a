"""EHF, Human3.6M, 3DPW, boxes and rendered people: predictions that are right, and ones that are wrong by so much."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pose2pose.backend.motion.rotations import matrix_from_axis_angle
from pose2pose.training.benchmarks.boxes import BoxBenchmark
from pose2pose.training.benchmarks.build import build_benchmark
from pose2pose.training.benchmarks.prediction import Benchmark, Prediction, TruthError
from pose2pose.training.body_models.human_models import HumanModel, build_human_model
from pose2pose.training.body_models.joint_sets import H36M_EVALUATED
from pose2pose.training.body_models.model_files import MissingModelError, hand_vertices, joints_14, joints_h36m
from pose2pose.training.datasets.sample import Truth


def posed(model: HumanModel, seed: int, people: int = 2) -> Tensor:
    generator = np.random.default_rng(seed)
    count = len(model.joint_set.rotations)
    turns = torch.from_numpy(matrix_from_axis_angle(0.2 * generator.normal(size=(people, count, 3)))).float()
    return model(turns, torch.from_numpy(generator.normal(size=(people, 10))).float()).vertices


def measured(benchmark: Benchmark, predicted: Tensor, truths: list[Truth], folder: Path) -> dict[str, float]:
    errors = benchmark.measure(Prediction(predicted, predicted[:, :1]), truths, {})
    return benchmark.conclude(errors, folder)


def as_truths(vertices: Tensor) -> list[Truth]:
    return [Truth(vertices=mesh) for mesh in vertices.numpy()]


def test_ehf_of_the_right_mesh_is_zero_however_it_is_moved(
    whole_model: HumanModel, model_folder: Path, tmp_path: Path
) -> None:
    vertices = posed(whole_model, 0)
    errors = measured(build_benchmark("ehf", whole_model, model_folder), vertices + 3, as_truths(vertices), tmp_path)
    parts = {"all", "hands", "face"}
    names = {f"{kind}mpvpe_{part}" for kind in ("", "pa_") for part in parts}
    assert set(errors) == names | {f"{kind}mpjpe_{part}" for kind in ("", "pa_") for part in ("body", "hands")}
    assert max(errors.values()) < 0.01


def test_ehf_part_numbers_are_those_of_the_part_alone(
    whole_model: HumanModel, model_folder: Path, tmp_path: Path
) -> None:
    """Move the left hand's vertices 20 mm away from the rest: its own shape stays, so only `all` sees it aligned."""
    vertices = posed(whole_model, 1)
    ids = torch.from_numpy(hand_vertices(model_folder)["left_hand"])
    predicted = vertices.clone()
    predicted[:, ids] += torch.tensor([0.0, 0.02, 0.0])
    benchmark = build_benchmark("ehf", whole_model, model_folder)
    errors = measured(benchmark, predicted, as_truths(vertices), tmp_path)
    assert errors["pa_mpvpe_hands"] < 0.01
    assert errors["pa_mpvpe_face"] < 0.01
    assert 20 * len(set(ids.tolist())) / vertices.shape[1] * 0.5 < errors["pa_mpvpe_all"] < 20
    # a wrong left hand counts half in the mean of both
    noise = torch.randn(len(ids), 3, generator=torch.Generator().manual_seed(0)) * 0.01
    predicted[:, ids] = vertices[:, ids] + noise
    per_sample = benchmark.measure(Prediction(predicted, predicted[:, :1]), as_truths(vertices), {})
    assert per_sample["pa_mpvpe_right_hand"].max() < 0.01
    number = benchmark.conclude(per_sample, tmp_path)["pa_mpvpe_hands"]
    assert number == pytest.approx(per_sample["pa_mpvpe_left_hand"].mean() / 2, abs=0.01)
    assert number > 2


def test_ehf_scale_and_turn_count_only_before_alignment(
    whole_model: HumanModel, model_folder: Path, tmp_path: Path
) -> None:
    vertices = posed(whole_model, 2, people=1)
    benchmark = build_benchmark("ehf", whole_model, model_folder)
    errors = measured(benchmark, 1.1 * vertices, as_truths(vertices), tmp_path)
    pelvis = whole_model.regressor[0] @ vertices[0]
    assert errors["mpvpe_all"] == pytest.approx(100 * (vertices[0] - pelvis).norm(dim=1).mean().item(), rel=1e-3)
    joints = torch.from_numpy(joints_14(model_folder)) @ vertices[0]
    assert errors["mpjpe_body"] == pytest.approx(100 * (joints - pelvis).norm(dim=1).mean().item(), rel=1e-3)
    assert max(value for name, value in errors.items() if name.startswith("pa_")) < 0.01


def test_human36m_measures_14_joints_from_the_pelvis(
    body_model: HumanModel, model_folder: Path, tmp_path: Path
) -> None:
    vertices = posed(body_model, 3)
    joints = torch.from_numpy(joints_h36m("body", model_folder)) @ vertices
    moved = joints + 2
    moved[:, 9] += 1  # a joint that is not evaluated
    moved[:, H36M_EVALUATED[0], 2] += 0.14
    truths = [Truth(points=person) for person in moved.numpy()]
    errors = measured(build_benchmark("human36m", body_model, model_folder), vertices, truths, tmp_path)
    assert errors["mpjpe"] == pytest.approx(10, abs=0.01)
    assert 0 < errors["pa_mpjpe"] < 20
    with pytest.raises(TruthError, match="17 joints"):
        measured(build_benchmark("human36m", body_model, model_folder), vertices, [Truth(points=moved[0, :14].numpy())],
                 tmp_path)  # fmt: skip


def test_pw3d_measures_meshes_after_the_regressed_pelvis(
    body_model: HumanModel, model_folder: Path, tmp_path: Path
) -> None:
    vertices = posed(body_model, 4)
    benchmark = build_benchmark("pw3d", body_model, model_folder)
    assert max(measured(benchmark, vertices - 1, as_truths(vertices), tmp_path).values()) < 0.01
    errors = measured(benchmark, 0.9 * vertices, as_truths(vertices), tmp_path)
    pelvis = torch.from_numpy(joints_h36m("body", model_folder))[:1] @ vertices
    assert errors["mpvpe"] == pytest.approx(100 * (vertices - pelvis).norm(dim=2).mean().item(), rel=1e-3)
    assert errors["pa_mpvpe"] < 0.01


def test_box_iou_averages_valid_boxes_side_by_side(tmp_path: Path) -> None:
    truth = torch.tensor([[[0.0, 0, 2, 2]] * 3] * 2)
    predicted = truth.clone()
    predicted[0, 0] = torch.tensor([1.0, 0, 3, 2])  # 1/3
    predicted[1, 0] = torch.tensor([9.0, 9, 9, 9])
    valid = torch.tensor([[True, True, False], [False, True, False]])
    batch = {"regions": truth, "regions_valid": valid}
    benchmark = BoxBenchmark()
    errors = benchmark.measure(Prediction(truth, truth, predicted), [Truth(), Truth()], batch)
    assert benchmark.conclude(errors, tmp_path) == {"iou_hands": pytest.approx((1 / 3 + 1) / 2)}
    assert errors["iou_loss"] == pytest.approx([1 - (1 / 3 + 1) / 2, 0])


def test_rendered_people_count_the_hands_that_are_seen(tmp_path: Path) -> None:
    model = build_human_model("whole", None)
    benchmark = build_benchmark("synthetic", model, None)
    rotations = 0.2 * torch.randn(2, 55, 3, generator=torch.Generator().manual_seed(1))
    batch = {
        "rotations": rotations,
        "betas": torch.zeros(2, 10),
        "expression": torch.zeros(2, 10),
        "regions": torch.tensor([[0.0, 0, 2, 2]]).expand(2, 3, 4),
        "regions_valid": torch.tensor([[True, False, True], [True, True, False]]),
    }
    matrices = torch.from_numpy(matrix_from_axis_angle(rotations.numpy())).float()
    right = model(matrices, batch["betas"], batch["expression"])
    prediction = Prediction(right.vertices, right.points, batch["regions"])
    errors = benchmark.measure(prediction, [Truth(), Truth()], batch)
    assert np.isnan(errors["pa_mpvpe_right_hand"]).tolist() == [True, False]
    assert np.isnan(errors["pa_mpvpe_face"]).tolist() == [False, True]
    numbers = benchmark.conclude(errors, tmp_path)
    assert numbers["iou_hands"] == 1
    assert max(value for name, value in numbers.items() if "mp" in name) < 0.02


def test_what_a_protocol_needs_is_named(whole_model: HumanModel, body_model: HumanModel, model_folder: Path) -> None:
    with pytest.raises(MissingModelError, match=r"models\.folder"):
        build_benchmark("ehf", whole_model, None)
    with pytest.raises(ValueError, match="ehf measures networks of the whole"):
        build_benchmark("ehf", body_model, model_folder)
    with pytest.raises(ValueError, match="no protocol measures 'coco'"):
        build_benchmark("coco", whole_model, model_folder)
