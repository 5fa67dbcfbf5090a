r"""Make a pose library from motion capture: CMU's BVH files, AMASS and SMPL-X `.npz`, and what else holds takes.

    python -m pose2pose.training.synthetic.motion_library cmu/*.bvh amass/ -o library.npz --motion motion_30fps.npz

`library.npz` holds `rotvec_i16 (N, 22, 3)`, the N poses that differ most; the second file all of them at 30 frames a
second, with `clip (T,)`, an index into `clip_names`. Both are relative to a strict T (see `poses`), without the facing
direction. Mind the terms of the motion: CMU's may be used and included in products, AMASS's mostly not.
"""

import argparse
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from ...backend.motion.body_file import load_body
from ...backend.motion.elsewhere import take_from_elsewhere
from ...backend.motion.others import load_takes, motion_files
from ...backend.motion.placement import WORLD_FROM_BODY
from ...backend.motion.resampling import evenly
from ...backend.motion.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from ...backend.motion.skeleton import JOINT_COUNT, forward_kinematics
from ...backend.motion.take import Take, TakeError
from .bvh import BvhError, read_bvh
from .poses import BODY_JOINT_COUNT, rebase_to_strict_t
from .retarget import strict_t_rotations

RATE = 30.0
"""Frames a second of the library."""

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Clip:
    """One recording: (T, 22, 3, 3) local rotations relative to a strict T, y up, `RATE` frames a second."""

    name: str
    rotations: Array


def read_clips(path: Path, frame_rate: float | None = None) -> list[Clip]:
    """The recordings in a BVH file, or in a file or folder that holds takes (`backend.motion.others`).

    Args:
        path: the file or folder.
        frame_rate: frames a second, for files that do not say theirs.

    Raises:
        BvhError: the BVH file cannot be used.
        TakeError: nothing else could be read either.
    """
    if path.suffix.lower() == ".bvh":
        return [_clip_of_bvh(path)]
    if path.is_dir():
        files = sorted(path.rglob("*.bvh")) + sorted(path.rglob("*.npz"))
        if files:
            return [clip for file in files for clip in read_clips(file, frame_rate)]
    if not motion_files(path):
        raise TakeError(f"{path}: neither BVH nor a file of motion (.npz, .pkl, .pt)")
    return [_clip_of_take(take, f"{path.stem}") for take in load_takes(path, frame_rate)]


def _clip_of_bvh(path: Path) -> Clip:
    motion = read_bvh(path)
    local = strict_t_rotations(motion, path.name)
    poses = np.zeros((len(local), JOINT_COUNT, 3))
    poses[:, :BODY_JOINT_COUNT] = axis_angle_from_matrix(local)
    times = np.arange(len(poses)) / motion.frame_rate
    take = take_from_elsewhere(poses.reshape(len(poses), -1), np.zeros((len(poses), 3)), times, motion.frame_rate)
    return Clip(path.stem, without_heading(_body_rotations(evenly(take, RATE))))


def _clip_of_take(take: Take, name: str) -> Clip:
    local = _body_rotations(evenly(take, RATE))
    local[:, 0] = WORLD_FROM_BODY.T @ local[:, 0]
    return Clip(name, without_heading(rebase_to_strict_t(local, load_body().rest_joints())))


def _body_rotations(take: Take) -> Array:
    vectors = np.asarray(take.poses, np.float64).reshape(len(take), JOINT_COUNT, 3)[:, :BODY_JOINT_COUNT]
    return matrix_from_axis_angle(vectors)


def without_heading(local: Array) -> Array:
    """(T, 22, 3, 3) with roots turned about the vertical so that their front, or their head's top, looks along z."""
    front = local[:, 0, :, 2]
    lying = np.abs(front[:, 1]) > 0.9
    level = np.where(lying[:, None], local[:, 0, :, 1], front)
    angle = np.arctan2(level[:, 0], level[:, 2])
    turned = local.copy()
    turned[:, 0] = matrix_from_axis_angle(-angle[:, None] * np.array([0.0, 1.0, 0.0])) @ local[:, 0]
    return turned


def most_different(rotations: Array, count: int) -> NDArray[np.int64]:
    """Farthest-point sampling: indices of the `count` poses that lie farthest from each other, in order of choice.

    The distance is that of the joints' positions with the pelvis and the facing direction fixed.

    Args:
        rotations: (N, 22, 3, 3).
        count: how many; all if there are fewer.
    """
    places, _ = forward_kinematics(rotations, load_body().rest_joints()[:BODY_JOINT_COUNT])
    points = torch.from_numpy((places - places[:, :1]).reshape(len(places), -1)).float()
    nearest, chosen = torch.full((len(points),), math.inf), [0]
    for _ in tqdm(range(1, min(count, len(points))), desc="select", unit="pose"):
        nearest = torch.minimum(nearest, (points - points[chosen[-1]]).square().sum(1))
        chosen.append(int(nearest.argmax()))
    return np.array(chosen)


def packed(rotations: Array) -> NDArray[np.int16]:
    """(..., 3, 3) -> (..., 3) axis-angle times 32767 / pi."""
    return np.asarray(np.round(axis_angle_from_matrix(rotations) * (32767 / math.pi)), dtype=np.int16)


def write_library(clips: list[Clip], path: Path, count: int, motion: Path | None = None) -> int:
    """Write the most different poses, and with `motion` all of them as clips.

    Returns:
        How many poses were written.
    """
    rotations = np.concatenate([clip.rotations for clip in clips])
    chosen = most_different(rotations, count)
    np.savez_compressed(path, rotvec_i16=packed(rotations[chosen]))
    if motion is not None:
        numbers = np.repeat(np.arange(len(clips), dtype=np.int32), [len(clip.rotations) for clip in clips])
        names = np.array([clip.name for clip in clips])
        np.savez_compressed(motion, rotvec_i16=packed(rotations), clip=numbers, clip_names=names)
    return len(chosen)


def main(arguments: list[str] | None = None) -> int:
    """Convert files; one that cannot be read is named and left out."""
    parser = argparse.ArgumentParser(
        prog="python -m pose2pose.training.synthetic.motion_library", description=(__doc__ or "").split(":")[0]
    )
    parser.add_argument("files", type=Path, nargs="+", help="BVH, AMASS or SMPL-X .npz, takes, or folders of them")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the library, .npz")
    parser.add_argument("--poses", type=int, default=10000, help="how many poses to select (%(default)s)")
    parser.add_argument("--motion", type=Path, help="also write all poses as clips of 30 frames a second, .npz")
    parser.add_argument("--frame-rate", type=float, help="of files that do not say it")
    options = parser.parse_args(arguments)
    clips: list[Clip] = []
    for path in tqdm(options.files, desc="read", unit="file"):
        try:
            clips += read_clips(path, options.frame_rate)
        except (BvhError, TakeError, OSError) as error:
            print(f"left out: {error}", file=sys.stderr)
    if not clips:
        print("no motion could be read", file=sys.stderr)
        return 1
    count = write_library(clips, options.output, options.poses, options.motion)
    print(f"{options.output}: {count} poses from {sum(len(c.rotations) for c in clips)} in {len(clips)} clips")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
