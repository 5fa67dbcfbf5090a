"""Armatures with the bones of SMPL-X, ours or others: which way they face, and which mesh they move."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ...backend.motion.skeleton import JOINT_INDEX, JOINT_NAMES, PARENTS
from .body_mesh import BODY, EXPRESSION_KEYS

Array = NDArray[np.float64]

NAMED = 5
"""How many missing bones an error names."""
UPRIGHT, ACROSS = np.cos(np.radians(20)), np.cos(np.radians(2))
"""How near to an axis of the armature the body's up and left are taken for it: people lean a little in T pose."""


@dataclass(frozen=True, eq=False)
class Rig:
    """An armature as numbers, with its rest pose taken for SMPL-X's T pose."""

    bones: Array
    """(55, 4, 4) rest of the bones in the armature's axes (`Bone.matrix_local`)."""
    axes: Array
    """(3, 3) rotation from the body file's axes (y up, facing +z) to the armature's."""
    slide: Array
    """(3, 3) axes that the pelvis's location is counted along, in the armature's."""

    def rest_joints(self, world: Array) -> Array:
        """(55, 3) in the body file's axes and the world's meters; the origin means nothing."""
        return np.asarray(self.bones[:, :3, 3] @ self.axes * np.cbrt(np.linalg.det(world[:3, :3])))


def read_rig(armature: bpy.types.Object) -> Rig:
    """Read an armature.

    Raises:
        ValueError: no armature, bones are missing or hang elsewhere than in SMPL-X, or the pelvis cannot move.
    """
    if armature.type != "ARMATURE":
        raise ValueError(f"'{armature.name}' is no armature: choose one with the 55 bones of SMPL-X")
    bones = armature.data.bones
    missing = [name for name in JOINT_NAMES if name not in bones]
    if missing:
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        raise ValueError(
            f"'{armature.name}' is no SMPL-X armature: it has no bone {', '.join(missing[:NAMED])}{more}; choose one "
            "with the 55 bones of SMPL-X, or let a new armature be made"
        )
    for joint, name in enumerate(JOINT_NAMES):
        above = next((b.name for b in bones[name].parent_recursive if b.name in JOINT_INDEX), None)
        wanted = JOINT_NAMES[PARENTS[joint]] if PARENTS[joint] >= 0 else None
        if above != wanted:
            raise ValueError(f"bone '{name}' of '{armature.name}' hangs below '{above}'; in SMPL-X it is '{wanted}'")
    pelvis = bones[JOINT_NAMES[0]]
    if pelvis.use_connect:
        raise ValueError(f"bone 'pelvis' of '{armature.name}' cannot move: switch off 'Connected' in its relations")
    rest = np.array([bones[name].matrix_local for name in JOINT_NAMES], dtype=np.float64)
    slide = rest[0, :3, :3] if pelvis.use_local_location else np.eye(3)
    return Rig(bones=rest, axes=body_axes(rest[:, :3, 3]), slide=slide)


def check_target(armature: bpy.types.Object) -> None:
    """Make sure that an armature can take motion.

    Raises:
        ValueError: it cannot; what to do about it.
    """
    if not armature.is_editable:
        raise ValueError(f"'{armature.name}' is linked from another file: make a library override of it")
    read_rig(armature)
    world_of(armature)


def ready(armature: bpy.types.Object) -> None:
    """Let the bones take keys of rotation as quaternions, and let nothing else move the body."""
    for name in JOINT_NAMES:
        bone = armature.pose.bones[name]
        bone.rotation_mode = "QUATERNION"
        bone.location, bone.scale = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    for bone in armature.pose.bones[JOINT_NAMES[0]].parent_recursive:
        bone.matrix_basis.identity()


@contextmanager
def motion_kept(armature: bpy.types.Object | None) -> Iterator[None]:
    """What moves an armature and its face moves them still when the block fails."""
    face = face_of(armature) if armature is not None else None
    owners = [owner for owner in (armature, face and face.data.shape_keys) if owner is not None]
    before = [_motion(owner) for owner in owners]
    bones = armature.pose.bones if armature is not None and armature.pose is not None else ()
    pose = [(bone, bone.rotation_mode, bone.matrix_basis.copy()) for bone in bones]
    try:
        yield
    except BaseException:
        for owner, (action, slot) in zip(owners, before, strict=True):
            if owner.animation_data is not None:
                owner.animation_data.action = action
                if slot is not None:
                    owner.animation_data.action_slot = slot
        for bone, mode, basis in pose:
            bone.rotation_mode, bone.matrix_basis = mode, basis
        raise


def _motion(owner: bpy.types.ID) -> tuple[bpy.types.Action | None, Any]:
    """The action of an owner, and its slot from Blender 4.4 on."""
    animation = owner.animation_data
    if animation is None:
        return None, None
    return animation.action, getattr(animation, "action_slot", None)


def world_of(armature: bpy.types.Object) -> Array:
    """(4, 4) where the object stands.

    Raises:
        ValueError: it is mirrored.
    """
    world = np.array(armature.matrix_world, dtype=np.float64)
    if np.linalg.det(world[:3, :3]) <= 0:
        raise ValueError(f"'{armature.name}' is mirrored or flat: apply its scale (Ctrl+A), or make it positive")
    return world


def body_axes(heads: Array) -> Array:
    """Rotation (3, 3) from the body file's axes to those in which a T pose stands, by its wrists, ankles and head.

    Args:
        heads: (55, 3) rest joints.
    """
    at = {name: heads[JOINT_INDEX[name]] for name in ("head", "left_ankle", "right_ankle", "left_wrist", "right_wrist")}
    up = _snapped(at["head"] - (at["left_ankle"] + at["right_ankle"]) / 2, UPRIGHT)
    across = at["left_wrist"] - at["right_wrist"]
    left = _snapped(across - up * (across @ up), ACROSS)
    return np.stack([left, up, np.cross(left, up)], axis=1)


def _snapped(direction: Array, near: float) -> Array:
    """The unit vector of a direction; the axis itself where it is one but for a little."""
    unit = direction / np.linalg.norm(direction)
    axis = np.zeros(3)
    strongest = np.argmax(np.abs(unit))
    axis[strongest] = np.sign(unit[strongest])
    return axis if unit @ axis > near else unit


def body_of(armature: bpy.types.Object) -> str:
    """Name of an armature's body model; what was not built here is taken for SMPL-X itself."""
    return str(armature.data.get(BODY, "smplx"))


def is_ours(armature: bpy.types.Object) -> bool:
    """Whether it was built here, and not by the user or another add-on."""
    return BODY in armature.data


def meshes_of(armature: bpy.types.Object) -> Iterator[bpy.types.Object]:
    """The meshes that an armature deforms, by whatever name."""
    for item in bpy.data.objects:
        if item.type == "MESH" and any(m.type == "ARMATURE" and m.object == armature for m in item.modifiers):
            yield item


def face_of(armature: bpy.types.Object) -> bpy.types.Object | None:
    """The mesh with the expression's shape keys; None where there is none."""
    for mesh in meshes_of(armature):
        keys = mesh.data.shape_keys
        if keys is not None and EXPRESSION_KEYS[0] in keys.key_blocks:
            return mesh
    return None
