"""The first stage of the body training: the heads learn rotations, shape and depths from keypoints alone."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...backend.body.joints import COCO17, FEET6, LEFT_MCP, LIMBS12, POINT_NAMES, RIGHT_MCP
from ...backend.body.layer import BodyLayer
from ...backend.model.body import BodyBranch
from ...backend.model.position import CenterNetPositionNet, palm_vector
from ..metrics import mpjpe, pa_mpjpe
from .clock import optimize
from .keypoints import KeypointSamples, project, sample_keypoints

LOSS_WEIGHTS = {"rotation": 1.0, "points": 8.0, "depth": 2.0, "projection": 2.0, "betas": 0.02}
BATCH = 256
LEARNING_RATE = 1e-3
VALIDATION_SAMPLES = 2000


@dataclass(frozen=True)
class Prediction:
    """Rotations (B, 22, 3, 3), betas (B, 10), depths of the COCO points (B, 17) in meters relative to the pelvis."""

    rotations: Tensor
    betas: Tensor
    depths: Tensor


def keypoint_position(branch: BodyBranch) -> CenterNetPositionNet:
    """The positional part of the branch.

    Raises:
        TypeError: the branch belongs to a preset that does not find keypoints with a pretrained network.
    """
    if not isinstance(branch.position, CenterNetPositionNet):
        raise TypeError(
            f"expected the body branch of the preset `open`. Got one with a {type(branch.position).__name__}"
        )
    return branch.position


def trainable_heads(branch: BodyBranch) -> nn.ModuleList:
    """The depth head, the RotationNet and the shape head; the pretrained network stays as it is."""
    return nn.ModuleList([keypoint_position(branch).lifter, branch.rotation, branch.shape])


def encode(
    branch: BodyBranch, samples: KeypointSamples, lift: Callable[[Tensor, Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """The geometry vector (B, F) and the depths (B, 17) that it holds, from keypoints and scores by `lift`."""
    depths = lift(samples.keypoints, samples.scores)
    points = torch.cat([samples.keypoints, depths.unsqueeze(-1)], dim=-1)
    palms = palm_vector(samples.palms, samples.palm_scores)
    return branch.geometry(points, samples.scores, palms), depths


def predict(branch: BodyBranch, samples: KeypointSamples, features: Tensor | None = None) -> Prediction:
    """What the branch says of keypoints and, if given, picture features (B, G), its heads asked once: for training."""
    geometry, depths = encode(branch, samples, keypoint_position(branch).lifter)
    betas, _ = branch.shape(None, geometry, features)
    return Prediction(branch.rotation(geometry, features), betas, depths)


def predict_both_ways(branch: BodyBranch, samples: KeypointSamples, features: Tensor | None = None) -> Prediction:
    """The same as a capture does it: its heads are asked about the person in a mirror as well."""
    geometry, depths = encode(branch, samples, keypoint_position(branch).lift)
    betas, _ = branch.shape(None, geometry, features)
    return Prediction(branch.ask(branch.rotation, geometry, features), betas, depths)


def point_weights() -> Tensor:
    """(76,) how much each point counts: limbs most, face, feet and knuckles least, everything behind them nothing."""
    weights = torch.zeros(len(POINT_NAMES))
    weights[:22] = 1
    weights[list(LIMBS12)] = 2
    weights[list(COCO17[:5] + FEET6 + LEFT_MCP + RIGHT_MCP)] = 0.5
    return weights / weights.mean()


def body_losses(prediction: Prediction, target: KeypointSamples, body: BodyLayer) -> dict[str, Tensor]:
    """L1 terms of the rotations, the posed points, their depths and projections, and the shape (paper section 3.1)."""
    coco = list(COCO17)
    points, _ = body.skeleton(prediction.rotations, prediction.betas)
    points = points - points[:, :1]
    seen = project(points[:, coco] + target.translation[:, None])
    wanted = project(target.points[:, coco] + target.translation[:, None])
    nearness = target.translation[:, 2, None, None]
    return {
        "rotation": (prediction.rotations - target.rotations).abs().mean(),
        "points": ((points - target.points).abs().mean(-1) * point_weights().to(points)).mean(),
        "depth": (prediction.depths - target.points[:, coco, 2]).abs().mean(),
        "projection": ((seen - wanted) * nearness).abs().clamp_max(1).mean(),
        "betas": (prediction.betas - target.betas).abs().mean(),
    }


def weighted_sum(losses: dict[str, Tensor]) -> Tensor:
    """The terms times `LOSS_WEIGHTS`, added."""
    return torch.stack([LOSS_WEIGHTS[name] * value for name, value in losses.items()]).sum()


@torch.no_grad()
def measure(prediction: Prediction, target: KeypointSamples, body: BodyLayer) -> dict[str, float]:
    """Errors in millimeters over the 12 limb joints and of the depths."""
    points, _ = body.skeleton(prediction.rotations, prediction.betas)
    limbs = list(LIMBS12)
    found = (points - points[:, :1])[:, limbs]
    depth = (prediction.depths - target.points[:, list(COCO17), 2]).abs().mean()
    return {
        "pa_mpjpe_mm": pa_mpjpe(found, target.points[:, limbs]).mean().item(),
        "mpjpe_mm": mpjpe(found, target.points[:, limbs]).mean().item(),
        "depth_mm": 1000 * depth.item(),
    }


def train_on_keypoints(
    branch: BodyBranch,
    library: Tensor,
    body: BodyLayer,
    *,
    seconds: float,
    seed: int,
    report: Callable[[int, Tensor], None],
) -> int:
    """Train for some time; changes `branch` and returns the number of steps.

    Args:
        branch: the branch, its heads fresh.
        library: (N, 22, 3, 3) training poses.
        body: gives the points.
        seconds: length of the stage.
        seed: of the samples.
        report: called with step and loss.
    """
    generator = torch.Generator(library.device).manual_seed(seed)

    def loss() -> Tensor:
        with torch.no_grad():
            samples = sample_keypoints(library, body, BATCH, generator)
        return weighted_sum(body_losses(predict(branch, samples), samples, body))

    return optimize(trainable_heads(branch), loss, seconds=seconds, learning_rate=LEARNING_RATE, report=report)


def validate(branch: BodyBranch, held_out: Tensor, body: BodyLayer) -> dict[str, float]:
    """Errors on a fixed draw of poses that training never saw."""
    branch.eval()
    with torch.no_grad():
        generator = torch.Generator(held_out.device).manual_seed(5)
        samples = sample_keypoints(held_out, body, VALIDATION_SAMPLES, generator)
        return measure(predict_both_ways(branch, samples), samples, body)
