"""The face branch."""

import pytest
import torch
from scipy.spatial.transform import Rotation

from pose2pose.backend.model.face import align_points
from pose2pose.backend.model.presets import build_open_face, build_paper_face


def _moved(points: torch.Tensor) -> torch.Tensor:
    rotation = torch.from_numpy(Rotation.random(len(points), random_state=0).as_matrix()).float()
    return 3.7 * points @ rotation + torch.tensor([90.0, 80.0, 5.0])


def test_alignment_undoes_a_similarity_transform() -> None:
    target = torch.randn(40, 3)
    moved = _moved(target.expand(5, 40, 3))
    aligned, turned = align_points(moved, target, torch.rand(40))
    torch.testing.assert_close(aligned, target.expand(5, 40, 3), atol=1e-4, rtol=0)
    center = moved.mean(1, keepdim=True)
    torch.testing.assert_close(moved - center, 3.7 * (target - target.mean(0)) @ turned.mT, atol=1e-3, rtol=0)


def test_alignment_does_not_mirror() -> None:
    target = torch.randn(40, 3)
    aligned, turned = align_points((target * torch.tensor([-1.0, 1, 1]))[None], target, torch.ones(40))
    assert torch.linalg.det(turned).item() > 0
    assert (aligned - target).norm(dim=-1).mean() > 0.1


def test_points_without_weight_may_move_freely() -> None:
    target, weights = torch.randn(40, 3), torch.ones(40)
    weights[:10] = 0
    opened = target.clone()
    opened[:10, 1] += 2
    aligned, _ = align_points(_moved(opened[None]), target, weights)
    torch.testing.assert_close(aligned[0], opened, atol=1e-4, rtol=0)


def test_the_expression_does_not_change_with_the_heads_pose() -> None:
    torch.manual_seed(0)
    branch = build_open_face().eval()
    torch.nn.init.normal_(branch.head.output.weight)  # beyond what counts as rest
    points = torch.randn(3, 468, 3)
    with torch.inference_mode():
        jaw, expression, _ = branch.pose(points, None)
        turned_jaw, turned_expression, _ = branch.pose(_moved(points), None)
    torch.testing.assert_close(turned_expression, expression, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(turned_jaw, jaw, atol=1e-3, rtol=1e-3)
    assert (expression.std(0) > 0).all()


def test_the_heads_rotation_is_that_of_its_landmarks() -> None:
    branch = build_open_face().eval()
    branch.canonical.copy_(torch.randn(468, 3))
    turns = torch.from_numpy(Rotation.random(3, random_state=1).as_matrix()).float()
    with torch.inference_mode():
        _, _, said = branch.pose(80 * branch.canonical @ turns.mT + 96, None)
    torch.testing.assert_close(said, turns, atol=1e-4, rtol=0)


def test_small_coefficients_are_none_and_larger_ones_count_from_there() -> None:
    branch = build_open_face().eval()
    torch.nn.init.zeros_(branch.head.output.weight)
    said = torch.tensor([0.1, -0.1, 1.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    with torch.inference_mode():
        branch.head.output.bias[6:] = said
        expression = branch.pose(torch.randn(2, 468, 3), None)[1]
    assert (expression[:, :2] == 0).all()
    torch.testing.assert_close(expression[:, 2:4], torch.tensor([[0.88, -0.88]]).expand(2, 2))


@pytest.mark.parametrize("build", [build_open_face, build_paper_face])
def test_shapes(build: type) -> None:
    branch = build().eval()
    with torch.inference_mode():
        pose = branch(torch.rand(2, 3, *branch.size))
    assert pose.jaw.shape == (2, 3, 3)
    assert pose.expression.shape == (2, 10)
    assert pose.scores.shape == (2,)
