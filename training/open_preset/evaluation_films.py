"""`pose2pose-train open films FOLDER`: whole captures of rendered films, beside the takes that would be right.

    pose2pose-train film motion.npz -o films --panoramas panoramas.npz
    pose2pose-train open films films -o evaluation

Every film is captured as a user's would be, its lens given. What the network says frame by frame, what the refinement
makes of it and what is keyed by default are measured alike, so that each row tells what a step is worth.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ...backend.body.joints import LIMBS12
from ...backend.capture import CaptureError, capture
from ...backend.motion.body_file import BodyFile, load_body
from ...backend.motion.rotations import matrix_from_axis_angle
from ...backend.motion.settings import KeySettings, moved
from ...backend.motion.skeleton import BODY_JOINTS, EYES, JOINT_COUNT, JOINT_INDEX, LEFT_HAND, RIGHT_HAND
from ...backend.motion.take import Take, load_take
from ..metrics import mpjpe, pa_mpjpe
from .evaluation import Table, markdown, write_results
from .evaluation_measures import LIMB_SHARES, VISIBLE, turn_degrees
from .evaluation_people import ValidationSetError
from .evaluation_takes import body_joints, jitter, posed_joints

HANDS = {
    JOINT_INDEX[f"{side}_wrist"]: [JOINT_INDEX[f"{side}_wrist"], *range(fingers.start, fingers.stop)]
    for side, fingers in (("left", LEFT_HAND), ("right", RIGHT_HAND))
}
"""Joints of each hand by their wrist."""
HEAD = JOINT_INDEX["head"]


def add_film_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("dataset", type=Path, metavar="FOLDER", help="of `pose2pose-train film`")
    parser.add_argument("--weights", type=Path, help="folder of the weights files (default: the package's)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (%(default)s)")
    parser.add_argument("-o", "--output", type=Path, help="folder for the results")


def run_films(options: argparse.Namespace) -> int:
    """`pose2pose-train open films`; returns the exit code.

    Raises:
        ValidationSetError: the folder holds no films.
    """
    files = sorted(options.dataset.glob("*.npz"))
    if not files:
        raise ValidationSetError(f"{options.dataset} holds no films; write some by `pose2pose-train film`")
    body = load_body()
    truths = [load_take(file) for file in files]
    takes = []
    for file, truth in zip(tqdm(files, unit="film"), truths, strict=True):
        takes.append(captured(file.with_suffix(""), truth, options.weights, options.device))
    table = film_rows(takes, truths, body)
    text = markdown(f"`{options.dataset.name}`: {len(files)} films", table)
    if options.output:
        write_results(options.output, "films", {"dataset": str(options.dataset), "rows": table}, text)
    print(text)
    return 0


def captured(pictures: Path, truth: Take, weights: Path | None, device: str) -> Take | None:
    """The largest person of a film, None if nobody is found."""
    try:
        result = capture(
            pictures,
            people="largest",
            frame_rate=truth.mocap_frame_rate,
            focal=float(truth.focal[0]),
            weights=weights,
            device=device,
        )
    except CaptureError:
        return None
    return result.takes[0]


def film_rows(takes: Sequence[Take | None], truths: Sequence[Take], body: BodyFile) -> Table:
    """What was captured at all, and on the captured frames the errors after each step of the capture."""
    pairs = [(take, truth) for take, truth in zip(takes, truths, strict=True) if take is not None]
    frames, found = sum(len(truth) for truth in truths), sum(len(take) for take, _ in pairs)
    table: Table = {"films": {"frames": float(frames), "frames captured, %": 100 * found / frames}}
    if not pairs:
        return table
    steps: dict[str, Callable[[Take], Take]] = {
        "network": Take.with_raw_motion,
        "refined": lambda take: take,
        "as keyed": lambda take: moved(take, KeySettings(), body.hands_mean),
    }
    for name, step in steps.items():
        films = [motion_errors(step(take), truth, body) for take, truth in pairs]
        table[name] = {row: float(torch.cat([film[row] for film in films]).mean()) for row in films[0]}
    table["films"]["jitter of the truth"] = float(
        np.mean([jitter(body_joints(truth, body), truth.times) for _, truth in pairs])
    )
    return table


def motion_errors(take: Take, truth: Take, body: BodyFile) -> dict[str, Tensor]:
    """What a take is off by, (T,) for each of its frames or for as many as a row is about; jitter is one number.

    Positions are relative to the pelvis, in camera axes: millimeters. Rotations: degrees.
    """
    shown = truth.confidence[take.frames]
    joints, turns = posed_joints(take, body)
    true_joints, true_turns = (values[take.frames] for values in posed_joints(truth, body))
    said, wanted, limbs = torch.from_numpy(joints), torch.from_numpy(true_joints), list(LIMBS12)
    aligned, rooted = (error(said[:, limbs], wanted[:, limbs]) for error in (pa_mpjpe, mpjpe))
    rows = {"limbs PA-MPJPE": aligned, "limbs MPJPE": rooted}
    share = shown[:, limbs].mean(1)
    for name, (low, high) in LIMB_SHARES.items():
        rows[f"limbs PA-MPJPE, {name}"] = aligned[torch.from_numpy((share >= low) & (share < high))]
    local = turn_degrees(_rotations(take), _rotations(truth)[take.frames])
    world = turn_degrees(torch.from_numpy(turns), torch.from_numpy(true_turns))
    seen = {wrist: torch.from_numpy(shown[:, hand].mean(1) >= VISIBLE) for wrist, hand in HANDS.items()}
    hands = {wrist: pa_mpjpe(said[:, hand], wanted[:, hand]) for wrist, hand in HANDS.items()}
    facing = torch.from_numpy(shown[:, EYES].mean(1) >= VISIBLE)
    return rows | {
        "heads whose eyes are seen, camera axes": world[facing, HEAD],
        "wrists of seen hands, to the forearm": torch.cat([local[mask, wrist] for wrist, mask in seen.items()]),
        "wrists of seen hands, camera axes": torch.cat([world[mask, wrist] for wrist, mask in seen.items()]),
        "joints of seen hands, PA": torch.cat([hands[wrist][mask] for wrist, mask in seen.items()]),
        "jitter": torch.tensor([jitter(joints[:, BODY_JOINTS], take.times)]),
    }


def _rotations(take: Take) -> Tensor:
    return torch.from_numpy(matrix_from_axis_angle(take.poses.reshape(-1, JOINT_COUNT, 3).astype(np.float64)))
