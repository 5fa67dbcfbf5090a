"""Back from an armature to a take: whatever animates its bones, frame by frame as the scene shows it.

The inverse of `keyframes.key_take`, by the same reading of the rest pose (`rig`): our figures, re-keyed or not, and
those of the SMPL-X add-on in whatever rest axes, under whatever objects and bones.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import bpy
import numpy as np
from numpy.typing import NDArray

from ...backend.motion.body_file import BodyFile, load_body
from ...backend.motion.elsewhere import take_from_elsewhere, ten
from ...backend.motion.rotations import axis_angle_from_matrix
from ...backend.motion.skeleton import JOINT_NAMES, PARENTS
from ...backend.motion.take import Take
from .body_mesh import EXPRESSION_KEYS, SHAPE_KEYS
from .rig import Rig, body_of, face_of, is_ours, read_rig
from .stage import posed
from .stored import stored_fit, take_action
from .timeline import scene_rate

Array = NDArray[np.float64]


def sample_take(armature: bpy.types.Object, scene: bpy.types.Scene, body: BodyFile | None = None) -> Take:
    """What an armature does in the scene's frames, as a take in the scene's world.

    Args:
        armature: has the 55 bones of SMPL-X, in whatever rest axes, wherever it stands and goes.
        scene: the current one; its range is sampled, at its frames a second.
        body: the armature's body model; None = the packaged one. It says where the pelvis rests, which `trans` is
            counted from; an armature that was keyed here remembers that by itself.

    Raises:
        ValueError: no SMPL-X armature, or one in Edit Mode.
    """
    rig = read_rig(armature)
    mesh = face_of(armature)
    frames = np.arange(scene.frame_start, scene.frame_end + 1)
    worlds, bones, faces = [], [], []
    with posed(armature), _frame_kept(scene):
        for frame in frames.tolist():
            scene.frame_set(frame)
            shown = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
            worlds.append(np.array(shown.matrix_world))
            bones.append(np.array([shown.pose.bones[name].matrix for name in JOINT_NAMES]))
            faces.append(_values(mesh, EXPRESSION_KEYS))
    placed = np.array(worlds)[:, None] @ np.array(bones)
    betas = ten(_values(mesh, SHAPE_KEYS))
    rate = scene_rate(scene)
    return take_from_elsewhere(
        axis_angle_from_matrix(local_rotations(placed[..., :3, :3], rig)).reshape(len(frames), -1),
        placed[:, 0, :3, 3] - _rest_pelvis(armature, body or load_body(), betas),
        np.arange(len(frames)) / rate,
        rate,
        betas=betas,
        expression=np.array(faces, np.float32),
        body=body_of(armature),
        source=armature.name,
    )


def local_rotations(placed: Array, rig: Rig) -> Array:
    """What `keyframes.bone_quaternions` came from.

    Args:
        placed: (T, 55, 3, 3) the posed bones' axes in the world, of whatever scale.
        rig: the bones at rest.

    Returns:
        (T, 55, 3, 3) local rotations; the root's takes the body file's axes to the world's.
    """
    left, _, right = np.linalg.svd(placed)
    turned = left @ right @ np.swapaxes(rig.bones[:, :3, :3], -1, -2) @ rig.axes
    rotations = turned.copy()
    rotations[:, 1:] = np.swapaxes(turned[:, list(PARENTS[1:])], -1, -2) @ turned[:, 1:]
    return rotations


def _rest_pelvis(armature: bpy.types.Object, body: BodyFile, betas: NDArray[np.floating]) -> Array:
    """(3,) where the pelvis of the armature's body rests, in its file's axes."""
    action = take_action(armature)
    if action is not None:
        return np.array(stored_fit(action).pelvis)
    known = is_ours(armature) and body_of(armature) == body.name
    return np.asarray(body.rest_joints(betas if known else None)[0])


def _values(mesh: bpy.types.Object | None, names: tuple[str, ...]) -> list[float]:
    """Of shape keys now; zero for those that are missing."""
    blocks = mesh.data.shape_keys.key_blocks if mesh is not None else {}
    return [float(blocks[name].value) if name in blocks else 0.0 for name in names]


@contextmanager
def _frame_kept(scene: bpy.types.Scene) -> Iterator[None]:
    frame, part = scene.frame_current, scene.frame_subframe
    try:
        yield
    finally:
        scene.frame_set(frame, subframe=part)
