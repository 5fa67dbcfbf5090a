r"""`pose2pose-train open calibrate FOLDER`: make confidence mean the probability of being right.

    pose2pose-train open calibrate validation --write -o calibration --plot docs/confidence.png

What the network says about half of a validation set is compared with the truth; a logistic curve of two scores and
three numbers a group of joints (`backend/confidence.py`) is fitted to how often it is right, and judged on the other
half. `--write` puts the numbers into the headers of the weights files, whose tensors and identity stay as they are.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import save_file
from scipy.optimize import minimize

from ...backend.confidence import (
    BODY_GROUPS,
    BODY_TOLERANCE,
    BODY_WEIGHTS,
    FACE,
    FACE_TOLERANCE,
    HAND_TOLERANCE,
    HANDS,
    HEADER,
    Calibration,
    Sureness,
    evidence,
    write_calibration,
)
from ...backend.motion.skeleton import JOINT_INDEX
from ...backend.weights import PARTS, find_weights, part_path, read_tensors
from .calibration_plot import draw_reliability
from .evaluation_measures import VISIBLE, face_distances, hand_shape_errors
from .evaluation_people import People, Scores, Shown
from .face_head import FaceModel

Array = NDArray[np.float64]

PART_GROUPS: dict[str, tuple[str, ...]] = {"body": tuple(BODY_GROUPS), "hand": (HANDS,), "face": (FACE,)}
"""Which groups' numbers stand in which weights file."""
BINS = 5
"""Equally filled bins in which predicted and actual shares are compared; with more of them chance shows as an error."""
RIDGE = 1e-3
"""Pull of the weights towards zero."""


class CalibrationSetError(ValueError):
    """A set on which nothing can be calibrated."""


@dataclass(frozen=True)
class Outcomes:
    """M answers of one group of joints.

    Attributes:
        own: (M,) scores of the joints.
        whole: (M,) mean scores of the persons.
        right: (M,) whether the answer was within its tolerance.
        person: (M,) numbers of the persons.
    """

    own: Array
    whole: Array
    right: NDArray[np.bool_]
    person: NDArray[np.int64]

    def take(self, mask: NDArray[np.bool_]) -> "Outcomes":
        """Those where the mask is true."""
        return Outcomes(self.own[mask], self.whole[mask], self.right[mask], self.person[mask])


@dataclass(frozen=True)
class Reliability:
    """How well confidence told the share of right answers of a group, on people that it was not fitted to.

    Attributes:
        answers: how many.
        right: share of right ones.
        before: expected calibration error of the raw scores.
        after: the same of the calibrated confidence.
        curves: before and after, (BINS, 2) mean confidence and share of right answers.
    """

    answers: int
    right: float
    before: float
    after: float
    curves: tuple[Array, Array]


def outcomes(said: People, truth: People, shown: Shown, scores: Scores, model: FaceModel) -> dict[str, Outcomes]:
    """What the network got right, by group of joints; the pelvis, on which others are aligned, does not count."""
    keypoints = scores.keypoints.double().numpy()
    joints, whole = keypoints @ BODY_WEIGHTS.T, keypoints.mean(1)
    near = ((said.points - truth.points).norm(dim=-1) < BODY_TOLERANCE).numpy()
    found: dict[str, Outcomes] = {}
    for group, names in BODY_GROUPS.items():
        columns = [JOINT_INDEX[name] for name in names if name != "pelvis"]
        found[group] = _outcomes(joints[:, columns], whole, near[:, columns])
    hands = (hand_shape_errors(said, truth) < HAND_TOLERANCE) & (shown.hands >= VISIBLE)
    face = (face_distances(said, truth, model) < 1000 * FACE_TOLERANCE) & (shown.faces >= VISIBLE)
    found[HANDS] = _outcomes(scores.hands.double().numpy(), whole, hands.numpy())
    found[FACE] = _outcomes(scores.faces.double().numpy()[:, None], whole, face.numpy()[:, None])
    return found


def fit_sureness(seen: Outcomes) -> Sureness:
    """The curve under which the outcomes are most likely; its weights are not negative, so that it only rises.

    Raises:
        CalibrationSetError: there is no answer.
    """
    if len(seen.right) == 0:
        raise CalibrationSetError("a calibration needs answers; the validation set has too few people")
    inputs = np.stack([np.ones_like(seen.own), evidence(seen.own), evidence(seen.whole)], axis=1)
    right = seen.right.astype(np.float64)

    def loss(numbers: Array) -> tuple[float, Array]:
        raised = inputs @ numbers
        penalty = np.array([0.0, RIDGE, RIDGE]) * numbers
        value = np.mean(np.logaddexp(0, raised) - right * raised) + 0.5 * penalty @ numbers
        return float(value), inputs.T @ (1 / (1 + np.exp(-raised)) - right) / len(right) + penalty

    best = minimize(loss, np.zeros(3), jac=True, bounds=[(-20, 20), (0, None), (0, None)], method="L-BFGS-B")
    return Sureness(*(float(number) for number in best.x))


def calibrate(found: Mapping[str, Outcomes]) -> tuple[dict[str, Sureness], dict[str, Reliability]]:
    """Fit every group on the people of even numbers, judge it on the others."""
    fits = {group: fit_sureness(seen.take(seen.person % 2 == 0)) for group, seen in found.items()}
    return fits, {group: judge(fits[group], seen.take(seen.person % 2 == 1)) for group, seen in found.items()}


def judge(fit: Sureness, seen: Outcomes) -> Reliability:
    """Compare raw scores and calibrated confidence with what was right."""
    confidence = fit.probability(seen.own, seen.whole)
    return Reliability(
        answers=len(seen.right),
        right=float(seen.right.mean()) if len(seen.right) else float("nan"),
        before=calibration_error(seen.own, seen.right),
        after=calibration_error(confidence, seen.right),
        curves=(reliability_curve(seen.own, seen.right), reliability_curve(confidence, seen.right)),
    )


def reliability_curve(confidence: Array, right: NDArray[np.bool_], bins: int = BINS) -> Array:
    """(bins, 2) mean confidence and share of right answers of equally many answers each, from unsure to sure."""
    parts = np.array_split(np.argsort(confidence, kind="stable"), bins)
    return np.array([[confidence[part].mean(), right[part].mean()] for part in parts if len(part)]).reshape(-1, 2)


def calibration_error(confidence: Array, right: NDArray[np.bool_], bins: int = BINS) -> float:
    """Expected calibration error (Naeini et al. 2015), in equally filled bins: mean distance of the two shares."""
    parts = [part for part in np.array_split(np.argsort(confidence, kind="stable"), bins) if len(part)]
    gaps = [len(part) * abs(confidence[part].mean() - right[part].mean()) for part in parts]
    return float(sum(gaps) / max(len(right), 1))


def write_headers(calibration: Calibration, folder: Path) -> None:
    """Put a calibration into the headers of the weights of the preset `open` in a folder; the tensors stay."""
    for part in PARTS:
        path = part_path("open", part, folder)
        tensors, metadata = read_tensors(path)
        metadata[HEADER] = write_calibration(calibration, PART_GROUPS[part])
        partial = path.with_suffix(".partial")
        save_file(tensors, partial, metadata)
        partial.chmod(0o644)
        partial.replace(path)


def report(results: Mapping[str, Reliability]) -> str:
    """The table of a calibration as Markdown."""
    lines = ["| joints | answers | right | error of raw scores | error of confidence |", "|---|--:|--:|--:|--:|"]
    for group, row in results.items():
        lines.append(f"| {group} | {row.answers} | {row.right:.2f} | {row.before:.3f} | {row.after:.3f} |")
    mean = [float(np.mean([getattr(row, name) for row in results.values()])) for name in ("before", "after")]
    return "\n".join([*lines, f"| mean | | | {mean[0]:.3f} | {mean[1]:.3f} |"]) + "\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `calibrate` has besides the options of every measurement."""
    parser.add_argument("--write", action="store_true", help="put the numbers into the headers of the weights files")
    parser.add_argument("--plot", type=Path, help="picture of predicted against actual shares, .png")


def run_calibration(
    options: argparse.Namespace, said: People, scores: Scores, truth: People, shown: Shown, model: FaceModel
) -> None:
    """Fit, judge, write what is asked for, print the table."""
    fits, results = calibrate(outcomes(said, truth, shown, scores, model))
    table = report(results)
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "calibration.json").write_text(json.dumps(_json(fits, results), indent=1) + "\n")
        (options.output / "calibration.md").write_text(table)
    if options.plot:
        draw_reliability({group: row.curves for group, row in results.items()}, options.plot)
    if options.write:
        write_headers(fits, find_weights("open", options.weights))
    print(table)


def _json(fits: Calibration, results: Mapping[str, Reliability]) -> dict[str, Any]:
    return {
        group: {
            "bias, own, whole": [fits[group].bias, fits[group].own, fits[group].whole],
            "answers": row.answers,
            "right": row.right,
            "error before": row.before,
            "error after": row.after,
        }
        for group, row in results.items()
    }


def _outcomes(own: Array, whole: Array, right: NDArray[np.bool_]) -> Outcomes:
    """Of (N, K) answers; the mean score of a person stands beside each."""
    people = np.repeat(np.arange(len(own))[:, None], own.shape[1], axis=1)
    return Outcomes(own.ravel(), np.broadcast_to(whole[:, None], own.shape).ravel(), right.ravel(), people.ravel())
