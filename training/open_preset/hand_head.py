"""The hand branch's head: what it is trained on and how well it does. See `hand.py` for the command.

Two streams of samples: the pretrained network's points and features on rendered hands, and random poses without
pictures whose points get errors copied from the network's errors on the renders.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...backend.body.joints import RIGHT_HAND21
from ...backend.body.layer import BodyLayer
from ...backend.model.hand import HandBranch, LandmarkPositionNet, hand_vector
from ...backend.model.pooling import MapPooling
from ...backend.model.position import Positions
from ...backend.motion.skeleton import RIGHT_HAND
from ..metrics import mpjpe, pa_mpjpe
from ..synthetic.hand_poses import HandAxes, sample_hand_poses
from ..synthetic.hands import random_rotations
from ..synthetic.randomness import chance, normal, uniform
from .clock import optimize
from .hand_views import HandViews

BATCH = 256
LEARNING_RATE = 1e-3
POINT_WEIGHT = 15.0
"""Loss per meter of joint error against 1 per unit of the rotation matrices' entries."""
FEATURE_NOISE = 0.6
"""Of the standardized features; half of their channels are dropped besides: few renders are soon learnt by heart."""


@dataclass(frozen=True)
class Observations:
    """What the network says about N rendered hands, and the truth.

    Attributes:
        points: (N, 21, 3) its points in crop pixels.
        features: (N, 21, C) its features there, 16-bit.
        presence: (N,).
        rotations: (N, 15, 3, 3) true local rotations.
        truth: (N, 21, 3) true points in crop pixels, z relative to the wrist.
    """

    points: Tensor
    features: Tensor
    presence: Tensor
    rotations: Tensor
    truth: Tensor

    def take(self, index: Tensor) -> "Observations":
        """The observations with these indices, or where a mask is true."""
        return Observations(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


@torch.no_grad()
def observe(branch: HandBranch, views: HandViews, batch: int = 256) -> Observations:
    """Let the branch answer for views whose truth is known."""
    pooling, position = _pooling(branch), branch.position
    assert isinstance(position, LandmarkPositionNet)
    known, parts = views.take(views.known), []
    for rows in torch.arange(len(known.maps)).split(batch):
        answer: Positions = position.answer(known.maps[rows].float())
        features = pooling.pool(answer.maps, answer.points).half()
        truth = known.rotations[rows], known.points[rows]
        parts.append(Observations(answer.points, features, answer.scores[:, 0], *truth))
    return Observations(*(torch.cat([getattr(p, n) for p in parts]) for n in Observations.__dataclass_fields__))


def _pooling(branch: HandBranch) -> MapPooling:
    """The pooling with statistics that only the preset `open` has."""
    pooling = branch.pooling
    if not isinstance(pooling, MapPooling):
        raise TypeError(
            f"this script trains the hand branch of the preset 'open'; got one with {type(pooling).__name__}"
        )
    return pooling


class FingerModel:
    """Finger rotations -> the 21 points of the right hand in the wrist's frame, meters."""

    def __init__(self, layer: BodyLayer) -> None:
        self.layer = layer

    def points(self, rotations: Tensor, betas: Tensor | None = None) -> Tensor:
        """(B, 15, 3, 3) -> (B, 21, 3), relative to the wrist, on the mean shape unless betas (B, 10) are given."""
        full = torch.eye(3, device=rotations.device).repeat(len(rotations), 55, 1, 1)
        full = torch.cat([full[:, : RIGHT_HAND.start], rotations], dim=1)
        shape = rotations.new_zeros(len(rotations), 10) if betas is None else betas
        points = self.layer.skeleton(full, shape)[0][:, RIGHT_HAND21]
        return points - points[:, :1]


def imagine(
    generator: torch.Generator, axes: HandAxes, model: FingerModel, errors: Tensor, count: int
) -> tuple[Tensor, Tensor]:
    """Hands without pictures: vectors (B, 63) with errors drawn from (N, 63) and rotations (B, 15, 3, 3)."""
    rotations = sample_hand_poses(generator, axes, count)
    points = model.points(rotations, normal(generator, 1, count, 10))
    stretch = 1 + normal(generator, 0.06, count, 1, 3)
    seen = (points * stretch) @ random_rotations(generator, count)
    chosen = torch.randint(0, len(errors), (count,), generator=generator, device=errors.device)
    return hand_vector(seen) + errors[chosen] * uniform(generator, 0, 1.2, count, 1), rotations


def drop_features(branch: HandBranch) -> None:
    """Make the RotationNet ignore the features: if they do not help on unseen renders, they will not on photographs."""
    nn.init.zeros_(branch.projection.get_parameter("weight"))


def predict(branch: HandBranch, vectors: Tensor, features: Tensor) -> Tensor:
    """Vectors (B, 63) and standardized features (B, 21, C) -> rotations (B, 15, 3, 3)."""
    rotations: Tensor = branch.rotation(vectors, branch.projection(features).flatten(1))
    return rotations


def train_head(
    branch: HandBranch,
    seen: Observations,
    axes: HandAxes,
    model: FingerModel,
    *,
    seconds: float,
    seed: int,
    report: Callable[[int, Tensor], None],
) -> int:
    """Train projection and RotationNet until the time is over; half of each batch has pictures.

    Returns:
        The number of steps.
    """
    device, half = seen.points.device, BATCH // 2
    generator = torch.Generator(device=device).manual_seed(seed)
    standardize = _pooling(branch).standardization
    standardize.fit(seen.features.float())
    vectors = hand_vector(seen.points)
    errors = (vectors - hand_vector(seen.truth)).clamp(-2, 2)

    def loss() -> Tensor:
        rows = torch.randint(0, len(vectors), (half,), generator=generator, device=device)
        features = standardize(seen.features[rows].float())
        features = features + normal(generator, FEATURE_NOISE, *features.shape)
        features = features * chance(generator, 0.5, half, 1, features.shape[2])
        jittered = vectors[rows] + normal(generator, 0.03, half, vectors.shape[1])
        imagined, imagined_rotations = imagine(generator, axes, model, errors, half)
        target = torch.cat([seen.rotations[rows], imagined_rotations])
        geometry = torch.cat([jittered, imagined])
        predicted = predict(branch, geometry, torch.cat([features, torch.zeros_like(features)]))
        distance = (model.points(predicted) - model.points(target)).abs().mean()
        return (predicted - target).abs().mean() + POINT_WEIGHT * distance

    head = nn.ModuleList([branch.projection, branch.rotation]).train()
    steps = optimize(head, loss, seconds=seconds, learning_rate=LEARNING_RATE, report=report)
    head.eval()
    return steps


@torch.no_grad()
def evaluate(branch: HandBranch, seen: Observations, reference: Tensor, model: FingerModel) -> dict[str, float]:
    """Errors in millimeters on held-out renders: the mean pose of the training set, points only, points and features.

    `wrist` is the mean error of the 21 points with the wrist's place and rotation known, `pa` after Procrustes.
    """
    vectors, features = hand_vector(seen.points), _pooling(branch).standardization(seen.features.float())
    candidates = {
        "mean_pose": reference.expand_as(seen.rotations),
        "points_only": predict(branch, vectors, torch.zeros_like(features)),
        "points_and_features": predict(branch, vectors, features),
        "true_points": predict(branch, hand_vector(seen.truth), torch.zeros_like(features)),
    }
    truth, results = model.points(seen.rotations), {}
    for name, rotations in candidates.items():
        points = model.points(rotations)
        results[f"{name}_wrist_mm"] = mpjpe(points, truth).mean().item()
        results[f"{name}_pa_mm"] = pa_mpjpe(points, truth).mean().item()
        cosine = ((rotations.transpose(-1, -2) @ seen.rotations).diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
        results[f"{name}_degrees"] = torch.rad2deg(cosine.clamp(-1, 1).acos()).mean().item()
    return results


def mean_rotations(rotations: Tensor) -> Tensor:
    """(N, 15, 3, 3) -> (15, 3, 3), the rotations nearest to the mean matrices."""
    u, _, vt = torch.linalg.svd(rotations.mean(0))
    turn = torch.linalg.det(u @ vt).sign()
    nearest: Tensor = torch.cat([u[..., :2], u[..., 2:] * turn[:, None, None]], dim=2) @ vt
    return nearest
