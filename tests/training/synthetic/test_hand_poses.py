"""Finger poses: they bend the right way and stay inside what a hand can do."""

import pytest
import torch

from pose2pose.backend.body.joints import RIGHT_HAND21
from pose2pose.backend.body.layer import BodyLayer
from pose2pose.backend.motion.body_file import load_body
from pose2pose.training.synthetic.hand_poses import (
    KEY_POSES,
    hand_axes,
    key_pose,
    rotations_from_angles,
    sample_hand_poses,
)

WRIST, THUMB_TIP, INDEX_MCP, INDEX_TIP, MIDDLE_MCP, MIDDLE_TIP, RING_TIP, PINKY_TIP = 0, 4, 5, 8, 9, 12, 16, 20


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def points_of(body):
    layer, axes = BodyLayer(body), hand_axes(body)

    def points(name):
        rotations = torch.eye(3).repeat(1, 55, 1, 1)
        rotations[:, 40:] = rotations_from_angles(axes, key_pose(name)[None])
        return layer.skeleton(rotations, torch.zeros(1, 10))[0][0, list(RIGHT_HAND21)]

    return points


def distance(points, first, second):
    return (points[first] - points[second]).norm().item()


def test_fist_brings_the_finger_tips_to_the_palm(points_of):
    fist, flat = points_of("fist"), points_of("flat")
    for tip in (INDEX_TIP, MIDDLE_TIP, RING_TIP, PINKY_TIP):
        assert distance(fist, tip, WRIST) < 0.65 * distance(flat, tip, WRIST)
        assert fist[tip, 1] < -0.004  # on the palm's side of the wrist, which looks down at rest


def test_only_the_index_is_straight_when_pointing(points_of):
    point, flat, fist = points_of("point"), points_of("flat"), points_of("fist")
    assert distance(point, INDEX_TIP, WRIST) == pytest.approx(distance(flat, INDEX_TIP, WRIST), rel=0.02)
    assert distance(point, RING_TIP, WRIST) == pytest.approx(distance(fist, RING_TIP, WRIST), rel=0.02)


def test_thumb_meets_the_index_in_a_pinch_and_leaves_it_in_thumbs_up(points_of):
    assert distance(points_of("pinch"), THUMB_TIP, INDEX_TIP) < 0.012
    assert distance(points_of("ok"), THUMB_TIP, INDEX_TIP) < 0.012
    assert distance(points_of("thumbs up"), THUMB_TIP, INDEX_MCP) > 0.055


def test_star_spreads_wider_than_flat(points_of):
    star, flat = points_of("star"), points_of("flat")
    assert distance(star, INDEX_TIP, PINKY_TIP) > distance(flat, INDEX_TIP, PINKY_TIP) + 0.03


@pytest.mark.parametrize("name", KEY_POSES)
def test_every_key_pose_has_twenty_angles(name):
    assert key_pose(name).shape == (20,)


def test_samples_are_rotations_and_bend_like_fingers(body):
    axes = hand_axes(body)
    rotations = sample_hand_poses(torch.Generator().manual_seed(3), axes, 400)
    identity = torch.eye(3).expand_as(rotations)
    assert torch.allclose(rotations @ rotations.transpose(-1, -2), identity, atol=1e-5)
    assert torch.allclose(torch.linalg.det(rotations), torch.ones(400, 15), atol=1e-5)
    angle = torch.rad2deg(((rotations.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).clamp(-1, 1).acos())
    assert angle.max() < 125
    # Twice the sine of the angle times the axis stands in the antisymmetric part.
    middle = rotations[:, 1] - rotations[:, 1].transpose(-1, -2)
    axis = torch.stack([middle[:, 2, 1], middle[:, 0, 2], middle[:, 1, 0]], dim=1) / 2
    assert (axis @ axes.flexion[1] > -0.1).all()


def test_the_same_seed_gives_the_same_poses(body):
    axes = hand_axes(body)
    first, second = (sample_hand_poses(torch.Generator().manual_seed(5), axes, 8) for _ in range(2))
    assert torch.equal(first, second)
