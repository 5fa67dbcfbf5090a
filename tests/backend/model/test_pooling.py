"""Positional pose-guided pooling."""

import torch

from pose2pose.backend.model.pooling import ConvolvedPooling, MapPooling, Standardization, pool_at_points
from pose2pose.backend.model.position import CellGrid

MAP = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
"""Two by two cells over a picture of 20 by 20 pixels: cell middles at 5 and 15."""


def test_bilinear_by_hand() -> None:
    points = torch.tensor([[[5.0, 5.0], [15.0, 5.0], [10.0, 10.0], [7.5, 5.0], [5.0, 12.5]]])
    pooled = pool_at_points(MAP, points, (20, 20))
    torch.testing.assert_close(pooled[0, :, 0], torch.tensor([1.0, 2.0, 2.5, 1.25, 2.5]))


def test_outside_the_picture_is_zero() -> None:
    assert (pool_at_points(MAP, torch.tensor([[[-20.0, 5.0], [5.0, 60.0]]]), (20, 20)) == 0).all()


def test_points_get_gradients() -> None:
    points = torch.tensor([[[10.0, 10.0]]], requires_grad=True)
    pool_at_points(MAP, points, (20, 20)).sum().backward()
    torch.testing.assert_close(points.grad, torch.tensor([[[0.1, 0.2]]]))  # the map rises by 1 and 2 over 10 pixels


def test_convolving_first_equals_convolving_the_pooled_features() -> None:
    pooling = ConvolvedPooling(reduce=torch.nn.Conv2d(6, 4, 1), grid=CellGrid(depth_bins=8, depth_range=2.0))
    features, points = torch.randn(2, 6, 8, 6), torch.rand(2, 5, 3) * 150 + 20
    pooled = pool_at_points(features, points[..., :2], (256, 192))
    expected = pooled @ pooling.reduce.weight[:, :, 0, 0].T + pooling.reduce.bias
    torch.testing.assert_close(pooling((features,), points), expected, atol=1e-5, rtol=1e-4)


def test_maps_of_different_sizes_see_the_same_place() -> None:
    ramp = (torch.arange(192) + 0.5).expand(1, 1, 256, 192)
    coarse = torch.nn.functional.avg_pool2d(ramp, 8)
    pooled = MapPooling(channels=2, size=(256, 192))((ramp, coarse), torch.tensor([[[50.0, 100.0, 0.3]]]))
    torch.testing.assert_close(pooled, torch.full((1, 1, 2), 50.0))


def test_standardization_takes_the_statistics_of_samples() -> None:
    samples = torch.randn(100, 17, 3) * torch.tensor([30.0, 1.0, 0.1]) + torch.tensor([5.0, -2.0, 0.0])
    standardization = Standardization(3)
    standardization.fit(samples)
    flat = standardization(samples).flatten(0, 1)
    torch.testing.assert_close(flat.mean(0), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(flat.std(0), torch.ones(3), atol=1e-4, rtol=0)
    assert set(standardization.state_dict()) == {"mean", "std"}
