"""The detection stage: heads that know simulated keypoints learn from those found on rendered people."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pose2pose.backend.body.joints import COCO17
from pose2pose.backend.body.layer import BodyLayer
from pose2pose.backend.model.body import BodyBranch
from pose2pose.backend.model.presets import build_open_body
from pose2pose.backend.motion.body_file import load_body
from pose2pose.training.open_preset.body_detections import (
    SeenPeople,
    feature_net,
    look_at_people,
    train_on_detections,
)
from pose2pose.training.open_preset.body_heads import measure, predict_both_ways
from pose2pose.training.open_preset.keypoints import project, sample_keypoints
from pose2pose.training.synthetic.people import PeopleSampler
from pose2pose.training.synthetic.scenery import Scenery

STANDING = torch.eye(3).expand(1, 22, 3, 3)


@pytest.fixture(scope="module")
def body() -> BodyLayer:
    return BodyLayer(load_body())


@pytest.fixture(scope="module")
def people(body: BodyLayer) -> SeenPeople:
    """Projected instead of rendered people."""
    s = sample_keypoints(STANDING, body, 24, torch.Generator().manual_seed(0))
    nothing = torch.zeros(24, 17, 248).half(), torch.zeros(24, 1280).half()
    return SeenPeople(s.rotations, s.betas, s.points, s.translation, s.keypoints, s.scores, *nothing)


def error(branch: BodyBranch, people: SeenPeople, body: BodyLayer) -> float:
    """Millimeters."""
    samples = people.with_palms(torch.Generator().manual_seed(6))
    with torch.no_grad():
        return measure(predict_both_ways(branch.eval(), samples), samples, body)["mpjpe_mm"]


def test_training_lowers_the_error_and_keeps_the_pretrained_network(people: SeenPeople, body: BodyLayer) -> None:
    torch.manual_seed(0)
    branch = build_open_body()
    trunk = {name: tensor.clone() for name, tensor in branch.position.backbone.state_dict().items()}
    before = error(branch, people, body)
    losses: list[Tensor] = []
    steps = train_on_detections(
        branch, people, STANDING, body, seconds=6, seed=0, report=lambda step, loss: losses.append(loss)
    )
    assert steps == len(losses)
    assert error(branch, people, body) < 0.95 * before
    for name, tensor in branch.position.backbone.state_dict().items():
        assert torch.equal(tensor, trunk[name])


def test_a_rolled_camera_sees_the_varied_person_where_its_keypoints_are(people: SeenPeople, body: BodyLayer) -> None:
    exact = project(people.points[:, list(COCO17)] + people.translation[:, None])
    shown = replace(people, keypoints=exact, scores=torch.full((24, 17), 0.5))
    varied = shown.varied(torch.Generator().manual_seed(1))
    seen = project(varied.points[:, list(COCO17)] + varied.translation[:, None])
    size = (exact.amax(1) - exact.amin(1)).amax()
    assert (varied.keypoints - exact).abs().max() > 0.1 * size
    assert (varied.keypoints - seen).abs().max() < 0.05 * size
    posed, _ = body.skeleton(varied.rotations, varied.betas)
    torch.testing.assert_close(posed - posed[:, :1], varied.points, atol=1e-4, rtol=0)


@pytest.mark.slow
def test_rendered_people_are_told_as_seen_by_a_camera_that_looks_at_the_middle(body: BodyLayer) -> None:
    sampler = PeopleSampler(body=load_body(), poses=STANDING, scenery=Scenery.load(None))
    reported: list[int] = []
    branch = build_open_body()
    seen = look_at_people(branch, sampler, 1, 5, reported.append)
    again = sampler.sample(torch.Generator().manual_seed(5), 32)
    assert sum(reported) == len(seen) == 32
    posed, _ = body.skeleton(seen.rotations, seen.betas)
    torch.testing.assert_close((posed - posed[:, :1])[:, :22], seen.points[:, :22], atol=1e-4, rtol=0)
    middle = torch.tensor([sampler.width / 2, sampler.height / 2])
    rays = torch.cat([(middle - again.center) / again.focal[:, None], torch.ones(32, 1)], dim=1)
    along = (again.points_3d[:, 0] * rays / rays.norm(dim=1, keepdim=True)).sum(1)
    torch.testing.assert_close(seen.translation[:, 2], along, atol=1e-4, rtol=0)
    with torch.no_grad():
        joints, context = feature_net(branch).pool(branch.locate(again.images[:1]))
    torch.testing.assert_close(seen.joints[:1].float(), joints, atol=2e-3, rtol=2e-3)
    torch.testing.assert_close(seen.context[:1].float(), context, atol=2e-3, rtol=2e-3)


def test_what_was_seen_survives_the_file(people: SeenPeople, tmp_path: Path) -> None:
    people.save(tmp_path / "seen.safetensors")
    again = SeenPeople.load(tmp_path / "seen.safetensors")
    assert len(again) == 24
    assert torch.equal(again.keypoints, people.keypoints)
