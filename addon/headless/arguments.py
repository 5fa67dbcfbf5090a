"""The arguments of `commands.py`, and the files that they name."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ...backend.motion.smoothing import METHODS
from ...backend.protocol import PARTS

FORMATS = ("blend", "fbx", "glb", "bvh", "npz")
EPILOG = """
A clip is a video, a picture, a folder of pictures, a pattern such as shot.####.png, a take or a folder of takes. Takes
are .npz files of this project or AMASS's, and the results of GVHMR, WHAM, 4D-Humans, SMPLer-X and ROMP.
Each clip begins with the .blend file that Blender was started with, or with an empty one. One that fails is named and
stops no other. The backend is the one that the add-on's preferences name.

exit codes: 0 everything was written, 1 a clip failed, 2 wrong arguments, 130 stopped with Ctrl-C
"""


def make_parser() -> argparse.ArgumentParser:
    """Everything that can be given."""
    parser = argparse.ArgumentParser(
        prog="pose2pose",
        description="Videos and takes to animated SMPL-X armatures.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("clips", nargs="+", type=Path, metavar="CLIP", help="videos, pictures, sequences, or takes")
    add("-o", "--output", action="append", default=[], type=Path, metavar="PATH",
        help=f"a file (.{', .'.join(FORMATS)}), may be repeated; or a folder for a file of each clip")  # fmt: skip
    add("--format", type=_formats, default=[], metavar="LIST", help=f"of {','.join(FORMATS)} (default: blend)")
    add("--fps", type=float, help="the scene's frames a second (default: the source's)")
    add("--smoothing", default="one-euro", choices=METHODS, help="default: %(default)s")
    add("--video", type=Path, help="what stands behind the camera (default: the clip itself)")
    add("--body", type=Path, help="a licensed SMPL-X .npz or .pkl (default: the preferences', else the open body)")
    _add_capture_options(parser)
    _add_view_options(parser)
    return parser


def _add_capture_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("capture").add_argument
    add("--people", default="all", help="all, largest, or numbers such as 1,3 (1 is the largest; default: all)")
    add("--parts", type=_parts, default=list(PARTS), metavar="LIST", help="default: body,hands,face")
    add("--start", type=int, metavar="FRAME", help="first source frame, from 0 as in `pose2pose capture`")
    add("--end", type=int, metavar="FRAME", help="last source frame, included")
    add("--step", type=int, default=1, metavar="N", help="take every N-th frame")
    add("--frame-rate", type=float, metavar="FPS", help="of pictures, and of takes that do not say theirs")
    add("--focal", type=float, metavar="PX", help="focal length in pixels, if you know it")
    add("--fov", type=float, metavar="DEG", help="field of view over the picture's longer side")
    add("--server", metavar="URL", help="a running service; its token is read from POSE2POSE_TOKEN")
    add("--python", type=Path, metavar="PATH", help="the Python that pose2pose's backend is installed in")


def _add_view_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("pictures").add_argument
    add("--views", type=Path, metavar="FOLDER", help="render from the front and the side, following the first take")
    add("--times", type=_numbers, default=[0.0], help="seconds of the source at which to render, with commas between")
    add("--size", type=int, default=480, help="pixels, width and height of a view")


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _formats(text: str) -> list[str]:
    return _words(text, FORMATS)


def _parts(text: str) -> list[str]:
    return _words(text, PARTS)


def _words(text: str, known: Sequence[str]) -> list[str]:
    words = [word.strip().lower().removeprefix(".") for word in text.split(",")]
    unknown = [word for word in words if word not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"'{unknown[0]}' is none of {', '.join(known)}")
    return words


def outputs(named: Sequence[Path], formats: Sequence[str], name: str) -> list[Path]:
    """The files to write for a clip.

    Args:
        named: files, and folders in which files are named after the clip.
        formats: endings to write in place of a file's own; without any, a folder gets a .blend.
        name: of the clip.
    """
    files = []
    for path in named:
        if is_folder(path):
            files += [path / f"{name}.{ending}" for ending in formats or ("blend",)]
        else:
            files += [path, *(path.with_suffix(f".{ending}") for ending in formats)]
    return list(dict.fromkeys(files))


def is_folder(path: Path) -> bool:
    """Whether a path for output is a folder: there is one, or its name has no ending."""
    return path.is_dir() or not path.suffix
