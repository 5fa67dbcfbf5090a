"""Posed and dressed bodies, before a camera sees them."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ...backend.body.joints import LANDMARK_VERTICES, LEFT_HAND21, RIGHT_HAND21
from ...backend.body.layer import BodyLayer
from ...backend.model.rotation import mirror_rotations
from ...backend.motion.body_file import BodyFile
from ...backend.motion.skeleton import JAW, LEFT_HAND, RIGHT_HAND
from .appearance import Appearance, sample_appearance, standoff
from .face_variation import sample_expressions
from .hand_poses import hand_axes, rotation_about, sample_hand_poses
from .outfits import Outfit, sample_outfit
from .poses import sample_poses
from .randomness import choice, normal, uniform
from .rasterizer import vertex_normals
from .regions import BodyRegions, body_regions
from .wearables import Wardrobe

BALD = 0.5
"""A hairline higher over the brows than this (meters) stands for no hair."""
VOLUME = 3.0
"""Short hair stands off up to so many times as far as `sample_appearance` says."""


@dataclass(frozen=True)
class Figure:
    """K dressed people; lengths in meters.

    Attributes:
        image: (K,) the picture that each is in.
        rotations: (K, 55, 3, 3) local; the root's in camera axes.
        betas: (K, 10).
        expression: (K, 10).
        skin: (K, V, 3) the body's vertices.
        points: (K, 76, 3) joints and landmarks.
        surface: (K, V + W, 3) what is drawn: skin under clothes, then what is worn over it; NaN where nothing is.
        places: (K, W, 3) the worn vertices at rest.
        looks: colors.
        outfit: what is worn.
    """

    image: Tensor
    rotations: Tensor
    betas: Tensor
    expression: Tensor
    skin: Tensor
    points: Tensor
    surface: Tensor
    places: Tensor
    looks: Appearance
    outfit: Outfit

    def moved(self, translation: Tensor) -> "Figure":
        """Everything moved by (K, 3)."""
        by = translation[:, None]
        return replace(self, skin=self.skin + by, points=self.points + by, surface=self.surface + by)

    def palms(self) -> Tensor:
        """(K, 2, 3) where the left and right hand would hold something, about 3 cm off the palm."""
        hands = torch.stack([self.points[:, list(hand)] for hand in (LEFT_HAND21, RIGHT_HAND21)], dim=1)
        wrist, index, pinky = hands[:, :, 0], hands[:, :, 5], hands[:, :, 17]
        side = torch.tensor([-1.0, 1.0], device=hands.device)[:, None]
        off = normalize(torch.linalg.cross(index - wrist, pinky - wrist), dim=-1) * side
        return hands[:, :, [5, 6, 9, 10, 17, 18]].mean(2) + 0.025 * off


class Figures:
    """Draws dressed people.

    Args:
        body: the body model.
        poses: (N, 22, 3, 3) local rotations of the body's joints relative to its rest pose.
        device: where to work.
    """

    def __init__(self, *, body: BodyFile, poses: Tensor, device: torch.device | str = "cpu") -> None:
        self.layer = BodyLayer(body).to(device)
        self.regions: BodyRegions = body_regions(body, device)
        self.wardrobe = Wardrobe(self.layer, self.regions)
        self.faces = torch.cat([self.regions.faces, self.wardrobe.faces + len(self.regions.attributes)])
        self._axes = hand_axes(body, device)
        self._poses = poses.cpu()

    def draw(self, generator: torch.Generator, image: Tensor, view: Tensor, poses: Tensor | None = None) -> Figure:
        """People for the (K,) pictures, whose cameras are turned by (K, 3, 3) against the vertical.

        Their poses come from the library, or from (N, 22, 3, 3) others.
        """
        count = len(image)
        rotations, expression = self._rotations(generator, count, view, self._poses if poses is None else poses)
        betas = normal(generator, 1, count, 10).clamp(-2.5, 2.5)
        return self.dress(generator, image, rotations, betas, expression)

    def dress(
        self, generator: torch.Generator, image: Tensor, rotations: Tensor, betas: Tensor, expression: Tensor
    ) -> Figure:
        """People in given poses and shapes, see `Figure`, with random clothes and colors."""
        skin, joints = self.layer(rotations, betas, expression)
        points = torch.cat([joints, skin[:, list(LANDMARK_VERTICES.values())]], dim=1)
        looks, outfit = self._wardrobe(generator, len(image))
        worn, places = self.wardrobe.pose(outfit, rotations, betas)
        normals = vertex_normals(skin, self.regions.faces)
        clothed = skin + normals * standoff(looks, self.regions)[..., None]
        surface = torch.cat([clothed, worn], dim=1)
        return Figure(image, rotations, betas, expression, skin, points, surface, places, looks, outfit)

    def _rotations(self, generator: torch.Generator, count: int, view: Tensor, poses: Tensor) -> tuple[Tensor, Tensor]:
        """(count, 55, 3, 3): some of the poses, partly recombined, turned any way, with random hands and face.

        The (count, 10) expressions go with the jaws.
        """
        device = generator.device
        rotations = torch.eye(3, device=device).repeat(count, 55, 1, 1)
        seed = int(choice(generator, 2**31 - 1, 1))
        rotations[:, :22] = sample_poses(poses, count, torch.Generator().manual_seed(seed)).to(device)
        rotations[:, JAW], expression, _ = sample_expressions(generator, count)
        rotations[:, RIGHT_HAND] = sample_hand_poses(generator, self._axes, count)
        rotations[:, LEFT_HAND] = mirror_rotations(sample_hand_poses(generator, self._axes, count))
        yaw = uniform(generator, -torch.pi, torch.pi, count)
        turn = rotation_about(torch.tensor([0.0, 1.0, 0.0], device=device), yaw)
        rotations[:, 0] = view @ turn @ rotations[:, 0]
        return rotations, expression

    def _wardrobe(self, generator: torch.Generator, count: int) -> tuple[Appearance, Outfit]:
        """Looks and outfits that go together: bare legs under most skirts, hair of any volume."""
        looks = sample_appearance(generator, count)
        outfit = sample_outfit(generator, self.regions.joints, looks.waist, looks.hairline[:, 0] > BALD)
        outfit = replace(outfit, clearance=outfit.clearance + 1.5 * looks.looseness.amax(1))
        bare = outfit.skirt & (uniform(generator, 0, 1, count) < 0.7)
        fuller = uniform(generator, 0, 1, count) ** 3 * (VOLUME - 1) + 1
        hairline = torch.cat([looks.hairline[:, :2], looks.hairline[:, 2:] * fuller[:, None]], dim=1)
        looser = looks.looseness * (1 + uniform(generator, 0, 1, count, 2) ** 3)
        trouser = torch.where(bare, 0.05, looks.trouser)
        return replace(looks, trouser=trouser, hairline=hairline, looseness=looser), outfit


def sample_views(generator: torch.Generator, count: int) -> Tensor:
    """(count, 3, 3) rotations from upright axes (y up, z to the viewer) to those of slightly tilted cameras."""
    device = generator.device
    pitch, roll = normal(generator, 0.22, count) + 0.12, normal(generator, 0.14, count)
    right, _, ahead = torch.eye(3, device=device)
    upright = torch.diag(torch.tensor([1.0, -1.0, -1.0], device=device))
    return upright @ rotation_about(ahead, roll) @ rotation_about(right, pitch)
