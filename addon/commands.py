"""Scenes from takes without a window: `commands.py TAKE ... --output out.blend [--output out.glb]`.

Runs in three ways, with the same arguments: in a Python that has bpy (`python -m pose2pose.addon.commands`, or by this
file's path), inside a Blender program (`blender --background --python addon/commands.py -- ...`), and as the
extension's command (`blender --command pose2pose ...`). Notes go to stderr, one line each, after "pose2pose: ".
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str]) -> int:
    """Build a scene from takes, write it, and return the exit code."""
    options = _parser().parse_args(list(arguments))
    if not options.output and options.views is None:
        _parser().error("nothing to write: give --output FILE (.blend, .fbx, .glb, .bvh) or --views FOLDER")
    try:
        _run(options)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"pose2pose: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pose2pose", description="Takes to an animated SMPL-X armature.")
    parser.add_argument("takes", nargs="+", type=Path, metavar="TAKE", help=".npz, one for each person of one source")
    parser.add_argument(
        "-o", "--output", action="append", default=[], type=Path, help=".blend, .fbx, .glb or .bvh; may be repeated"
    )
    parser.add_argument("--fps", type=float, help="the scene's frames a second (default: the source's)")
    parser.add_argument("--smoothing", default="one-euro", help="one-euro, savitzky-golay, butterworth or none")
    parser.add_argument("--video", type=Path, help="what stands behind the camera (default: the takes' source)")
    parser.add_argument("--body", type=Path, help="a licensed SMPL-X .npz (default: the open body)")
    parser.add_argument(
        "--views", type=Path, metavar="FOLDER", help="render from the front and the side, following the first take"
    )
    parser.add_argument(
        "--times", type=_numbers, default=[0.0], help="seconds of the source at which to render, with commas between"
    )
    parser.add_argument("--size", type=int, default=480, help="pixels, width and height of a view")
    return parser


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _run(options: argparse.Namespace) -> None:
    import bpy

    from ..backend.motion.body_file import load_body
    from ..backend.motion.take import load_take
    from .export import save_scene
    from .scene import build_scene

    takes = [load_take(path) for path in options.takes]
    body = load_body(options.body)
    video = options.video or _source_beside(options.takes[0], takes[0].source)
    if not bpy.data.filepath:  # a file that was opened first is kept and added to
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    built = build_scene(takes, body, fps=options.fps, smoothing=options.smoothing, video=video)
    for path in options.output:
        save_scene(path, built.figures)
    if options.views is not None:
        from .views import render_views

        render_views(built, options.views, options.times, options.size)


def _source_beside(take: Path, source: str) -> Path | None:
    """The takes' own source, if the path still leads to it or it lies in the takes' folder or the one above."""
    places = (Path(source), take.parent / source, take.parent.parent / source) if source else ()
    return next((place for place in places if place.exists()), None)


def _as_package_member() -> None:
    """Make the folder above importable as `pose2pose`, whatever it is called: this file was run by its path."""
    sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != ROOT / "addon"]
    spec = importlib.util.spec_from_file_location(
        "pose2pose", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["pose2pose"] = package
    spec.loader.exec_module(package)


def _own_arguments() -> list[str]:
    """What stands behind `--` in Blender's command line; everything in Python's."""
    after = sys.argv.index("--") if "--" in sys.argv else 0
    return sys.argv[after + 1 :]


def _leave(code: int) -> NoReturn:
    """End the process. The bpy module can hang in its own clean-up (4.5), when everything has been written already."""
    import bpy

    if bpy.app.binary_path:  # a Blender program ends by itself
        sys.exit(code)
    shutil.rmtree(bpy.app.tempdir, ignore_errors=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    if not __package__:
        _as_package_member()
    from pose2pose.addon.commands import main as run

    _leave(run(_own_arguments()))
