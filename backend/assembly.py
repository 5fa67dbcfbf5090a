"""From one person's observations to a take: gaps bridged, placed before the camera, refined, turned to z up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from .body.joints import COCO17, POINT_NAMES
from .body.layer import BodyLayer
from .confidence import Calibration, joint_confidence
from .face_neutral import without_rest
from .frames import Source
from .hand_refinement import refine_hands
from .lens import Lens
from .model.camera import project, solve_translation
from .model.mirror import other_sides
from .motion.body_file import BodyFile
from .motion.placement import WORLD_FROM_CAMERA, world_from_camera
from .motion.rotations import axis_angle_from_matrix
from .motion.skeleton import JAW, LEFT_HAND, RIGHT_HAND, forward_kinematics
from .motion.take import Take
from .observations import SURE_SCORE, Observations, bridge_rotations, bridge_values
from .refinement import RefinementInput, refine

Array = NDArray[np.float64]

PRESENT = 0.5
"""Presence from which a hand's or the face's own motion is believed."""
DEPTH_SECONDS = 0.4
"""Half the time over which the usual depth is taken."""
DEPTH_JUMP = 0.2
"""Relative deviation from the usual depth that is a wrong solution."""
MIN_DEPTH = 0.3
"""Meters from the camera; a solved translation nearer than this is a wrong one."""
OTHER_SIDES = other_sides([POINT_NAMES[point] for point in COCO17])
"""For each of the 17 keypoints the place of its counterpart; the nose is its own."""
EXCHANGED = 0.75
"""Keypoints change sides if the network's pose is then off from them by less than this share."""


@dataclass(frozen=True)
class Motion:
    """A person's motion in camera axes over T frames."""

    rotations: Array
    """(T, 55, 3, 3) local, the root's in camera axes."""
    trans: Array
    """(T, 3) meters: pelvis minus rest pelvis."""
    betas: Array
    """(10,)."""
    expression: Array
    """(T, 10)."""


def assemble_take(
    seen: Observations,
    source: Source,
    *,
    body: BodyFile,
    layer: BodyLayer,
    weights: str,
    refined: bool,
    calibration: Calibration | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Take | None:
    """Make the take of one person.

    Args:
        seen: what the network said, filled up to wherever the capture got.
        source: the video.
        body: the body model.
        layer: the same, on the CPU.
        weights: name of the weights, for the record.
        refined: whether to fit the motion to the keypoints over time.
        calibration: how the weights' scores become confidence; None leaves them as they are.
        progress: called with frames done and in all while refining.

    Returns:
        From the first to the last frame the network was asked about; None if it saw the person in none of them.
    """
    if not seen.found.any():
        return None
    rows = slice(0, int(np.flatnonzero(seen.filled)[-1]) + 1)
    raw = _raw_motion(seen, rows, layer)
    shown = _with_bridged_parts(raw, seen, rows, body)
    if refined:
        shown = _refined(shown, seen, rows, layer, progress)
    return _take(shown, raw, seen, rows, source, body, weights, calibration)


def _raw_motion(seen: Observations, rows: slice, layer: BodyLayer) -> Motion:
    """The network's own motion; frames in which the person was not found are bridged."""
    found, times = seen.found[rows], seen.track.times[rows]
    rotations = bridge_rotations(seen.rotations[rows], found, times)
    betas = np.median(seen.betas[rows][found], axis=0).astype(np.float64)
    trans, solved = _translations(rotations, betas, seen.keypoints[rows], seen, layer)
    trans = steady_translation(trans, found & solved if (found & solved).any() else found, times)
    return Motion(rotations=rotations, trans=trans, betas=betas, expression=seen.expression[rows].astype(np.float64))


def _translations(
    rotations: Array, betas: Array, keypoints: NDArray[np.float32], seen: Observations, layer: BodyLayer
) -> tuple[Array, NDArray[np.bool_]]:
    """(T, 3) where the body must stand to project onto its keypoints, and (T,) whether that is before the camera."""
    count = len(rotations)
    scores = np.where(keypoints[..., 2] >= SURE_SCORE, keypoints[..., 2], 0.0)
    with torch.inference_mode():
        points, _ = layer.skeleton(_tensor(rotations), _tensor(betas).expand(count, -1))
        trans = solve_translation(
            points[:, COCO17],
            _tensor(keypoints[..., :2]),
            _tensor(scores),
            _tensor(seen.lens.focal_xy),
            _tensor(seen.lens.principal_point),
        ).numpy()
    good = np.isfinite(trans).all(axis=1) & (trans[:, 2] > MIN_DEPTH)
    return np.nan_to_num(trans).astype(np.float64), good


def steady_translation(trans: Array, known: NDArray[np.bool_], times: Array) -> Array:
    """(T, 3) with unknown frames bridged, and those whose depth jumps away from the frames around them.

    Keypoints that collapse on a strange pose put the body far too near or far; a body cannot get there that fast.
    """
    bridged = bridge_values(trans, known, times)
    step = (times[-1] - times[0]) / max(len(times) - 1, 1)
    window = 2 * round(DEPTH_SECONDS / step) + 1 if step > 0 else 1
    depth = np.maximum(bridged[:, 2], MIN_DEPTH)
    usual = median_filter(depth, size=min(window, len(depth)), mode="nearest")
    steady = known & (np.abs(np.log(depth / usual)) < DEPTH_JUMP)
    return bridge_values(trans, steady, times) if steady.any() else bridged


def _with_bridged_parts(motion: Motion, seen: Observations, rows: slice, body: BodyFile) -> Motion:
    """Hands and face keep what was last seen of them until they are seen again; nothing seen at all is left.

    Expressions are measured from the person's own resting face.
    """
    times, found = seen.track.times[rows], seen.found[rows]
    rotations, expression = motion.rotations.copy(), motion.expression
    for side, fingers in enumerate((LEFT_HAND, RIGHT_HAND)):
        present = found & (seen.hand_scores[rows, side] >= PRESENT)
        if present.any():
            rotations[:, fingers] = bridge_rotations(rotations[:, fingers], present, times)
    present = found & (seen.face_scores[rows] >= PRESENT)
    if present.any():
        rotations[:, JAW : JAW + 1] = bridge_rotations(rotations[:, JAW : JAW + 1], present, times)
        expression = bridge_values(without_rest(expression, present, times, body), present, times)
    return Motion(rotations=rotations, trans=motion.trans, betas=motion.betas, expression=expression)


def _refined(
    motion: Motion,
    seen: Observations,
    rows: slice,
    layer: BodyLayer,
    progress: Callable[[int, int], None] | None,
) -> Motion:
    keypoints = _on_their_sides(seen.keypoints[rows], motion, seen.lens, layer)
    hands = seen.hands[rows].copy()
    lost = ~seen.found[rows]
    keypoints[lost, :, 2] = hands[lost, ..., 2] = 0.0
    given = RefinementInput(
        rotations=motion.rotations,
        trans=motion.trans,
        betas=motion.betas,
        keypoints=keypoints,
        hands=hands,
        head_turns=seen.head_turns[rows],
        faces=np.stack([np.where(lost, 0.0, seen.face_scores[rows]), seen.head_sizes[rows]], axis=1),
        times=seen.track.times[rows],
        focal=seen.lens.focal_xy,
        principal_point=seen.lens.principal_point,
    )
    better = refine(given, layer, progress=progress)
    if seen.hand_scores[rows].any():  # else they are not captured and rest
        count = len(motion.trans)
        better = refine_hands(given, better, layer, report=lambda: progress(count, count) if progress else None)
    return Motion(
        rotations=np.asarray(better.rotations, dtype=np.float64),
        trans=np.asarray(better.trans, dtype=np.float64),
        betas=motion.betas,
        expression=motion.expression,
    )


def _on_their_sides(
    keypoints: NDArray[np.float32], motion: Motion, lens: Lens, layer: BodyLayer
) -> NDArray[np.float32]:
    """(T, 17, 3) the keypoints, with left and right exchanged in frames where the network's own pose contradicts them.

    Who is seen from behind is often marked as if from the front; the heads see more than the marks.
    """
    with torch.inference_mode():
        points, _ = layer.skeleton(_tensor(motion.rotations), _tensor(motion.betas).expand(len(motion.trans), -1))
        placed = points[:, COCO17] + _tensor(motion.trans)[:, None]
        posed = project(placed, _tensor(lens.focal_xy), _tensor(lens.principal_point)).numpy()

    def distance(marks: NDArray[np.float32]) -> Array:
        trusted = np.where(marks[..., 2] >= SURE_SCORE, marks[..., 2], 0.0)
        return np.asarray((trusted * np.linalg.norm(marks[..., :2] - posed, axis=-1)).sum(axis=1))

    exchanged = keypoints[:, OTHER_SIDES]
    wrong = distance(exchanged) < EXCHANGED * distance(keypoints)
    return np.where(wrong[:, None, None], exchanged, keypoints)


def _take(
    motion: Motion,
    raw: Motion,
    seen: Observations,
    rows: slice,
    source: Source,
    body: BodyFile,
    weights: str,
    calibration: Calibration | None,
) -> Take:
    rest = body.rest_joints(motion.betas)
    joints = forward_kinematics(motion.rotations, rest)[0] + motion.trans[:, None]
    lens, times, found = seen.lens, seen.track.times[rows], seen.found[rows]
    scores = seen.keypoints[rows, :, 2] * found[:, None]
    hands, face = seen.hand_scores[rows] * found[:, None], seen.face_scores[rows] * found
    keypoints = seen.keypoints[rows].copy()
    keypoints[..., 2] = scores
    poses, trans = _world(motion, rest[0])
    poses_raw, trans_raw = _world(raw, rest[0])
    return Take(
        poses=poses,
        trans=trans,
        betas=motion.betas.astype(np.float32),
        expression=motion.expression.astype(np.float32),
        times=times,
        frames=seen.track.frames[rows],
        joints_cam=joints.astype(np.float32),
        joints_img=lens.project(joints).astype(np.float32),
        confidence=joint_confidence(scores, hands, face, calibration).astype(np.float32),
        boxes=seen.track.boxes[rows].astype(np.float32),
        focal=lens.focal_xy,
        principal_point=lens.principal_point,
        image_size=np.array(lens.size),
        mocap_frame_rate=_rate(times, source),
        person=seen.track.person,
        source=source.name,
        weights=weights,
        body=body.name,
        raw={"poses_raw": poses_raw, "trans_raw": trans_raw, "keypoints": keypoints},
    )


def _world(motion: Motion, rest_pelvis: Array) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(T, 165) poses and (T, 3) trans in the z-up world."""
    rotations = motion.rotations.copy()
    rotations[:, 0] = WORLD_FROM_CAMERA @ rotations[:, 0]
    trans = world_from_camera(motion.trans + rest_pelvis) - rest_pelvis
    poses = axis_angle_from_matrix(rotations).reshape(len(rotations), -1)
    return poses.astype(np.float32), trans.astype(np.float32)


def _rate(times: Array, source: Source) -> float:
    """Frames of the take a second, on average."""
    return float((len(times) - 1) / (times[-1] - times[0])) if len(times) > 1 else source.frame_rate


def _tensor(values: NDArray[np.floating[Any]]) -> torch.Tensor:
    return torch.as_tensor(np.asarray(values), dtype=torch.float32)
