"""The face branch's head: how it is trained and how well it does. See `face.py` for the command."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from ...backend.body.layer import BodyLayer
from ...backend.model.face import LandmarkFaceBranch, align_points
from ...backend.motion.skeleton import JAW
from ..synthetic.face_points import FaceSurface
from ..synthetic.face_variation import FaceSamples, sample_faces
from .clock import optimize

BATCH = 256
LEARNING_RATE = 1e-3
VERTEX_WEIGHT = 600.0
"""Loss per meter of vertex error (beyond a centimetre) against 1 per unit of the strongest expression."""
NEUTRAL_WEIGHT = 0.05


@torch.no_grad()
def fit_frame(branch: LandmarkFaceBranch, surface: FaceSurface, seen: FaceSamples, rounds: int = 4) -> None:
    """Set the branch's canonical face, rigidity and statistics from training faces.

    The canonical face is the mean of the neutral ones, turned as the body's head is at rest; a point counts in the
    alignment as much as it stays in place when person and expression change.
    """
    reference = surface.template
    reference = (reference - reference.mean(0)) / (reference - reference.mean(0)).norm(dim=1).mean()
    rigidity = torch.ones(len(reference), device=reference.device)
    for _ in range(rounds):
        aligned, _ = align_points(seen.points, reference, rigidity)
        reference = aligned[seen.neutral].mean(0)
        rigidity = 1 / (aligned - reference).square().sum(2).mean(0).clamp_min(1e-6)
        rigidity = rigidity / rigidity.mean()
    branch.canonical.copy_(reference)
    branch.rigidity.copy_(rigidity)
    branch.point_statistics.fit(align_points(seen.points, reference, rigidity)[0].flatten(1))


class FaceModel:
    """Jaw and expression -> some vertices of the face, by linear skinning, for the loss.

    Args:
        layer: the body.
        count: number of vertices, spread evenly over those that the jaw or an expression moves.
    """

    def __init__(self, layer: BodyLayer, count: int = 600) -> None:
        moved = (layer.directions[..., 10:].norm(dim=1).amax(1) > 3e-4) | (layer.weights[:, JAW] > 0.05)
        chosen = moved.nonzero(as_tuple=True)[0]
        chosen = chosen[torch.linspace(0, len(chosen) - 1, min(count, len(chosen))).long()]
        self.template = layer.template[chosen] - layer.points[JAW]
        self.directions = layer.directions[chosen][..., 10:]
        self.jaw_share = layer.weights[chosen, JAW][:, None]

    def vertices(self, jaw: Tensor, expression: Tensor) -> Tensor:
        """(B, 3, 3), (B, 10) -> (B, count, 3) meters, relative to the jaw's joint, the head at rest."""
        rest = self.template + torch.einsum("vck,bk->bvc", self.directions, expression)
        vertices: Tensor = rest + self.jaw_share * (rest @ jaw.transpose(1, 2) - rest)
        return vertices

    def unit_weights(self) -> Tensor:
        """(10,) how far each expression moves the face, relative to the strongest."""
        reach: Tensor = self.directions.norm(dim=1).square().mean(0).sqrt()
        return reach / reach.max()


def train_head(
    branch: LandmarkFaceBranch,
    surface: FaceSurface,
    model: FaceModel,
    *,
    seconds: float,
    seed: int,
    report: Callable[[int, Tensor], None],
) -> int:
    """Train the head on points alone until the time is over; the weights of picture features stay zero.

    Returns:
        The number of steps.
    """
    generator = torch.Generator(device=surface.template.device).manual_seed(seed)
    weights = model.unit_weights()

    def loss() -> Tensor:
        seen = sample_faces(generator, surface, BATCH)
        jaw, expression, _ = branch.pose(seen.points, None)
        target = model.vertices(seen.jaw, seen.expression)
        # Squares for small errors: most units are at rest in most faces, and absolute errors would always answer zero.
        units = (smooth_l1_loss(expression, seen.expression, reduction="none") * weights).mean()
        opening = smooth_l1_loss(jaw, seen.jaw, beta=0.3)
        vertices = smooth_l1_loss(model.vertices(jaw, expression), target, beta=0.01)
        still = (expression.abs() * weights)[seen.neutral].sum() / BATCH
        return units + opening + VERTEX_WEIGHT * vertices + NEUTRAL_WEIGHT * still

    branch.head.train()
    steps = optimize(branch.head, loss, seconds=seconds, learning_rate=LEARNING_RATE, report=report)
    branch.head.eval()
    return steps


def jaw_degrees(jaw: Tensor) -> Tensor:
    """(N, 3, 3) -> (N,) opening about the x axis, degrees."""
    return torch.rad2deg(torch.atan2(jaw[:, 2, 1], jaw[:, 2, 2]))


@torch.no_grad()
def evaluate(
    branch: LandmarkFaceBranch, seen: FaceSamples, model: FaceModel, names: tuple[str, ...]
) -> dict[str, float]:
    """Errors on held-out faces.

    For every unit of the expression the correlation with the truth and, where the truth exceeds 0.3, the share of right
    signs; for the jaw degrees; for the whole face millimeters; and what neutral faces give.
    """
    jaw, expression, _ = branch.pose(seen.points, None)
    opening, true_opening = jaw_degrees(jaw), jaw_degrees(seen.jaw)
    still = seen.neutral
    truth = model.vertices(seen.jaw, seen.expression)
    rest = model.vertices(torch.eye(3, device=jaw.device)[None], torch.zeros(1, 10, device=jaw.device))
    results = {
        "vertex_mm": 1000 * (model.vertices(jaw, expression) - truth).norm(dim=2).mean().item(),
        "neutral_answer_vertex_mm": 1000 * (rest - truth).norm(dim=2).mean().item(),
        "jaw_mae_degrees": (opening - true_opening).abs().mean().item(),
        "jaw_correlation": _correlation(opening, true_opening),
        "neutral_jaw_degrees": opening[still].abs().mean().item(),
        "neutral_expression": expression[still].abs().mean().item(),
        "neutral_vertex_mm": 1000 * (model.vertices(jaw[still], expression[still]) - rest).norm(dim=2).mean().item(),
    }
    for unit, name in enumerate(names):
        strong = seen.expression[:, unit].abs() > 0.3
        agree = (expression[strong, unit].sign() == seen.expression[strong, unit].sign()).float()
        results[f"{name}_correlation"] = _correlation(expression[:, unit], seen.expression[:, unit])
        results[f"{name}_sign"] = agree.mean().item()
    return results


def _correlation(first: Tensor, second: Tensor) -> float:
    return torch.corrcoef(torch.stack([first, second]))[0, 1].item()
