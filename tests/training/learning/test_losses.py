"""The loss: zero where the prediction is the truth, no gradient where nothing is known, the paper's terms."""

import math
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.utils.data import default_collate

from pose2pose.backend.model.parts import PartOutput
from pose2pose.backend.model.pose2pose import Pose2PoseOutput
from pose2pose.backend.model.position import Positions
from pose2pose.training.body_models.human_models import HumanModel
from pose2pose.training.body_models.joint_sets import WHOLE_HANDS
from pose2pose.training.losses import View, part_losses, whole_losses
from pose2pose.training.rotation_vectors import (
    axis_angle_from_matrix,
    matrix_from_axis_angle,
    rotation_differences,
)
from pose2pose.training.targets import Targets, targets_of
from pose2pose.training.transforms import Prepare

SIZE = (128, 96)
PICTURE = np.array([0, 0, 96, 128], np.float32)
TERMS = ["rotations", "betas", "expression", "positions", "fit_positions", "points_3d", "fit_points_3d", "projection"]
BOXES = ["left_hand_box", "right_hand_box", "face_box"]


def prepared(known: Any, model: HumanModel) -> tuple[dict[str, Tensor], Targets, View]:
    """Two samples whose crops lie around the principal point, so that one translation explains the projection."""
    prepare = Prepare(joint_set=model.joint_set, size=SIZE, augmentation=None)
    samples = [replace(sample, box=PICTURE) for sample in known(model, 4).samples[:2]]
    batch = default_collate([prepare(sample, np.random.default_rng(0)) for sample in samples])
    focal = float(batch["focal"][0, 0] * batch["affine"][0, 0, 0])
    return batch, targets_of(batch, model), View(size=SIZE, focal=focal, hand_size=(64, 64))


def perfect(batch: dict[str, Tensor], targets: Targets) -> Pose2PoseOutput:
    """A prediction that is the truth, made of leaves that take gradients."""
    hands = torch.stack([targets.fit_positions[:, list(places)] for places in WHOLE_HANDS], dim=1)
    hands[:, :, 0, 2] = 0  # the wrist is the root of its hand
    half = torch.tensor([0.5, 0.5, 1.0])
    values = {
        "rotations": matrix_from_axis_angle(targets.rotations),
        "betas": targets.betas,
        "expression": targets.expression,
        "translation": batch["fit_trans"],
        "body_points": targets.fit_positions[:, :25] * half,
        "body_scores": torch.ones(2, 25),
        "hand_points": hands,
        "hand_scores": torch.ones(2, 2),
        "face_score": torch.ones(2),
        "boxes": torch.nn.functional.pad(targets.boxes, (0, 1)),
    }
    return Pose2PoseOutput(**{name: value.clone().requires_grad_() for name, value in values.items()})


def test_a_perfect_prediction_costs_nothing(open_model: HumanModel, known: Any) -> None:
    batch, targets, view = prepared(known, open_model)
    terms = whole_losses(perfect(batch, targets), targets, open_model, view)
    assert list(terms) == TERMS + BOXES
    assert {name: value for name, value in terms.items() if value.item() > 1e-3} == {}


def test_a_hand_s_depths_count_from_its_wrist(open_model: HumanModel, known: Any) -> None:
    """Also the wrist's own, which is a point of the body, where depths count from the pelvis (section 3.2)."""
    batch, targets, view = prepared(known, open_model)
    output = perfect(batch, targets)
    output = replace(output, boxes=output.boxes.detach() * torch.tensor([1, 1, 4, 4, 1]))  # the wrist is in them too
    terms = whole_losses(output, targets, open_model, view)
    assert terms["positions"].item() < 1e-3 and terms["fit_positions"].item() < 1e-3
    deeper = output.hand_points.detach() + torch.tensor([0, 0, 0.1]) * (torch.arange(21) == 0)[:, None]
    terms = whole_losses(replace(output, hand_points=deeper), targets, open_model, view)
    # 8 bins of 0.3 m, two wrists of 67 points with three coordinates
    assert terms["fit_positions"].item() == pytest.approx(2 * 0.1 * 8 / 0.3 / (3 * 67), rel=0.02)


PERTURBED = {
    "rotations": {"rotations", "points_3d", "fit_points_3d", "projection"},
    "betas": {"betas", "points_3d", "fit_points_3d", "projection"},
    "expression": {"expression", "points_3d", "fit_points_3d", "projection"},
    "translation": {"projection"},
    "body_points": {"positions", "fit_positions"},
    "hand_points": {"positions", "fit_positions"},
}


@pytest.mark.parametrize("name", PERTURBED)
def test_a_term_learns_what_it_compares(name: str, open_model: HumanModel, known: Any) -> None:
    batch, targets, view = prepared(known, open_model)
    output = perfect(batch, targets)
    torch.manual_seed(0)
    value = getattr(output, name).detach()
    changed = (value + 0.2 * torch.randn_like(value)).requires_grad_()
    if name == "rotations":
        turns = matrix_from_axis_angle(0.2 * torch.randn(2, 55, 3))
        changed = (turns @ value).requires_grad_()
    terms = whole_losses(replace(output, **{name: changed}), targets, open_model, view)
    learning = set()
    for term, loss in terms.items():
        (gradient,) = torch.autograd.grad(loss, changed, retain_graph=True, allow_unused=True)
        if gradient is not None and gradient.abs().max() > 1e-7:
            learning.add(term)
            assert loss.item() > 1e-4
    assert learning == PERTURBED[name]


def test_boxes_learn_from_their_own_term_alone(open_model: HumanModel, known: Any) -> None:
    batch, targets, view = prepared(known, open_model)
    output = perfect(batch, targets)
    shifted = output.boxes.detach() + torch.tensor([4.0, 0, 0, 8.0, 0])
    boxes = shifted.requires_grad_()
    terms = whole_losses(replace(output, boxes=boxes), targets, open_model, view)
    # a cell is an eighth of the picture's height; the mean of two coordinates, center plus size
    assert [terms[name].item() for name in BOXES] == pytest.approx([(4 / 16 + 8 / 16) / 2] * 3)
    others = sum(value for name, value in terms.items() if name not in BOXES)
    assert torch.autograd.grad(others, boxes, allow_unused=True) == (None,)


def test_places_of_hands_and_face_do_not_learn_from_the_projection(open_model: HumanModel, known: Any) -> None:
    batch, targets, view = prepared(known, open_model)
    output = perfect(batch, targets)
    moved = output.translation.detach() + torch.tensor([0.05, 0, 0])  # type: ignore[union-attr]
    terms = whole_losses(replace(output, translation=moved), targets, open_model, view)
    depth = batch["points_3d"][:, :25, 2]
    pixels = view.focal * 0.05 / depth
    expected = (pixels / 16).sum() / (2 * 137 * 2)
    # within a hand, which counts in cells of its own small box, near points still move more than far ones
    assert expected.item() * 0.99 < terms["projection"].item() < expected.item() * 1.4


def test_positions_count_in_cells(open_model: HumanModel, known: Any) -> None:
    batch, targets, view = prepared(known, open_model)
    output = perfect(batch, targets)
    shift = torch.tensor([8.0, 0, 0.25])  # of 64x48 pixels: one cell; of 2 m: one bin
    terms = whole_losses(replace(output, body_points=output.body_points + shift), targets, open_model, view)
    assert terms["fit_positions"].item() == pytest.approx(25 * 2 / (3 * (25 + 42)), rel=1e-3)
    hands = output.hand_points + torch.tensor([0, 0, 0.0375])
    terms = whole_losses(replace(output, hand_points=hands), targets, open_model, view)
    inside = terms["fit_positions"].item() * 3 * (25 + 42)
    assert inside == pytest.approx(42, rel=0.1), "but for points outside of their hand's box"


MASKS = [each.name for each in fields(Targets) if each.name.endswith("_valid")]


def test_masked_samples_learn_nothing(open_model: HumanModel, known: Any) -> None:
    batch, targets, view = prepared(known, open_model)
    masks = {}
    for name in MASKS:
        masks[name] = getattr(targets, name).clone()
        masks[name][1] = False
    torch.manual_seed(0)
    exact = perfect(batch, targets)
    values = {each.name: getattr(exact, each.name) for each in fields(exact)}
    noisy = {name: value.detach() for name, value in values.items() if value is not None}
    noisy = {name: (value + 0.1 * torch.randn_like(value)).requires_grad_() for name, value in noisy.items()}
    terms = whole_losses(Pose2PoseOutput(**noisy), replace(targets, **masks), open_model, view)
    sum(terms.values()).backward()  # type: ignore[union-attr]
    for name in ("rotations", "betas", "expression", "translation", "body_points", "hand_points", "boxes"):
        gradient = noisy[name].grad
        assert gradient is not None
        assert gradient[0].abs().max() > 0, name
        assert gradient[1].abs().max() == 0, name


def test_values_that_mean_nothing_do_not_matter(open_model: HumanModel, known: Any) -> None:
    batch, targets, view = prepared(known, open_model)
    output = perfect(batch, targets)
    masks = {name: torch.zeros_like(getattr(targets, name)) for name in MASKS}
    broken = {name.removesuffix("_valid"): torch.full_like(getattr(targets, name.removesuffix("_valid")), math.nan)
              for name in MASKS}  # fmt: skip
    terms = whole_losses(output, replace(targets, **masks, **broken), open_model, view)
    assert [value.item() for value in terms.values()] == [0.0] * len(terms)


def test_without_positional_pose_its_terms_are_absent(open_model: HumanModel, known: Any) -> None:
    batch, targets, view = prepared(known, open_model)
    bare = replace(perfect(batch, targets), body_points=torch.zeros(2, 0, 3), hand_points=torch.zeros(2, 2, 0, 3))
    terms = whole_losses(bare, targets, open_model, view)
    assert not {"positions", "fit_positions"} & set(terms)
    assert {"projection", "points_3d"} <= set(terms)


def test_a_pose_in_the_plane_is_not_asked_for_depth(open_model: HumanModel, known: Any) -> None:
    batch, targets, view = prepared(known, open_model)
    output = perfect(batch, targets)
    flat = replace(output, body_points=output.body_points[..., :2], hand_points=output.hand_points[..., :2])
    terms = whole_losses(flat, targets, open_model, replace(view, axes=2))
    assert terms["fit_positions"].item() < 1e-3


def test_a_hand_alone(hand_model: HumanModel, known: Any) -> None:
    batch, targets, view = prepared(known, hand_model)
    positions = Positions(targets.fit_positions.clone(), torch.ones(2, 21), ())
    output = PartOutput(matrix_from_axis_angle(targets.rotations), targets.betas, batch["fit_trans"], None, positions)
    terms = part_losses(output, targets, hand_model, view)
    assert list(terms) == [name for name in TERMS if name != "expression"]
    assert max(terms.values()).item() < 1e-3
    farther = replace(output, translation=output.translation + torch.tensor([0, 0, 0.1]))
    assert part_losses(farther, targets, hand_model, view)["projection"].item() > 0.1, "its place is its own business"


class TestRotationVectors:
    def test_matches_scipy_everywhere(self) -> None:
        random = np.random.default_rng(0)
        axes = random.normal(size=(200, 3))
        axes /= np.linalg.norm(axes, axis=1, keepdims=True)
        angles = np.concatenate([random.uniform(0, math.pi, 100), [0.0, 1e-8, 1e-4, math.pi - 1e-4] * 25])
        vectors = axes * angles[:, None]
        matrices = Rotation.from_rotvec(vectors).as_matrix()
        found = axis_angle_from_matrix(torch.from_numpy(matrices)).numpy()
        np.testing.assert_allclose(found, vectors, atol=1e-7)
        np.testing.assert_allclose(matrix_from_axis_angle(torch.from_numpy(vectors)).numpy(), matrices, atol=1e-12)

    @pytest.mark.parametrize("angle", [0.0, 1e-6, 1.0, math.pi - 1e-6, math.pi])
    @pytest.mark.parametrize("axis", [(1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.6, 0.0, 0.8)])
    def test_gradients_are_finite(self, angle: float, axis: tuple[float, ...]) -> None:
        matrix = matrix_from_axis_angle(angle * torch.tensor(axis)).requires_grad_()
        axis_angle_from_matrix(matrix).abs().sum().backward()
        assert matrix.grad is not None
        assert torch.isfinite(matrix.grad).all()
        assert matrix.grad.abs().max() < 20

    def test_a_small_turn_is_a_small_difference_on_both_sides_of_half_a_turn(self) -> None:
        before, after = torch.tensor([math.pi - 0.01, 0, 0]), torch.tensor([math.pi + 0.01, 0, 0])
        differences = rotation_differences(matrix_from_axis_angle(before), after)
        assert differences.norm().item() == pytest.approx(0.02, abs=1e-3)
        differences = rotation_differences(matrix_from_axis_angle(after), before)
        assert differences.norm().item() == pytest.approx(0.02, abs=1e-3)

    def test_far_from_half_a_turn_it_is_the_plain_difference(self) -> None:
        torch.manual_seed(0)
        one, other = torch.randn(2, 50, 3) * 0.6
        torch.testing.assert_close(rotation_differences(matrix_from_axis_angle(one), other), one - other, atol=1e-5,
                                   rtol=0)  # fmt: skip
