"""The second stage of the body training: keypoints as the pretrained network finds them on rendered people.

Its errors on people that are half hidden are others than the simulated ones of the first stage. Every rendered person
is looked at once and only what was found is kept, so the heads train at the speed of the first stage. Half of every
batch is simulated still, and the weights end halfway between those before and after the stage: renders are not real
pictures, and halfway the gain on them costs nothing on real video.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...backend.body.layer import BodyLayer
from ...backend.crops import ray_rotation
from ...backend.model.body import BodyBranch, ProjectedFeatures
from ..synthetic.people import People, PeopleSampler
from ..synthetic.poses import rotation_vectors_to_matrices
from ..synthetic.randomness import choice, normal
from .body_heads import body_losses, predict, trainable_heads, weighted_sum
from .clock import optimize
from .detector import sample_palms
from .keypoints import KeypointSamples, sample_keypoints

BATCH = 128
"""Rendered people and, as many again, simulated keypoints."""
LEARNING_RATE = 5e-4
BEFORE = 0.5
"""How much of the weights before the stage stays in those after it."""
RENDERED_AT_ONCE = 32

_ROLL = 0.25
"""Radians, standard deviation of the turns of the camera around its axis."""
_JITTER = 0.006
"""Standard deviation of what is added to the keypoints, in units of their box's larger side."""
_SCORE_JITTER = 0.05


@dataclass(frozen=True)
class SeenPeople:
    """N rendered people as the pretrained network sees them, and the truth."""

    rotations: Tensor
    """(N, 22, 3, 3) local, the root in the axes of a camera that looks at the picture's middle."""
    betas: Tensor
    """(N, 10)."""
    points: Tensor
    """(N, 76, 3) meters relative to the pelvis, in the same axes."""
    translation: Tensor
    """(N, 3) pelvis in that camera."""
    keypoints: Tensor
    """(N, 17, 2) found by the network, pixels from the picture's middle."""
    scores: Tensor
    """(N, 17)."""
    joints: Tensor
    """(N, 17, C) raw features at the keypoints, 16-bit, for the stage after this one (`body_features.py`)."""
    context: Tensor
    """(N, C') raw features of the whole picture, 16-bit."""

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

    def varied(self, generator: torch.Generator) -> "SeenPeople":
        """The same people by a camera that is rolled, with keypoints and scores a little off: fewer go by heart.

        What the network would see in the rolled picture is not known: its features stay, and nobody can learn to read
        the roll from them. Cameras of rendered people are rolled by 8 degrees (deviation), hand-held ones by more.
        """
        count = len(self)
        axis = self.points.new_tensor([0.0, 0.0, 1.0])
        roll = rotation_vectors_to_matrices(normal(generator, _ROLL, count, 1) * axis)
        rotations = self.rotations.clone()
        rotations[:, 0] = roll @ rotations[:, 0]
        keypoints = self.keypoints @ roll[:, :2, :2].mT
        size = (keypoints.amax(1) - keypoints.amin(1)).amax(1)
        keypoints = keypoints + normal(generator, _JITTER, *keypoints.shape) * size[:, None, None]
        return SeenPeople(
            rotations,
            self.betas,
            self.points @ roll.mT,
            (roll @ self.translation[..., None])[..., 0],
            keypoints,
            (self.scores + normal(generator, _SCORE_JITTER, count, 17)).clamp(0.01, 0.98),
            self.joints,
            self.context,
        )

    def save(self, path: Path) -> None:
        """Write a safetensors file."""
        save_file({field.name: getattr(self, field.name).contiguous() for field in fields(self)}, path)

    @classmethod
    def load(cls, path: Path, device: torch.device | str = "cpu") -> "SeenPeople":
        """Read it again."""
        return cls(**load_file(path, str(device)))


@torch.no_grad()
def look_at_people(
    branch: BodyBranch, sampler: PeopleSampler, count: int, seed: int, report: Callable[[int], None]
) -> SeenPeople:
    """Render people and let the pretrained network look at them.

    Args:
        branch: with its pretrained network filled.
        sampler: renders.
        count: N, rounded up to whole batches.
        seed: of the renders.
        report: called with the number of people of each batch.
    """
    generator = torch.Generator(sampler.device).manual_seed(seed)
    branch.eval()
    batches: list[SeenPeople] = []
    while len(batches) * RENDERED_AT_ONCE < count:
        people = sampler.sample(generator, RENDERED_AT_ONCE)
        middle = people.points_2d.new_tensor([sampler.width / 2, sampler.height / 2])
        positions = branch.locate(people.images.contiguous(memory_format=torch.channels_last))
        joints, context = feature_net(branch).pool(positions)
        turned = toward_middle(people, middle)
        rotations = people.rotations[:, :22].clone()
        rotations[:, 0] = turned @ rotations[:, 0]
        points = people.points_3d @ turned.mT
        pelvis = points[:, :1]
        batches.append(
            SeenPeople(
                rotations,
                people.betas,
                points - pelvis,
                pelvis[:, 0],
                positions.points[..., :2] - middle,
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


def toward_middle(people: People, middle: Tensor) -> Tensor:
    """(B, 3, 3) from the axes of the pictures' cameras to those of cameras that look at the pictures' middle.

    The inverse of what a capture does with the network's answer.
    """
    focals, centers, aim = (values.double().cpu().numpy() for values in (people.focal, people.center, middle))
    cameras = zip(focals, centers, strict=True)
    turns = [ray_rotation(aim, np.array([focal, focal]), center) for focal, center in cameras]
    return torch.from_numpy(np.stack(turns)).to(middle).mT


def train_on_detections(
    branch: BodyBranch,
    people: SeenPeople,
    library: Tensor,
    body: BodyLayer,
    *,
    seconds: float,
    seed: int,
    report: Callable[[int, Tensor], None],
) -> int:
    """Train for some time; changes `branch` and returns the number of steps.

    Args:
        branch: the branch after the first stage.
        people: what the pretrained network found on renders.
        library: (N, 22, 3, 3) training poses.
        body: gives the points.
        seconds: length of the stage.
        seed: of the samples.
        report: called with step and loss.
    """
    generator = torch.Generator(library.device).manual_seed(seed)
    heads = trainable_heads(branch)
    before = {name: tensor.clone() for name, tensor in heads.state_dict().items()}

    def loss() -> Tensor:
        with torch.no_grad():
            picked = people.pick(choice(generator, len(people), BATCH))
            found = picked.varied(generator).with_palms(generator)
            simulated = sample_keypoints(library, body, BATCH, generator)
        losses = [weighted_sum(body_losses(predict(branch, samples), samples, body)) for samples in (found, simulated)]
        return torch.stack(losses).mean()

    steps = optimize(heads, loss, seconds=seconds, learning_rate=LEARNING_RATE, report=report)
    after = heads.state_dict()
    heads.load_state_dict({name: BEFORE * before[name] + (1 - BEFORE) * after[name] for name in after})
    return steps
