"""Rendered people with exact labels, for the body branch."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from ...backend.body.joints import LANDMARK_VERTICES, LIMBS12, POINT_NAMES
from ...backend.body.layer import BodyLayer
from ...backend.model.rotation import mirror_rotations
from ...backend.motion.body_file import BodyFile
from ...backend.motion.skeleton import JAW, JOINT_INDEX, LEFT_HAND, RIGHT_HAND
from .appearance import sample_appearance
from .camera import Camera, frame_points
from .hand_poses import hand_axes, rotation_about, sample_hand_poses
from .poses import sample_poses
from .randomness import chance, choice, normal, uniform
from .rasterizer import visible
from .regions import body_regions
from .renderer import render
from .scenery import Scenery
from .sensor import develop, occlude

HEIGHT, WIDTH = 256, 192
_UPPER_POINTS = [JOINT_INDEX["neck"], JOINT_INDEX["head"], *LIMBS12[:6]]


@dataclass(frozen=True)
class People:
    """B rendered people and their labels.

    Attributes:
        images: (B, 3, 256, 192) values 0..1.
        rotations: (B, 55, 3, 3) local rotations; the root's is in camera axes.
        betas: (B, 10).
        translation: (B, 3) meters, added to the vertices (smplx's `transl`).
        points_3d: (B, 76, 3) camera axes, meters, in the order of `joints.POINT_NAMES`.
        points_2d: (B, 76, 2) pixels.
        visible: (B, 76) in the picture and hidden neither by the own body nor by an object.
        focal: (B,) pixels.
        center: (B, 2) principal point, pixels.
    """

    images: Tensor
    rotations: Tensor
    betas: Tensor
    translation: Tensor
    points_3d: Tensor
    points_2d: Tensor
    visible: Tensor
    focal: Tensor
    center: Tensor


class PeopleSampler:
    """Draws rendered people.

    Args:
        body: the body model.
        poses: (N, 22, 3, 3) local rotations of the body's joints relative to its rest pose, as
            `training.poses.load_pose_library` gives them.
        scenery: backgrounds and lights.
        device: where to work.
    """

    def __init__(self, *, body: BodyFile, poses: Tensor, scenery: Scenery, device: torch.device | str = "cpu") -> None:
        self.layer = BodyLayer(body).to(device)
        self.regions = body_regions(body, device)
        self.axes = hand_axes(body, device)
        self.poses = poses.cpu()
        self.scenery = scenery
        # A joint counts as seen when no more lies before it than its own limb.
        inside = torch.full((len(POINT_NAMES),), 0.03, device=device)
        inside[: len(self.regions.depth)] += 1.6 * self.regions.depth
        self.tolerance = inside

    @torch.no_grad()
    def sample(self, generator: torch.Generator, count: int, chunk: int = 8) -> People:
        """Draw `count` people, `chunk` at a time."""
        parts = [self._sample(generator, min(chunk, count - done)) for done in range(0, count, chunk)]
        return People(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(People)))

    def _sample(self, generator: torch.Generator, count: int) -> People:
        rotations = self.draw_rotations(generator, count)
        betas = normal(generator, 1, count, 10).clamp(-2.5, 2.5)
        expression = normal(generator, 0.7, count, 10).clamp(0, 2)
        vertices, joints = self.layer(rotations, betas, expression)
        points = torch.cat([joints, vertices[:, list(LANDMARK_VERTICES.values())]], dim=1)
        camera, translation = _view(generator, points)
        points, vertices = points + translation[:, None], vertices + translation[:, None]
        looks = sample_appearance(generator, count)
        picture = render(
            generator, vertices, camera, looks, self.regions, self.scenery, faces=self.regions.faces, supersampling=1
        )
        radiance, hidden = occlude(generator, picture.radiance, 0.2)
        pixels, depth = camera.project(points)
        blocked = torch.where(hidden, 0.0, picture.depth)
        seen = visible(pixels, depth, blocked, self.tolerance)
        images = develop(generator, radiance)
        return People(images, rotations, betas, translation, points, pixels, seen, camera.focal, camera.center)

    def draw_rotations(self, generator: torch.Generator, count: int) -> Tensor:
        """(count, 55, 3, 3): library poses, partly recombined, seen from any side, with random hands and jaw."""
        device = generator.device
        rotations = torch.eye(3, device=device).repeat(count, 55, 1, 1)
        seed = int(choice(generator, 2**31 - 1, 1))
        rotations[:, :22] = sample_poses(self.poses, count, torch.Generator().manual_seed(seed)).to(device)
        rotations[:, JAW] = rotation_about(_axis(0, device), uniform(generator, -0.3, 0.35, count).clamp_min(0))
        rotations[:, RIGHT_HAND] = sample_hand_poses(generator, self.axes, count)
        rotations[:, LEFT_HAND] = mirror_rotations(sample_hand_poses(generator, self.axes, count))
        pitch, roll = normal(generator, 0.22, count) + 0.12, normal(generator, 0.14, count)
        yaw = uniform(generator, -torch.pi, torch.pi, count)
        turn = rotation_about(_axis(1, device), yaw)
        upright = torch.diag(torch.tensor([1.0, -1.0, -1.0], device=device))
        view = rotation_about(_axis(2, device), roll) @ rotation_about(_axis(0, device), pitch)
        rotations[:, 0] = upright @ view @ turn @ rotations[:, 0]
        return rotations


def _view(generator: torch.Generator, points: Tensor) -> tuple[Camera, Tensor]:
    """Cameras 1.3 to 10 m away; a fifth of the crops cut the legs off, and none is centered exactly."""
    count = len(points)
    distance = 1.3 * torch.exp(uniform(generator, 0, 2.04, count))
    whole, translation = frame_points(
        points, distance, uniform(generator, 0.7, 1.0, count), normal(generator, 0.04, count, 2), HEIGHT, WIDTH
    )
    near, near_translation = frame_points(
        points[:, _UPPER_POINTS],
        distance.clamp_max(4),
        uniform(generator, 0.55, 1.0, count),
        normal(generator, 0.05, count, 2),
        HEIGHT,
        WIDTH,
    )
    cut = chance(generator, 0.2, count)
    focal = torch.where(cut, near.focal, whole.focal)
    center = torch.where(cut[:, None], near.center, whole.center)
    return Camera(focal, center, HEIGHT, WIDTH), torch.where(cut[:, None], near_translation, translation)


def _axis(index: int, device: torch.device) -> Tensor:
    return torch.eye(3, device=device)[index]
