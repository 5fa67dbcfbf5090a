"""The whole network of every preset."""

import math
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache, reduce

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import nn

from pose2pose.backend.body.joints import COCO17
from pose2pose.backend.model.body import Palms
from pose2pose.backend.model.face import FacePose
from pose2pose.backend.model.pose2pose import Pose2Pose, Pose2PoseOutput
from pose2pose.backend.model.presets import PRESETS, Preset, build, preset
from pose2pose.backend.motion.skeleton import JAW, JOINT_INDEX

PICTURE = (3, 512, 384)
PAPER = pytest.param("paper", marks=pytest.mark.slow)
RELEASED = pytest.param("hand4whole", marks=pytest.mark.slow)


@pytest.fixture(scope="module")
def networks() -> Callable[[str], Pose2Pose]:
    @cache
    def network(name: str) -> Pose2Pose:
        torch.manual_seed(0)
        with torch.inference_mode(False):  # whichever test comes first, another one trains it
            return build(preset(name)).eval()

    return network


def _tensors(output: Pose2PoseOutput) -> dict[str, torch.Tensor]:
    values = {field.name: getattr(output, field.name) for field in fields(output)}
    return {name: value for name, value in values.items() if value is not None}


@pytest.mark.parametrize("name", ["open", PAPER, RELEASED])
@torch.inference_mode()
def test_outputs(networks: Callable[[str], Pose2Pose], name: str) -> None:
    output = networks(name)(torch.rand(2, *PICTURE))
    points = len(PRESETS[name].body_points)
    shapes = {key: tuple(value.shape) for key, value in _tensors(output).items()}
    expected = {
        "rotations": (2, 55, 3, 3),
        "betas": (2, 10),
        "expression": (2, 10),
        "translation": (2, 3),
        "body_points": (2, points, 3),
        "body_scores": (2, points),
        "hand_points": (2, 2, len(PRESETS[name].hand_points), 3),
        "hand_scores": (2, 2),
        "face_score": (2,),
        "boxes": (2, 3, 5),
    }
    if name == "open":
        del expected["translation"]
        expected["head_turn"] = (2, 3, 3)
    assert shapes == expected
    identity = torch.eye(3).expand(2, 55, 3, 3)
    torch.testing.assert_close(output.rotations @ output.rotations.transpose(2, 3), identity, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["open", PAPER, RELEASED])
def test_pictures_of_one_batch_do_not_mix(networks: Callable[[str], Pose2Pose], name: str) -> None:
    pictures = torch.rand(3, *PICTURE, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        together, alone = networks(name)(pictures), networks(name)(pictures[1:2])
    for key, value in _tensors(alone).items():
        torch.testing.assert_close(_tensors(together)[key][1:2], value, atol=1e-2, rtol=1e-3, msg=key)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["paper", "hand4whole"])
def test_every_parameter_gets_a_gradient(networks: Callable[[str], Pose2Pose], name: str) -> None:
    torch.manual_seed(0)
    network = networks(name)
    network.zero_grad()
    output = network(torch.rand(1, *PICTURE))
    loss = sum((value * torch.randn_like(value)).sum() for value in _tensors(output).values())
    assert isinstance(loss, torch.Tensor)
    loss.backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert without == []
    dead = [name for name, p in network.named_parameters() if p.grad is not None and not p.grad.any()]
    assert dead == []
    network.zero_grad(set_to_none=True)


def test_the_heads_of_open_get_gradients(networks: Callable[[str], Pose2Pose]) -> None:
    network = networks("open")
    output = network(torch.rand(1, *PICTURE))
    (output.rotations.sum() + output.betas.sum() + output.body_points[..., 2].sum()).backward()
    heads = {"body.rotation", "body.shape", "body.position.lifter", "hand.rotation"}
    for head in heads:
        gradients = [p.grad for p in network.get_submodule(head).parameters()]
        assert all(gradient is not None and torch.isfinite(gradient).all() for gradient in gradients), head
        assert any(gradient.any() for gradient in gradients if gradient is not None), head
    network.zero_grad(set_to_none=True)


@pytest.mark.parametrize("name", ["open", PAPER, RELEASED])
@torch.inference_mode()
def test_knuckles_influence_the_wrists(networks: Callable[[str], Pose2Pose], name: str) -> None:
    """Section 3.1: the body's RotationNet takes the MCP joints for accurate elbows and wrists."""
    body = networks(name).body
    positions = body.locate(torch.rand(1, 3, 256, 192))
    hand = networks(name).hand(torch.rand(1, 2, 3, *networks(name).hand.size))
    palms = networks(name).hand.palms(hand, torch.zeros(1, 2, 5))
    bent = Palms(palms.geometry + 0.5, palms.features)
    wrists = [JOINT_INDEX["left_wrist"], JOINT_INDEX["right_wrist"]]
    straight, turned = (body(positions, given).rotations[:, wrists] for given in (palms, bent))
    assert (straight - turned).abs().amax(dim=(0, 2, 3)).min() > 1e-4


@torch.inference_mode()
def test_an_unseen_face_stays_at_rest(networks: Callable[[str], Pose2Pose]) -> None:
    network = networks("open")
    final = network.face.backbone.presence.bias
    kept = final.clone()
    final.copy_(torch.full_like(final, -50))
    output = network(torch.rand(1, *PICTURE))
    final.copy_(kept)
    assert output.face_score.item() < 0.01
    assert (output.expression == 0).all()
    assert torch.equal(output.rotations[0, JAW], torch.eye(3))


def turned(vector: list[float]) -> torch.Tensor:
    """(3, 3) of a rotation vector in radians."""
    return torch.from_numpy(Rotation.from_rotvec(vector).as_matrix()).float()


class SureFace(nn.Module):
    """A face branch that sees a face for certain, turned as it is told."""

    def __init__(self, branch: nn.Module, size: tuple[int, int]) -> None:
        super().__init__()
        self.branch = branch
        self.size = size
        self.turn: torch.Tensor | None = None

    def forward(self, crops: torch.Tensor) -> FacePose:
        seen = self.branch(crops)
        return replace(seen, scores=torch.ones_like(seen.scores), head_turn=self.turn)


@torch.inference_mode()
def test_a_face_that_looks_elsewhere_than_the_head_is_somebody_elses() -> None:
    network, picture = build(preset("open")).eval(), torch.rand(1, *PICTURE)
    face = SureFace(network.face, network.face.size)
    network.add_module("face", face)
    sure = network(picture)
    chain = [
        sure.rotations[:, JOINT_INDEX[joint]] for joint in ("pelvis", "spine1", "spine2", "spine3", "neck", "head")
    ]
    # The face is seen level, whatever the angle of its box.
    head = turned([0, 0, -sure.boxes[0, 2, 4].item()]) @ reduce(torch.matmul, chain)
    for degrees, score in ((0, 1), (50, 1), (70, 0), (180, 0)):
        face.turn = head @ turned([0, math.radians(degrees), 0])
        assert network(picture).face_score.item() == pytest.approx(score * sure.face_score.item()), degrees


def test_a_picture_of_another_size_is_refused(networks: Callable[[str], Pose2Pose]) -> None:
    with pytest.raises(ValueError, match=r"512, 384.*256, 192"):
        networks("open")(torch.zeros(1, 3, 256, 192))


def test_presets() -> None:
    assert preset("open").body_points == COCO17
    assert len(preset("paper").body_points) == 25
    assert len(preset("hand4whole").hand_points) == 20
    with pytest.raises(ValueError, match="'hand4whole', 'open', 'paper'"):
        preset("ours")
    builders = (PRESETS["open"].build_body, PRESETS["open"].build_hand, PRESETS["open"].build_face)
    with pytest.raises(ValueError, match="76"):
        Preset("wrong", (0, 76), *builders)
