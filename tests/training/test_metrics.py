"""The errors in millimeters against hand-computed and independent values."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.linalg import orthogonal_procrustes
from scipy.spatial import procrustes

from pose2pose.backend.motion.rotations import matrix_from_axis_angle
from pose2pose.training.metrics import box_iou, mpjpe, pa_mpjpe, procrustes_align, rooted_error


def test_mpjpe_is_the_mean_distance_in_millimeters() -> None:
    target = torch.zeros(1, 2, 3)
    predicted = torch.tensor([[[0.03, 0.04, 0.0], [0.0, 0.0, 0.1]]])
    assert mpjpe(predicted, target).item() == pytest.approx((50 + 100) / 2)


def test_root_alignment_removes_a_common_shift() -> None:
    target = torch.randn(4, 12, 3)
    assert mpjpe(target + 5, target).min() > 1000
    assert rooted_error(target + 5, target, (target[:, 0] + 5, target[:, 0])).max() < 1e-2


def test_pa_mpjpe_ignores_rotation_scale_and_place() -> None:
    target = torch.randn(5, 12, 3)
    rotation = torch.from_numpy(matrix_from_axis_angle(np.random.default_rng(0).normal(size=(5, 3)))).float()
    moved = 1.7 * target @ rotation.transpose(1, 2) + torch.tensor([1.0, -2.0, 3.0])
    assert pa_mpjpe(moved, target).max() < 0.01


def test_pa_mpjpe_does_not_forgive_a_mirrored_person() -> None:
    target = torch.randn(5, 12, 3)
    assert pa_mpjpe(target * torch.tensor([-1.0, 1.0, 1.0]), target).min() > 100


def test_alignment_equals_scipy() -> None:
    generator = np.random.default_rng(3)
    source, target = generator.normal(size=(2, 12, 3))
    target = target + source
    x, y = source - source.mean(0), target - target.mean(0)
    rotation, scale = orthogonal_procrustes(x, y)
    assert np.linalg.det(rotation) > 0
    expected = x @ rotation * scale / np.square(x).sum() + target.mean(0)
    aligned = procrustes_align(torch.from_numpy(source)[None], torch.from_numpy(target)[None])[0]
    np.testing.assert_allclose(aligned.numpy(), expected, atol=1e-9)


coordinates = arrays(np.float64, (7, 3), elements=st.floats(-1, 1, width=32))
vectors = arrays(np.float64, (3,), elements=st.floats(-3, 3, width=32))


@settings(deadline=None, max_examples=40)
@given(target=coordinates, noise=coordinates, turn=vectors, shift=vectors, scale=st.floats(0.1, 10))
def test_pa_error_does_not_depend_on_how_the_prediction_is_placed(target, noise, turn, shift, scale) -> None:  # type: ignore[no-untyped-def]
    predicted = target + 0.3 * noise
    # with a flat or a single-point cloud the rotation is not determined, with hardly any the numbers are not
    assume(min(np.linalg.svd(p - p.mean(0))[1][2] for p in (predicted, target)) > 1e-2)
    moved = scale * predicted @ matrix_from_axis_angle(turn).T + shift
    errors = [pa_mpjpe(torch.from_numpy(p)[None], torch.from_numpy(target)[None]).item() for p in (predicted, moved)]
    assert errors[1] == pytest.approx(errors[0], abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_alignment_equals_scipys_disparity_where_no_mirror_is_needed(seed: int) -> None:
    generator = np.random.default_rng(seed)
    target = generator.normal(size=(14, 3))
    predicted = 2 * target @ matrix_from_axis_angle(generator.normal(size=3)).T + 0.4 * generator.normal(size=(14, 3))
    aligned = procrustes_align(torch.from_numpy(predicted)[None], torch.from_numpy(target)[None])[0].numpy()
    disparity = procrustes(target, predicted)[2]
    assert np.square(aligned - target).sum() / np.square(target - target.mean(0)).sum() == pytest.approx(disparity)


def test_points_that_all_coincide_are_moved_into_the_middle_of_the_target() -> None:
    target = torch.tensor([[[0.0, 0, 0], [0.2, 0, 0]]])
    assert pa_mpjpe(torch.ones(1, 2, 3), target).item() == pytest.approx(100)


def test_rooted_error_moves_the_roots_onto_each_other() -> None:
    target = torch.tensor([[[1.0, 0, 0], [0, 1, 0]]])
    predicted = target + torch.tensor([5.0, 5, 5])
    roots = torch.tensor([[5.0, 5, 5.003]]), torch.tensor([[0.0, 0, 0]])
    assert rooted_error(predicted, target, roots).item() == pytest.approx(3, abs=1e-3)


@pytest.mark.parametrize(
    ("box", "iou"),
    [
        ((0, 0, 2, 2), 1),
        ((1, 0, 3, 2), 1 / 3),  # 2 shared of 4 + 4 - 2
        ((1, 1, 3, 3), 1 / 7),
        ((-1, -1, 3, 3), 0.25),  # the same center, twice the side
        ((2, 0, 4, 2), 0),
        ((5, 5, 6, 6), 0),
        ((2, 2, 0, 0), 0),  # inside out
    ],
)
def test_box_iou_by_hand(box: tuple[int, ...], iou: float) -> None:
    truth = torch.tensor([0.0, 0, 2, 2])
    assert box_iou(torch.tensor(box).float(), truth).item() == pytest.approx(iou)
    assert box_iou(torch.zeros(2, 4), torch.zeros(2, 4)).tolist() == [0, 0]
