"""Cutting regions out of a picture."""

import math

import pytest
import torch
from torchvision.ops import roi_align

from pose2pose.backend.model.regions import align_regions, crop_regions, points_from_image, points_to_image


@pytest.mark.parametrize("size", [(24, 24), (24, 16)])
def test_an_upright_crop_is_roi_align(size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 64, 48, generator=generator)
    boxes = torch.rand(2, 5, 5, generator=generator) * torch.tensor([48.0, 64, 40, 40, 0]) + torch.tensor(
        [0.0, 0, 4, 4, 0]
    )
    half = boxes[..., 2:4] / 2
    corners = torch.cat([boxes[..., :2] - half, boxes[..., :2] + half], dim=2)
    expected = roi_align(images, list(corners), size, sampling_ratio=1, aligned=True)
    torch.testing.assert_close(crop_regions(images, boxes, size).flatten(0, 1), expected, atol=1e-5, rtol=0)


def test_a_quarter_turn() -> None:
    image = torch.rand(1, 3, 32, 32)
    crop = crop_regions(image, torch.tensor([[[16.0, 16, 32, 32, math.pi / 2]]]), (32, 32))[0, 0]
    # the crop's right is the picture's down, so its rows run along the picture's columns, backwards
    torch.testing.assert_close(crop, image[0].rot90(1, (1, 2)), atol=1e-4, rtol=0)


def test_points_of_a_crop_lie_where_they_were_cut() -> None:
    image = torch.zeros(1, 1, 80, 100)
    image[0, 0, 30, 60] = 1
    boxes = torch.tensor([[[55.0, 35.0, 30.0, 40.0, 0.7]]])
    crop = crop_regions(image, boxes, (120, 90))[0, 0, 0]
    row, column = divmod(int(crop.argmax()), 90)
    point = points_to_image(torch.tensor([[[[column + 0.5, row + 0.5]]]]), boxes, (120, 90))
    torch.testing.assert_close(point[0, 0, 0], torch.tensor([60.5, 30.5]), atol=0.4, rtol=0)


@pytest.mark.parametrize("side", [20.0, 60.0, 150.0])
def test_aligned_crops_show_the_places_that_their_points_lie_at(side: float) -> None:
    rows, columns = torch.meshgrid(torch.arange(512.0) + 0.5, torch.arange(384.0) + 0.5, indexing="ij")
    boxes = torch.tensor([[[200.0, 230.0, side, side, 0.0], [150.0, 300.0, side, 0.5 * side, 0.0]]])
    crops = align_regions(torch.stack([columns, rows])[None], boxes, (64, 64))
    middles = torch.cartesian_prod(torch.arange(64.0), torch.arange(64.0)).flip(1) + 0.5
    places = points_to_image(middles.expand(1, 2, -1, 2), boxes, (64, 64))
    torch.testing.assert_close(crops.flatten(3).transpose(2, 3), places, atol=1e-3, rtol=0)


def test_aligned_crops_of_boxes_inside_out_are_finite() -> None:
    crops = align_regions(torch.rand(1, 3, 512, 384), torch.tensor([[[200.0, 200.0, -90.0, -90.0, 0.0]]]), (64, 64))
    assert torch.isfinite(crops).all()


def test_there_and_back() -> None:
    boxes = torch.tensor([[[100.0, 200, 50, 80, 0.4], [30.0, 20, 90, 90, -2.0]]])
    points = torch.rand(1, 2, 21, 2) * 224
    back = points_from_image(points_to_image(points, boxes, (224, 224)), boxes, (224, 224))
    torch.testing.assert_close(back, points, atol=1e-3, rtol=0)
