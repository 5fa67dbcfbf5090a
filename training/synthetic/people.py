"""Rendered people with exact labels, for the body branch."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from ...backend.body.joints import FEET6, LIMBS12, POINT_INDEX, POINT_NAMES
from ...backend.motion.body_file import BodyFile
from ...backend.motion.skeleton import JOINT_INDEX
from .camera import Camera, frame_points
from .face_landmarks import COUNT as FACE_LANDMARKS
from .face_landmarks import FaceLandmarks
from .figures import Figure, Figures, sample_views
from .props import sample_props
from .randomness import chance, normal, uniform
from .rasterizer import visible
from .rooms import Ground
from .scene import SAMPLES, compose
from .scenery import Scenery
from .sensor import develop

HEIGHT, WIDTH = 256, 192
COMPANY = 0.3
"""Share of the pictures with a second person."""
_UPPER_POINTS = [JOINT_INDEX["neck"], JOINT_INDEX["head"], *LIMBS12[:6]]


@dataclass(frozen=True)
class People:
    """B rendered people and their labels.

    Attributes:
        images: (B, 3, H, W) values 0..1.
        rotations: (B, 55, 3, 3) local rotations; the root's is in camera axes.
        betas: (B, 10).
        expression: (B, 10).
        translation: (B, 3) meters, added to the vertices (smplx's `transl`).
        points_3d: (B, 76, 3) camera axes, meters, in the order of `joints.POINT_NAMES`.
        points_2d: (B, 76, 2) pixels.
        visible: (B, 76) in the picture and hidden neither by the own body nor by an object.
        face_2d: (B, 68, 2) pixels of the face landmarks, in the order of `FaceLandmarks`.
        face_visible: (B, 68) as `visible`.
        boxes: (B, 4) of the whole body, cut at the picture's edges; x, y, x, y in pixels.
        focal: (B,) pixels.
        center: (B, 2) principal point, pixels.
    """

    images: Tensor
    rotations: Tensor
    betas: Tensor
    expression: Tensor
    translation: Tensor
    points_3d: Tensor
    points_2d: Tensor
    visible: Tensor
    face_2d: Tensor
    face_visible: Tensor
    boxes: Tensor
    focal: Tensor
    center: Tensor


class PeopleSampler:
    """Draws rendered people.

    Args:
        body: the body model.
        poses: (N, 22, 3, 3) local rotations of the body's joints relative to its rest pose, as
            `poses.load_pose_library` gives them.
        scenery: backgrounds and lights.
        device: where to work.
        height: rows of the pictures.
        width: columns of the pictures.
    """

    def __init__(
        self,
        *,
        body: BodyFile,
        poses: Tensor,
        scenery: Scenery,
        device: torch.device | str = "cpu",
        height: int = HEIGHT,
        width: int = WIDTH,
    ) -> None:
        self.figures = Figures(body=body, poses=poses, device=device)
        self.face = FaceLandmarks(body, device=device)
        self.scenery = scenery
        self.device = torch.device(device)
        self.height, self.width = height, width
        self._inside = _inside(self.figures.regions.depth)

    @torch.no_grad()
    def sample(self, generator: torch.Generator, count: int, chunk: int = 8) -> People:
        """Draw `count` people, `chunk` at a time."""
        parts = [self._sample(generator, min(chunk, count - done)) for done in range(0, count, chunk)]
        return People(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(People)))

    @torch.no_grad()
    def film(self, seed: int, motion: Tensor) -> People:
        """One person who moves before a still camera: everything but the pose is drawn alike in all frames.

        Args:
            seed: of what is drawn.
            motion: (T, 22, 3, 3) local rotations, as the library's. The pelvis stays in its place.

        Returns:
            T frames, by a camera that looks along the middle of its picture, as those of videos do.
        """

        def frame(pose: Tensor, shot: tuple[Camera, Tensor] | None) -> People:
            generator = torch.Generator(self.device).manual_seed(seed)
            return self._sample(generator, 1, pose[None], shot)

        shot = _centered(frame(motion[0], None), self.height, self.width)
        frames = [frame(pose, shot) for pose in motion]
        return People(*(torch.cat([getattr(one, field.name) for one in frames]) for field in fields(People)))

    def _sample(
        self,
        generator: torch.Generator,
        count: int,
        poses: Tensor | None = None,
        shot: tuple[Camera, Tensor] | None = None,
    ) -> People:
        """People in these poses, or the library's; by this camera and so far from it, or by ones that are drawn."""
        view = sample_views(generator, count)
        person = self.figures.draw(generator, torch.arange(count, device=view.device), view, poses)
        drawn = _view(generator, person.points, self.height, self.width)
        camera, translation = shot or drawn
        person = person.moved(translation)
        up = view[:, :, 1]
        ground = Ground(up, (person.skin * up[:, None]).sum(-1).amin(1))
        props = sample_props(generator, person.points, person.palms())
        others = self._company(generator, person, view, ground)
        picture = compose(generator, self.figures, person, others, props, camera, self.scenery, ground)

        labels = torch.cat([person.points, self.face.points(person.skin, person.rotations)], dim=1)
        pixels, depth = camera.project(labels)
        seen = visible(pixels * SAMPLES, depth, picture.depth, self.tolerance(depth, camera))
        points = len(POINT_NAMES)
        return People(
            images=develop(generator, picture.radiance),
            rotations=person.rotations,
            betas=person.betas,
            expression=person.expression,
            translation=translation,
            points_3d=labels[:, :points],
            points_2d=pixels[:, :points],
            visible=seen[:, :points],
            face_2d=pixels[:, points:],
            face_visible=seen[:, points:],
            boxes=_boxes(camera.project(person.skin)[0], camera),
            focal=camera.focal,
            center=camera.center,
        )

    def tolerance(self, depth: Tensor, camera: Camera) -> Tensor:
        """How far (B, 144) labels at these distances may lie behind what is drawn and still count as seen, meters."""
        # A surface that is seen at a slant lies at several distances within one pixel.
        return self._inside + depth / camera.focal[:, None] / SAMPLES

    def _company(self, generator: torch.Generator, person: Figure, view: Tensor, ground: Ground) -> Figure | None:
        """Second people on the same ground, beside, behind or partly before the first; None if nobody has any."""
        image = chance(generator, COMPANY, len(view)).nonzero(as_tuple=True)[0]
        if len(image) == 0:
            return None
        others = self.figures.draw(generator, image, view[image])
        side = chance(generator, 0.5, len(image)).float() * 2 - 1
        aside = side * uniform(generator, 0.3, 1.0, len(image))
        toward = uniform(generator, -1.5, 0.5, len(image))
        upright = torch.stack([aside, torch.zeros_like(aside), toward], dim=1)
        start = person.points[image, 0] - others.points[:, 0] + (view[image] @ upright[..., None])[..., 0]
        others = others.moved(start)
        above = (others.skin * ground.up[image][:, None]).sum(-1).amin(1) - ground.height[image]
        return others.moved(-above[:, None] * ground.up[image])


def _centered(people: People, height: int, width: int) -> tuple[Camera, Tensor]:
    """The cameras with their principal points in the middle, and the people moved so that they hardly seem to."""
    middle = people.center.new_tensor([width / 2, height / 2]).expand_as(people.center)
    moved = people.translation.clone()
    moved[:, :2] += (people.center - middle) / people.focal[:, None] * people.points_3d[:, 0, 2:]
    return Camera(people.focal, middle, height, width), moved


def _inside(depth: Tensor) -> Tensor:
    """(144,) how far behind the surface labels lie at most, meters, from each joint's (55,) distance to the skin.

    A joint is seen when no more lies before it than its own limb and the clothes on that; face and fingers are bare.
    """
    inside = torch.full((len(POINT_NAMES) + FACE_LANDMARKS,), 0.012, device=depth.device)
    inside[: len(depth)] += 1.6 * depth
    clothed = [*range(22), *FEET6, *(POINT_INDEX[f"{side}_ear"] for side in ("left", "right"))]
    inside[clothed] += 0.018
    return inside


def _boxes(pixels: Tensor, camera: Camera) -> Tensor:
    """(B, V, 2) projected vertices -> (B, 4) their extent inside the picture."""
    edge = torch.tensor([camera.width, camera.height], device=pixels.device)
    return torch.cat([pixels.amin(1).clamp_min(0), torch.minimum(pixels.amax(1), edge)], dim=1)


def _view(generator: torch.Generator, points: Tensor, height: int, width: int) -> tuple[Camera, Tensor]:
    """Cameras 1.3 to 10 m away; a fifth of the crops cut the legs off, and none is centered exactly."""
    count = len(points)
    distance = 1.3 * torch.exp(uniform(generator, 0, 2.04, count))
    whole, translation = frame_points(
        points, distance, uniform(generator, 0.7, 1.0, count), normal(generator, 0.04, count, 2), height, width
    )
    near, near_translation = frame_points(
        points[:, _UPPER_POINTS],
        distance.clamp_max(4),
        uniform(generator, 0.55, 1.0, count),
        normal(generator, 0.05, count, 2),
        height,
        width,
    )
    cut = chance(generator, 0.2, count)
    focal = torch.where(cut, near.focal, whole.focal)
    center = torch.where(cut[:, None], near.center, whole.center)
    return Camera(focal, center, height, width), torch.where(cut[:, None], near_translation, translation)
