"""The feature stage: heads that know keypoints learn to read what else is seen of rendered people."""

import pytest
import torch
from torch import Tensor

from pose2pose.backend.body.layer import BodyLayer
from pose2pose.backend.model.body import BodyBranch
from pose2pose.backend.model.presets import build_open_body, build_paper_body
from pose2pose.backend.motion.body_file import load_body
from pose2pose.training.open_preset.body_detections import SeenPeople
from pose2pose.training.open_preset.body_features import projected_features, train_on_features, validate_on_renders
from pose2pose.training.open_preset.keypoints import sample_keypoints


@pytest.fixture(scope="module")
def body() -> BodyLayer:
    return BodyLayer(load_body())


@pytest.fixture(scope="module")
def people(body: BodyLayer) -> SeenPeople:
    """Projected instead of rendered people; only their features tell whether they stand or hold their arms up."""
    generator = torch.Generator().manual_seed(0)
    s = sample_keypoints(torch.eye(3).expand(1, 22, 3, 3), body, 32, generator)
    joints, context = torch.randn(32, 17, 248, generator=generator), torch.randn(32, 1280, generator=generator)
    return SeenPeople(
        s.rotations, s.betas, s.points, s.translation, s.keypoints, s.scores, joints.half(), context.half()
    )


@pytest.fixture(scope="module")
def trained(people: SeenPeople, body: BodyLayer) -> tuple[BodyBranch, dict[str, Tensor], dict[str, float]]:
    """A branch after the stage, its weights before, its errors before."""
    torch.manual_seed(0)
    branch = build_open_body()
    weights = {name: tensor.clone() for name, tensor in branch.state_dict().items()}
    errors = validate_on_renders(branch, people, body)
    losses: list[float] = []
    steps = train_on_features(
        branch, people, body, seconds=6, seed=0, report=lambda _step, loss: losses.append(loss.item())
    )
    assert steps == len(losses)
    return branch, weights, errors


def test_features_lower_the_error(trained: tuple, people: SeenPeople, body: BodyLayer) -> None:
    branch, _, before = trained
    after = validate_on_renders(branch, people, body)
    assert after["renders_mpjpe_mm"] < 0.95 * before["renders_mpjpe_mm"]


def test_keypoints_alone_say_what_they_said(trained: tuple, people: SeenPeople, body: BodyLayer) -> None:
    branch, weights, before = trained
    after = validate_on_renders(branch, people, body)
    assert after["renders_keypoints_only_mpjpe_mm"] == before["renders_keypoints_only_mpjpe_mm"]
    changed = {name for name, tensor in branch.state_dict().items() if not torch.equal(tensor, weights[name])}
    assert all(name.startswith("features.") or ".injection." in name for name in changed)
    assert all(p.requires_grad for p in branch.rotation.parameters()), "a later stage may go on"


def test_no_hand_network_looks_at_renders(trained: tuple) -> None:
    branch, _, _ = trained
    assert not branch.features.palm_projection.weight.any(), "a hand's features would be noise in a capture"


def test_features_are_those_of_the_preset_open(people: SeenPeople) -> None:
    with pytest.raises(TypeError, match=r"preset `open`. Got one with JointFeatures"):
        projected_features(build_paper_body(), people)
