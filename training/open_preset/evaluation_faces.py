"""What the face branch answers for resting faces of different people: none of it should be an expression."""

import torch

from ...backend.body.layer import BodyLayer
from ...backend.model.face import FacePose, LandmarkFaceBranch
from ...backend.motion.body_file import BodyFile
from ..synthetic.faces import FaceRenderer
from ..synthetic.randomness import normal
from ..synthetic.scenery import Scenery
from .evaluation_measures import PRESENT, Rows
from .face_head import FaceModel, jaw_degrees

BODIES = 50
AT_ONCE = 10
SEED = 4


@torch.inference_mode()
def neutral_face_rows(
    branch: LandmarkFaceBranch,
    body: BodyFile,
    device: torch.device,
    scenery: Scenery,
    bodies: int = BODIES,
) -> Rows:
    """Render resting faces of random shapes, cropped as a capture crops them, and measure what is said about them.

    Args:
        branch: of the network, on the device.
        body: the body model.
        device: where to work.
        scenery: backgrounds and lights.
        bodies: how many people.
    """
    renderer = FaceRenderer(body=body, scenery=scenery, device=device)
    generator = torch.Generator(device=device).manual_seed(SEED)
    parts: list[FacePose] = []
    for count in [AT_ONCE] * (bodies // AT_ONCE) + [bodies % AT_ONCE] * (bodies % AT_ONCE > 0):
        jaw = torch.eye(3, device=device).expand(count, 3, 3)
        still, betas = torch.zeros(count, 10, device=device), normal(generator, 1, count, 10).clamp(-2.5, 2.5)
        parts.append(branch(renderer.draw(generator, jaw, still, betas).images))
    jaw, expression, scores = (torch.cat([getattr(part, name) for part in parts]).cpu()
                               for name in ("jaw", "expression", "scores"))  # fmt: skip
    model = FaceModel(BodyLayer(body))
    rest = model.vertices(torch.eye(3)[None], torch.zeros(1, 10))
    distance = 1000 * (model.vertices(jaw, expression) - rest).norm(dim=2).mean(1)
    return {
        "resting faces": float(bodies),
        "found, %": 100 * float((scores >= PRESENT).float().mean()),
        "expression of resting faces, mean size": float(expression.abs().mean()),
        "largest of 10, mean": float(expression.abs().amax(1).mean()),
        "jaw of resting faces": float(jaw_degrees(jaw).abs().mean()),
        "skin of resting faces": float(distance.mean()),
    }
