"""Tuning the hand network: rendered hands teach depth and coarse pictures, footage of real people holds it.

The early layers stay as they were published, the late ones follow, and a corrector behind them learns what is left. On
footage the points must stay where the published network saw them.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, dropout, dropout2d, smooth_l1_loss

from ...backend.model.hand import MCP, LandmarkPositionNet
from ...backend.model.mediapipe import HandLandmarkNet, HandMaps
from .clock import optimize
from .hand_views import HandViews

BATCH = 64
REAL_SHARE = 0.25
"""Of a batch."""
LEARNING_RATE = 6e-4
SURE = 0.5
"""Presence from which the published network's points on footage are kept."""
PRESENCE_WEIGHT, REAL_WEIGHT = 0.3, 1.0
CHANNELS_DROPPED = 0.1
"""Of rendered maps: few renders are soon learnt by heart."""
CORRECTED_BATCH, CORRECTOR_RATE, FEATURES_DROPPED = 128, 1e-3, 0.3
CORNER = 0.1
"""Palm lengths up to which errors count squared."""


class LateLayers(nn.Module):
    """The layers that are trained; handedness and meters, which nobody reads, are left as they are and go stale."""

    def __init__(self, network: HandLandmarkNet) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [network.s32_blocks, network.expand, network.depthwise, network.points, network.presence]
        ).requires_grad_()


def tune(
    network: HandLandmarkNet,
    rendered: HandViews,
    real: HandViews,
    *,
    seconds: float,
    seed: int,
    report: Callable[[int, Tensor], None],
) -> int:
    """Train until the time is over.

    Args:
        network: is changed.
        rendered: views with truth.
        real: views of footage; may be empty.
        seconds: wall clock.
        seed: of the batches.
        report: called with each step and its loss.

    Returns:
        The number of steps.
    """
    device = rendered.maps.device
    generator = torch.Generator(device=device).manual_seed(seed)
    from_real = int(BATCH * REAL_SHARE) if len(real.maps) else 0

    def pick(views: HandViews, count: int) -> HandViews:
        return views.take(torch.randint(0, len(views.maps), (count,), generator=generator, device=device))

    def loss() -> Tensor:
        drawn = pick(rendered, BATCH - from_real)
        total = rendered_loss(network.late(dropout2d(drawn.maps.float(), CHANNELS_DROPPED)), drawn)
        if from_real:
            held = pick(real, from_real)
            total = total + REAL_WEIGHT * held_loss(network.late(held.maps.float()), held)
        return total

    module = LateLayers(network).train()
    steps = optimize(module, loss, seconds=seconds, learning_rate=LEARNING_RATE, report=report)
    module.eval().requires_grad_(False)
    return steps


@torch.no_grad()
def answers(network: HandLandmarkNet, views: HandViews, batch: int = 256) -> Tensor:
    """(N, 63 + 1152) points and pooled features that the network has for views."""
    rows = torch.arange(len(views.maps)).split(batch)
    found = [network.late(views.maps[part].float()) for part in rows]
    return torch.cat([torch.cat([maps.points.flatten(1), maps.pooled], dim=1) for maps in found])


def train_corrector(
    position: LandmarkPositionNet,
    rendered: HandViews,
    real: HandViews,
    *,
    seconds: float,
    seed: int,
    report: Callable[[int, Tensor], None],
) -> int:
    """Train the corrector on what the tuned network answers; arguments and result as those of `tune`."""
    device = rendered.maps.device
    generator = torch.Generator(device=device).manual_seed(seed)
    known = rendered.take(rendered.known)
    sure = real.take(real.presence > SURE)
    places = known.points.shape[1:].numel()
    inputs, held = answers(position.backbone, known), answers(position.backbone, sure) if len(sure.maps) else None
    corrector = position.corrector
    corrector.statistics.fit(inputs[:, places:])

    def corrected(found: Tensor) -> Tensor:
        features = dropout(corrector.statistics(found[:, places:]), FEATURES_DROPPED)
        return corrector.correct(found[:, :places].view(-1, *known.points.shape[1:]), features)

    def loss() -> Tensor:
        rows = torch.randint(0, len(inputs), (CORRECTED_BATCH,), generator=generator, device=device)
        truth = known.points[rows]
        total = _distance(corrected(inputs[rows]), truth, truth, axes=3).mean()
        if held is not None:
            rows = torch.randint(0, len(held), (CORRECTED_BATCH // 4,), generator=generator, device=device)
            said = sure.said[rows]
            total = total + REAL_WEIGHT * _distance(corrected(held[rows]), said, said, axes=2).mean()
        return total

    corrector.requires_grad_().train()
    steps = optimize(corrector, loss, seconds=seconds, learning_rate=CORRECTOR_RATE, report=report)
    corrector.eval().requires_grad_(False)
    return steps


def rendered_loss(answer: HandMaps, views: HandViews) -> Tensor:
    """Distance of the points of hands that are there, in palms, and whether there is one."""
    distance = _distance(answer.points, views.points, views.points, axes=3)
    told = ~views.shown.isnan()
    presence = binary_cross_entropy(answer.presence[told].clamp(1e-6, 1 - 1e-6), views.shown[told])
    return (distance * views.known).sum() / views.known.sum().clamp_min(1) + PRESENCE_WEIGHT * presence


def held_loss(answer: HandMaps, views: HandViews) -> Tensor:
    """Change of what the published network was sure of: places in the picture, not its weak depth, and presence."""
    distance = _distance(answer.points, views.said, views.said, axes=2)
    sure = views.presence > SURE
    presence = binary_cross_entropy(answer.presence.clamp(1e-6, 1 - 1e-6), views.presence)
    return (distance * sure).sum() / sure.sum().clamp_min(1) + PRESENCE_WEIGHT * presence


def _distance(points: Tensor, target: Tensor, size: Tensor, axes: int) -> Tensor:
    """(B, 21, 3) twice -> (B,) robust distances in palms of `size`."""
    palm = (size[:, MCP] - size[:, :1]).norm(dim=2).mean(1).clamp_min(10)[:, None, None]
    difference = (points - target)[..., :axes] / palm
    return smooth_l1_loss(difference, torch.zeros_like(difference), beta=CORNER, reduction="none").mean((1, 2))
