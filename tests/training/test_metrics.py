"""The errors in millimeters against hand-computed and independent values."""

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes

from pose2pose.backend.motion.rotations import matrix_from_axis_angle
from pose2pose.training.metrics import mpjpe, pa_mpjpe, procrustes_align


def test_mpjpe_is_the_mean_distance_in_millimeters() -> None:
    target = torch.zeros(1, 2, 3)
    predicted = torch.tensor([[[0.03, 0.04, 0.0], [0.0, 0.0, 0.1]]])
    assert mpjpe(predicted, target).item() == pytest.approx((50 + 100) / 2)


def test_root_alignment_removes_a_common_shift() -> None:
    target = torch.randn(4, 12, 3)
    assert mpjpe(target + 5, target).min() > 1000
    assert mpjpe(target + 5, target, root=0).max() < 1e-2


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
