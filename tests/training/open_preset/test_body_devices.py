"""The body training on a GPU, rehearsed without one: with tensors that have a device and a shape, and no values.

An operation on tensors of two devices is an error of theirs as it is on a GPU.
"""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from pose2pose.backend.body.layer import BodyLayer
from pose2pose.backend.model.body import BodyBranch
from pose2pose.backend.model.presets import build_open_body
from pose2pose.backend.motion.body_file import load_body
from pose2pose.training.open_preset.body_detections import SeenPeople, feature_net
from pose2pose.training.open_preset.body_features import projected_features, with_noise
from pose2pose.training.open_preset.body_heads import body_losses, predict, predict_both_ways, weighted_sum
from pose2pose.training.open_preset.keypoints import sample_keypoints
from pose2pose.training.synthetic.randomness import choice

GPU = torch.device("cuda", 0)
GENERATOR: Any = SimpleNamespace(device=GPU)
"""A generator on a GPU cannot be made without one."""


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[BodyBranch, BodyLayer]]:
    """The branch and the body, made with values; what moves them to a device leaves these behind."""
    made = build_open_body(), BodyLayer(load_body())
    for name in ("rand", "randn", "randint"):
        monkeypatch.setattr(torch, name, without_generator(getattr(torch, name)))
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield made
    torch.__future__.set_overwrite_module_params_on_conversion(False)


def without_generator(draw: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def drawn(*size: Any, generator: Any, **options: Any) -> Tensor:
        return draw(*size, **options)

    return drawn


def test_all_stages_stay_on_their_device(real: tuple[BodyBranch, BodyLayer]) -> None:
    branch, body = real[0].to(GPU), real[1].to(GPU)
    library = torch.empty(50, 22, 3, 3, device=GPU)
    samples = sample_keypoints(library, body, 8, GENERATOR)
    assert {value.device for value in vars(samples).values()} == {GPU}
    assert weighted_sum(body_losses(predict(branch, samples), samples, body)).device == GPU
    assert predict_both_ways(branch, samples).rotations.device == GPU

    net = feature_net(branch)
    joints = torch.empty(8, 17, len(net.pooling.standardization.mean), device=GPU)
    context = torch.empty(8, len(net.context.mean), device=GPU)
    shown = [getattr(samples, name) for name in ("rotations", "betas", "points", "translation", "keypoints", "scores")]
    people = SeenPeople(*shown, joints.half(), context.half())
    net.context.fit(people.context)
    picked = people.pick(choice(GENERATOR, len(people), 4)).varied(GENERATOR)
    features = projected_features(branch, with_noise(branch, picked, GENERATOR))
    found = picked.with_palms(GENERATOR)
    assert weighted_sum(body_losses(predict(branch, found, features), found, body)).device == GPU


def test_the_rehearsal_notices_a_tensor_of_the_cpu(real: tuple[BodyBranch, BodyLayer]) -> None:
    with pytest.raises(RuntimeError, match="two different devices"):
        sample_keypoints(torch.empty(50, 22, 3, 3), real[1].to(GPU), 8, GENERATOR)
