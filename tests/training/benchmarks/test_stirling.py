"""The face benchmark on scans with known distances."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pose2pose.backend.motion.rotations import matrix_from_axis_angle
from pose2pose.training.benchmarks.prediction import Prediction, TruthError
from pose2pose.training.benchmarks.stirling import LANDMARKS, StirlingBenchmark, face_sphere
from pose2pose.training.body_models.human_models import HumanModel
from pose2pose.training.datasets.sample import Truth


def write_scan(file: Path, points: np.ndarray) -> Path:
    lines = [f"v {x:.6f} {y:.6f} {z:.6f} 0.5 0.5 0.5\nvt 0 0\n" for x, y, z in points]
    file.write_text("# a scan\n" + "".join(lines) + "f 1/1 2/2 3/3\n", encoding="utf-8")
    return file


def test_the_sphere_by_hand() -> None:
    landmarks = np.zeros((7, 3))
    landmarks[:4, 0] = [-45, -15, 15, 45]  # right eye outer, inner, left eye inner, outer
    landmarks[4] = [0, 40, 0]
    center, radius = face_sphere(landmarks)
    np.testing.assert_allclose(center, [0, 28, 0])
    assert radius == pytest.approx(1.2 * (90 + 40) / 2)


def face(model: HumanModel) -> Prediction:
    posed = model(torch.eye(3).expand(1, 2, 3, 3), torch.zeros(1, 10), torch.zeros(1, 10))
    return Prediction(posed.vertices, posed.points)


def placed(points: torch.Tensor) -> np.ndarray:
    """Meters to a scanner's millimeters, turned and moved."""
    turn = matrix_from_axis_angle(np.array([0.3, -1.0, 0.2]))
    return np.asarray(1000 * points[0].double().numpy() @ turn.T + [10, 20, 900])


def test_a_scan_of_the_predicted_face_has_no_error(face_model: HumanModel, tmp_path: Path) -> None:
    prediction = face(face_model)
    scan = write_scan(tmp_path / "same.obj", placed(prediction.vertices))
    landmarks = placed(prediction.points)[list(LANDMARKS)]
    benchmark = StirlingBenchmark(triangles=face_model.faces.numpy())
    errors = benchmark.measure(prediction, [Truth(scan=scan, landmarks=landmarks)], {})
    assert benchmark.conclude(errors, tmp_path)["mean"] == pytest.approx(0, abs=1e-4)


def test_scan_points_at_known_heights_above_the_face(face_model: HumanModel, tmp_path: Path) -> None:
    """Points off the surface along its normals by 2 mm in one scan and 4 mm in the other, with fewer points."""
    prediction = face(face_model)
    vertices, landmarks = placed(prediction.vertices), placed(prediction.points)[list(LANDMARKS)]
    corners = vertices[face_model.faces.numpy()]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    large = np.linalg.norm(normals, axis=1) > 1e-6
    centers, normals = corners.mean(1)[large], normals[large] / np.linalg.norm(normals[large], axis=1, keepdims=True)
    benchmark, counts, rows = StirlingBenchmark(triangles=face_model.faces.numpy()), [], []
    for height, step in ((0.5, 1), (-0.25, 3)):
        points = (centers + height * normals)[::step]
        center, radius = face_sphere(landmarks)
        counts.append(int((np.linalg.norm(points - center, axis=1) <= radius).sum()))
        truth = Truth(scan=write_scan(tmp_path / f"{step}.obj", points), landmarks=landmarks)
        rows.append(benchmark.measure(prediction, [truth], {}))
    medians = [float(row["median"][0]) for row in rows]
    assert medians == pytest.approx([0.5, 0.25], abs=1e-3)
    numbers = benchmark.conclude({name: np.concatenate([row[name] for row in rows]) for name in rows[0]}, tmp_path)
    means = [float(row["mean"][0]) for row in rows]
    assert numbers["mean"] == pytest.approx(np.dot(means, counts) / sum(counts), abs=1e-5)
    assert numbers["mean_per_image"] == pytest.approx(np.mean(means))
    assert numbers["mean"] != pytest.approx(numbers["mean_per_image"], abs=0.01)


def test_a_scan_elsewhere_or_of_nothing_is_named(face_model: HumanModel, tmp_path: Path) -> None:
    benchmark = StirlingBenchmark(triangles=face_model.faces.numpy())
    landmarks = placed(face(face_model).points)[list(LANDMARKS)]
    far = write_scan(tmp_path / "far.obj", np.full((3, 3), 1e5))
    empty = write_scan(tmp_path / "empty.obj", np.zeros((0, 3)))
    for scan, message in ((far, "near its landmarks"), (empty, "no vertices"), (tmp_path / "none.obj", "cannot read")):
        with pytest.raises(TruthError, match=message):
            benchmark.measure(face(face_model), [Truth(scan=scan, landmarks=landmarks)], {})
