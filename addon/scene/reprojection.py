"""How well a keyed person lies over the one in the picture: joints through Blender's camera against what was seen."""

import bpy
import numpy as np
from bpy_extras.object_utils import world_to_camera_view
from numpy.typing import NDArray

from ...backend.motion.take import Take
from .keyframes import key_frames
from .stage import posed, stage

Array = NDArray[np.float64]

LIMBS = {
    7: "left_elbow", 8: "right_elbow", 9: "left_wrist", 10: "right_wrist",
    13: "left_knee", 14: "right_knee", 15: "left_ankle", 16: "right_ankle",
}  # fmt: skip
"""COCO keypoints and the joints that they mark. Hips, shoulders and the head's points are marked beside the joints."""
SCORE = 0.4
"""Keypoints below it are guesses."""
SAMPLES = 60
"""Frames that are measured at most."""


def reprojection_error(
    scene: bpy.types.Scene, camera: bpy.types.Object, armature: bpy.types.Object, take: Take, fps: float
) -> tuple[float, float] | None:
    """Measure the median distance of limb joints from the keypoints of the capture.

    Args:
        scene: its picture size and pixel aspect count.
        camera: looks at the person.
        armature: moves as keyed.
        take: with the `keypoints` of the capture.
        fps: the scene's frames a second when it was keyed.

    Returns:
        Pixels of the source, and shares of the height of the person's box; None where nothing was seen,
        and in Edit Mode, in which nothing is posed.
    """
    seen = take.raw.get("keypoints")
    if seen is None or armature.data.is_editmode:
        return None
    indices = np.unique(np.linspace(0, len(take) - 1, SAMPLES).round().astype(int))
    shown = _limbs(scene, camera, armature, key_frames(take.times[indices], fps)) * take.image_size
    marked = np.asarray(seen, dtype=np.float64)[indices][:, list(LIMBS)]
    distance = np.linalg.norm(shown - marked[..., :2], axis=-1)
    heights = np.asarray(take.boxes[indices, 3] - take.boxes[indices, 1], dtype=np.float64)
    sure = (marked[..., 2] > SCORE) & np.isfinite(distance) & (heights[:, None] > 0)
    if not sure.any():
        return None
    return float(np.median(distance[sure])), float(np.median((distance / heights[:, None])[sure]))


def _limbs(
    scene: bpy.types.Scene, camera: bpy.types.Object, armature: bpy.types.Object, frames: Array
) -> NDArray[np.float64]:
    """(F, L, 2) where `LIMBS` are in the picture at `frames` (F,), 0..1 from its upper left corner."""
    places = []
    with posed(armature), stage(camera, armature) as measuring:
        for frame in frames:
            whole = int(np.floor(frame))
            measuring.frame_set(whole, subframe=float(frame - whole))
            graph = measuring.view_layers[0].depsgraph
            eye, shown = camera.evaluated_get(graph), armature.evaluated_get(graph)
            heads = [shown.matrix_world @ shown.pose.bones[name].head for name in LIMBS.values()]
            places.append([world_to_camera_view(scene, eye, head)[:2] for head in heads])
    seen = np.array(places, dtype=np.float64)
    return np.stack([seen[..., 0], 1 - seen[..., 1]], axis=-1)
