"""Soft-argmax, CenterNet decoding and the normalization of points."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from pose2pose.backend.model.position import (
    CellGrid,
    DepthLifter,
    HeatmapPositionNet,
    concentration,
    decode_keypoints,
    normalize_points,
    palm_vector,
    soft_argmax,
)

SCALES = st.floats(0.3, 3)
SHIFTS = st.floats(-200, 200)


def test_soft_argmax_of_a_delta_is_its_cell() -> None:
    heatmaps = torch.zeros(1, 2, 4, 8, 6)
    heatmaps[0, 0, 3, 7, 5] = 100
    heatmaps[0, 1, 1, 2, 0] = 100
    torch.testing.assert_close(soft_argmax(heatmaps), torch.tensor([[[5.0, 7, 3], [0, 2, 1]]]))


def test_soft_argmax_of_a_symmetric_map_is_its_middle() -> None:
    half = torch.randn(1, 1, 4, 8, 3, generator=torch.Generator().manual_seed(0))
    x = soft_argmax(torch.cat([half, half.flip(-1)], dim=-1))[..., 0]
    torch.testing.assert_close(x, torch.tensor([[2.5]]))


def test_soft_argmax_between_two_peaks() -> None:
    heatmaps = torch.full((1, 1, 1, 1, 5), -100.0)
    heatmaps[..., 1] = 0
    heatmaps[..., 4] = torch.tensor(2.0).log()
    torch.testing.assert_close(soft_argmax(heatmaps)[0, 0, 0], torch.tensor((1 * 1 + 4 * 2) / 3))


def test_heatmap_net_speaks_pixels_and_meters() -> None:
    grid = CellGrid(depth_bins=4, depth_range=2.0)
    net = HeatmapPositionNet(backbone=torch.nn.Identity(), channels=4, joints=2, grid=grid)
    torch.nn.init.zeros_(net.heatmaps.weight)
    torch.nn.init.zeros_(net.heatmaps.bias)
    uniform = net(torch.rand(3, 4, 8, 6))
    torch.testing.assert_close(uniform.points, torch.tensor([96.0, 128.0, 0.0]).expand(3, 2, 3))
    torch.testing.assert_close(uniform.scores, torch.zeros(3, 2), atol=1e-5, rtol=0)
    with torch.no_grad():
        net.heatmaps.bias[3] = 100  # the farthest bin of the first joint
    torch.testing.assert_close(net(torch.rand(3, 4, 8, 6)).points[:, 0, 2], torch.full((3,), 0.75))


def test_cells_of_the_release_are_counted_from_their_first_corner() -> None:
    """Its 3D heat map has 8 cells of 32 pixels; half of the 2 m lie before the root."""
    grid = CellGrid(depth_bins=8, depth_range=2.0, first_pixel=0.25, first_bin=0.0)
    cells = torch.tensor([[0.0, 0.0, 0.0], [5.0, 7.0, 4.0]])
    torch.testing.assert_close(grid.points(cells), torch.tensor([[0.25, 0.25, -1.0], [160.25, 224.25, 0.0]]))
    torch.testing.assert_close(grid.cells(grid.points(cells)), cells)


def test_mirroring_a_map_mirrors_its_points() -> None:
    heatmaps = torch.randn(2, 3, 8, 8, 6, generator=torch.Generator().manual_seed(0))
    for grid in (CellGrid(depth_bins=8, depth_range=1.0), CellGrid(depth_bins=8, depth_range=1.0, first_pixel=0.0)):
        x, mirrored = (grid.points(soft_argmax(maps))[..., 0] for maps in (heatmaps, heatmaps.flip(-1)))
        torch.testing.assert_close(mirrored, grid.mirrored_width(6) - x, atol=1e-4, rtol=0)


def test_confidence_is_high_for_a_peak_and_low_for_a_guess() -> None:
    heatmaps = torch.zeros(1, 4, 2, 8, 8)
    heatmaps[0, 0, 0, 3, 3] = heatmaps[0, 1, 0, 3, 3] = heatmaps[0, 1, 1, 3, 4] = 1.0
    heatmaps[0, 2, 0, 0, 0] = heatmaps[0, 2, 0, 7, 7] = 1.0
    heatmaps[0, 3] = 1.0
    heatmaps = heatmaps / heatmaps.sum((2, 3, 4), keepdim=True)
    cells = torch.tensor([[[3.0, 3.0], [3.5, 3.0], [3.5, 3.5], [3.5, 3.5]]])
    torch.testing.assert_close(concentration(heatmaps, cells), torch.tensor([[1.0, 1.0, 0.0, 0.0]]))


def _maps(people: list[tuple[int, int]], joints: int = 3) -> tuple[torch.Tensor, ...]:
    """Head maps 64x48 of people centered at (x, y) with joint j at center + (2j, 3j) cells and half a cell."""
    heatmap, center = torch.full((1, joints, 64, 48), -9.0), torch.full((1, 1, 64, 48), -9.0)
    regression, offset = torch.zeros(1, 2 * joints, 64, 48), torch.full((1, 2 * joints, 64, 48), 0.5)
    for x, y in people:
        center[0, 0, y, x] = 3
        for j in range(joints):
            regression[0, 2 * j, y, x], regression[0, 2 * j + 1, y, x] = 3 * j, 2 * j
            heatmap[0, j, y + 3 * j, x + 2 * j] = 2
    return heatmap, center, regression, offset


def test_keypoints_of_the_person_nearest_the_middle() -> None:
    found = decode_keypoints(*_maps([(8, 10), (25, 30)]))
    expected = torch.tensor([[25.5, 30.5], [27.5, 33.5], [29.5, 36.5]])
    torch.testing.assert_close(found[0, :, :2], expected)
    torch.testing.assert_close(found[0, :, 2], torch.full((3,), torch.tensor(2.0).sigmoid().item()))


@given(scale=SCALES, x=SHIFTS, y=SHIFTS)
def test_normalized_points_ignore_the_crops_place_and_size(scale: float, x: float, y: float) -> None:
    generator = torch.Generator().manual_seed(0)
    points = 192 * torch.rand(2, 17, 2, generator=generator)
    scores = torch.rand(2, 17, generator=generator)
    moved = normalize_points(points * scale + torch.tensor([x, y]), scores)
    torch.testing.assert_close(moved, normalize_points(points, scores), atol=1e-4, rtol=0)


def test_points_without_confidence_neither_count_nor_show() -> None:
    points = torch.tensor([[[0.0, 0], [10, 40], [999, -999]]])
    normalized = normalize_points(points, torch.tensor([[0.9, 0.9, 0.1]]))
    torch.testing.assert_close(normalized, torch.tensor([[[-0.125, -0.5], [0.125, 0.5], [0, 0]]]))
    assert (normalize_points(points, torch.zeros(1, 3)) == 0).all()


def test_normalizing_has_finite_gradients_without_any_confident_point() -> None:
    points = torch.rand(2, 17, 2, requires_grad=True)
    normalize_points(points, torch.zeros(2, 17)).sum().backward()
    assert points.grad is not None
    assert torch.isfinite(points.grad).all()


@given(scale=SCALES, x=SHIFTS, y=SHIFTS)
def test_palms_ignore_where_and_how_large_the_hand_is(scale: float, x: float, y: float) -> None:
    points = torch.randn(2, 2, 5, 3, generator=torch.Generator().manual_seed(0))
    moved = palm_vector(points * scale + torch.tensor([x, y, 0]), torch.ones(2, 2))
    torch.testing.assert_close(moved, palm_vector(points, torch.ones(2, 2)), atol=1e-3, rtol=0)


def test_a_hidden_hand_gives_zeros() -> None:
    vector = palm_vector(torch.randn(1, 2, 5, 3), torch.tensor([[0.3, 0.8]])).view(2, 13)
    assert (vector[0] == 0).all()
    assert (vector[1] != 0).all()


def test_depth_does_not_change_with_the_crop() -> None:
    lifter = DepthLifter(17, hidden=32, blocks=1)
    points, scores = 192 * torch.rand(2, 17, 2), torch.rand(2, 17)
    torch.testing.assert_close(lifter(1.3 * points + 20, scores), lifter(points, scores), atol=1e-5, rtol=1e-4)
