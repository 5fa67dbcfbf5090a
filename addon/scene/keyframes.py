"""Keys of one take: one action, written in bulk, the same on Blender 4.2 to 5.x; keyed again by the same path."""

from collections.abc import Callable
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ...backend.motion.placement import Placement
from ...backend.motion.presence import confidence_by_part
from ...backend.motion.rotations import continuous_quaternions, matrix_from_axis_angle, quaternion_from_matrix
from ...backend.motion.skeleton import JOINT_COUNT, JOINT_NAMES
from ...backend.motion.take import Take
from .body_mesh import EXPRESSION_KEYS
from .rig import Rig, read_rig, world_of

Array = NDArray[np.float64]
GetCurve = Callable[[str, int, str], bpy.types.FCurve]

FIRST_FRAME = 1
SNAP = 0.02
"""Frames; a key this close to a whole frame stands on it. Containers round timestamps to milliseconds."""
LINEAR = 1
"""Number of the interpolation mode in Blender's files."""
EXPRESSION = "pose2pose_expression"
"""Custom property of an action before Blender 4.4: the action beside it that moves the face."""


def key_take(
    armature: bpy.types.Object,
    mesh: bpy.types.Object | None,
    take: Take,
    pelvis: Array,
    placement: Placement,
    fps: float,
) -> bpy.types.Action:
    """Give an armature with SMPL-X's bones a new action with a take, and the mesh its expression.

    Args:
        armature: has the 55 bones, in whatever rest axes, wherever it stands.
        mesh: has the shape keys of expression; None = there is none.
        take: T frames.
        pelvis: (3,) rest pelvis of the body in its file's axes, meters.
        placement: where the take stands.
        fps: the scene's frames a second.
    """
    action = bpy.data.actions.new(armature.name)
    assign(armature, action)
    if mesh is not None:
        assign(mesh.data.shape_keys, _expression_action(action))
    write_take(action, armature, mesh, take, world_of(armature), pelvis, placement, fps)
    return action


def write_take(
    action: bpy.types.Action,
    armature: bpy.types.Object,
    mesh: bpy.types.Object | None,
    take: Take,
    world: Array,
    pelvis: Array,
    placement: Placement,
    fps: float,
) -> None:
    """Write a take into an action, in place of the keys that it had for the same things; the rest of it stays.

    Args:
        action: of the armature, as `key_take` makes it.
        armature: has the 55 bones, in whatever rest axes.
        mesh: has the shape keys of expression; None = there is none.
        take: T frames.
        world: (4, 4) where the armature stands when the joints are where the take says.
        pelvis: (3,) rest pelvis of the body in its file's axes, meters.
        placement: where the take stands.
        fps: the scene's frames a second.
    """
    rig = read_rig(armature)
    frames = key_frames(take.times, fps)
    curve = curves(armature, action)
    rotations = matrix_from_axis_angle(take.poses.reshape(-1, JOINT_COUNT, 3))
    rotations[:, 0] = placement.rotation @ rotations[:, 0]
    for name, values in zip(JOINT_NAMES, np.moveaxis(bone_quaternions(rotations, rig, world), 1, 0), strict=True):
        write_curves(curve, f'pose.bones["{name}"].rotation_quaternion', name, frames, values)
    location = pelvis_location(placement.place(pelvis + take.trans), rig, world)
    write_curves(curve, f'pose.bones["{JOINT_NAMES[0]}"].location', JOINT_NAMES[0], frames, location)
    for part, values in confidence_by_part(take.confidence).items():
        armature[f"confidence_{part}"] = float(values[0])
        write_curves(curve, f'["confidence_{part}"]', "Confidence", frames, values[:, None])
    if mesh is not None:
        _write_expression(mesh.data.shape_keys, _expression_action(action), frames, take.expression)


def key_frames(times: NDArray[np.floating], fps: float) -> Array:
    """(T,) seconds of the source -> (T,) frames of the scene; the source's first picture stands on `FIRST_FRAME`."""
    frames = FIRST_FRAME + np.asarray(times, dtype=np.float64) * fps
    whole = np.round(frames)
    return np.where(np.abs(frames - whole) < SNAP, whole, frames)


def bone_quaternions(rotations: Array, rig: Rig, world: Array) -> Array:
    """Turn rotations of the body model into what Blender keys.

    Args:
        rotations: (T, 55, 3, 3) local; the root's takes the body file's axes to the world's.
        rig: the bones.
        world: (4, 4) where the armature stands.

    Returns:
        (T, 55, 4) in each bone's own rest axes, continuous over time.
    """
    left, _, right = np.linalg.svd(world[:3, :3])
    turned = rig.axes @ rotations @ rig.axes.T
    turned[:, 0] = (left @ right).T @ rotations[:, 0] @ rig.axes.T
    axes = rig.bones[:, :3, :3]
    return continuous_quaternions(quaternion_from_matrix(np.swapaxes(axes, -1, -2) @ turned @ axes))


def pelvis_location(places: Array, rig: Rig, world: Array) -> Array:
    """(T, 3) places of the pelvis in the world -> (T, 3) what Blender keys to have it there."""
    local = np.linalg.solve(world[:3, :3], (places - world[:3, 3]).T).T
    return np.asarray((local - rig.bones[0, :3, 3]) @ rig.slide)


def _write_expression(keys: bpy.types.Key, action: bpy.types.Action, frames: Array, expression: Array) -> None:
    curve = curves(keys, action)
    for name, values in zip(EXPRESSION_KEYS, expression.T, strict=True):
        if name in keys.key_blocks:
            block = keys.key_blocks[name]
            block.slider_min = min(block.slider_min, float(values.min()))  # Blender clips what is beyond
            block.slider_max = max(block.slider_max, float(values.max()))
            write_curves(curve, f'key_blocks["{name}"].value', "Expression", frames, values[:, None])


def _expression_action(action: bpy.types.Action) -> bpy.types.Action:
    """What moves the face: the same action where Blender has slots (4.4 on), one of its own before that."""
    if EXPRESSION not in action and not hasattr(action, "slots"):
        action[EXPRESSION] = bpy.data.actions.new(f"{action.name} Expression")
    return action.get(EXPRESSION) or action


def assign(owner: bpy.types.ID, action: bpy.types.Action) -> None:
    """Let an action animate something; the action that did so before is kept in the file."""
    animation = owner.animation_data or owner.animation_data_create()
    if animation.action is not None:
        animation.action.use_fake_user = True
    animation.action = action
    if hasattr(action, "slots"):
        animation.action_slot = _slot(owner, action)


def _slot(owner: bpy.types.ID, action: bpy.types.Action) -> Any:  # bpy.types.ActionSlot is new in 4.4
    """The part of an action that is for an owner of this kind, made where missing."""
    animation = owner.animation_data
    if animation is not None and animation.action == action and animation.action_slot is not None:
        return animation.action_slot
    fitting = [slot for slot in action.slots if slot.target_id_type in (owner.id_type, "UNSPECIFIED")]
    return fitting[0] if fitting else action.slots.new(id_type=owner.id_type, name=owner.name)


def curves(owner: bpy.types.ID, action: bpy.types.Action) -> GetCurve:
    """What finds or makes an action's F-curves for an owner: (data path, array index, group name) -> F-curve."""
    if not hasattr(action, "slots"):  # 4.2 and 4.3
        return lambda path, index, group: (
            action.fcurves.find(path, index=index) or action.fcurves.new(path, index=index, action_group=group)
        )
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    bag = strip.channelbag(_slot(owner, action), ensure=True)
    grouped = "group_name" in bag.fcurves.bl_rna.functions["new"].parameters  # 5.0 on

    def curve(path: str, index: int, group: str) -> bpy.types.FCurve:
        found = bag.fcurves.find(path, index=index)
        if found is not None:
            return found
        if grouped:
            return bag.fcurves.new(path, index=index, group_name=group)
        made = bag.fcurves.new(path, index=index)
        made.group = bag.groups.get(group) or bag.groups.new(group)
        return made

    return curve


def write_curves(get_curve: GetCurve, path: str, group: str, frames: Array, values: Array, mode: int = LINEAR) -> None:
    """One F-curve for each column of `values` (T, C), keyed at `frames` (T,) and nowhere else."""
    points = np.empty((len(frames), 2), dtype=np.float32)
    points[:, 0] = frames
    for index, column in enumerate(values.T):
        points[:, 1] = column
        curve = get_curve(path, index, group)
        curve.keyframe_points.clear()
        curve.keyframe_points.add(len(frames))
        curve.keyframe_points.foreach_set("co", points.ravel())
        curve.keyframe_points.foreach_set("interpolation", np.full(len(frames), mode, dtype=np.int32))
        curve.update()
