"""The z-buffer: coverage, order, perspective, label visibility."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pose2pose.training.synthetic.rasterizer import rasterize, vertex_normals, visible

# Corners go counter-clockwise on the screen, where y points down.
LOWER_LEFT = torch.tensor([[[0.0, 0.0], [0.0, 4.0], [4.0, 4.0]]])
ONE = torch.tensor([[0, 1, 2]])
CUBE = torch.tensor([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
CUBE_FACES = torch.tensor(
    [
        [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
        [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
    ]
)  # fmt: skip


def covered(fragments, height, width):
    picture = torch.zeros(height, width, dtype=torch.bool)
    picture[fragments.row, fragments.column] = True
    return picture


def test_triangle_covers_the_pixels_whose_centers_it_holds():
    fragments = rasterize(LOWER_LEFT, torch.full((1, 3), 2.0), ONE, 5, 5)
    expected = torch.zeros(5, 5, dtype=torch.bool)
    expected[:4, :4] = torch.ones(4, 4).tril().bool()
    assert torch.equal(covered(fragments, 5, 5), expected)
    assert torch.allclose(fragments.depth, torch.tensor(2.0))


def test_back_of_a_triangle_is_not_drawn():
    assert len(rasterize(LOWER_LEFT.flip(1), torch.full((1, 3), 2.0), ONE, 5, 5).depth) == 0


def test_triangle_behind_the_camera_is_not_drawn():
    assert len(rasterize(LOWER_LEFT, torch.tensor([[2.0, 2.0, -1.0]]), ONE, 5, 5).depth) == 0


def test_nearer_triangle_wins_whatever_the_order():
    pixels = LOWER_LEFT.repeat(1, 2, 1)
    for depths in ([3.0, 1.0], [1.0, 3.0]):
        depth = torch.tensor(depths).repeat_interleave(3)[None]
        fragments = rasterize(pixels, depth, torch.tensor([[0, 1, 2], [3, 4, 5]]), 5, 5)
        assert (fragments.triangle == depths.index(1.0)).all()
        assert torch.allclose(fragments.depth, torch.tensor(1.0))


def test_interpolation_is_perspective_correct():
    # A long wall from (x = -1, z = 1) to (x = 3, z = 4): seen at x/z = 0, it is a quarter along, not the screen's half.
    wall = torch.tensor([[-1.0, -9, 1], [-1.0, 9, 1], [3.0, 9, 4], [3.0, -9, 4]])
    pixels = (wall[:, :2] / wall[:, 2:] * 400 + 400)[None]
    fragments = rasterize(pixels, wall[None, :, 2], torch.tensor([[0, 1, 2], [0, 2, 3]]), 800, 800)
    along = fragments.interpolate(torch.tensor([[0.0], [0.0], [1.0], [1.0]]), torch.tensor([[0, 1, 2], [0, 2, 3]]))
    middle = (fragments.row == 400) & (fragments.column == 400)
    assert along[middle].item() == pytest.approx(0.25, abs=0.002)
    assert fragments.depth[middle].item() == pytest.approx(1.75, abs=0.005)


def test_cube_seen_from_the_front_shows_one_face_without_holes():
    corners = CUBE * torch.tensor([1.0, -1.0, -1.0]) + torch.tensor([0.0, 0.0, 5.0])
    pixels = (corners[:, :2] / corners[:, 2:] * 100 + 32)[None]
    fragments = rasterize(pixels, corners[None, :, 2], CUBE_FACES, 64, 64)
    picture = covered(fragments, 64, 64)
    assert picture[7:57, 7:57].all() and picture.sum() == 50 * 50
    assert torch.allclose(fragments.depth, torch.tensor(4.0))


def test_images_of_a_batch_do_not_mix():
    pixels = torch.cat([LOWER_LEFT, LOWER_LEFT + 100])
    fragments = rasterize(pixels, torch.full((2, 3), 2.0), ONE, 5, 5)
    assert (fragments.image == 0).all() and len(fragments.image) == 10


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_a_closed_surface_has_no_holes(seed):
    generator = torch.Generator().manual_seed(seed)
    turn, _ = torch.linalg.qr(torch.randn(3, 3, generator=generator))
    if torch.linalg.det(turn) < 0:
        turn[:, 0] *= -1
    corners = CUBE @ turn.T + torch.tensor([0.0, 0.0, 6.0])
    pixels = (corners[:, :2] / corners[:, 2:] * 60 + 32)[None]
    picture = covered(rasterize(pixels, corners[None, :, 2], CUBE_FACES, 64, 64), 64, 64)
    for row in picture[picture.any(1)]:
        columns = row.nonzero()[:, 0]
        assert columns.max() - columns.min() + 1 == len(columns)


def test_visible_looks_at_depth_and_frame():
    depth_image = torch.full((1, 4, 4), torch.inf)
    depth_image[0, 1, 1] = 2.0
    pixels = torch.tensor([[[1.5, 1.5], [1.5, 1.5], [1.5, 1.5], [2.5, 2.5], [9.0, 1.0], [2.5, 2.5]]])
    depth = torch.tensor([[1.9, 2.05, 2.5, 7.0, 1.0, -1.0]])
    assert visible(pixels, depth, depth_image, 0.1).tolist() == [[True, True, False, True, False, False]]


def test_vertex_normals_point_outward():
    normals = vertex_normals(CUBE[None], CUBE_FACES)[0]
    assert ((normals * CUBE).sum(1) > 0.9).all()
