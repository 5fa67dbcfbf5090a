"""FreiHAND's protocol against scipy's Procrustes analysis, a plain search for neighbors, and values by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial import procrustes
from scipy.spatial.distance import cdist

from pose2pose.training.benchmarks.alignment import fit_similarity
from pose2pose.training.benchmarks.freihand import FreiHandBenchmark, area_under_curve, f_scores, hand_errors
from pose2pose.training.benchmarks.prediction import Prediction, TruthError
from pose2pose.training.datasets.sample import Truth


def hands(seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return 0.05 * generator.normal(size=(21, 3)), 0.05 * generator.normal(size=(778, 3))


@pytest.mark.parametrize("mirror", [1.0, -1.0])
@pytest.mark.parametrize("seed", range(4))
def test_alignment_leaves_scipys_disparity_mirrored_or_not(seed: int, mirror: float) -> None:
    source, target = np.random.default_rng(seed).normal(size=(2, 21, 3))
    source = source * [mirror, 1, 1] + 0.5 * target
    aligned = fit_similarity(source, target)(source)
    disparity = procrustes(target, source)[2]
    assert np.square(aligned - target).sum() / np.square(target - target.mean(0)).sum() == pytest.approx(disparity)


def test_a_mirrored_hand_is_forgiven_as_in_the_toolbox() -> None:
    points, vertices = hands(0)
    errors = hand_errors(points * [-1, 1, 1], vertices * [-3, 3, 3] + 1, Truth(points=points, vertices=vertices))
    assert errors["pa_mpjpe"] == pytest.approx(0, abs=1e-9)
    assert errors["f_5"] == 1
    assert errors["auc_vertices"] == pytest.approx(1, abs=0.006)  # the curve starts at a distance of exactly 0


def test_a_prediction_of_zeros_lies_in_the_middle_of_the_truth() -> None:
    points, vertices = hands(1)
    errors = hand_errors(np.zeros((21, 3)), np.zeros((778, 3)), Truth(points=points, vertices=vertices))
    distances = np.linalg.norm(vertices - vertices.mean(0), axis=1)
    assert errors["pa_mpvpe"] == pytest.approx(1000 * distances.mean())
    # one point near a few vertices: all of the prediction is right if any of it is, and hardly any of the truth
    recall = (distances < 0.015).mean()
    assert errors["f_15"] == pytest.approx(2 * recall / (1 + recall))
    assert errors["f_15"] < 0.05


def test_f_scores_equal_a_plain_search() -> None:
    predicted, target = (0.02 * np.random.default_rng(2).normal(size=(2, 300, 3))).astype(np.float64)
    distances = cdist(predicted, target)
    for name, threshold in (("f_5", 0.005), ("f_15", 0.015)):
        precision, recall = (distances.min(1) < threshold).mean(), (distances.min(0) < threshold).mean()
        assert f_scores(predicted, target)[name] == pytest.approx(2 * precision * recall / (precision + recall))


def test_a_distance_equal_to_the_threshold_is_not_right() -> None:
    target, up = np.array([[0.0, 0, 0], [1, 0, 0]]), np.array([0.0, 0, 1])
    assert f_scores(target + 0.005 * up, target) == {"f_5": 0.0, "f_15": 1.0}
    assert f_scores(target + 0.00499 * up, target)["f_5"] == 1


def test_area_under_curve_by_hand() -> None:
    assert area_under_curve(np.zeros(4)) == 1
    assert area_under_curve(np.full(4, 0.051)) == 0
    # right from 20 to 50 mm for one half of the points: 3/5, and from 0 for the other half
    assert area_under_curve(np.array([0.02, 0.0])) == pytest.approx((0.6 + 1) / 2, abs=0.01)


def test_the_file_for_the_server_holds_joints_and_vertices_of_every_hand(tmp_path: Path) -> None:
    benchmark, truths = FreiHandBenchmark(), [Truth(points=p, vertices=v) for p, v in (hands(3), hands(4))]
    points, vertices = (np.stack([getattr(truth, name) for truth in truths]) for name in ("points", "vertices"))
    errors = benchmark.measure(Prediction(torch.from_numpy(vertices) + 1, torch.from_numpy(points) + 1), truths, {})
    numbers = benchmark.conclude(errors, tmp_path)
    assert numbers["pa_mpjpe"] == pytest.approx(0, abs=1e-9)
    joints, meshes = json.loads((tmp_path / "pred.json").read_text())
    assert (np.shape(joints), np.shape(meshes)) == ((2, 21, 3), (2, 778, 3))
    np.testing.assert_allclose(joints, points - points[:, :1], atol=1e-6)
    np.testing.assert_allclose(meshes, vertices - points[:, :1], atol=1e-6)


def test_missing_annotations_are_named() -> None:
    with pytest.raises(TruthError, match=r"evaluation_verts\.json"):
        hand_errors(*hands(0), Truth())
