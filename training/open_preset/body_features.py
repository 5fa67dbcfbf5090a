"""The second stage of the body training: features of rendered people, pooled by the frozen pretrained network.

Every rendered person is looked at once and only what the network found is kept (11 kB instead of 147 kB of picture), so
the heads train at the speed of the first stage. Half of every batch is keypoints alone, with no features: the branch
must stay as good without them, because renders are not real pictures and motion capture is.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ...backend.body.layer import BodyLayer
from ...backend.model.body import BodyBranch, ProjectedFeatures
from ..synthetic.people import PeopleSampler
from .body_heads import Prediction, body_losses, encode, keypoint_position, measure, predict, weighted_sum
from .clock import optimize
from .detector import sample_palms
from .keypoints import KeypointSamples, sample_keypoints

BATCH = 128
"""Rendered people and, as many again, keypoints alone."""
LEARNING_RATE = 3e-4
FEATURE_NOISE = 0.2
"""Standard deviation of the noise on standardized features; without it a few thousand renders are learnt by heart."""
RENDERED_AT_ONCE = 32


@dataclass(frozen=True)
class SeenPeople:
    """N rendered people as the pretrained network sees them, and the truth."""

    rotations: Tensor
    """(N, 22, 3, 3) local, the root in camera axes."""
    betas: Tensor
    """(N, 10)."""
    points: Tensor
    """(N, 76, 3) meters relative to the pelvis."""
    translation: Tensor
    """(N, 3) pelvis in the camera."""
    keypoints: Tensor
    """(N, 17, 2) found by the network, pixels."""
    scores: Tensor
    """(N, 17)."""
    joints: Tensor
    """(N, 17, C) pooled features, 16-bit."""
    context: Tensor
    """(N, C') mean of the deepest map, 16-bit."""

    def __len__(self) -> int:
        return len(self.betas)

    def pick(self, index: Tensor) -> "SeenPeople":
        """The people of an index or mask."""
        return SeenPeople(*(getattr(self, field.name)[index] for field in fields(self)))

    def with_palms(self, generator: torch.Generator) -> KeypointSamples:
        """The first stage's kind of sample; what a hand network would say is drawn from the true knuckles."""
        palms, palm_scores = sample_palms(self.points, generator)
        return KeypointSamples(
            self.rotations, self.betas, self.points, self.translation, self.keypoints, self.scores, palms, palm_scores
        )

    def save(self, path: Path) -> None:
        """Write a safetensors file."""
        save_file({field.name: getattr(self, field.name).contiguous() for field in fields(self)}, path)

    @classmethod
    def load(cls, path: Path) -> "SeenPeople":
        """Read it again."""
        return cls(**load_file(path))


@torch.no_grad()
def look_at_people(
    branch: BodyBranch, sampler: PeopleSampler, count: int, seed: int, report: Callable[[int], None]
) -> SeenPeople:
    """Render people and let the pretrained network look at them.

    Args:
        branch: with its pretrained network filled.
        sampler: renders.
        count: N.
        seed: of the renders.
        report: called with the number of people of each batch.
    """
    generator = torch.Generator().manual_seed(seed)
    branch.eval()
    batches: list[SeenPeople] = []
    while len(batches) * RENDERED_AT_ONCE < count:
        people = sampler.sample(generator, RENDERED_AT_ONCE)
        positions = branch.locate(people.images.contiguous(memory_format=torch.channels_last))
        joints, context = feature_net(branch).pool(positions)
        pelvis = people.points_3d[:, :1]
        batches.append(
            SeenPeople(
                people.rotations[:, :22].contiguous(),
                people.betas,
                people.points_3d - pelvis,
                pelvis[:, 0],
                positions.points[..., :2],
                positions.scores,
                joints.half(),
                context.half(),
            )
        )
        report(len(people.betas))
    return SeenPeople(*(torch.cat([getattr(batch, field.name) for batch in batches]) for field in fields(SeenPeople)))


def feature_net(branch: BodyBranch) -> ProjectedFeatures:
    """The part of the branch that pools and projects features.

    Raises:
        TypeError: the branch belongs to another preset than `open`.
    """
    if not isinstance(branch.features, ProjectedFeatures):
        found = type(branch.features).__name__
        raise TypeError(f"expected the body branch of the preset `open`. Got one with {found}")
    return branch.features


def predict_with_features(
    branch: BodyBranch, people: SeenPeople, samples: KeypointSamples, noise: float = 0.0
) -> Prediction:
    """What the branch says of keypoints and features; no hand network looks at renders, so those features are zero.

    Args:
        branch: the branch.
        people: for their features.
        samples: the same people with palms.
        noise: standard deviation added to the standardized features.
    """
    net = feature_net(branch)
    spread_joints, spread_context = net.pooling.standardization.std * noise, net.context.std * noise
    joints = people.joints.float() + torch.randn(people.joints.shape) * spread_joints
    context = people.context.float() + torch.randn(people.context.shape) * spread_context
    palms = torch.zeros(len(people), 2, 4, net.palm_projection.in_features)
    geometry, depths = encode(branch, samples, keypoint_position(branch).lifter)
    features = net.project(joints, context, palms)
    betas, _ = branch.shape(None, geometry, features)
    return Prediction(branch.rotation(geometry, features), betas, depths)


def train_on_features(
    branch: BodyBranch,
    people: SeenPeople,
    library: Tensor,
    body: BodyLayer,
    *,
    seconds: float,
    seed: int,
    report: Callable[[int, Tensor], None],
) -> int:
    """The second stage; changes `branch` and returns the number of steps."""
    generator = torch.Generator().manual_seed(seed)
    net = feature_net(branch)
    net.pooling.standardization.fit(people.joints)
    net.context.fit(people.context)
    branch.train()
    keypoint_position(branch).backbone.eval()

    def loss() -> Tensor:
        picked = people.pick(torch.randint(len(people), (BATCH,), generator=generator))
        with torch.no_grad():
            blind = sample_keypoints(library, body, BATCH, generator)
            seen = picked.with_palms(generator)
        from_features = body_losses(predict_with_features(branch, picked, seen, FEATURE_NOISE), seen, body)
        from_keypoints = body_losses(predict(branch, blind), blind, body)
        return weighted_sum(from_features) + weighted_sum(from_keypoints)

    heads = nn.ModuleList([keypoint_position(branch).lifter, branch.rotation, branch.shape, net])
    return optimize(heads, loss, seconds=seconds, learning_rate=LEARNING_RATE, report=report)


def validate_on_renders(branch: BodyBranch, people: SeenPeople, body: BodyLayer) -> dict[str, float]:
    """Errors on rendered people that training never saw, with features and from the keypoints alone."""
    branch.eval()
    samples = people.with_palms(torch.Generator().manual_seed(6))
    with torch.no_grad():
        pairs = {
            "renders": measure(predict_with_features(branch, people, samples), samples, body),
            "renders_keypoints_only": measure(predict(branch, samples), samples, body),
        }
    return {f"{kind}_{name}": value for kind, values in pairs.items() for name, value in values.items()}
