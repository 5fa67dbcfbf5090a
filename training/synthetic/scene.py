"""Whole scenes: people, other people, things, the ground and a room or a panorama, in one depth image."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...backend.motion.skeleton import JOINT_INDEX
from .antialiasing import thin_out
from .camera import Camera
from .figures import Figure, Figures
from .props import Props
from .randomness import chance
from .rasterizer import Fragments, rasterize
from .renderer import Picture, darkened, surroundings
from .rooms import Ground, rooms, shaded_ground
from .scenery import Light, Scenery
from .shading import Finish, shade_figure, shade_props
from .shadows import ShadowMap

SAMPLES = 2
"""Samples a pixel and axis where surfaces end."""
CROWDED = 0.35
"""Pictures that show less of their person lose what stands before it: no detector would have found that person."""
CREASE = 0.03
"""Meters: no deeper gap between surfaces is dark because of them."""
IN_ROOM = 0.35
"""Share of the pictures that are taken in a room; the others have a panorama or no place at all."""
_ON_GROUND = [JOINT_INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("ankle", "foot", "knee", "hip")]


@dataclass(frozen=True)
class _Layer:
    """One mesh of each picture: its fragments in the fine picture and the picture (K,) that each of its images is."""

    fragments: Fragments
    image: Tensor


def compose(
    generator: torch.Generator, figures: Figures, people: Figure, others: Figure | None, props: Props, camera: Camera,
    scenery: Scenery, ground: Ground,
) -> Picture:  # fmt: skip
    """Render B scenes.

    Args:
        generator: of the random numbers.
        figures: what drew the people.
        people: one in each picture.
        others: in some pictures, or None.
        props: things in each picture.
        camera: the B views.
        scenery: backgrounds and lights.
        ground: what the people stand on.

    Returns:
        Radiance (B, H, W, 3), and the depth of everything in a picture `SAMPLES` times as fine.
    """
    fine = camera.scaled(SAMPLES)
    every = torch.arange(len(people.image), device=people.image.device)
    layers = [_Layer(_drawn(people.surface, figures.faces, fine, every), every)]
    layers.append(_Layer(_drawn(props.vertices, props.faces, fine, every), every))
    if others is not None:
        layers.append(_Layer(_drawn(others.surface, figures.faces, fine, others.image), others.image))
    layers, distance = _uncovered(layers, fine, len(every))

    background, light = scenery.sample(generator, camera)
    shadow = ShadowMap.cast(people.surface, figures.faces, light.direction)
    background = _surroundings(generator, background, camera, light, ground, people, shadow)
    canvas = torch.zeros(background.shape[:-1].numel(), 4, device=background.device)
    around = surroundings(distance, 4 * SAMPLES)
    for layer, figure in zip(layers, (people, None, others), strict=False):
        samples = thin_out(_in_scene(layer), SAMPLES, len(every), camera.height, camera.width)
        kept = samples.kept
        local = layer.fragments.pick(kept)
        if figure is None:
            color = shade_props(local, props, light, shadow)
        else:
            finish = Finish.sample(generator, len(figure.image))
            color = shade_figure(local, figure, figures, light, shadow, finish)
        color = color * darkened(around, samples.fragments, reach=CREASE)[:, None]
        canvas = samples.add(torch.cat([color, torch.ones_like(color[:, :1])], dim=1), canvas)
    canvas = canvas.view(*background.shape[:-1], 4)
    return Picture(canvas[..., :3] + (1 - canvas[..., 3:]).clamp_min(0) * background, distance)


def _drawn(vertices: Tensor, faces: Tensor, camera: Camera, image: Tensor) -> Fragments:
    own = Camera(camera.focal[image], camera.center[image], camera.height, camera.width)
    pixels, depth = own.project(vertices)
    return rasterize(pixels, depth, faces, camera.height, camera.width)


def _in_scene(layer: _Layer) -> Fragments:
    """The layer's fragments with the pictures' numbers in place of its own."""
    found = layer.fragments
    return Fragments(layer.image[found.image], found.row, found.column, found.triangle, found.weights, found.depth)


def _uncovered(layers: list[_Layer], camera: Camera, batch: int) -> tuple[list[_Layer], Tensor]:
    """What of each layer no other one hides, and the (B, H, W) depth image of all."""
    distance = _nearest(layers, camera, batch)
    seen, all_of = (
        torch.bincount(found.image, minlength=batch)
        for found in (_front(layers[0], distance).fragments, layers[0].fragments)
    )
    free = seen >= CROWDED * all_of
    layers = [layers[0], *(_Layer(x.fragments.pick(free[x.image][x.fragments.image]), x.image) for x in layers[1:])]
    distance = _nearest(layers, camera, batch)
    return [_front(layer, distance) for layer in layers], distance


def _nearest(layers: list[_Layer], camera: Camera, batch: int) -> Tensor:
    canvas = torch.full((batch * camera.height * camera.width,), torch.inf, device=camera.focal.device)
    for layer in layers:
        found = layer.fragments
        place = (layer.image[found.image] * camera.height + found.row) * camera.width + found.column
        canvas.scatter_reduce_(0, place, found.depth, "amin")
    return canvas.view(batch, camera.height, camera.width)


def _front(layer: _Layer, distance: Tensor) -> _Layer:
    found = layer.fragments
    nearest = distance[layer.image[found.image], found.row, found.column]
    return _Layer(found.pick(found.depth <= nearest), layer.image)


def _surroundings(
    generator: torch.Generator, background: Tensor, camera: Camera, light: Light, ground: Ground, people: Figure,
    shadow: ShadowMap,
) -> Tensor:  # fmt: skip
    """(B, H, W, 3) backgrounds, some of them rooms, with the people's shadows on the ground."""
    rays, joints = camera.rays(), people.points[:, _ON_GROUND]
    inside = chance(generator, IN_ROOM, len(rays)).nonzero(as_tuple=True)[0]
    part = Light(light.harmonics[inside], light.direction[inside], light.color[inside])
    place = Ground(ground.up[inside], ground.height[inside])
    room = rooms(generator, rays[inside], place, people.points[inside, 0], part)
    return shaded_ground(background.index_copy(0, inside, room), ground, rays, shadow, joints)
