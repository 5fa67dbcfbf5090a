"""Projection and the solved translation."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from pose2pose.backend.body.joints import COCO17
from pose2pose.backend.body.layer import BodyLayer
from pose2pose.backend.model.camera import project, solve_translation
from pose2pose.backend.model.presets import preset
from pose2pose.backend.motion.body_file import load_body

FOCAL = torch.tensor([1500.0, 1500.0])
CENTER = torch.tensor([96.0, 128.0])


def _points(seed: int) -> torch.Tensor:
    return torch.randn(2, 17, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 0.4


def test_projection_by_hand() -> None:
    pixel = project(torch.tensor([[[0.5, -0.2, 10.0]]]), FOCAL, CENTER)
    torch.testing.assert_close(pixel, torch.tensor([[[171.0, 98.0]]]))


@given(
    seed=st.integers(0, 1000),
    x=st.floats(-3, 3),
    y=st.floats(-3, 3),
    z=st.floats(3, 40),
    focal=st.floats(200, 5000),
)
def test_exact_for_exact_projections(seed: int, x: float, y: float, z: float, focal: float) -> None:
    points, translation = _points(seed), torch.tensor([[x, y, z]], dtype=torch.float64)
    focals = torch.tensor([focal, 0.9 * focal], dtype=torch.float64)
    pixels = project(points + translation, focals, CENTER.double())
    weights = torch.rand(2, 17, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    solved = solve_translation(points, pixels, weights, focals, CENTER.double())
    torch.testing.assert_close(solved, translation.expand(2, 3), atol=1e-6, rtol=1e-6)


def test_points_without_weight_do_not_count() -> None:
    points, translation = _points(0), torch.tensor([[0.3, -0.1, 8.0]], dtype=torch.float64)
    pixels = project(points + translation, FOCAL.double(), CENTER.double())
    pixels[:, :5] += 500
    weights = torch.ones(2, 17, dtype=torch.float64)
    weights[:, :5] = 0
    solved = solve_translation(points, pixels, weights, FOCAL.double(), CENTER.double())
    torch.testing.assert_close(solved, translation.expand(2, 3))


def test_single_precision_is_enough_and_each_sample_may_have_its_camera() -> None:
    points, translation = _points(0).float(), torch.tensor([[0.3, -0.1, 12.0], [1.0, 0.5, 5.0]])
    focal, center = torch.tensor([[1500.0, 1500], [800, 820]]), torch.tensor([[96.0, 128], [320, 240]])
    pixels = project(points + translation[:, None], focal, center)
    solved = solve_translation(points, pixels, torch.ones(2, 17), focal, center)
    torch.testing.assert_close(solved, translation, atol=2e-3, rtol=0)


@torch.inference_mode()
def test_the_camera_of_the_release_sees_the_body_where_its_keypoints_say() -> None:
    """Its own translation, and the one that the pipeline solves from keypoints, are the same."""
    released = preset("hand4whole")
    shape = released.build_body().shape
    shape.camera.weight.zero_()
    shape.camera.bias.copy_(torch.tensor([0.1, 0.3, -0.4]))
    _, translation = shape.pooled(torch.zeros(1, 2048))
    body = BodyLayer(load_body())
    points, _ = body.skeleton(torch.eye(3).expand(1, 55, 3, 3), torch.zeros(1, 10))
    points = points * torch.tensor([1.0, -1.0, -1.0])  # upright before a camera whose y points down
    focal = torch.full((2,), released.focal)
    pixels = project(points[:, COCO17] + translation[:, None], focal, CENTER)
    solved = solve_translation(points[:, COCO17], pixels, torch.ones(1, 17), focal, CENTER)
    torch.testing.assert_close(solved, translation, atol=2e-2, rtol=0)
    height = project(points + translation[:, None], focal, CENTER)[0, :, 1]
    assert 100 < height.max() - height.min() < 512, "a grown-up about fills the picture"


@torch.inference_mode()
def test_two_and_a_half_meters_fill_the_picture_of_the_release_from_the_farthest_place() -> None:
    released = preset("hand4whole")
    shape = released.build_body().shape
    shape.camera.weight.zero_()
    shape.camera.bias.copy_(torch.tensor([0.0, 0.0, 50.0]))
    _, translation = shape.pooled(torch.zeros(1, 2048))
    ends = torch.tensor([[[-1.25, 0.0, 0.0], [1.25, 0.0, 0.0]]]) + translation[:, None]
    left, right = project(ends, torch.full((2,), released.focal), CENTER)[0, :, 0]
    torch.testing.assert_close(right - left, torch.tensor(256.0 * 192).sqrt())


def test_gradients_are_finite_even_with_nothing_seen() -> None:
    points = _points(0).requires_grad_()
    solved = solve_translation(points, torch.zeros(2, 17, 2).double(), torch.zeros(2, 17).double(), FOCAL, CENTER)
    solved.sum().backward()
    assert points.grad is not None
    assert torch.isfinite(points.grad).all()
    assert torch.isfinite(solved).all()
