r"""Render films of people who move, each with the take that a perfect capture of it would give.

    pose2pose-train film motion.npz -o films --films 28 --frames 48 --panoramas panoramas.npz

A film is a folder of pictures, `films/000/0000.jpg` and on, and a take, `films/000.npz`, whose confidence says which
joints are seen. Film i depends on the seed and on i only; a run that was stopped goes on where it was.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from ...backend.motion.body_file import BodyFile, load_body
from ...backend.motion.placement import WORLD_FROM_CAMERA, world_from_camera
from ...backend.motion.rotations import axis_angle_from_matrix
from ...backend.motion.skeleton import JOINT_COUNT
from ...backend.motion.take import Take, save_take
from .people import People, PeopleSampler
from .picture_set import claim, encoded
from .poses import PoseLibraryError, load_pose_library
from .scenery import Scenery
from .synthesize import picture_size, positive

RATE = 30.0
"""Frames a second, as of the motion."""


def add_command(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `film` to the commands of `pose2pose-train`."""
    parser = subparsers.add_parser("film", help="render films of people who move, with the takes that would be right")
    parser.add_argument("motion", type=Path, help="clips that motion_library wrote with --motion, .npz")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the films")
    parser.add_argument("--films", type=positive, default=28, help="how many (%(default)s)")
    parser.add_argument("--frames", type=positive, default=48, help="of each film, 30 a second (%(default)s)")
    parser.add_argument("--seed", type=int, default=5, help="of the random numbers (%(default)s)")
    parser.add_argument("--size", type=picture_size, default=(512, 384), metavar="HxW", help="pixels (512x384)")
    parser.add_argument("--panoramas", type=Path, help=".npz of (H, 2H, 3) linear panoramas (default: procedural)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Render the films that are not there yet; returns the exit code.

    Raises:
        PoseLibraryError: the motion cannot be read, or no clip of it is long enough.
        PictureSetError: the folder holds films with other settings.
    """
    body, (height, width) = load_body(), options.size
    motion = torch.from_numpy(load_pose_library(options.motion, body))
    starts = first_frames(options.motion, options.frames)
    sampler = PeopleSampler(
        body=body,
        poses=motion,
        scenery=Scenery.load(options.panoramas, options.device).part(held_out=True),
        device=options.device,
        height=height,
        width=width,
    )
    settings = {
        "height": height,
        "width": width,
        "motion": options.motion.name,
        "frames": options.frames,
        "panoramas": options.panoramas and options.panoramas.name,
        "seed": options.seed,
    }
    claim(options.output, settings)
    for number in tqdm(range(options.films), unit="film", desc=options.output.name):
        file = options.output / f"{number:03d}.npz"
        if file.is_file():
            continue
        start = int(np.random.default_rng([options.seed, number]).choice(starts))
        people = sampler.film(options.seed * 10**6 + number, motion[start : start + options.frames])
        write_pictures(people, file.with_suffix(""))
        save_take(true_take(people, body, file.stem), file)
    return 0


def first_frames(path: Path, count: int) -> NDArray[np.int64]:
    """Where a film of so many frames may begin: the rest of it is of the same clip.

    Raises:
        PoseLibraryError: the file holds no clips, or only shorter ones.
    """
    with np.load(path, allow_pickle=False) as file:
        if "clip" not in file:
            raise PoseLibraryError(f"{path}: no 'clip' among {sorted(file)}; write clips by motion_library --motion")
        clips = file["clip"]
    starts = np.arange(len(clips) - count + 1, dtype=np.int64)
    whole: NDArray[np.int64] = starts[clips[starts] == clips[starts + count - 1]]
    if len(whole) == 0:
        raise PoseLibraryError(f"{path}: no clip of at least {count} frames; ask for fewer --frames")
    return whole


def write_pictures(people: People, folder: Path) -> None:
    """The frames as JPEG files."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = (people.images * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    for number, picture in enumerate(pictures):
        (folder / f"{number:04d}.jpg").write_bytes(encoded(picture[..., ::-1]).tobytes())


def true_take(people: People, body: BodyFile, source: str) -> Take:
    """The take of a film: the motion of its person in world axes, and the camera that saw it."""
    rotations = people.rotations.double().cpu().numpy()
    rotations[:, 0] = WORLD_FROM_CAMERA @ rotations[:, 0]
    betas = people.betas[0].cpu().numpy()
    pelvis = body.rest_joints(betas.astype(np.float64))[0]
    joints, pixels = (values[:, :JOINT_COUNT].cpu().numpy() for values in (people.points_3d, people.points_2d))
    count, (height, width) = len(joints), people.images.shape[-2:]
    return Take(
        poses=axis_angle_from_matrix(rotations).reshape(count, -1).astype(np.float32),
        trans=(world_from_camera(joints[:, 0]) - pelvis).astype(np.float32),
        betas=betas,
        expression=people.expression.cpu().numpy(),
        times=np.arange(count) / RATE,
        frames=np.arange(count),
        joints_cam=joints,
        joints_img=pixels,
        confidence=people.visible[:, :JOINT_COUNT].float().cpu().numpy(),
        boxes=people.boxes.cpu().numpy(),
        focal=people.focal[:1].double().expand(2).cpu().numpy(),
        principal_point=people.center[0].double().cpu().numpy(),
        image_size=np.array([width, height]),
        mocap_frame_rate=RATE,
        source=source,
        weights="rendered",
    )
