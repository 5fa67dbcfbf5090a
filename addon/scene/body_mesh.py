"""The skinned mesh: vertex groups, shape keys for betas and expression, UVs and a neutral material."""

import bpy
import numpy as np
from numpy.typing import NDArray

from ...backend.motion.body_file import BodyFile
from ...backend.motion.placement import WORLD_FROM_BODY
from .armature import rest_in_armature

SHAPE_KEYS = tuple(f"Shape{i:03d}" for i in range(10))
EXPRESSION_KEYS = tuple(f"Exp{i:03d}" for i in range(10))
"""Names of the keys as the official SMPL-X add-on has them."""
BODY = "pose2pose_body"
"""Custom property of armatures and meshes that are built here: the name of their body model."""
SLIDER = 10.0
SMALLEST_WEIGHT = 1e-4
SKIN = (0.60, 0.57, 0.54, 1.0)


def build_mesh(
    name: str, body: BodyFile, betas: NDArray[np.floating], lift: float, armature: bpy.types.Object
) -> bpy.types.Object:
    """Make the body of an armature: deformed by it, shaped by `betas`. The caller links it to a collection.

    Args:
        name: of the object and its data.
        body: the body model.
        betas: (10,) values of the shape keys.
        lift: meters from the file's origin up to where the soles stand on z = 0, the armature's.
        armature: what deforms it and becomes its parent.
    """
    data = bpy.data.meshes.new(name)
    data[BODY] = body.name
    data.from_pydata(rest_in_armature(body.v_template, lift), [], body.faces.tolist())
    data.polygons.foreach_set("use_smooth", np.ones(len(body.faces), dtype=bool))
    _add_uvs(data, body)
    data.materials.append(_neutral_material())
    mesh = bpy.data.objects.new(name, data)
    _add_vertex_groups(mesh, body)
    _add_shape_keys(mesh, body, betas)
    mesh.parent = armature
    modifier = mesh.modifiers.new("Armature", "ARMATURE")
    modifier.object = armature
    return mesh


def _add_uvs(data: bpy.types.Mesh, body: BodyFile) -> None:
    layer = data.uv_layers.new(name="UVMap")
    layer.uv.foreach_set("vector", body.vt[body.ft].astype(np.float32).ravel())


def _neutral_material() -> bpy.types.Material:
    material = bpy.data.materials.get("Pose2Pose Body")
    if material is None:
        material = bpy.data.materials.new("Pose2Pose Body")
        if material.node_tree is None:  # before 5.0
            material.use_nodes = True
        surface = material.node_tree.nodes["Principled BSDF"]
        surface.inputs["Base Color"].default_value = SKIN
        surface.inputs["Roughness"].default_value = 0.6
        material.diffuse_color = SKIN
    return material


def _add_vertex_groups(mesh: bpy.types.Object, body: BodyFile) -> None:
    for joint, name in enumerate(body.joint_names):
        group = mesh.vertex_groups.new(name=name)
        weights = body.weights[:, joint]
        for vertex in np.flatnonzero(weights > SMALLEST_WEIGHT).tolist():
            group.add([vertex], float(weights[vertex]), "REPLACE")


def _add_shape_keys(mesh: bpy.types.Object, body: BodyFile, betas: NDArray[np.floating]) -> None:
    mesh.shape_key_add(name="Basis", from_mix=False)
    for i, name in enumerate(SHAPE_KEYS):
        _add_shape_key(mesh, name, body.shapedirs[..., i]).value = float(betas[i])
    for i, name in enumerate(EXPRESSION_KEYS):
        _add_shape_key(mesh, name, body.exprdirs[..., i])
        mesh[name] = body.expression_names[i]


def _add_shape_key(mesh: bpy.types.Object, name: str, direction: NDArray[np.floating]) -> bpy.types.ShapeKey:
    """`direction` (V, 3) is what one unit adds, in the body file's axes."""
    key = mesh.shape_key_add(name=name, from_mix=False)
    positions = np.empty(direction.size, dtype=np.float32)
    key.data.foreach_get("co", positions)
    key.data.foreach_set("co", positions + (direction @ WORLD_FROM_BODY.T).astype(np.float32).ravel())
    key.slider_min, key.slider_max = -SLIDER, SLIDER
    key.value = 0.0
    return key
