"""Rendered faces, cropped the way the capture crops faces, that know which surface each of their pixels shows."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...backend.body.joints import POINT_INDEX
from ...backend.body.layer import BodyLayer
from ...backend.model.mediapipe import FACE_SIZE
from ...backend.motion.body_file import BodyFile
from ...backend.motion.skeleton import JAW, JOINT_INDEX
from .appearance import sample_appearance
from .camera import Camera
from .poses import rotation_vectors_to_matrices
from .randomness import normal, uniform
from .regions import body_regions
from .renderer import render
from .scenery import Scenery
from .sensor import develop

NECK, HEAD = JOINT_INDEX["neck"], JOINT_INDEX["head"]
NOSE, RIGHT_EYE, LEFT_EYE, RIGHT_EAR, LEFT_EAR = (
    POINT_INDEX[name] for name in ("nose", "right_eye", "left_eye", "right_ear", "left_ear")
)


@dataclass(frozen=True)
class FacePictures:
    """B rendered faces.

    Attributes:
        images: (B, 3, 192, 192) values 0..1.
        pixels: (B, V, 2) where the body's vertices lie in them.
        depth: (B, V) their distance along the camera's axis, meters.
    """

    images: Tensor
    pixels: Tensor
    depth: Tensor


class FaceRenderer:
    """Renders faces under random views and looks.

    Args:
        body: the body model.
        scenery: backgrounds and lights.
        device: where to work.
        turn: standard deviation of the head's rotation about each axis, radians.
    """

    def __init__(
        self,
        *,
        body: BodyFile,
        scenery: Scenery,
        device: torch.device | str = "cpu",
        turn: tuple[float, float, float] = (0.1, 0.12, 0.04),
    ) -> None:
        self.layer = BodyLayer(body).to(device)
        self.regions = body_regions(body, device)
        self.scenery = scenery
        self.faces = self.regions.faces_of(
            self.regions.attributes[:, 1] > self.regions.joints[JOINT_INDEX["spine3"], 1]
        )
        self.turn = torch.tensor(turn, device=device)

    @torch.no_grad()
    def draw(self, generator: torch.Generator, jaw: Tensor, expression: Tensor, betas: Tensor) -> FacePictures:
        """Render given jaw rotations (B, 3, 3), expressions (B, 10) and betas (B, 10)."""
        rotations = self._rotations(generator, jaw)
        vertices, _ = self.layer(rotations, betas, expression)
        points, _ = self.layer.skeleton(rotations, betas)
        camera, translation = _close_up(generator, points)
        placed = vertices + translation[:, None]
        looks = sample_appearance(generator, len(jaw))
        picture = render(generator, placed, camera, looks, self.regions, self.scenery, faces=self.faces)
        return FacePictures(develop(generator, picture.radiance), *camera.project(placed))

    def _rotations(self, generator: torch.Generator, jaw: Tensor) -> Tensor:
        """(B, 55, 3, 3): the head turned a little, the rest at rest, before a camera."""
        rotations = torch.eye(3, device=jaw.device).repeat(len(jaw), 55, 1, 1)
        rotations[:, JAW] = jaw
        half = rotation_vectors_to_matrices(normal(generator, 0.5, len(jaw), 3) * self.turn)
        rotations[:, NECK] = rotations[:, HEAD] = half
        rotations[:, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0], device=jaw.device))
        return rotations


def _close_up(generator: torch.Generator, points: Tensor) -> tuple[Camera, Tensor]:
    """Cameras 0.4 to 4 m from the face; the crop is 3.1 to 4.6 times as wide as the eyes are apart."""
    count = len(points)
    face = points[:, [NOSE, LEFT_EYE, RIGHT_EYE, LEFT_EAR, RIGHT_EAR]]
    distance = 0.4 * torch.exp(uniform(generator, 0, 2.3, count))
    translation = -face.mean(1)
    translation[:, 2] += distance
    eyes = (points[:, LEFT_EYE] - points[:, RIGHT_EYE]).norm(dim=1)
    focal = FACE_SIZE * distance / (eyes * uniform(generator, 3.1, 4.6, count))
    placed = face + translation[:, None]
    flat = placed[..., :2] / placed[..., 2:].clamp_min(0.1)
    aim = 0.4 * flat[:, 0] + 0.2 * flat[:, 1:3].sum(1) + 0.1 * flat[:, 3:].sum(1)
    shift = normal(generator, 0.05 * FACE_SIZE, count, 2)
    return Camera(focal, FACE_SIZE / 2 - focal[:, None] * aim + shift, FACE_SIZE, FACE_SIZE), translation
