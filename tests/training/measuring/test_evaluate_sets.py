"""Evaluations of the published test sets, from files in their formats, with networks that know the truth."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pose2pose.backend.model.parts import PartOutput
from pose2pose.backend.model.pose2pose import Pose2PoseOutput
from pose2pose.training.benchmarks.stirling import LANDMARKS
from pose2pose.training.body_models.human_models import HumanModel, build_human_model
from pose2pose.training.body_models.model_files import joints_h36m
from pose2pose.training.config import load_config
from pose2pose.training.datasets.ehf import ROTATION, TRANSLATION
from pose2pose.training.evaluate import evaluate_network
from pose2pose.training.rotation_vectors import axis_angle_from_matrix, matrix_from_axis_angle

LEVEL = 40
"""Steps of gray by which pictures are told apart."""
SIDE = 80
"""Of the pictures, pixels."""
BOX = [10, 10, 60, 60]
"""x, y, width, height."""


class Knowing(nn.Module):
    """Says what it was given about the person of each gray level; all have the boxes (3, 5)."""

    boxes = torch.ones(3, 5)

    def __init__(self, model: HumanModel, count: int, betas: float = 1.0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.whole = model.joint_set.name == "whole"
        rotations = len(model.joint_set.rotations)
        self.rotations = matrix_from_axis_angle(0.2 * torch.randn(count, rotations, 3, generator=generator))
        self.betas = betas * torch.randn(count, 10, generator=generator)
        self.expression = torch.randn(count, 10, generator=generator)
        self.posed = model(self.rotations, self.betas, self.expression)

    def forward(self, images: Tensor) -> Pose2PoseOutput | PartOutput:
        middle = images[:, :, images.shape[2] // 2, images.shape[3] // 2].mean(1)
        known = (middle * 255 / LEVEL).round().long() - 1
        count = len(known)
        place = torch.tensor([[0.0, 0, 4]]).expand(count, 3)
        parameters = self.rotations[known], self.betas[known]
        if not self.whole:
            return PartOutput(*parameters, place, expression=self.expression[known])
        nothing = torch.zeros(count, 0, 3), torch.zeros(count, 0), torch.zeros(count, 2, 0, 3), torch.ones(count, 2)
        return Pose2PoseOutput(
            *parameters, self.expression[known], place, *nothing, torch.ones(count), self.boxes.expand(count, 3, 5)
        )


def write_pictures(folder: Path, names: list[str]) -> None:
    for k, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), np.full((SIDE, SIDE, 3), LEVEL * (k + 1), np.uint8))


def image(k: int, name: str, **more: Any) -> dict[str, Any]:
    return {"id": k, "file_name": name, "width": SIDE, "height": SIDE, **more}


def annotation(k: int, **more: Any) -> dict[str, Any]:
    return {"id": 10 + k, "image_id": k, "bbox": BOX, **more}


def measured(name: str, network: nn.Module, root: Path, models: Path, *changes: str) -> dict[str, dict[str, float]]:
    places = [f"data.root={root}", f"models.folder={models}", "data.workers=0", "schedule.device=cpu"]
    config = load_config(name, [*places, *changes])
    results = evaluate_network(network, config, root / "out", name=name, weights="", batch=2)
    return {key: value["numbers"] for key, value in results["datasets"].items()}


def test_ehf_in_the_axes_of_its_camera(whole_model: HumanModel, model_folder: Path, tmp_path: Path) -> None:
    network, data = Knowing(whole_model, 2), tmp_path / "EHF" / "data"
    names = ["01_img.jpg", "02_img.jpg"]
    write_pictures(data, names)
    boxes = dict.fromkeys(("body_bbox", "lefthand_bbox", "righthand_bbox", "face_bbox"), BOX)
    rows = [{"id": k, "image_id": k, **boxes} for k in range(2)]
    index = {"images": [image(k, name) for k, name in enumerate(names)], "annotations": rows}
    (data / "EHF.json").write_text(json.dumps(index))
    for name, vertices in zip(names, network.posed.vertices.double().numpy(), strict=True):
        scanner = (vertices + np.array([0, 0, 3]) - TRANSLATION) @ ROTATION  # the inverse of R x + t
        lines = ["ply", "format ascii 1.0", f"element vertex {len(scanner)}"]
        lines += [*(f"property float {axis}" for axis in "xyz"), "end_header"]
        np.savetxt(data / f"{name[:2]}_align.ply", scanner, fmt="%.7f", header="\n".join(lines), comments="")
    found = measured("paper", network, tmp_path, model_folder)["ehf"]
    assert {"pa_mpvpe_all", "pa_mpjpe_body", "mpvpe_hands", "mpjpe_body"} <= set(found)
    assert max(found.values()) < 0.02


def test_human36m_and_3dpw_of_a_body(body_model: HumanModel, model_folder: Path, tmp_path: Path) -> None:
    network = Knowing(body_model, 2, betas=0.0)
    regressor = joints_h36m("body", model_folder)
    write_human36m(tmp_path / "Human36M", regressor @ network.posed.vertices.numpy())
    write_pw3d(tmp_path / "PW3D", network)
    found = measured("table7_body_smpl", network, tmp_path, model_folder)
    assert set(found) == {"human36m", "pw3d"}
    assert max(found["human36m"].values()) < 0.02
    # the actors' own meshes are 2 % larger than the neutral one
    own = build_human_model("body", model_folder, gender="male")(network.rotations, network.betas).vertices
    joints = torch.from_numpy(regressor)
    rooted = [mesh - joints[:1] @ mesh for mesh in (own, network.posed.vertices)]
    expected = 1000 * (rooted[0] - rooted[1]).norm(dim=2).mean().item()
    assert expected > 2
    assert found["pw3d"]["mpvpe"] == pytest.approx(expected, rel=1e-3)
    assert found["pw3d"]["pa_mpvpe"] < 0.3
    report = (tmp_path / "out" / "results.md").read_text(encoding="utf-8")
    assert f"| Pose2Pose (Ours) | 71.0 | 0.0 | 47.4 | 0.0 | 87.6 | {found['pw3d']['mpjpe']:.1f} |" in report


def write_human36m(root: Path, joints: np.ndarray) -> None:
    """One picture of each test subject: camera 4, frame 64."""
    (root / "annotations").mkdir(parents=True)
    names = [f"s_{subject:02d}/frame_000065.jpg" for subject in (9, 11)]
    write_pictures(root / "images", names)
    for k, subject in enumerate((9, 11)):
        frame = {"subject": subject, "action_idx": 2, "subaction_idx": 1, "cam_idx": 4, "frame_idx": 64}
        camera = {"R": np.eye(3).tolist(), "t": [0, 0, 4000], "f": [100, 100], "c": [40, 40]}
        for end, content in {
            "data": {"images": [image(k, names[k], **frame)], "annotations": [annotation(k)]},
            "camera": {"4": camera},
            "joint_3d": {"2": {"1": {"64": (1000 * joints[k]).tolist()}}},
        }.items():
            (root / "annotations" / f"Human36M_subject{subject}_{end}.json").write_text(json.dumps(content))


def write_pw3d(root: Path, network: Knowing) -> None:
    names = ["image_00000.jpg", "image_00001.jpg"]
    write_pictures(root / "data" / "imageFiles" / "street", names)
    poses = axis_angle_from_matrix(network.rotations).flatten(1).numpy()
    rows = []
    for k, pose in enumerate(poses):
        fit = {"pose": [*pose.tolist(), *[0.0] * (72 - len(pose))], "shape": [0.0] * 10, "trans": [0, 0, 4.0],
               "gender": "male"}  # fmt: skip
        rows.append(annotation(k, smpl_param=fit))
    lens = {"focal": [100, 100], "princpt": [40, 40]}
    images = [image(k, name, sequence="street", cam_param=lens) for k, name in enumerate(names)]
    (root / "data" / "3DPW_test.json").write_text(json.dumps({"images": images, "annotations": rows}))


def test_stirling_by_quality(face_model: HumanModel, model_folder: Path, tmp_path: Path) -> None:
    network, root = Knowing(face_model, 2), tmp_path / "Stirling"
    boxes = {}
    for k, (subject, quality) in enumerate((("F1001", "LQ"), ("M1002", "HQ"))):
        place = f"{subject[0]}_3D_N"
        points = 1000 * torch.stack([network.posed.points[k, i] for i in LANDMARKS]) + 7
        for other in ("F_3D_N", "M_3D_N"):
            (root / other).mkdir(parents=True, exist_ok=True)
            (root / "annotations" / other).mkdir(parents=True, exist_ok=True)
        lines = [f"{i} {x} {y} {z}" for i, (x, y, z) in enumerate(points.tolist())]
        (root / "annotations" / place / f"{subject}_N.lnd").write_text("\n".join(lines) + "\n")
        scan = [f"v {x} {y} {z}" for x, y, z in (1000 * network.posed.vertices[k] + 7).tolist()]
        (root / place / f"{subject}_N.obj").write_text("\n".join(scan) + "\n")
        folder = root / "Subset_2D_FG2018" / quality
        folder.mkdir(parents=True)
        cv2.imwrite(str(folder / f"{subject}_001.jpg"), np.full((SIDE, SIDE, 3), LEVEL * (k + 1), np.uint8))
        boxes[f"{quality}/{subject}_001.jpg"] = BOX
    (root / "boxes.json").write_text(json.dumps(boxes))
    found = measured("table9_face_flame", network, tmp_path, model_folder)
    assert set(found) == {"stirling-lq", "stirling-hq"}
    assert max(value for numbers in found.values() for value in numbers.values()) < 1e-2


def test_boxes_of_mscoco_are_measured_where_they_are_valid(
    whole_model: HumanModel, model_folder: Path, tmp_path: Path
) -> None:
    names = ["000000000001.jpg", "000000000002.jpg"]
    write_pictures(tmp_path / "MSCOCO" / "images" / "val2017", names)
    rows = []
    for k in range(2):
        row = annotation(k, iscrowd=0, num_keypoints=17, keypoints=[40, 40, 2] * 17, foot_kpts=[0, 0, 0] * 6)
        for part, count in (("lefthand", 21), ("righthand", 21), ("face", 68)):
            valid = part == "face" or k == 0
            row |= {f"{part}_valid": valid, f"{part}_kpts": [0, 0, 0] * count,
                    f"{part}_box": [30, 30, 20, 20] if valid else [0, 0, 0, 0]}  # fmt: skip
        rows.append(row)
    file = tmp_path / "MSCOCO" / "annotations" / "coco_wholebody_val_v1.0.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"images": [image(k, name) for k, name in enumerate(names)], "annotations": rows}))
    network = Knowing(whole_model, 2)
    # the crop is 512x384 around the middle of the person's box of 60 pixels, grown by a quarter to the crop's shape
    zoom = 384 / (60 * 1.25)
    half_as_high = torch.tensor([192.0, 256, 20 * zoom, 10 * zoom, 0])
    network.boxes = torch.stack([half_as_high, half_as_high, half_as_high * torch.tensor([1.0, 1, 1, 2, 1])])
    found = measured("paper", network, tmp_path, model_folder, 'data.test=[{name="mscoco", split="val"}]')["mscoco"]
    # half a pixel and the last pixel are counted differently by different annotations
    assert found["iou_hands"] == pytest.approx(0.5, abs=0.06)
    assert found["iou_face"] == pytest.approx(1, abs=0.12)
    report = (tmp_path / "out" / "results.md").read_text(encoding="utf-8")
    assert f"| IoU | 0.54 | {found['iou_hands']:.2f} | 0.77 | {found['iou_face']:.2f} |" in report
