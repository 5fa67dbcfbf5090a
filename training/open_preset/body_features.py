"""The third stage of the body training: what the pretrained network sees around the keypoints of rendered people.

Where a limb is hidden, the keypoints are wrong, and the picture says more (paper section 3.1: features pooled at the
positional pose join it). The heads stay as they are; only the way of the features into them is learnt. Keypoints alone
say what they always said, which real video needs: renders are not real pictures.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from ...backend.body.layer import BodyLayer
from ...backend.model.body import BodyBranch
from ...backend.model.layers import FeatureInjection
from ..synthetic.randomness import choice, normal
from .body_detections import SeenPeople, feature_net
from .body_heads import body_losses, measure, predict, predict_both_ways, trainable_heads, weighted_sum
from .clock import optimize

BATCH = 256
LEARNING_RATE = 5e-4
NOISE = 0.3
"""Deviation of the noise on standardized features; without it a few thousand renders are learnt by heart."""


def projected_features(branch: BodyBranch, people: SeenPeople) -> Tensor:
    """The feature vectors (N, G) of rendered people. No hand network looks at them, so its features are zero."""
    net = feature_net(branch)
    palms = people.points.new_zeros(len(people), 2, 4, net.palm_projection.in_features)
    return net.project(people.joints.float(), people.context.float(), palms)


def with_noise(branch: BodyBranch, people: SeenPeople, generator: torch.Generator) -> SeenPeople:
    """The same people with noise on their raw features, in proportion to the branch's statistics of them."""
    net = feature_net(branch)
    joints = normal(generator, NOISE, *people.joints.shape) * net.pooling.standardization.std
    context = normal(generator, NOISE, *people.context.shape) * net.context.std
    return replace(people, joints=people.joints + joints, context=people.context + context)


def ways_of_features(branch: BodyBranch) -> nn.ModuleList:
    """The projections of the features and the layers that bring them into the RotationNet and the shape head."""
    heads = trainable_heads(branch).modules()
    return nn.ModuleList([feature_net(branch), *(module for module in heads if isinstance(module, FeatureInjection))])


def train_on_features(
    branch: BodyBranch,
    people: SeenPeople,
    body: BodyLayer,
    *,
    seconds: float,
    seed: int,
    report: Callable[[int, Tensor], None],
) -> int:
    """Train for some time; changes `branch` and returns the number of steps.

    Args:
        branch: the branch after the second stage; ways of its features that were learnt before go on.
        people: what the pretrained network saw of renders.
        body: gives the points.
        seconds: length of the stage.
        seed: of the samples.
        report: called with step and loss.
    """
    generator = torch.Generator(people.points.device).manual_seed(seed)
    net = feature_net(branch)
    net.pooling.standardization.fit(people.joints)
    net.context.fit(people.context)
    nn.init.zeros_(net.palm_projection.weight)
    heads, learnt = trainable_heads(branch).requires_grad_(False), ways_of_features(branch).requires_grad_(True)
    branch.train()
    branch.position.eval()

    def loss() -> Tensor:
        picked = people.pick(choice(generator, len(people), BATCH)).varied(generator)
        samples = picked.with_palms(generator)
        prediction = predict(branch, samples, projected_features(branch, with_noise(branch, picked, generator)))
        return weighted_sum(body_losses(prediction, samples, body))

    steps = optimize(learnt, loss, seconds=seconds, learning_rate=LEARNING_RATE, report=report)
    heads.requires_grad_(True)
    return steps


def validate_on_renders(branch: BodyBranch, people: SeenPeople, body: BodyLayer) -> dict[str, float]:
    """Errors on rendered people that training never saw, as a capture asks and from the keypoints alone."""
    branch.eval()
    samples = people.with_palms(torch.Generator(people.points.device).manual_seed(6))
    with torch.no_grad():
        seen = measure(predict_both_ways(branch, samples, projected_features(branch, people)), samples, body)
        alone = measure(predict_both_ways(branch, samples), samples, body)
    pairs = {"renders": seen, "renders_keypoints_only": alone}
    return {f"{kind}_{name}": value for kind, errors in pairs.items() for name, value in errors.items()}
