"""Random views of posed people and the detector's errors: people are in the middle, upright mostly, and seen."""

import pytest
import torch

from pose2pose.backend.body.joints import COCO17, POINT_INDEX
from pose2pose.backend.body.layer import BodyLayer
from pose2pose.backend.model.position import palm_vector
from pose2pose.backend.motion.body_file import load_body
from pose2pose.training.open_preset.detector import face_turned_away, mark_points, visible_box
from pose2pose.training.open_preset.keypoints import KeypointSamples, project, sample_keypoints, sample_views


@pytest.fixture(scope="module")
def samples() -> KeypointSamples:
    standing = torch.eye(3).expand(1, 22, 3, 3)
    return sample_keypoints(standing, BodyLayer(load_body()), 600, torch.Generator().manual_seed(0))


def true_keypoints(samples: KeypointSamples) -> torch.Tensor:
    return project(samples.points[:, list(COCO17)] + samples.translation[:, None])


def test_whole_people_stand_in_the_middle_of_the_view(samples: KeypointSamples) -> None:
    low, high = visible_box(true_keypoints(samples), torch.zeros(600, 17, dtype=torch.bool))
    middle, size = (low + high) / 2, (high - low).amax(dim=1, keepdim=True)
    whole = (samples.scores > 0.2).sum(dim=1) >= 16
    assert whole.float().mean() > 0.5
    assert (middle / size).abs().amax(dim=1)[whole].quantile(0.9) < 0.02


def test_heads_are_up_and_facing_is_random(samples: KeypointSamples) -> None:
    nose, pelvis = samples.points[:, POINT_INDEX["nose"]], samples.points[:, 0]
    assert (nose[:, 1] < pelvis[:, 1]).float().mean() > 0.93
    assert 0.4 < face_turned_away(samples.points).float().mean() < 0.6
    left, right = (samples.points[:, POINT_INDEX[f"{side}_shoulder"], 0] for side in ("left", "right"))
    facing = ~face_turned_away(samples.points)
    assert (left > right)[facing].float().mean() > 0.8


def test_views_are_rotations_without_a_mirror() -> None:
    views = sample_views(torch.Generator().manual_seed(1), 100)
    assert (torch.linalg.det(views) - 1).abs().max() < 1e-5


def test_scores_tell_good_points_from_bad_ones(samples: KeypointSamples) -> None:
    truth = true_keypoints(samples)
    low, high = visible_box(truth, torch.zeros(600, 17, dtype=torch.bool))
    error = (samples.keypoints - truth).norm(dim=-1) / (high - low).amax(dim=1, keepdim=True)
    sure, unsure = error[samples.scores > 0.8], error[(samples.scores > 0.2) & (samples.scores < 0.4)]
    assert sure.median() < 0.02 < unsure.median()


def test_some_people_are_cut_by_the_frame(samples: KeypointSamples) -> None:
    legless = (samples.scores[:, 13:] < 0.2).sum(dim=1) >= 2
    assert 0.08 < legless.float().mean() < 0.3


def test_hidden_hands_give_zeros(samples: KeypointSamples) -> None:
    vectors = palm_vector(samples.palms, samples.palm_scores).unflatten(1, (2, 13))
    hidden = samples.palm_scores == 0
    assert 0.4 < hidden.float().mean() < 0.6
    assert vectors[hidden].abs().max() == 0
    assert (vectors[~hidden][:, :12].unflatten(1, (4, 3)).norm(dim=-1).mean() - 1).abs() < 0.1


def test_marks_move_both_sides_alike_and_by_centimeters() -> None:
    body = BodyLayer(load_body())
    upright = torch.eye(3).expand(200, 22, 3, 3)
    points, _ = body.skeleton(upright, torch.zeros(200, 10))
    points = points[:, list(COCO17)]
    marked = mark_points(points, torch.Generator().manual_seed(0))
    moved = (marked - points)[:, 5:]
    assert 0.005 < moved.norm(dim=-1).mean() < 0.04
    left, right = moved[:, 0::2], moved[:, 1::2] * torch.tensor([-1.0, 1.0, 1.0])
    assert (left - right).norm(dim=-1).max() < 0.01
