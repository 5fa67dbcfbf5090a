"""A person and the same one in a mirror get each other's mirrored pose."""

import pytest
import torch
from torch import Tensor, nn

from pose2pose.backend.model.body import BodyBranch
from pose2pose.backend.model.mirror import ask_once, other_sides
from pose2pose.backend.model.position import CenterNetPositionNet, palm_vector
from pose2pose.backend.model.presets import build_open_body
from pose2pose.backend.model.rotation import mirror_rotations
from pose2pose.backend.motion.skeleton import JOINT_NAMES

COCO_SIDES = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]


@pytest.fixture(scope="module")
def branch() -> BodyBranch:
    torch.manual_seed(0)
    branch = build_open_body().eval()
    nn.init.normal_(branch.rotation.mlp.injection.linear.weight, std=0.02)
    return branch


def view(mirrored: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Keypoints, scores, palms and their scores of three people, or of the same in a mirror."""
    generator = torch.Generator().manual_seed(1)
    keypoints = torch.randn(3, 17, 2, generator=generator)
    scores = 0.1 + 0.9 * torch.rand(3, 17, generator=generator)
    palms = torch.randn(3, 2, 5, 3, generator=generator)
    palm_scores = torch.tensor([[0.9, 0.2], [0.6, 0.8], [0.1, 0.7]])
    if not mirrored:
        return keypoints, scores, palms, palm_scores
    return (
        keypoints[:, COCO_SIDES] * torch.tensor([-1.0, 1.0]),
        scores[:, COCO_SIDES],
        palms.flip(1) * torch.tensor([-1.0, 1.0, 1.0]),
        palm_scores.flip(1),
    )


def asked(branch: BodyBranch, mirrored: bool) -> tuple[Tensor, Tensor]:
    """Depths (3, 17) and rotations (3, 22, 3, 3)."""
    assert isinstance(branch.position, CenterNetPositionNet)
    keypoints, scores, palms, palm_scores = view(mirrored)
    with torch.no_grad():
        depths = branch.position.lift(keypoints, scores)
        points = torch.cat([keypoints, depths.unsqueeze(2)], dim=2)
        geometry = branch.geometry(points, scores, palm_vector(palms, palm_scores))
        return depths, branch.ask(branch.rotation, geometry, None)


def test_names_find_their_other_side() -> None:
    assert other_sides(["nose", "left_eye", "right_eye", "pelvis"]) == [0, 2, 1, 3]


def test_a_mirrored_person_gets_the_mirrored_pose(branch: BodyBranch) -> None:
    depths, rotations = asked(branch, mirrored=False)
    mirrored_depths, mirrored_rotations = asked(branch, mirrored=True)
    sides = other_sides(JOINT_NAMES[:22])
    torch.testing.assert_close(mirrored_depths[:, COCO_SIDES], depths)
    torch.testing.assert_close(mirror_rotations(mirrored_rotations[:, sides]), rotations, atol=1e-4, rtol=0)


def test_half_of_the_answer_rests_on_the_keypoints_alone(branch: BodyBranch) -> None:
    features = 0.2 * torch.randn(2, 17 * 64 + 128 + 2 * 64)
    geometry = torch.zeros(2, 94)
    seen, unseen = ask_once(branch.rotation, geometry, features), ask_once(branch.rotation, geometry, None)
    mean = branch.ask(branch.rotation, geometry, features)
    assert (seen - unseen).abs().amax() > 0.01
    mirrored = mirror_rotations(unseen[:, other_sides(JOINT_NAMES[:22])])
    for one in (seen, mirrored):
        assert (mean - one).abs().amax() < (seen - mirrored).abs().amax()


def test_answers_that_contradict_each_other_are_not_averaged(branch: BodyBranch) -> None:
    class Contradicting(nn.Module):
        """Turns everybody half round the axis that the first number's sign chooses."""

        def forward(self, geometry: Tensor, features: Tensor | None = None) -> Tensor:
            turned = torch.diag(torch.tensor([-1.0, 1.0, -1.0]))
            return torch.where(geometry[:, :1, None, None] > 0, torch.eye(3), turned).expand(-1, 22, 3, 3)

    geometry = torch.ones(1, 94)
    torch.testing.assert_close(branch.ask(Contradicting(), geometry, None), torch.eye(3).expand(1, 22, 3, 3))
