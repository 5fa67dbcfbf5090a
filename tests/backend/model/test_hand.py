"""The hand branch and what it passes to the body."""

import math

import pytest
import torch

from pose2pose.backend.model.hand import HandPose, ImagePalms, as_seen, each_once, hand_vector
from pose2pose.backend.model.presets import PRESETS
from pose2pose.backend.model.rotation import mirror_rotations


def _turn(points: torch.Tensor, angle: float) -> torch.Tensor:
    c, s = math.cos(angle), math.sin(angle)
    x, y, z = points.unbind(-1)
    return torch.stack([c * x - s * y, s * x + c * y, z], -1)


@pytest.mark.parametrize("name", ["open", *(pytest.param(n, marks=pytest.mark.slow) for n in ("paper", "hand4whole"))])
@torch.inference_mode()
def test_a_mirrored_picture_gives_mirrored_hands(name: str) -> None:
    torch.manual_seed(0)
    branch = PRESETS[name].build_hand().eval()
    crops = torch.rand(1, 2, 3, *branch.size)
    hands, mirrored = branch(crops), branch(crops.flip(-1).flip(1))
    torch.testing.assert_close(mirrored.rotations, mirror_rotations(hands.rotations.flip(1)), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        mirrored.points[..., 0], branch.mirrored_width - hands.points.flip(1)[..., 0], atol=1e-3, rtol=0
    )
    torch.testing.assert_close(mirrored.points[..., 1:], hands.points.flip(1)[..., 1:], atol=1e-3, rtol=0)
    torch.testing.assert_close(mirrored.scores, hands.scores.flip(1))


def test_hand_vector_ignores_place_size_and_turn() -> None:
    points = torch.randn(4, 21, 3, generator=torch.Generator().manual_seed(0))
    moved = _turn(points, 1.1) * 37 + torch.tensor([100.0, 50.0, 0.0])
    torch.testing.assert_close(hand_vector(moved), hand_vector(points), atol=1e-4, rtol=1e-4)


def test_hand_vector_has_the_palm_pointing_up() -> None:
    palm = hand_vector(torch.randn(4, 21, 3)).view(4, 21, 3)[:, (5, 9, 13, 17)].mean(1)
    torch.testing.assert_close(palm[:, 0], torch.zeros(4), atol=1e-5, rtol=0)
    assert (palm[:, 1] < 0).all()


def test_palms_are_in_the_pictures_axes_whatever_the_crops_angle() -> None:
    points, features = torch.randn(1, 2, 21, 3), torch.randn(1, 2, 21, 8)
    rotations, scores = torch.eye(3).expand(1, 2, 15, 3, 3), torch.ones(1, 2)
    upright = ImagePalms()(HandPose(points, scores, rotations, features), torch.zeros(1, 2, 5))
    boxes = torch.zeros(1, 2, 5)
    boxes[..., 4] = 0.8
    turned = ImagePalms()(HandPose(_turn(points, -0.8), scores, rotations, features), boxes)
    torch.testing.assert_close(turned.geometry, upright.geometry, atol=1e-5, rtol=0)


def test_a_hidden_hand_tells_the_body_nothing() -> None:
    points, features = torch.randn(1, 2, 21, 3), torch.randn(1, 2, 21, 8)
    hands = HandPose(points, torch.tensor([[0.1, 0.9]]), torch.eye(3).expand(1, 2, 15, 3, 3), features)
    palms = ImagePalms()(hands, torch.zeros(1, 2, 5))
    assert (palms.geometry[:, :13] == 0).all()
    assert (palms.features[:, 0] == 0).all()
    assert (palms.features[:, 1] != 0).all()


def test_a_hand_that_was_found_at_both_wrists_stays_at_the_surer_one() -> None:
    hand = torch.randn(21, 3) * 20
    hand[[5, 9, 13, 17]] = hand[0] + torch.tensor([[40.0, 0, 0], [0, 40, 0], [-40, 0, 0], [0, -40, 0]])
    beside, same = hand + torch.tensor([30.0, 0, 0]), hand + torch.tensor([10.0, 0, 5])
    points = torch.stack([torch.stack([hand, other]) for other in (same, same, beside, same)])
    scores = torch.tensor([[0.9, 0.8], [0.6, 0.8], [0.9, 0.8], [0.4, 0.8]])
    expected = torch.tensor([[0.9, 0.0], [0.0, 0.8], [0.9, 0.8], [0.4, 0.8]])
    torch.testing.assert_close(each_once(points, scores), expected)
    torch.testing.assert_close(as_seen(points, scores), scores)
