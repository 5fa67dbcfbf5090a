"""The armature: the 55 bones of SMPL-X, standing on the ground at the world's origin, z up, facing -Y, meters."""

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from ...backend.motion.placement import WORLD_FROM_BODY
from ...backend.motion.presence import PARTS
from ...backend.motion.skeleton import EYES, JAW, JOINT_INDEX, JOINT_NAMES, PARENTS
from .stage import edit_mode

Array = NDArray[np.float64]

MAIN_CHILD = {"pelvis": "spine1", "spine3": "neck", "left_wrist": "left_middle1", "right_wrist": "right_middle1"}
"""Which child a bone points at where it has several."""
HEAD_LENGTH = 0.16
FACE_BONE_LENGTH = 0.04
FOOT_LENGTH = 0.07
FINGERTIP_SHARE = 0.8
"""Length of the last bone of a finger in lengths of the one before."""
FRONT, UP = Vector((0, -1, 0)), Vector((0, 0, 1))


def build_armature(name: str, rest_joints: Array, lift: float) -> bpy.types.Object:
    """Make an armature object with quaternion bones. The caller links it to a collection.

    Args:
        name: of the object and its data.
        rest_joints: (55, 3) rest positions in the body file's axes, meters.
        lift: meters from the file's origin up to where the soles stand on z = 0.
    """
    data = bpy.data.armatures.new(name)
    armature = bpy.data.objects.new(name, data)
    with edit_mode(armature):
        _add_bones(data, rest_in_armature(rest_joints, lift))
    for bone in armature.pose.bones:
        bone.rotation_mode = "QUATERNION"
    _sort_into_collections(data)
    data.display_type = "STICK"
    armature.show_in_front = True
    return armature


def rest_in_armature(points: NDArray[np.floating], lift: float) -> Array:
    """(..., 3) points in the body file's axes -> (..., 3) in the armature's, soles at z = 0."""
    return np.asarray(points, dtype=np.float64) @ WORLD_FROM_BODY.T + np.array([0.0, 0.0, lift])


def _add_bones(data: bpy.types.Armature, heads: Array) -> None:
    tails = bone_tails(heads)
    for joint, name in enumerate(JOINT_NAMES):
        bone = data.edit_bones.new(name)
        bone.head, bone.tail = Vector(heads[joint]), Vector(tails[joint])
        if PARENTS[joint] >= 0:
            bone.parent = data.edit_bones[PARENTS[joint]]
        points_forward = abs(bone.vector.normalized().dot(FRONT)) > 0.7
        bone.align_roll(UP if points_forward else FRONT)


def bone_tails(heads: Array) -> Array:
    """Where bones end: at a child, or a little further on. Display only, the motion does not depend on it.

    Args:
        heads: (55, 3) in the armature's axes, meters.

    Returns:
        (55, 3) meters.
    """
    tails = np.array(heads)
    for joint, name in enumerate(JOINT_NAMES):
        children = [i for i, parent in enumerate(PARENTS) if parent == joint]
        if name == "head":
            tails[joint] += HEAD_LENGTH * np.array(UP)
        elif joint == JAW or EYES.start <= joint < EYES.stop:
            tails[joint] += FACE_BONE_LENGTH * np.array(FRONT)
        elif name.endswith("_foot"):
            tails[joint] += FOOT_LENGTH * np.array(FRONT)
        elif children:
            tails[joint] = heads[JOINT_INDEX[MAIN_CHILD[name]] if name in MAIN_CHILD else children[0]]
        else:
            tails[joint] += FINGERTIP_SHARE * (heads[joint] - heads[PARENTS[joint]])
    return tails


def _sort_into_collections(data: bpy.types.Armature) -> None:
    for part, joints in PARTS.items():
        collection = data.collections.new(part.replace("_", " ").title())
        for name in JOINT_NAMES[joints]:
            collection.assign(data.bones[name])
