"""Crops: the way into the crop and back, and where its camera looks."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose2pose.backend.crops import CROP_HEIGHT, CROP_WIDTH, MARGIN, crop, crop_transform, ray_rotation, smooth_boxes

sizes = st.floats(5, 3000)
places = st.floats(-500, 4000)


def dot(center: tuple[int, int], size: tuple[int, int], radius: int) -> np.ndarray:
    """A white dot on gray: RGB (H, W, 3)."""
    image = np.full((size[1], size[0], 3), 60, np.uint8)
    return cv2.circle(image, center, radius, (255, 255, 255), -1)


def bright_center(image: np.ndarray) -> np.ndarray:
    """(2,) x, y of the mean of the places brighter than gray."""
    weights = np.clip(image[..., 0].astype(float) - 60, 0, None)
    rows, columns = np.indices(weights.shape)
    return np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum() + 0.5


@given(places, places, sizes, sizes)
def test_the_box_fits_with_its_margin_and_the_way_back_is_exact(x, y, width, height):
    box = np.array([x, y, x + width, y + height])
    transform = crop_transform(box)
    corners = transform.to_crop(box.reshape(2, 2))
    extent = corners[1] - corners[0]
    np.testing.assert_allclose(corners.mean(axis=0), [CROP_WIDTH / 2, CROP_HEIGHT / 2], atol=1e-6)
    assert np.max(extent / [CROP_WIDTH, CROP_HEIGHT]) == pytest.approx(1 / MARGIN)
    np.testing.assert_allclose(transform.to_frame(corners), box.reshape(2, 2), atol=1e-6)


@pytest.mark.parametrize(
    ("size", "box", "place", "radius"),
    [
        ((640, 480), (200, 100, 300, 400), (260, 180), 5),
        ((1920, 1080), (500, 20, 1100, 1000), (830, 440), 15),
        ((3840, 2160), (300, 100, 1500, 2100), (1000, 900), 40),
        ((640, 480), (-80, 300, 100, 600), (30, 420), 6),
    ],
)
def test_a_point_of_the_frame_lies_where_the_transform_says(size, box, place, radius):
    transform = crop_transform(np.array(box))
    image = crop(dot(place, size, radius), transform)
    assert image.shape == (CROP_HEIGHT, CROP_WIDTH, 3)
    np.testing.assert_allclose(bright_center(image), transform.to_crop(np.array(place) + 0.5), atol=0.25)


def test_outside_the_frame_is_black():
    image = crop(np.full((480, 640, 3), 200, np.uint8), crop_transform(np.array([-100, 100, 50, 300])))
    assert image[256, 10].tolist() == [0, 0, 0]
    assert image[256, 370].tolist() == [200, 200, 200]


def test_strong_shrinking_averages_a_fine_pattern():
    stripes = np.zeros((2160, 3840, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.ptp(cv2.resize(stripes, (780, 480))[100:400, 100:300].astype(int)) > 200
    image = crop(stripes, crop_transform(np.array([100, 0, 1500, 2100])))
    assert np.ptp(image[100:400, 100:300].astype(int)) < 60


@given(st.floats(-2000, 4000), st.floats(-2000, 4000), st.floats(300, 3000))
def test_the_crops_camera_looks_along_the_ray_through_its_center(x, y, focal):
    center, principal_point = np.array([x, y]), np.array([960.0, 540.0])
    rotation = ray_rotation(center, np.array([focal, focal]), principal_point)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1)
    seen = rotation @ [0, 0, 1]
    np.testing.assert_allclose(seen[:2] / seen[2] * focal + principal_point, center, atol=1e-5)


def test_a_person_at_the_right_edge_who_faces_the_camera_is_turned_to_it():
    rotation = ray_rotation(np.array([1500.0, 500.0]), np.array([1000.0, 1000.0]), np.array([500.0, 500.0]))
    np.testing.assert_allclose(rotation @ [0, 0, -1], np.array([-1, 0, -1]) / np.sqrt(2), atol=1e-9)
    np.testing.assert_allclose(rotation @ [0, 1, 0], [0, 1, 0], atol=1e-9)


def test_smoothing_takes_shaking_and_leaves_motion():
    rng = np.random.default_rng(0)
    times = np.arange(120) / 30
    path = np.stack([400 * times, 0 * times + 100, 400 * times + 80, 0 * times + 300], axis=1)
    smooth = smooth_boxes(path + rng.normal(0, 4, path.shape), times)
    assert np.abs(smooth - path)[10:-10].max() < 8
    assert np.abs(np.diff(smooth - path, axis=0)).mean() < 1.0
    np.testing.assert_array_equal(smooth_boxes(path[:1], times[:1]), path[:1])
