"""Files of AMASS and of the SMPL-X Blender add-on: an `.npz` with `poses`, `trans`, `betas`, `gender` and a frame rate.

Sources: AMASS's published keys (SMPL-H: 156 columns; SMPL-X stage II: 165, `root_orient` and other parts beside them)
and what the add-on's *Add Animation* reads: exactly `trans`, `gender`, `mocap_frame_rate` or `mocap_framerate`, `betas`
and `poses`. It cuts the frame rate to a whole number, and leaves expressions alone; other tools read `expressions`.
Fingers are relative to flat hands: the add-on's *Hand pose reference* stays at *Flat*, its *Format* at *AMASS*.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .elsewhere import asked_rate, take_from_elsewhere, ten
from .mean_hand import with_flat_hands
from .resampling import evenly
from .skeleton import BODY_JOINTS, JOINT_COUNT
from .take import Take, TakeError

_BODY = list(range(BODY_JOINTS.start, BODY_JOINTS.stop))
_LAYOUTS = {
    66: _BODY,
    72: _BODY,  # SMPL, whose last two joints are the hands as a whole
    156: [*_BODY, *range(25, JOINT_COUNT)],  # SMPL-H: without jaw and eyes
    165: list(range(JOINT_COUNT)),
}
"""Columns of the poses, and the joints that they are."""
PARTS = {"root_orient": 3, "pose_body": 63, "pose_jaw": 3, "pose_eye": 6, "pose_hand": 90}
"""AMASS's names for parts of the poses, and their columns, in order."""


def save_amass(take: Take, path: Path, hands_mean: NDArray[np.floating[Any]] | None = None) -> None:
    """Write a take for the SMPL-X Blender add-on and for tools of AMASS.

    The file has as many frames a second as the take, rounded to a whole number: the add-on knows no other rates, and
    AMASS no timestamps. A take with other times is sampled at that rate. Betas and expression of the open body are left
    at zero: whoever reads the file takes them for SMPL-X's.

    Args:
        take: in a z-up world, as all takes are.
        path: ends in .npz.
        hands_mean: (2, 15, 3) of the take's body file; needed only where fingers are relative to it.

    Raises:
        TakeError: the take's fingers are relative to a mean hand, and it is not given.
    """
    if not take.flat_hand_mean:
        if hands_mean is None:
            raise TakeError("the take's fingers are relative to the mean hand of its body file: give that file")
        take = with_flat_hands(take, hands_mean)
    take = evenly(take.for_body("smplx"), max(1, round(take.mocap_frame_rate)))
    poses = np.asarray(take.poses, dtype=np.float64)
    parts = np.split(poses, np.cumsum(list(PARTS.values()))[:-1], axis=1)
    partial = path.with_suffix(".partial.npz")
    np.savez_compressed(
        partial,
        trans=np.asarray(take.trans, dtype=np.float64),
        gender=np.array(take.gender),
        mocap_frame_rate=np.array(take.mocap_frame_rate, dtype=np.float64),
        mocap_time_length=np.array(len(take) / take.mocap_frame_rate),
        betas=np.asarray(take.betas, dtype=np.float64),
        num_betas=np.array(len(take.betas)),
        poses=poses,
        surface_model_type=np.array("smplx"),
        expressions=np.asarray(take.expression, dtype=np.float64),
        **dict(zip(PARTS, parts, strict=True)),
    )
    partial.replace(path)


def from_amass(data: Mapping[str, Any], frame_rate: float | None, source: str = "AMASS") -> Take:
    """A take from the arrays of an AMASS file, of SMPL-X, SMPL-H or SMPL. What it has no joints for was not seen.

    Args:
        data: by their names.
        frame_rate: frames a second, if the file does not say them.
        source: what the take is called after.

    Raises:
        TakeError: a key is missing or has a wrong shape.
    """
    data = _joined(data)
    for name in ("poses", "trans"):
        if name not in data:
            raise TakeError(f"key '{name}' is missing: neither a take nor an AMASS file")
    said = next((data[key] for key in ("mocap_frame_rate", "mocap_framerate") if key in data), None)
    rate = asked_rate(frame_rate if said is None else float(np.ravel(said)[0]))
    poses = np.asarray(data["poses"], dtype=np.float32)
    width = poses.shape[-1]
    if poses.ndim != 2 or width not in _LAYOUTS:
        raise TakeError(f"'poses' must have shape (T, C) with C one of {[*_LAYOUTS]}, got {poses.shape}")
    joints = np.zeros((len(poses), JOINT_COUNT, 3), np.float32)
    joints[:, _LAYOUTS[width]] = poses.reshape(len(poses), -1, 3)[:, : len(_LAYOUTS[width])]
    confidence = np.zeros((len(poses), JOINT_COUNT), np.float32)
    confidence[:, _LAYOUTS[width]] = 1.0
    known: dict[str, Any] = {"confidence": confidence, "gender": _text(data.get("gender", "neutral"))}
    if width in (66, 165) and _text(data.get("surface_model_type", "smplx")).startswith("smplx"):  # not SMPL's shapes
        known["betas"] = ten(np.ravel(data.get("betas", ())))
    faces = next((data[key] for key in ("expression", "expressions") if key in data), None)
    if faces is not None:
        known["expression"] = ten(faces)
    if "flat_hand_mean" in data:
        known["flat_hand_mean"] = bool(data["flat_hand_mean"])
    times = np.arange(len(poses)) / rate
    return take_from_elsewhere(joints.reshape(-1, 165), data["trans"], times, rate, source=source, **known)


def _joined(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """AMASS's files may hold the parts of the pose beside it, or only them."""
    if "poses" in data or "root_orient" not in data or "pose_body" not in data:
        return data
    count = len(data["root_orient"])
    parts = [data.get(key, np.zeros((count, width))) for key, width in PARTS.items()]
    wanted = parts if "pose_hand" in data else parts[:2]
    return {**data, "poses": np.concatenate(wanted, axis=1)}


def _text(value: Any) -> str:
    value = np.asarray(value).item()
    return value.decode() if isinstance(value, bytes) else str(value)
