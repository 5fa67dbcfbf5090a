"""Targets: the posed fit lands where the labels are, whatever flip, crop and turn did to the picture."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from pose2pose.training.body_models.human_models import HumanModel
from pose2pose.training.body_models.joint_sets import WHOLE
from pose2pose.training.datasets.sample import Sample
from pose2pose.training.rotation_vectors import matrix_from_axis_angle
from pose2pose.training.targets import Targets, only_branches, relative_to_roots, targets_of
from pose2pose.training.transforms import Draw, Prepare

SIZE = (128, 96)
DRAWS = {
    "as it is": Draw(),
    "flipped": Draw(flip=True),
    "turned": Draw(turn=0.4, scale=1.1),
    "flipped and turned": Draw(flip=True, turn=-0.5, scale=0.9),
}


def targets_for(samples: list[Sample], model: HumanModel, draw: Draw) -> tuple[dict[str, Any], Targets]:
    prepare = Prepare(joint_set=model.joint_set, size=SIZE, augmentation=None)
    batch = default_collate([prepare.changed(sample, draw) for sample in samples])
    return batch, targets_of(batch, model)


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_the_fit_lands_on_the_labels(draw: Draw, open_model: HumanModel, known: Any) -> None:
    # the labels are the fit's points: numpy code flips, crops and turns them, and knows nothing of the body model
    batch, targets = targets_for(known(open_model, 4).samples, open_model, draw)
    torch.testing.assert_close(targets.fit_positions, targets.positions, atol=2e-3, rtol=0)
    torch.testing.assert_close(targets.fit_points_3d, targets.points_3d, atol=1e-5, rtol=0)
    roots = np.zeros(137, int)
    for part in WHOLE.parts:
        roots[part.points] = part.root
    expected = batch["points_3d"] - batch["points_3d"][:, roots]
    torch.testing.assert_close(targets.points_3d, expected)
    torch.testing.assert_close(targets.positions[..., 2], expected[..., 2])


@pytest.mark.parametrize("name", ["as it is", "turned"])
def test_the_target_rotations_pose_the_same_points(name: str, open_model: HumanModel, known: Any) -> None:
    _, targets = targets_for(known(open_model, 4).samples, open_model, DRAWS[name])
    posed = open_model(matrix_from_axis_angle(targets.rotations), targets.betas, targets.expression).points
    torch.testing.assert_close(relative_to_roots(posed, WHOLE), targets.fit_points_3d, atol=1e-5, rtol=0)


def test_boxes_are_center_and_size(open_model: HumanModel, known: Any) -> None:
    sample = known(open_model, 4)[0]
    batch, targets = targets_for([sample], open_model, Draw())
    low, high = batch["regions"][0, :, :2], batch["regions"][0, :, 2:]
    torch.testing.assert_close(targets.boxes[0], torch.cat([(low + high) / 2, high - low], dim=1))
    assert targets.boxes_valid.all()


def test_what_is_not_known_is_masked(open_model: HumanModel, known: Any) -> None:
    sample: Sample = known(open_model, 4)[0]
    wrist, pelvis, nose = (WHOLE.points.index(name) for name in ("L_Wrist", "Pelvis", "Nose"))
    valid_3d = sample.points_3d_valid.copy()
    valid_3d[wrist] = False
    valid = sample.points_valid.copy()
    valid[nose] = False
    without_fit = replace(sample, fit=None)
    _, targets = targets_for([replace(sample, points_3d_valid=valid_3d, points_valid=valid), without_fit], open_model,
                             Draw())  # fmt: skip
    hand = slice(25, 45)
    assert not targets.points_3d_valid[0, hand].any(), "relative to a wrist that nobody knows"
    assert targets.points_3d_valid[0, pelvis]
    assert targets.positions_valid[0, hand, :2].all()
    assert not targets.positions_valid[0, hand, 2].any(), "no depth without the wrist"
    assert not targets.positions_valid[0, nose].any()
    fit_masks = (targets.fit_positions_valid, targets.fit_points_3d_valid, targets.rotations_valid,
                 targets.betas_valid, targets.expression_valid)  # fmt: skip
    assert not any(mask[1].any() for mask in fit_masks)
    values = (targets.fit_positions, targets.fit_points_3d, targets.rotations)
    assert all(torch.isfinite(value).all() for value in values)


def test_points_outside_the_crop_or_far_from_the_root_are_not_positions(open_model: HumanModel, known: Any) -> None:
    sample: Sample = known(open_model, 4)[0]
    nose = sample.points[WHOLE.points.index("Nose")]
    head = np.concatenate([nose - 10, nose + 10])
    _, targets = targets_for([replace(sample, box=head)], open_model, Draw())
    ankle = WHOLE.points.index("L_Ankle")
    assert not targets.fit_positions_valid[0, ankle].any()
    assert targets.fit_points_3d_valid[0, ankle], "the mesh is known beyond the crop"
    assert targets.fit_positions_valid[0, WHOLE.points.index("Nose")].all()
    points = sample.points_3d.copy()
    points[ankle, 2] += 1.5
    _, targets = targets_for([replace(sample, points_3d=points)], open_model, Draw())
    assert not targets.positions_valid[0, ankle].any(), "the heat maps reach a meter to either side"


def test_branches_that_do_not_learn_have_no_targets(open_model: HumanModel, known: Any) -> None:
    _, targets = targets_for(known(open_model, 4).samples, open_model, Draw())
    body = only_branches(targets, WHOLE, ("body",))
    assert body.points_3d_valid[:, :25].all()
    assert not body.points_3d_valid[:, 25:].any()
    assert not body.positions_valid[:, 25:].any()
    assert body.rotations_valid[:, :22].all()
    assert not body.rotations_valid[:, 22:].any()
    assert not body.boxes_valid.any()
    assert not body.expression_valid.any()
    assert body.betas_valid.all()
    everything = only_branches(targets, WHOLE, ("body", "hand", "face"))
    assert torch.equal(everything.points_3d_valid, targets.points_3d_valid)
    assert torch.equal(everything.rotations_valid, targets.rotations_valid)


def test_left_and_right_change_places_with_a_flip(open_model: HumanModel, known: Any) -> None:
    sample: Sample = known(open_model, 4)[0]
    left, right = WHOLE.points.index("L_Wrist"), WHOLE.points.index("R_Wrist")
    _, straight = targets_for([sample], open_model, Draw())
    _, flipped = targets_for([sample], open_model, Draw(flip=True))
    width = SIZE[1]
    # the crop's box is mirrored with the picture, so that the mirrored crop is the crop of the mirrored picture
    assert flipped.fit_positions[0, left, 0].item() == pytest.approx(
        width - straight.fit_positions[0, right, 0].item(), abs=1e-3
    )
    assert flipped.fit_points_3d[0, left, 0].item() == pytest.approx(
        -straight.fit_points_3d[0, right, 0].item(), abs=1e-6
    )
