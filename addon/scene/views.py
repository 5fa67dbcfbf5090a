"""Pictures of the figures from the front and the side, armature visible, by Workbench and without a display."""

import ctypes
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from ...backend.motion.skeleton import JOINT_NAMES
from .build import BuiltScene, Figure
from .keyframes import key_frames

VIEWS = {"front": (0.0, -1.0), "side": (1.0, 0.0)}
"""Name of a view and the direction (x, y) that its camera stands in."""
MARGIN = 1.15
SMALLEST_HEIGHT = 1.75
"""Meters; what a view shows at least."""
DISTANCE = 50.0
TILT = math.radians(9)
"""Looking down a little shows the ground."""
BONE_WIDTH = 0.09
"""Of a bone's length."""
BONE_COLOR = (0.95, 0.36, 0.06, 1.0)
BODY_COLOR = (0.52, 0.60, 0.70, 1.0)
FLOOR_COLORS = ((0.27, 0.28, 0.30, 1.0), (0.21, 0.22, 0.24, 1.0))
BACKGROUND = (0.19, 0.20, 0.22)
TILE = 0.5
"""Meters; side of a square of the floor."""


def render_views(built: BuiltScene, folder: Path, times: Sequence[float], size: int) -> None:
    """Write `front_000.png`, `side_000.png`, `front_001.png`... one pair for each time, following the first figure.

    Args:
        built: the current scene; a second one for the pictures is added and becomes current.
        folder: made where missing.
        times: seconds of the source.
        size: pixels, width and height.

    Raises:
        RuntimeError: this machine has no EGL, without which Workbench would abort the process.
    """
    _require_egl()
    folder.mkdir(parents=True, exist_ok=True)
    scene = _studio(size)
    for figure in built.figures:
        _add_figure(scene, figure)
    frames = key_frames(np.asarray(times), built.fps)
    followed = built.figures[0].armature
    boxes = [_bounds(scene, followed, frame) for frame in frames]
    reach = np.max([high - low for low, high in boxes], axis=0)
    for number, (frame, (low, high)) in enumerate(zip(frames, boxes, strict=True)):
        _go_to(scene, frame)
        for view, (x, y) in VIEWS.items():
            width = reach[0] if x == 0 else reach[1]
            scene.camera.data.ortho_scale = MARGIN * max(SMALLEST_HEIGHT, width, reach[2])
            _aim(scene.camera, Vector((low + high) / 2), x, y)
            scene.render.filepath = str(folder.resolve() / f"{view}_{number:03d}.png")
            bpy.ops.render.render(write_still=True, scene=scene.name)


def _require_egl() -> None:
    if sys.platform != "linux" or not bpy.app.background:
        return
    try:
        ctypes.CDLL("libEGL.so.1")
    except OSError:
        raise RuntimeError(
            "cannot render without a display: libEGL.so.1 is missing "
            "(Debian and Ubuntu: apt-get install libegl1 libgl1-mesa-dri)"
        ) from None


def _studio(size: int) -> bpy.types.Scene:
    """A scene of its own with a floor and a camera."""
    source = bpy.context.scene.render
    scene = bpy.data.scenes.new("Views")
    bpy.context.window.scene = scene
    render = scene.render
    render.engine = "BLENDER_WORKBENCH"
    render.resolution_x = render.resolution_y = size
    render.fps, render.fps_base = source.fps, source.fps_base
    render.image_settings.file_format = "PNG"
    shading = scene.display.shading
    shading.light, shading.color_type = "STUDIO", "OBJECT"
    shading.show_cavity, shading.cavity_type = True, "BOTH"
    shading.show_shadows, shading.shadow_intensity = True, 0.3
    scene.display.render_aa = "5"
    scene.view_settings.view_transform = "Standard"
    scene.world = bpy.data.worlds.new("Views")
    scene.world.color = BACKGROUND
    _add_floor(scene)
    lens = bpy.data.cameras.new("Views")
    lens.type, lens.clip_end = "ORTHO", 2 * DISTANCE
    scene.camera = bpy.data.objects.new("Views", lens)
    scene.collection.objects.link(scene.camera)
    return scene


def _add_figure(scene: bpy.types.Scene, figure: Figure) -> None:
    """Link a figure, and its bones as solids, to the scene."""
    shown = [figure.armature, _solid_bones(figure)]
    if figure.mesh is not None:
        figure.mesh.color = BODY_COLOR
        shown.append(figure.mesh)
    for item in shown:
        scene.collection.objects.link(item)


def _solid_bones(figure: Figure) -> bpy.types.Object:
    """Octahedra along the bones, moved by them; in front of the body, as the viewport shows bones."""
    corners: list[Vector] = []
    faces: list[tuple[int, ...]] = []
    data = bpy.data.meshes.new("Bones")
    bones = bpy.data.objects.new("Bones", data)
    for name in JOINT_NAMES:
        bone = figure.armature.data.bones[name]
        first = len(corners)
        corners += _octahedron(bone)
        faces += [(first, first + 1 + k, first + 1 + (k + 1) % 4) for k in range(4)]
        faces += [(first + 5, first + 1 + (k + 1) % 4, first + 1 + k) for k in range(4)]
        bones.vertex_groups.new(name=name)
    data.from_pydata(corners, [], faces)
    for joint, name in enumerate(JOINT_NAMES):
        bones.vertex_groups[name].add(range(6 * joint, 6 * joint + 6), 1.0, "REPLACE")
    bones.modifiers.new("Armature", "ARMATURE").object = figure.armature
    bones.color, bones.show_in_front = BONE_COLOR, True
    return bones


def _octahedron(bone: bpy.types.Bone) -> list[Vector]:
    axes = bone.matrix_local
    width, length = BONE_WIDTH * bone.length, bone.length
    ring = [(width, 0), (0, width), (-width, 0), (0, -width)]
    local = [(0, 0, 0), *((x, 0.15 * length, z) for x, z in ring), (0, length, 0)]
    return [axes @ Vector(point) for point in local]


def _add_floor(scene: bpy.types.Scene) -> None:
    """Squares of half a meter, so that steps can be measured by eye."""
    reach = 50
    for color in (0, 1):
        cells = [(i, j) for i in range(-reach, reach) for j in range(-reach, reach) if (i + j) % 2 == color]
        corners = [((i + u) * TILE, (j + v) * TILE, 0.0) for i, j in cells for u, v in ((0, 0), (1, 0), (1, 1), (0, 1))]
        data = bpy.data.meshes.new("Floor")
        data.from_pydata(corners, [], [tuple(range(4 * n, 4 * n + 4)) for n in range(len(cells))])
        floor = bpy.data.objects.new("Floor", data)
        floor.color = FLOOR_COLORS[color]
        scene.collection.objects.link(floor)


def _go_to(scene: bpy.types.Scene, frame: float) -> None:
    whole = math.floor(frame)
    scene.frame_set(whole, subframe=float(frame - whole))


def _bounds(scene: bpy.types.Scene, armature: bpy.types.Object, frame: float) -> tuple[NDArray, NDArray]:
    """Corners (3,) of the box around an armature's bones at a frame, meters."""
    _go_to(scene, frame)
    posed = armature.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
    points = np.array([point for bone in posed for point in (bone.head, bone.tail)])
    return points.min(axis=0), points.max(axis=0)


def _aim(camera: bpy.types.Object, center: Vector, x: float, y: float) -> None:
    away = Vector((x * math.cos(TILT), y * math.cos(TILT), math.sin(TILT)))
    camera.location = center + DISTANCE * away
    camera.rotation_euler = away.to_track_quat("Z", "Y").to_euler()
