"""The 468 face landmarks as points of the body's surface: where they lie, and how they move with jaw and expression.

The pretrained network follows photographs far better than rendered faces, which lack teeth, creases and lashes. So the
face branch learns from the surface itself: pictures only tell once where on the neutral face each landmark lies.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...backend.body.layer import BodyLayer
from ...backend.model.face import align_points
from ...backend.motion.skeleton import JAW
from .faces import FaceRenderer
from .randomness import normal
from .regions import EYE, HEAD, INNER, BodyRegions

UPPER_INNER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_INNER_LIP = (95, 88, 178, 87, 14, 317, 402, 318, 324)
UPPER_OUTER_LIP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LOWER_OUTER_LIP = (146, 91, 181, 84, 17, 314, 405, 321, 375)
UPPER_LIDS = (246, 161, 160, 159, 158, 157, 173, 466, 388, 387, 386, 385, 384, 398)
LOWER_LIDS = (7, 163, 144, 145, 153, 154, 155, 249, 390, 373, 374, 380, 381, 382)
BROWS = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46, 300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
CORNERS = (78, 308, 61, 291)
"""Of the mouth; they follow the jaw by a fifth."""
IBUG = (
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 168, 6, 195, 4, 98, 97, 2, 326, 327,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
"""The landmarks that are iBUG's 51 inner ones, whose places the body file itself gives."""
_MIRROR = torch.tensor([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class FaceBinding:
    """Where the P landmarks lie at rest.

    Attributes:
        vertices: (P, 3) the nearest vertices of the body.
        weights: (P, 3) their shares, sum 1.
        observed: (P, 3) the neutral face as the network sees it, meters, in the body's axes.
    """

    vertices: Tensor
    weights: Tensor
    observed: Tensor


@torch.no_grad()
def bind_landmarks(
    network: nn.Module, renderer: FaceRenderer, generator: torch.Generator, count: int, chunk: int = 8
) -> FaceBinding:
    """Find the landmarks on the body: neutral renders give the pattern, the body's own 51 landmarks hold it in place.

    Args:
        network: the pretrained `FaceLandmarkNet`.
        renderer: draws the faces.
        generator: of their looks.
        count: number of faces.
        chunk: how many at once.
    """
    points = []
    for size in torch.arange(count).split(chunk):
        still = torch.eye(3, device=generator.device).repeat(len(size), 1, 1)
        betas = normal(generator, 0.7, len(size), 10)
        picture = renderer.draw(generator, still, torch.zeros_like(betas), betas)
        points.append(network(picture.images).points)
    flipped = torch.cat(points) * torch.tensor([1.0, -1.0, -1.0], device=generator.device)
    regions, known = renderer.regions, list(IBUG)
    target, share = torch.zeros_like(flipped[0]), torch.zeros_like(flipped[0, :, 0])
    target[known], share[known] = regions.landmarks, 1.0
    observed = align_points(flipped, target, share)[0].median(0).values
    observed = _symmetrize(observed)
    places = observed + _thin_plate(observed[known], regions.landmarks - observed[known], observed)
    vertices, weights = _nearest(_symmetrize(places), renderer.layer, regions)
    return FaceBinding(vertices, weights, observed)


def _symmetrize(points: Tensor) -> Tensor:
    """Average (P, 3) with its mirror image where two landmarks are each other's mirror image."""
    mirror = _MIRROR.to(points.device)
    distance = torch.cdist(points * mirror, points)
    partner = distance.argmin(1)
    mutual = partner[partner] == torch.arange(len(points), device=points.device)
    averaged = (points + points[partner] * mirror) / 2
    return torch.where(mutual[:, None], averaged, points)


def _thin_plate(controls: Tensor, values: Tensor, places: Tensor) -> Tensor:
    """Smoothest interpolation in space: (K, 3) controls with (K, C) values -> (N, C) at (N, 3) places."""

    def affine(points: Tensor) -> Tensor:
        return torch.cat([torch.ones_like(points[:, :1]), 10 * points], dim=1)

    # A touch of slack, since two landmarks may be observed in the same place.
    kernel = torch.cdist(controls, controls) + 1e-4 * torch.eye(len(controls), device=controls.device)
    basis = affine(controls)
    system = torch.cat([torch.cat([kernel, basis], 1), torch.cat([basis.T, torch.zeros(4, 4).to(basis)], 1)])
    right = torch.cat([values, torch.zeros(4, values.shape[1]).to(values)])
    solution = torch.linalg.solve(system.double(), right.double()).to(values.dtype)
    result: Tensor = torch.cat([torch.cdist(places, controls), affine(places)], dim=1) @ solution
    return result


def _nearest(places: Tensor, layer: BodyLayer, regions: BodyRegions) -> tuple[Tensor, Tensor]:
    """The three nearest vertices of the skin (P, 3) and their weights; lips and lids keep to their own side."""
    attributes = regions.attributes
    skin = (attributes[:, HEAD] > 0.3) & (attributes[:, EYE] < 0.5) & (attributes[:, INNER] < 0.5)
    skin |= layer.weights[:, JAW] > 0.5
    skin &= attributes[:, 2] > regions.eyes[:, 2].mean() - 0.1
    allowed = skin.repeat(len(places), 1)
    upper = sorted({*UPPER_INNER_LIP, *UPPER_OUTER_LIP} - set(CORNERS))
    allowed[upper] &= layer.weights[:, JAW] < 0.15
    allowed[[*LOWER_INNER_LIP, *LOWER_OUTER_LIP]] &= layer.weights[:, JAW] > 0.5
    closing = layer.directions[:, 1, 10 + 4]
    allowed[list(UPPER_LIDS)] &= closing < -1e-3
    distance = torch.cdist(places, attributes[:, :3]).where(allowed, torch.inf)
    near, vertices = distance.topk(3, largest=False)
    weights = 1 / (near + 2e-4)
    return vertices, weights / weights.sum(1, keepdim=True)


class FaceSurface:
    """The bound landmarks as functions of shape, expression and jaw, in the head's own axes.

    Args:
        layer: the body.
        binding: where its landmarks lie.
    """

    def __init__(self, layer: BodyLayer, binding: FaceBinding) -> None:
        def at_points(values: Tensor) -> Tensor:
            return torch.einsum("pk,pk...->p...", binding.weights, values[binding.vertices])

        self.template = at_points(layer.template)
        self.directions = at_points(layer.directions)
        self.correctives = at_points(layer.posedirs[9 * (JAW - 1) : 9 * JAW].unflatten(1, (-1, 3)).permute(1, 2, 0))
        self.jaw_share = at_points(layer.weights[:, JAW])[:, None]
        self.joint, self.joint_directions = layer.points[JAW], layer.point_directions[JAW]
        self.observed = binding.observed

    def points(self, jaw: Tensor, expression: Tensor, betas: Tensor) -> Tensor:
        """(B, 3, 3), (B, 10), (B, 10) -> (B, P, 3) meters."""
        parameters = torch.cat([betas, expression], dim=1)
        change = (jaw - torch.eye(3, device=jaw.device)).flatten(1)
        rest = self.template + torch.einsum("pck,bk->bpc", self.directions, parameters)
        rest = rest + torch.einsum("pck,bk->bpc", self.correctives, change)
        arm = rest - (self.joint + parameters @ self.joint_directions.T)[:, None]
        moved: Tensor = rest + self.jaw_share * (arm @ jaw.transpose(1, 2) - arm)
        return moved
