"""6D rotations and the rotation heads."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pose2pose.backend.model.layers import FeatureInjection, ResidualMLP
from pose2pose.backend.model.rotation import (
    LinearRotationNet,
    ResidualRotationNet,
    matrix_from_6d,
    mirror_rotations,
)


def test_six_numbers_are_the_first_two_columns() -> None:
    expected = Rotation.random(50, random_state=0).as_matrix()
    six = torch.from_numpy(np.concatenate([expected[:, :, 0], expected[:, :, 1]], axis=1))
    np.testing.assert_allclose(matrix_from_6d(six).numpy(), expected, atol=1e-12)


def test_any_six_numbers_give_a_rotation() -> None:
    matrices = matrix_from_6d(torch.randn(200, 3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    identity = torch.eye(3, dtype=torch.float64).expand_as(matrices)
    torch.testing.assert_close(matrices @ matrices.transpose(-1, -2), identity)
    torch.testing.assert_close(torch.linalg.det(matrices), torch.ones(200, 3, dtype=torch.float64))


def test_numbers_of_half_precision_give_a_rotation_too() -> None:
    matrices = matrix_from_6d(torch.randn(200, 6, generator=torch.Generator().manual_seed(0)).bfloat16())
    torch.testing.assert_close(matrices @ matrices.transpose(-1, -2), torch.eye(3).expand_as(matrices))


def test_mirroring_negates_y_and_z_of_the_axis_angle() -> None:
    vectors = np.random.default_rng(0).normal(size=(20, 3))
    mirrored = mirror_rotations(torch.from_numpy(Rotation.from_rotvec(vectors).as_matrix()))
    expected = Rotation.from_rotvec(vectors * [1, -1, -1]).as_matrix()
    np.testing.assert_allclose(mirrored.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("net", [LinearRotationNet(7, 4), ResidualRotationNet(7, 4, hidden=16, blocks=2)])
def test_a_new_head_rests_at_zero_input(net: torch.nn.Module) -> None:
    torch.testing.assert_close(net(torch.zeros(2, 7)), torch.eye(3).expand(2, 4, 3, 3))


def test_features_change_nothing_before_training() -> None:
    net = ResidualRotationNet(7, 4, hidden=16, blocks=1, features=5).eval()
    geometry, features = torch.randn(3, 7), torch.randn(3, 5)
    torch.testing.assert_close(net(geometry, features), net(geometry))


def test_a_head_learns_from_features_that_geometry_lacks() -> None:
    torch.manual_seed(0)
    net = ResidualMLP(2, 1, hidden=16, blocks=1, features=1, feature_drop=0.0)
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(200):
        features = torch.randn(64, 1)
        loss = (net(torch.zeros(64, 2), features) - features).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05


def test_features_are_dropped_for_whole_samples_and_only_while_training() -> None:
    torch.manual_seed(0)
    injection = FeatureInjection(3, 8, drop=0.5)
    torch.nn.init.ones_(injection.linear.weight)
    features = torch.ones(400, 3)
    dropped = (injection(features) == 0).all(1)
    kept = (injection(features) == 3).all(1)
    assert 0.3 < dropped.float().mean() < 0.7
    assert 0.3 < kept.float().mean() < 0.7
    assert (injection.eval()(features) == 3).all()


def test_unexpected_features_are_refused() -> None:
    with pytest.raises(ValueError, match="built without features"):
        ResidualRotationNet(7, 4, hidden=16, blocks=1)(torch.zeros(2, 7), torch.zeros(2, 5))
