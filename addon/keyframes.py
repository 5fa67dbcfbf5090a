"""Keys of one take: one action, written in bulk, the same on Blender 4.2 to 5.x."""

from collections.abc import Callable

import bpy
import numpy as np
from numpy.typing import NDArray

from ..backend.motion.placement import WORLD_FROM_BODY, Placement
from ..backend.motion.presence import confidence_by_part
from ..backend.motion.rotations import continuous_quaternions, matrix_from_axis_angle, quaternion_from_matrix
from ..backend.motion.skeleton import JOINT_COUNT, JOINT_NAMES
from ..backend.motion.take import Take
from .body_mesh import EXPRESSION_KEYS

Array = NDArray[np.float64]
NewCurve = Callable[[str, int, str], bpy.types.FCurve]

FIRST_FRAME = 1
SNAP = 0.02
"""Frames; a key this close to a whole frame stands on it. Containers round timestamps to milliseconds."""
LINEAR = 1
"""Number of the interpolation mode in Blender's files."""


def key_take(
    armature: bpy.types.Object,
    mesh: bpy.types.Object | None,
    take: Take,
    pelvis: Array,
    placement: Placement,
    fps: float,
) -> bpy.types.Action:
    """Write a take onto an armature with SMPL-X's bones, and its expression onto the mesh.

    Args:
        armature: has the 55 bones, in whatever rest axes.
        mesh: has the shape keys of expression; None = there is none.
        take: T frames.
        pelvis: (3,) rest pelvis of the body in its file's axes, meters.
        placement: where the take stands.
        fps: the scene's frames a second.
    """
    frames = key_frames(take.times, fps)
    rest = np.array([armature.data.bones[name].matrix_local for name in JOINT_NAMES], dtype=np.float64)
    action = bpy.data.actions.new(armature.name)
    new_curve = channels(armature, action)
    rotations = matrix_from_axis_angle(take.poses.reshape(-1, JOINT_COUNT, 3))
    for name, values in zip(JOINT_NAMES, np.moveaxis(bone_quaternions(rotations, rest), 1, 0), strict=True):
        write_curves(new_curve, f'pose.bones["{name}"].rotation_quaternion', name, frames, values)
    location = (pelvis + take.trans + placement.offset - rest[0, :3, 3]) @ rest[0, :3, :3]
    write_curves(new_curve, f'pose.bones["{JOINT_NAMES[0]}"].location', JOINT_NAMES[0], frames, location)
    for part, values in confidence_by_part(take.confidence).items():
        armature[f"confidence_{part}"] = float(values[0])
        write_curves(new_curve, f'["confidence_{part}"]', "Confidence", frames, values[:, None])
    if mesh is not None:
        _key_expression(mesh, action, frames, take.expression)
    return action


def key_frames(times: NDArray[np.floating], fps: float) -> Array:
    """(T,) seconds of the source -> (T,) frames of the scene; the source's first picture stands on `FIRST_FRAME`."""
    frames = FIRST_FRAME + np.asarray(times, dtype=np.float64) * fps
    whole = np.round(frames)
    return np.where(np.abs(frames - whole) < SNAP, whole, frames)


def bone_quaternions(rotations: Array, rest: Array) -> Array:
    """Turn rotations of the body model into what Blender keys.

    Args:
        rotations: (T, 55, 3, 3) local; the root's takes the body file's axes to the world's.
        rest: (55, 4, 4) bones in rest, in the armature's axes (`Bone.matrix_local`).

    Returns:
        (T, 55, 4) in each bone's own rest axes, continuous over time.
    """
    turned = WORLD_FROM_BODY @ rotations @ WORLD_FROM_BODY.T
    turned[:, 0] = rotations[:, 0] @ WORLD_FROM_BODY.T
    axes = rest[:, :3, :3]
    return continuous_quaternions(quaternion_from_matrix(np.swapaxes(axes, -1, -2) @ turned @ axes))


def _key_expression(mesh: bpy.types.Object, action: bpy.types.Action, frames: Array, expression: Array) -> None:
    """Into the same action where Blender has slots (4.4 on), into one of its own before that."""
    keys = mesh.data.shape_keys
    shared = hasattr(action, "slots")
    new_curve = channels(keys, action if shared else bpy.data.actions.new(f"{action.name} Expression"))
    for name, values in zip(EXPRESSION_KEYS, expression.T, strict=True):
        write_curves(new_curve, f'key_blocks["{name}"].value', "Expression", frames, values[:, None])


def channels(owner: bpy.types.ID, action: bpy.types.Action) -> NewCurve:
    """Let `action` animate `owner`, and return what makes its F-curves: (data path, array index, group name)."""
    animation = owner.animation_data or owner.animation_data_create()
    animation.action = action
    if not hasattr(action, "slots"):  # 4.2 and 4.3
        return lambda path, index, group: action.fcurves.new(path, index=index, action_group=group)
    slot = action.slots.new(id_type=owner.id_type, name=owner.name)
    animation.action_slot = slot
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    bag = strip.channelbag(slot, ensure=True)
    if "group_name" in bag.fcurves.bl_rna.functions["new"].parameters:  # 5.0 on
        return lambda path, index, group: bag.fcurves.new(path, index=index, group_name=group)

    def new_curve(path: str, index: int, group: str) -> bpy.types.FCurve:
        curve = bag.fcurves.new(path, index=index)
        curve.group = bag.groups.get(group) or bag.groups.new(group)
        return curve

    return new_curve


def write_curves(new_curve: NewCurve, path: str, group: str, frames: Array, values: Array, mode: int = LINEAR) -> None:
    """One F-curve for each column of `values` (T, C), keyed at `frames` (T,)."""
    points = np.empty((len(frames), 2), dtype=np.float32)
    points[:, 0] = frames
    for index, column in enumerate(values.T):
        points[:, 1] = column
        curve = new_curve(path, index, group)
        curve.keyframe_points.add(len(frames))
        curve.keyframe_points.foreach_set("co", points.ravel())
        curve.keyframe_points.foreach_set("interpolation", np.full(len(frames), mode, dtype=np.int32))
        curve.update()
