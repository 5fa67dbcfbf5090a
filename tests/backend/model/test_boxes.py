"""Boxes of hands and face."""

import math

import pytest
import torch

from pose2pose.backend.model.boxes import DeconvolvedBoxNet, HeatmapBoxNet, LimbBoxes, gaussian_blobs
from pose2pose.backend.model.position import Positions
from pose2pose.backend.model.regions import points_from_image

STANDING = torch.tensor(
    [
        [96, 40], [100, 36], [92, 36], [106, 38], [86, 38], [120, 70], [72, 70], [140, 95], [60, 100], [165, 90],
        [58, 130], [110, 140], [82, 140], [112, 185], [80, 185], [112, 230], [80, 230],
    ],
    dtype=torch.float32,
)  # fmt: skip
"""COCO points of a person who faces the camera, the left arm raised to the side, in a 256x192 picture."""
SWAP = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]


def _positions(points: torch.Tensor, scores: torch.Tensor | None = None) -> Positions:
    depth = torch.zeros(17, 1)
    return Positions(torch.cat([points, depth], 1)[None], torch.ones(1, 17) if scores is None else scores, ())


def test_forearms_point_up_in_their_crops() -> None:
    boxes = LimbBoxes()(_positions(STANDING)).boxes
    for hand, elbow, wrist in ((0, 7, 9), (1, 8, 10)):
        limb = 2 * STANDING[[elbow, wrist]][None, None]
        seen = points_from_image(limb, boxes[:, hand : hand + 1], (224, 224))[0, 0]
        assert seen[1, 0] == pytest.approx(112, abs=0.1)
        assert seen[0, 0] == pytest.approx(112, abs=0.1)
        assert 112 < seen[1, 1] < 224 < seen[0, 1]


def test_the_face_is_inside_its_box_and_level() -> None:
    boxes = LimbBoxes()(_positions(STANDING)).boxes
    seen = points_from_image(2 * STANDING[None, None, :5], boxes[:, 2:], (192, 192))[0, 0]
    assert ((seen > 20) & (seen < 172)).all()
    assert seen[1, 1] == pytest.approx(float(seen[2, 1]), abs=4)
    assert seen[1, 0] > seen[2, 0]


def test_a_head_seen_from_behind_is_not_upside_down() -> None:
    behind = STANDING.clone()
    behind[1:] = behind[1:][torch.tensor(SWAP[1:]) - 1]
    assert abs(LimbBoxes()(_positions(behind)).boxes[0, 2, 4]) < math.pi / 4


def test_a_mirrored_person_has_mirrored_boxes() -> None:
    boxes = LimbBoxes()(_positions(STANDING)).boxes
    flipped = torch.stack([192 - STANDING[SWAP, 0], STANDING[SWAP, 1]], 1)
    mirrored = LimbBoxes()(_positions(flipped)).boxes[:, [1, 0, 2]]
    expected = boxes * torch.tensor([-1.0, 1, 1, 1, -1]) + torch.tensor([384.0, 0, 0, 0, 0])
    torch.testing.assert_close(mirrored, expected, atol=1e-3, rtol=0)


def test_a_hidden_arm_gives_a_box_without_score() -> None:
    scores = torch.ones(1, 17)
    scores[0, 9] = 0.1
    assert LimbBoxes()(_positions(STANDING, scores)).scores.tolist() == [[0.0, 1.0, 1.0]]


def test_a_foreshortened_arm_keeps_the_size_of_its_hand() -> None:
    toward = STANDING.clone()
    toward[9] = toward[7] + 2
    side, expected = (LimbBoxes()(_positions(points)).boxes[0, 0, 2] for points in (toward, STANDING))
    assert side > 0.8 * expected


def test_blobs_peak_at_their_points() -> None:
    blobs = gaussian_blobs(torch.tensor([[[2.0, 5.0], [0.5, 0.0]]]), (8, 6), deviation=1.0)
    assert blobs[0, 0, 5, 2] == 1
    assert blobs[0, 0, 5, 3] == pytest.approx(math.exp(-0.5))
    assert blobs[0, 1, 0, 0] == blobs[0, 1, 0, 1] == pytest.approx(math.exp(-0.125))


def test_boxes_of_the_release_are_squares_around_the_peaks_of_their_maps() -> None:
    net = DeconvolvedBoxNet(channels=3 + 2, hidden=3, margins=(2.0, 2.0, 1.5)).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        for norm, first in ((net.upsample[1], False), (net.upsample[4], False), (net.upsample[7], True)):
            norm.weight.fill_(1)
            norm.bias.fill_(1.0 if first else 0.0)
        for size, (width, height) in zip(net.sizes, ((1.0, 0.5), (0.25, 0.75), (1.0, 2.0)), strict=True):
            size[2].bias.copy_(torch.tensor([width, height]))
    maps = (torch.rand(1, 3, 8, 6),)
    positions = Positions(torch.zeros(1, 1, 3), torch.ones(1, 1), maps, torch.full((1, 1, 2, 8, 6), 1 / 96))
    boxes = net(positions).boxes[0]
    # flat maps have their center at cell (23.5, 31.5) of 48x64 cells of 8 pixels; a size of 1 is 64 pixels
    torch.testing.assert_close(boxes[:, :2], torch.tensor([[188.5, 252.5]]).expand(3, 2), atol=1e-2, rtol=0)
    torch.testing.assert_close(boxes[:, 2:], torch.tensor([[128.0, 128, 0], [96, 96, 0], [192, 192, 0]]))
    with pytest.raises(ValueError, match="these positions have none"):
        net(Positions(positions.points, positions.scores, maps))


def test_predicted_boxes_lie_in_the_picture_and_depend_on_the_pose() -> None:
    torch.manual_seed(0)
    net = HeatmapBoxNet(channels=8, joints=17, hidden=16, size=(256, 192))
    features = torch.randn(1, 8, 8, 6)
    first, second = (
        net(Positions(torch.cat([p, p[:, :1]], 1)[None], torch.ones(1, 17), (features,))).boxes
        for p in (STANDING, STANDING.flip(0) * 0.5)
    )
    assert ((first[..., :2] > 0) & (first[..., :2] < torch.tensor([384.0, 512.0]))).all()
    assert (first[..., 2:4] > 0).all()
    assert not torch.allclose(first[..., :2], second[..., :2])
