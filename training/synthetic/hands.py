"""Rendered close-ups of right hands with their forearms, cropped the way the capture crops hands."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ...backend.body.joints import POINT_INDEX, RIGHT_HAND21
from ...backend.body.layer import BodyLayer
from ...backend.model.mediapipe import HAND_SIZE
from ...backend.motion.body_file import BodyFile
from ...backend.motion.skeleton import JOINT_INDEX, RIGHT_HAND
from .appearance import sample_appearance
from .camera import Camera
from .hand_poses import hand_axes, rotation_about, sample_hand_poses
from .poses import rotation_vectors_to_matrices
from .randomness import chance, normal, uniform
from .rasterizer import visible
from .regions import ARM, SLEEVED, body_regions
from .renderer import render
from .scenery import Scenery
from .sensor import develop

ELBOW, WRIST = JOINT_INDEX["right_elbow"], JOINT_INDEX["right_wrist"]
MIDDLE = tuple(POINT_INDEX[name] for name in ("right_middle1", "right_middle2", "right_middle3", "right_middle"))
MIN_VISIBLE = 9
"""Crops that show fewer of the 21 points are not used: nobody could tell the pose."""
MIN_FORESHORTENING = 0.3
"""Nor are hands that point at the camera so much that less of the palm's length than this is seen."""


@dataclass(frozen=True)
class HandCrops:
    """B rendered right hands and their labels.

    Attributes:
        images: (B, 3, 224, 224) values 0..1.
        rotations: (B, 15, 3, 3) local finger rotations.
        points_3d: (B, 21, 3) camera axes, meters, in the order of `joints.RIGHT_HAND21`.
        points_2d: (B, 21, 2) pixels of the crop.
        visible: (B, 21) in the picture and hidden by no finger or arm.
    """

    images: Tensor
    rotations: Tensor
    points_3d: Tensor
    points_2d: Tensor
    visible: Tensor


class HandSampler:
    """Draws rendered hands.

    Args:
        body: the body model.
        scenery: backgrounds and lights.
        device: where to work.
    """

    def __init__(self, *, body: BodyFile, scenery: Scenery, device: torch.device | str = "cpu") -> None:
        self.layer = BodyLayer(body).to(device)
        self.regions = body_regions(body, device)
        self.axes = hand_axes(body, device)
        self.scenery = scenery
        along_arm = self.regions.attributes
        arm = (along_arm[:, SLEEVED] > 0.9) & (along_arm[:, ARM] > -0.2) & (along_arm[:, 0] < 0)
        hand = (self.layer.weights[:, [WRIST, *range(RIGHT_HAND.start, RIGHT_HAND.stop)]].sum(1)) > 0
        self.faces = self.regions.faces_of(arm | hand)

    @torch.no_grad()
    def sample(self, generator: torch.Generator, count: int, chunk: int = 16) -> HandCrops:
        """Draw `count` hands, `chunk` candidates at a time; those that hide too much are thrown away."""
        parts: list[HandCrops] = []
        while sum(len(part.images) for part in parts) < count:
            crops = self._sample(generator, chunk)
            kept = crops.visible.sum(1) >= MIN_VISIBLE
            parts.append(HandCrops(*(getattr(crops, field.name)[kept] for field in fields(HandCrops))))
        return HandCrops(*(torch.cat([getattr(p, f.name) for p in parts])[:count] for f in fields(HandCrops)))

    def _sample(self, generator: torch.Generator, count: int) -> HandCrops:
        rotations, betas = self.draw_rotations(generator, count), normal(generator, 1, count, 10).clamp(-2.5, 2.5)
        vertices, _ = self.layer(rotations, betas, torch.zeros_like(betas))
        points, _ = self.layer.skeleton(rotations, betas)
        camera, translation = _close_up(generator, points)
        vertices, points = vertices + translation[:, None], points + translation[:, None]
        looks = sample_appearance(generator, count)
        picture = render(generator, vertices, camera, looks, self.regions, self.scenery, faces=self.faces)
        hand = points[:, RIGHT_HAND21]
        pixels, depth = camera.project(hand)
        seen = visible(pixels, depth, picture.depth, 0.022)
        images = develop(generator, picture.radiance)
        return HandCrops(images, rotations[:, RIGHT_HAND], hand, pixels, seen)

    def draw_rotations(self, generator: torch.Generator, count: int) -> Tensor:
        """(count, 55, 3, 3): random fingers, wrist and forearm, seen from any side, the hand pointing up."""
        device = generator.device
        rotations = torch.eye(3, device=device).repeat(count, 55, 1, 1)
        rotations[:, RIGHT_HAND] = sample_hand_poses(generator, self.axes, count)
        bend = torch.tensor([0.3, 0.2, 0.4], device=device)
        rotations[:, WRIST] = rotation_vectors_to_matrices(normal(generator, 1, count, 3) * bend)
        rotations[:, ELBOW] = rotation_about(self.axes.opposition, normal(generator, 0.5, count))
        rotations[:, 0] = self._views(generator, rotations)
        return rotations

    def _views(self, generator: torch.Generator, rotations: Tensor) -> Tensor:
        """(B, 3, 3) root rotations: a random side of the hand, not its tips, then upright in the picture."""
        count, betas = len(rotations), torch.zeros(len(rotations), 10, device=rotations.device)
        points, _ = self.layer.skeleton(rotations, betas)
        palm = normalize(points[:, MIDDLE[0]] - points[:, WRIST], dim=1)
        forearm = normalize(points[:, WRIST] - points[:, ELBOW], dim=1)
        view = random_rotations(generator, count)
        for _ in range(20):
            end_on = (view @ palm[..., None])[:, :2, 0].norm(dim=1) < MIN_FORESHORTENING
            view = torch.where(end_on[:, None, None], random_rotations(generator, count), view)
        along_forearm = (view @ forearm[..., None])[:, :2, 0]
        up = (view @ palm[..., None])[:, :2, 0]
        use_forearm = chance(generator, 0.3, count) & (along_forearm.norm(dim=1) > 0.4)
        up = torch.where(use_forearm[:, None], along_forearm, up)
        angle = -torch.atan2(up[:, 0], -up[:, 1]) + normal(generator, 0.3, count)
        return rotation_about(torch.tensor([0.0, 0.0, 1.0], device=view.device), angle) @ view


def random_rotations(generator: torch.Generator, count: int) -> Tensor:
    """(count, 3, 3) rotations, uniform over all."""
    axis = normalize(normal(generator, 1, count, 4), dim=1)
    angle = 2 * axis[:, 0].clamp(-1, 1).acos()
    return rotation_about(normalize(axis[:, 1:], dim=1), angle)


def _close_up(generator: torch.Generator, points: Tensor) -> tuple[Camera, Tensor]:
    """Cameras 0.4 to 4 m from the hand; a straight hand would fill 0.45 to 0.85 of the crop."""
    count, device = len(points), points.device
    middle = (points[:, WRIST] + points[:, RIGHT_HAND21].mean(1)) / 2
    distance = 0.4 * torch.exp(uniform(generator, 0, 2.3, count))
    translation = torch.cat([-middle[:, :2], (distance - middle[:, 2])[:, None]], dim=1)
    chain = points[:, (WRIST, *MIDDLE)]
    length = (chain[:, 1:] - chain[:, :-1]).norm(dim=2).sum(1)
    focal = uniform(generator, 0.45, 0.85, count) * HAND_SIZE * distance / length
    placed = points[:, RIGHT_HAND21] + translation[:, None]
    flat = placed[..., :2] / placed[..., 2:].clamp_min(0.1)
    box = (flat.amin(1) + flat.amax(1)) / 2
    beyond = flat[:, 0] * 0.5 + flat[:, 9] * 0.5
    aim = torch.lerp(box, beyond, uniform(generator, 0, 1, count, 1))
    shift = normal(generator, 0.05 * HAND_SIZE, count, 2)
    center = HAND_SIZE / 2 - focal[:, None] * aim + shift
    return Camera(focal, center.to(device), HAND_SIZE, HAND_SIZE), translation
