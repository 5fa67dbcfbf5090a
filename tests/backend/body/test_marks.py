"""Marks lie beside the joints, the same on both sides."""

import torch

from pose2pose.backend.body.joints import COCO17
from pose2pose.backend.body.layer import BodyLayer
from pose2pose.backend.body.marks import marked
from pose2pose.backend.motion.body_file import load_body


def test_marks_are_centimeters_off_and_alike_on_both_sides() -> None:
    points, _ = BodyLayer(load_body()).skeleton(torch.eye(3).expand(1, 22, 3, 3), torch.zeros(1, 10))
    joints = points[:, list(COCO17)]
    marks = marked(joints)
    moved = marks - joints
    assert moved[:, :5].abs().max() == 0
    assert 0.003 < moved[:, 5:].norm(dim=-1).min() < moved.norm(dim=-1).max() < 0.04
    left, right = moved[:, 5::2], moved[:, 6::2] * torch.tensor([-1.0, 1.0, 1.0])
    torch.testing.assert_close(left, right, atol=2e-3, rtol=0)

    hips, knees, ankles = (slice(11, 13), slice(13, 15), slice(15, 17))
    assert (marks[0, 11] - marks[0, 12]).norm() > (joints[0, 11] - joints[0, 12]).norm() + 0.02
    assert (marks[:, knees, 1] < joints[:, knees, 1]).all()
    assert (marks[:, ankles, 1] > joints[:, ankles, 1]).all()
    assert (marks[:, hips, 1] > joints[:, hips, 1]).all()
