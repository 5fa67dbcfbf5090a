"""The whole way of an evaluation: files on the disk, a network that knows the truth, results on the disk."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pose2pose.backend.model.parts import PartOutput
from pose2pose.backend.weights import WeightsError
from pose2pose.training.body_models.human_models import HumanModel, build_human_model
from pose2pose.training.body_models.model_files import MissingModelError
from pose2pose.training.checkpoint import WEIGHTS, export_weights, load_checkpoint, save_checkpoint
from pose2pose.training.cli import main
from pose2pose.training.config import Config, ConfigError, load_config
from pose2pose.training.datasets.report import MissingDataError
from pose2pose.training.evaluate import evaluate, evaluate_network
from pose2pose.training.learning.runs import claim_run
from pose2pose.training.measuring.evaluation import PredictionError, ranked
from pose2pose.training.network.build import build_network
from pose2pose.training.pictures import SampleError
from pose2pose.training.rotation_vectors import matrix_from_axis_angle

PEOPLE = 5
LEVEL = 16
"""Steps of gray by which hands are told apart."""


@pytest.fixture(scope="module")
def people(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:
    root = tmp_path_factory.mktemp("data")
    return root, tiny.write_people(root, PEOPLE)


def reduced(root: Path, *changes: str, name: str = "paper") -> Config:
    return load_config(name, ["+reduced", f"data.root={root}", "data.workers=0", "schedule.device=cpu", *changes])


def numbers(results: dict[str, Any], key: str = "synthetic") -> dict[str, float]:
    return dict(results["datasets"][key]["numbers"])


def test_a_network_that_knows_the_truth_has_no_error(tiny: Any, people: Any, tmp_path: Path) -> None:
    root, arrays = people
    results = evaluate_network(
        tiny.Knowing(arrays), reduced(root), tmp_path, name="paper", weights="the truth", batch=2
    )
    found = numbers(results)
    assert results["datasets"]["synthetic"]["samples"] == PEOPLE
    meshes = {f"{kind}mpvpe_{part}" for kind in ("", "pa_") for part in ("all", "hands", "face")}
    joints = {f"{kind}mpjpe_{part}" for kind in ("", "pa_") for part in ("body", "hands")}
    assert set(found) == meshes | joints | {"iou_hands", "iou_face"}
    assert max(value for name, value in found.items() if "mp" in name) < 0.05  # millimeters
    assert min(found["iou_hands"], found["iou_face"]) > 0.999


def test_a_turned_root_and_shifted_boxes_have_the_errors_of_geometry(tiny: Any, people: Any, tmp_path: Path) -> None:
    root, arrays = people
    angle = 0.2
    network = tiny.Knowing(arrays, turn=(0, angle, 0), shift=0.5)
    found = numbers(evaluate_network(network, reduced(root), tmp_path, name="paper", weights="", batch=8))
    assert max(value for name, value in found.items() if name.startswith("pa_")) < 0.05
    assert found["iou_hands"] == pytest.approx(1 / 3, abs=1e-3)  # half of each shared: 1/2 of 3/2
    model = build_human_model("whole", None)
    known = tiny.Knowing(arrays)
    rotations = matrix_from_axis_angle(known.people["rotations"])
    vertices = model(rotations, known.people["betas"], known.people["expression"]).vertices
    from_axis = (vertices - (model.regressor[:1] @ vertices))[..., [0, 2]].norm(dim=2)
    assert found["mpvpe_all"] == pytest.approx(2000 * math.sin(angle / 2) * from_axis.mean().item(), rel=1e-3)


def test_files_tell_every_sample_and_show_the_worst(tiny: Any, people: Any, tmp_path: Path) -> None:
    root, arrays = people
    wrong = {name: array.copy() for name, array in arrays.items()}
    wrong["rotations"][3, 16:19] += 0.6  # shoulders and an elbow
    wrong["rotations"][1, 16] += 0.3
    evaluate_network(tiny.Knowing(wrong), reduced(root), tmp_path, name="paper", weights="w", batch=3)
    with (tmp_path / "synthetic_errors.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["sample"] for row in rows] == [f"synthetic test/{k:08d}" for k in range(PEOPLE)]
    errors = [float(row["pa_mpvpe_all"]) for row in rows]
    assert sorted(range(PEOPLE), key=lambda k: -errors[k])[:2] == [3, 1]
    assert rows[0]["pa_mpvpe_left_hand"] == rows[0]["pa_mpvpe_face"] == ""
    saved = json.loads((tmp_path / "results.json").read_text())
    assert numbers(saved)["pa_mpvpe_all"] == pytest.approx(np.mean(errors), abs=1e-3)
    sheet = cv2.imread(str(tmp_path / "synthetic_worst.jpg"))
    assert sheet.shape[0] == PEOPLE * 256
    gray = [int(np.median(sheet[row * 256 + 20 : row * 256 + 60, 60:130])) for row in range(2)]
    assert gray == pytest.approx([tiny.LEVEL * 4, tiny.LEVEL * 2], abs=3)
    report = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "**Table 3**" in report
    assert f"| PPP (Ours) | 50.7 | {np.mean(errors):.1f} |" in report
    assert "not on the paper's ehf" in report


class KnowingHand(nn.Module):
    """The hand of each gray level."""

    def __init__(self, rotations: Tensor, betas: Tensor) -> None:
        super().__init__()
        self.rotations, self.betas = rotations, betas

    def forward(self, images: Tensor) -> PartOutput:
        known = (images[:, :, 40, 40].mean(1) * 255 / LEVEL).round().long() - 1
        return PartOutput(self.rotations[known], self.betas[known], torch.tensor([[0.0, 0, 1]]).expand(len(known), 3))


def write_freihand(root: Path, points: np.ndarray, vertices: np.ndarray) -> None:
    data, count = root / "FreiHAND" / "data", len(points)
    (data / "evaluation" / "rgb").mkdir(parents=True)
    (root / "FreiHAND" / "rootnet_output").mkdir()
    images = [{"id": k, "db_idx": k, "file_name": f"evaluation/rgb/{k:08d}.jpg", "width": 80, "height": 80}
              for k in range(count + 1)]  # fmt: skip
    boxes = [{"id": 10 + k, "image_id": k, "bbox": [10, 10, 60, 60]} for k in range(count + 1)]  # one is not detected
    found = [{"image_id": k, "bbox": [5, 5, 70, 70], "root_cam": [0, 0, 1]} for k in range(count)]
    for name, content in {
        "data/freihand_eval_coco.json": {"images": images, "annotations": boxes},
        "rootnet_output/bbox_root_freihand_output.json": found,
        "data/evaluation_xyz.json": points.tolist(),
        "data/evaluation_verts.json": vertices.tolist(),
    }.items():
        (root / "FreiHAND" / name).write_text(json.dumps(content))
    for k in range(count):
        cv2.imwrite(str(data / images[k]["file_name"]), np.full((80, 80, 3), LEVEL * (k + 1), np.uint8))  # type: ignore[operator]


def test_freihand_from_its_files_to_the_servers(hand_model: HumanModel, model_folder: Path, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    rotations = matrix_from_axis_angle(0.3 * torch.randn(4, 16, 3, generator=generator))
    betas = torch.randn(4, 10, generator=generator)
    posed = hand_model(rotations, betas)
    write_freihand(tmp_path, posed.points.numpy() + 0.5, posed.vertices.numpy() + 0.5)
    changes = [f"data.root={tmp_path}", f"models.folder={model_folder}", "network.hand_size=[128,128]"]
    config = load_config("table8_hand_mano", [*changes, "data.workers=0", "schedule.device=cpu"])
    network = KnowingHand(rotations, betas)
    results = evaluate_network(network, config, tmp_path / "out", name="table8_hand_mano", weights="", batch=3)
    assert results["datasets"]["freihand"]["samples"] == 4
    assert results["datasets"]["freihand"]["skipped"] == {"no box of the detector": 1}
    found = numbers(results, "freihand")
    assert max(found["pa_mpvpe"], found["pa_mpjpe"]) < 0.01
    assert found["f_5"] == found["f_15"] == 1
    joints, meshes = json.loads((tmp_path / "out" / "pred.json").read_text())
    assert (np.shape(joints), np.shape(meshes)) == ((4, 21, 3), (4, 778, 3))
    report = (tmp_path / "out" / "results.md").read_text(encoding="utf-8")
    assert "| Pose2Pose (Ours) | 7.8 | 0.0 | 7.8 | 0.0 | 0.661 | 1.000 | 0.970 | 1.000 |" in report
    assert "## freihand (4 samples; left out: 1 (no box of the detector))" in report


@pytest.mark.slow
def test_weights_are_found_in_a_run_in_a_checkpoint_and_as_files(people: Any, tmp_path: Path) -> None:
    root, _ = people
    config = reduced(root)
    torch.manual_seed(0)
    network = build_network(config.network)
    files = export_weights(network, tmp_path / "run" / WEIGHTS, None, {})
    checkpoint = save_checkpoint(tmp_path / "run", 3, {"network": network.state_dict()}, keep=1)
    assert set(load_checkpoint(checkpoint)) == {"network"}
    found = [
        numbers(evaluate(config, path, tmp_path / f"out{k}", name="paper"))
        for k, path in enumerate((tmp_path / "run", files[0], checkpoint))
    ]
    assert found[0] == found[1] == found[2]
    assert found[0]["pa_mpvpe_all"] > 10  # it has learnt nothing


def test_weights_of_another_network_name_the_first_parameter(people: Any, tmp_path: Path) -> None:
    root, _ = people
    export_weights(build_network(reduced(root).network), tmp_path / WEIGHTS, None, {})
    other = reduced(root, "network.mcp=false")
    with pytest.raises(WeightsError, match=r"rotation\.\S+ is \(\d+, \d+\), expected \(\d+, \d+\)"):
        evaluate(other, tmp_path, tmp_path / "out", name="paper")


def test_weights_of_a_run_are_measured_as_its_own_network_only(people: Any, tmp_path: Path) -> None:
    """Table 10's network has the parameters of the paper's and cuts its crops elsewhere."""
    root, _ = people
    trained, asked = reduced(root, "network.crops=body"), reduced(root)
    claim_run(trained, tmp_path / "run")
    export_weights(build_network(trained.network), tmp_path / "run" / WEIGHTS, None, {})
    for weights in (tmp_path / "run", tmp_path / "run" / WEIGHTS):
        with pytest.raises(WeightsError, match=r"network\.crops: body and high-resolution"):
            evaluate(asked, weights, tmp_path / "out", name="paper")


def test_what_is_missing_is_named(tiny: Any, people: Any, tmp_path: Path) -> None:
    root, arrays = people
    network = tiny.Knowing(arrays)
    with pytest.raises(MissingDataError, match=r"EHF\.json"):
        evaluate_network(network, reduced(root, 'data.test=[{name="ehf"}]'), tmp_path, name="paper", weights="")
    with pytest.raises(MissingModelError, match=r"SMPLX_NEUTRAL\.npz"):
        evaluate_network(network, reduced(root, f"models.folder={tmp_path}"), tmp_path, name="paper", weights="")
    for tests in ("[]", '[{name="synthetic"}, {name="synthetic", split="test"}]'):
        with pytest.raises(ConfigError, match=r"data\.test"):
            evaluate_network(network, reduced(root, f"data.test={tests}"), tmp_path, name="paper", weights="")


def test_samples_that_cannot_be_used_are_named(tiny: Any, people: Any, tmp_path: Path) -> None:
    root, arrays = people
    broken = tiny.Knowing(arrays)
    broken.people["betas"][3] = math.nan
    with pytest.raises(PredictionError, match="synthetic test/00000003;"):
        evaluate_network(broken, reduced(root), tmp_path, name="paper", weights="", batch=2)
    tiny.write_people(tmp_path / "data", 2)
    (tmp_path / "data" / "synthetic" / "test" / "images" / "00000001.jpg").write_bytes(b"")
    with pytest.raises(SampleError, match="synthetic test/00000001"):
        evaluate_network(tiny.Knowing(arrays), reduced(tmp_path / "data"), tmp_path, name="paper", weights="")


def test_ranking_leaves_out_what_has_no_error() -> None:
    assert ranked(np.array([1.0, math.nan, 3.0, 2.0])) == [2, 3, 0]


@pytest.mark.slow
def test_resources_are_part_of_the_results_when_asked_for(tiny: Any, people: Any, tmp_path: Path) -> None:
    root, arrays = people
    config = reduced(root)
    results = evaluate_network(
        tiny.Knowing(arrays), config, tmp_path, name="table1_gap", weights="", batch=8, resources=2
    )
    cost = results["resources"]
    assert 0 < cost["forward_seconds"] < cost["iteration_seconds"]
    assert cost["batch"] == 2
    report = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert f"| 0.22 | {cost['forward_seconds']:.2f} |" in report
    assert "growth of the process" in report


@pytest.mark.slow
def test_the_command_prints_the_report(people: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, _ = people
    config = reduced(root, name="table4_without_mcp")
    export_weights(build_network(config.network), tmp_path / WEIGHTS, None, {})
    changes = ["+reduced", f"data.root={root}", "data.workers=0", "schedule.device=cpu"]
    assert main(["evaluate", "table4_without_mcp", str(tmp_path), *changes, "-o", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("# table4_without_mcp")
    assert "| Without MCP features | 52.7 |" in printed
    assert main(["evaluate", "paper", str(tmp_path), *changes]) == 2
    assert "does not fit" in capsys.readouterr().err
