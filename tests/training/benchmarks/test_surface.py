"""Distances to triangles against an optimizer over barycentric weights, a dense sampling, and all pairs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.spatial import ConvexHull

from pose2pose.training.benchmarks.surface import squared_distances, surface_distances


def by_optimization(point: np.ndarray, corners: np.ndarray) -> float:
    """The distance as a quadratic program over weights that are not negative and sum to 1."""
    found = minimize(
        lambda w: np.square(w @ corners - point).sum(),
        np.full(3, 1 / 3),
        jac=lambda w: 2 * corners @ (w @ corners - point),
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 300},
    )
    return float(np.sqrt(found.fun))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_one_triangle_equals_an_optimizer(seed: int) -> None:
    generator = np.random.default_rng(seed)
    corners, point = generator.normal(size=(3, 3)), 2 * generator.normal(size=3)
    distance = np.sqrt(squared_distances(point[None], corners[None]))[0]
    assert distance == pytest.approx(by_optimization(point, corners), abs=1e-4)


@pytest.mark.parametrize(
    ("point", "distance"),
    [
        ((0.2, 0.2, 3), 3),  # above the inside
        ((0.2, 0.2, 0), 0),
        ((-3, -4, 0), 5),  # a corner
        ((0.5, -2, 0), 2),  # an edge
        ((1, 1, 0), 0.5**0.5),  # the slanted edge
        ((2, 0, 1), 2**0.5),  # a corner, aside and above
    ],
)
def test_one_triangle_by_hand(point: tuple[float, ...], distance: float) -> None:
    corners = np.array([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]])
    for turned in (corners, corners[:, ::-1]):
        assert np.sqrt(squared_distances(np.array([point]), turned))[0] == pytest.approx(distance)


def test_triangles_without_area_are_lines_and_points() -> None:
    corners = np.array([[[0.0, 0, 0], [1, 0, 0], [2, 0, 0]], [[1.0, 1, 1]] * 3])
    assert np.sqrt(squared_distances(np.array([[1.0, 3, 0], [1, 1, 3]]), corners)) == pytest.approx([3, 2])


@pytest.mark.parametrize("seed", range(3))
def test_a_surface_equals_all_pairs_with_triangles_of_very_different_sizes(seed: int) -> None:
    generator = np.random.default_rng(seed)
    small, large = 0.05 * generator.normal(size=(200, 3, 3)), 5 * generator.normal(size=(20, 3, 3))
    corners = np.concatenate([small + generator.normal(size=(200, 1, 3)), large])
    points = 3 * generator.normal(size=(150, 3))
    pairs = [np.sqrt(squared_distances(np.repeat(point[None], 220, 0), corners)).min() for point in points]
    found = surface_distances(points, corners.reshape(-1, 3), np.arange(660).reshape(-1, 3))
    np.testing.assert_allclose(found, pairs, atol=1e-12)


def test_points_around_a_sphere_of_triangles_are_as_far_as_the_sphere() -> None:
    generator = np.random.default_rng(0)
    vertices = generator.normal(size=(4000, 3))
    vertices /= np.linalg.norm(vertices, axis=1, keepdims=True)
    directions = generator.normal(size=(3000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    radii = generator.uniform(0.5, 2, size=3000)
    found = surface_distances(radii[:, None] * directions, vertices, ConvexHull(vertices).simplices)
    np.testing.assert_allclose(found, np.abs(radii - 1), atol=5e-3)
