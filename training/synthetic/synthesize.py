r"""Write a data set of rendered people.

    pose2pose-train synthesize -o people --people 6000 --seed 1 --size 512x384 \
        --poses pose_library.npz --panoramas panoramas.npz --sheet people/sheet.jpg

The folder's layout is that of `picture_set`. A run that was stopped goes on where it was; with more people it goes on
behind the last one. With `--held-out` people take the poses and panoramas that a run without it never uses.
"""

import argparse
import shlex
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ...backend.motion.body_file import BodyFile, load_body
from .key_poses import sample_key_poses
from .people import PeopleSampler
from .picture_set import SHARD, PictureSetError, Settings, write_pictures
from .pose_split import split_poses
from .poses import PoseLibraryError
from .scenery import Scenery
from .sheet import draw_sheet

KEY_POSES = 4000
"""Postures made up where no library is given."""
ON_SHEET = 64


def add_command(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `synthesize` to the commands of `pose2pose-train`."""
    parser = subparsers.add_parser("synthesize", help="write a data set of rendered people")
    add_arguments(parser)
    parser.set_defaults(run=run)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--people", type=positive, required=True, help="number of pictures, one person each")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers (%(default)s)")
    parser.add_argument("--size", type=picture_size, default=(512, 384), metavar="HxW", help="pixels (512x384)")
    parser.add_argument(
        "--poses", type=Path, nargs="+", default=[], help="libraries made by motion_library (default: mixed key poses)"
    )
    parser.add_argument("--panoramas", type=Path, help=".npz of (H, 2H, 3) linear panoramas (default: procedural)")
    parser.add_argument("--held-out", action="store_true", help="poses and panoramas kept for validation only")
    parser.add_argument("--sheet", type=Path, help=f"draw the first {ON_SHEET} pictures with their labels")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")


def positive(text: str) -> int:
    """A number of things.

    Raises:
        argparse.ArgumentTypeError: fewer than one.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of at least 1, got {text!r}")
    return int(text)


def picture_size(text: str) -> tuple[int, int]:
    """`512x384` -> (512, 384): height and width.

    Raises:
        argparse.ArgumentTypeError: not two numbers, or not as wide as 3/4 of the height.
    """
    height, _, width = text.partition("x")
    if not (height.isdecimal() and width.isdecimal()) or 3 * int(height) != 4 * int(width) or int(height) < 32:
        raise argparse.ArgumentTypeError(f"expected height x width of aspect 4:3 as in 512x384, got {text!r}")
    return int(height), int(width)


def run(options: argparse.Namespace) -> int:
    """Write the set and the sheet."""
    height, width = options.size
    settings: Settings = {
        "height": height,
        "width": width,
        "poses": [path.name for path in options.poses],
        "panoramas": options.panoramas and options.panoramas.name,
        "held_out": options.held_out,
    }
    try:
        sampler = build_sampler(options)
        with tqdm(total=-(-options.people // SHARD) * SHARD, unit="picture", desc=options.output.name) as bar:
            labels = write_pictures(
                options.output,
                options.people,
                sampler,
                seed=options.seed,
                settings=settings,
                body="open",
                command=shlex.join(sys.argv),
                device=options.device,
                report=bar.update,
            )
    except (PictureSetError, PoseLibraryError, OSError) as error:
        print(f"pose2pose-train synthesize: {error}", file=sys.stderr)
        return 1
    if options.sheet:
        write_sheet(options.output, labels, options.sheet)
    return 0


def build_sampler(options: argparse.Namespace) -> PeopleSampler:
    """What renders the pictures of these options."""
    body, (height, width) = load_body(), options.size
    return PeopleSampler(
        body=body,
        poses=choose_poses(options.poses, options.held_out, body),
        scenery=Scenery.load(options.panoramas, options.device).part(options.held_out),
        device=options.device,
        height=height,
        width=width,
    )


def choose_poses(paths: list[Path], held_out: bool, body: BodyFile) -> Tensor:
    """(N, 22, 3, 3) of the libraries' part, or of key poses, which are others where they are held out."""
    if paths:
        return split_poses(paths, body)[held_out]
    return sample_key_poses(torch.Generator().manual_seed(int(held_out)), body, KEY_POSES)


def write_sheet(folder: Path, labels: Path, path: Path) -> None:
    """Draw the first pictures of a set with their labels."""
    with np.load(labels, allow_pickle=False) as archive:
        drawn = {key: archive[key][:ON_SHEET] for key in archive.files if archive[key].ndim}
    files = [folder / "images" / f"{number:08d}.jpg" for number in range(len(drawn["boxes"]))]
    pictures = [np.asarray(cv2.imread(str(file)), dtype=np.uint8) for file in files]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), draw_sheet(pictures, drawn))


def main(arguments: list[str] | None = None) -> int:
    """Run the command on its own."""
    parser = argparse.ArgumentParser(
        prog="python -m pose2pose.training.synthetic.synthesize", description="Write a data set of rendered people."
    )
    add_arguments(parser)
    return run(parser.parse_args(arguments))


if __name__ == "__main__":
    raise SystemExit(main())
