"""Calibration: it finds the probability that was put in, never turns scores around, and changes no weights."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pose2pose.backend.confidence import BODY_TOLERANCE, GROUPS, Sureness, evidence, read_calibration
from pose2pose.backend.model.presets import preset
from pose2pose.backend.weights import PARTS, identify_weights, part_path, read_metadata, read_tensors, save_part
from pose2pose.training.open_preset.calibration import (
    CalibrationSetError,
    Outcomes,
    calibrate,
    calibration_error,
    fit_sureness,
    judge,
    outcomes,
    reliability_curve,
    report,
    write_headers,
)
from pose2pose.training.open_preset.calibration_plot import draw_reliability


def draw(sureness: Sureness, count: int, seed: int = 0) -> Outcomes:
    """Answers whose probability of being right is known."""
    random = np.random.default_rng(seed)
    own, whole = random.uniform(size=(2, count))
    right = random.uniform(size=count) < sureness.probability(own, whole)
    return Outcomes(own, whole, right, np.arange(count))


def test_the_curve_that_made_the_answers_is_found() -> None:
    true = Sureness(bias=-0.7, own=0.9, whole=0.4)
    found = fit_sureness(draw(true, 20_000))
    assert (found.bias, found.own, found.whole) == pytest.approx((true.bias, true.own, true.whole), abs=0.06)


def test_scores_that_mislead_are_left_out_instead_of_turned_around() -> None:
    random = np.random.default_rng(1)
    own, whole = random.uniform(size=(2, 4000))
    right = random.uniform(size=4000) < 1 - own
    found = fit_sureness(Outcomes(own, whole, right, np.arange(4000)))
    assert found.own == 0
    assert found.probability(np.array([0.1, 0.9]), np.array([0.5, 0.5])) == pytest.approx(0.5, abs=0.05)


def test_answers_that_are_all_right_stay_finite() -> None:
    seen = draw(Sureness(0.0, 1.0, 0.0), 50)
    found = fit_sureness(Outcomes(seen.own, seen.whole, np.ones(50, bool), seen.person))
    assert np.isfinite([found.bias, found.own, found.whole]).all()
    assert found.probability(np.array([0.5]), np.array([0.5]))[0] > 0.95
    with pytest.raises(CalibrationSetError, match="too few people"):
        fit_sureness(seen.take(np.zeros(50, bool)))


def test_calibration_error_against_sums_by_hand() -> None:
    confidence, right = np.array([0.1, 0.3, 0.9, 0.7]), np.array([False, True, True, False])
    assert calibration_error(confidence, right, bins=2) == pytest.approx((abs(0.2 - 0.5) + abs(0.8 - 0.5)) / 2)
    np.testing.assert_allclose(reliability_curve(confidence, right, bins=2), [[0.2, 0.5], [0.8, 0.5]])
    assert calibration_error(np.array([0.0, 1.0]), np.array([False, True])) == 0


def test_the_other_half_judges() -> None:
    """Odd people answer quite differently from the even ones, to whom the curve is fitted."""
    seen = draw(Sureness(3.0, 0.0, 0.0), 4000)
    wrong = Outcomes(seen.own, seen.whole, seen.right & (seen.person % 2 == 0), seen.person)
    fits, results = calibrate({"hips": wrong})
    assert fits["hips"].probability(np.array([0.5]), np.array([0.5]))[0] > 0.9
    assert results["hips"].right == 0
    assert results["hips"].after > 0.9


def test_calibrated_scores_are_better_than_raw_ones() -> None:
    true = Sureness(bias=-2.0, own=0.6, whole=0.3)
    row = judge(fit_sureness(draw(true, 5000)), draw(true, 5000, seed=1))
    assert row.after < 0.03 < 0.2 < row.before
    table = report({"ankles": row})
    assert f"| ankles | 5000 | {row.right:.2f} | {row.before:.3f} | {row.after:.3f} |" in table


def test_right_means_within_the_tolerance() -> None:
    from pose2pose.backend.body.layer import BodyLayer
    from pose2pose.backend.motion.body_file import load_body
    from pose2pose.training.open_preset.evaluation_people import Scores, Shown, posed
    from pose2pose.training.open_preset.face_head import FaceModel

    layer = BodyLayer(load_body())
    still, zeros = torch.eye(3).repeat(2, 55, 1, 1), torch.zeros(2, 10)
    truth = posed(layer, still, zeros, zeros, torch.zeros(2, 12, 2), torch.zeros(2, 2, 21, 2))
    shift = torch.zeros(2, 76, 3)
    shift[0, 20, 0], shift[0, 4, 0] = BODY_TOLERANCE + 0.001, BODY_TOLERANCE - 0.001  # left wrist, left knee
    said = posed(layer, still, zeros, zeros, truth.limbs, truth.hands)
    object.__setattr__(said, "points", truth.points + shift)
    scores = Scores(torch.full((2, 17), 0.5), torch.full((2, 2), 0.9), torch.full((2,), 0.9))
    shown = Shown(torch.ones(2, 12), torch.tensor([[1.0, 1.0], [0.0, 1.0]]), torch.tensor([1.0, 0.0]),
                  torch.full((2, 2), 50.0), torch.full((2,), 50.0))  # fmt: skip
    found = outcomes(said, truth, shown, scores, FaceModel(layer))
    assert set(found) == set(GROUPS)
    assert found["wrists"].right.tolist() == [False, True, True, True]
    assert found["knees"].right.all()
    assert len(found["hips"].right) == 4  # without the pelvis
    assert found["hands"].right.tolist()[2:] == [False, True]  # a hand that is not seen is right by chance at most
    assert found["face"].right.tolist() == [True, False]
    assert found["wrists"].person.tolist() == [0, 0, 1, 1]


def test_headers_change_and_weights_do_not(tmp_path: Path) -> None:
    chosen = preset("open")
    for part, make in (("body", chosen.build_body), ("hand", chosen.build_hand), ("face", chosen.build_face)):
        save_part(make(), part_path("open", part, tmp_path), {"preset": "open", "license": "CC0-1.0"})
    before, tensors = identify_weights("open", tmp_path), read_tensors(part_path("open", "face", tmp_path))[0]
    fits = {group: Sureness(0.5, 0.25, float(place)) for place, group in enumerate(GROUPS)}
    write_headers(fits, tmp_path)
    headers = [read_metadata(part_path("open", part, tmp_path)) for part in PARTS]
    assert read_calibration(headers, "open") == fits
    assert all(header["license"] == "CC0-1.0" for header in headers)
    assert read_calibration(headers[1:2], "open").keys() == {"hands"}
    assert identify_weights("open", tmp_path) == before
    after = read_tensors(part_path("open", "face", tmp_path))[0]
    assert all(
        torch.equal(tensor, after[name]) and tensor.dtype == after[name].dtype for name, tensor in tensors.items()
    )
    assert not list(tmp_path.glob("*.partial"))


def test_the_plot_has_a_panel_for_each_group(tmp_path: Path) -> None:
    steep = np.array([[0.1, 0.0], [0.5, 0.5], [0.9, 1.0]])
    draw_reliability(dict.fromkeys(GROUPS, (steep, steep[:, ::-1])), tmp_path / "plots" / "confidence.png")
    picture = cv2.imread(str(tmp_path / "plots" / "confidence.png"))
    assert picture is not None
    rows = [(picture[start : start + 230] < 200).any(axis=2) for start in (0, 238)]
    assert all(row[:, 238 * column + 40 : 238 * column + 200].any() for row in rows for column in range(5))


def test_evidence_is_finite_and_rises() -> None:
    scores = np.linspace(0, 1, 101)
    assert np.isfinite(evidence(scores)).all()
    assert (np.diff(evidence(scores)) > 0).all()
    assert evidence(np.array([0.5]))[0] == 0
