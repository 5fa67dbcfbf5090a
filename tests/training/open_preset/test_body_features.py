"""The feature stage: picture features join heads that were trained without them."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from pose2pose.backend.body.layer import BodyLayer
from pose2pose.backend.model.body import BodyBranch
from pose2pose.backend.model.presets import build_open_body
from pose2pose.backend.motion.body_file import load_body
from pose2pose.training.open_preset.body_features import SeenPeople, train_on_features, validate_on_renders
from pose2pose.training.open_preset.keypoints import sample_keypoints

STANDING = torch.eye(3).expand(1, 22, 3, 3)


@pytest.fixture(scope="module")
def body() -> BodyLayer:
    return BodyLayer(load_body())


@pytest.fixture(scope="module")
def people(body: BodyLayer) -> SeenPeople:
    """Projected instead of rendered people with random features."""
    generator = torch.Generator().manual_seed(0)
    samples = sample_keypoints(STANDING, body, 24, generator)
    joints = torch.randn(24, 17, 248, generator=generator).half()
    context = (3 + torch.randn(24, 1280, generator=generator)).half()
    return SeenPeople(
        samples.rotations, samples.betas, samples.points, samples.translation,
        samples.keypoints, samples.scores, joints, context,
    )  # fmt: skip


def errors_differ(branch: BodyBranch, people: SeenPeople, body: BodyLayer) -> bool:
    errors = validate_on_renders(branch, people, body)
    return abs(errors["renders_mpjpe_mm"] - errors["renders_keypoints_only_mpjpe_mm"]) > 1e-3


def test_features_change_nothing_until_they_are_trained(people: SeenPeople, body: BodyLayer) -> None:
    assert not errors_differ(build_open_body(), people, body)


def test_training_lets_features_in_and_standardizes_them(people: SeenPeople, body: BodyLayer) -> None:
    torch.manual_seed(0)
    branch = build_open_body()
    trunk = {name: tensor.clone() for name, tensor in branch.position.backbone.state_dict().items()}
    losses: list[Tensor] = []
    steps = train_on_features(
        branch, people, STANDING, body, seconds=1.5, seed=0, report=lambda step, loss: losses.append(loss)
    )
    assert steps == len(losses)
    assert errors_differ(branch, people, body)
    torch.testing.assert_close(branch.features.context.mean, people.context.float().mean(0))
    for name, tensor in branch.position.backbone.state_dict().items():
        assert torch.equal(tensor, trunk[name])


def test_what_was_seen_survives_the_file(people: SeenPeople, tmp_path: Path) -> None:
    people.save(tmp_path / "seen.safetensors")
    again = SeenPeople.load(tmp_path / "seen.safetensors")
    assert len(again) == 24
    assert torch.equal(again.joints, people.joints)
    assert torch.equal(again.keypoints, people.keypoints)
