"""Scenes from videos and takes without a window: `commands.py CLIP ... --output out.blend`.

Runs in three ways, with the same arguments: in a Python that has bpy (`python -m pose2pose.addon.commands`, or by this
file's path), inside a Blender program (`blender --background --python addon/commands.py -- ...`), and as the
extension's command (`blender --background [scene.blend] --command pose2pose ...`). Everything that is said goes to
stderr; notes begin with "pose2pose: ".
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from .headless.batch import Clip, Work
    from .link.connection import Connection
    from .scene.build import BuiltScene

ROOT = Path(__file__).resolve().parents[1]
STOPPED = 130
"""Exit code after Ctrl-C."""


def main(arguments: Sequence[str]) -> int:
    """Build a scene for each clip, write it, and return the exit code."""
    from .console import Interrupts, say
    from .headless.arguments import make_parser

    parser = make_parser()
    options = parser.parse_args(list(arguments))
    try:
        with Interrupts() as interrupted:
            return _run(parser, options, interrupted)
    except KeyboardInterrupt:
        say("stopped")
        return STOPPED


def _run(parser: argparse.ArgumentParser, options: argparse.Namespace, interrupted: Callable[[], bool]) -> int:
    from ..backend.protocol import ProtocolError
    from .console import say
    from .headless.arguments import is_folder
    from .headless.batch import find_clips, run_clips
    from .sidebar.errors import EXPECTED

    files = [path for path in options.output if not is_folder(path)]
    clips = find_clips(options.clips, one_scene=bool(files) or not options.output)
    _check(parser, options, files, clips)
    try:
        work = _work(options, captures=any(clip.source is not None for clip in clips))
    except ProtocolError as error:
        parser.error(str(error))
    except EXPECTED as error:
        say(str(error))
        return 1

    def write(clip: Clip, built: BuiltScene) -> None:
        _write(options, clip, built)

    return 1 if run_clips(clips, work, write, interrupted) else 0


def _check(
    parser: argparse.ArgumentParser, options: argparse.Namespace, files: Sequence[Path], clips: Sequence[Clip]
) -> None:
    """Say what is wrong with the arguments before hours of work."""
    from .headless.arguments import FORMATS

    if not options.output and options.views is None:
        parser.error("nothing to write: give --output FILE or FOLDER, or --views FOLDER")
    for path in files:
        if path.suffix.lower().removeprefix(".") not in FORMATS:
            parser.error(f"cannot write '{path}': the name must end in one of .{', .'.join(FORMATS)}, or be a folder")
    if len(clips) > 1 and (files or options.views is not None):
        parser.error(f"{len(clips)} clips need a folder: --output FOLDER, which gets a file for each")


def _work(options: argparse.Namespace, *, captures: bool) -> Work:
    from ..backend.motion.body_file import load_body
    from ..backend.motion.settings import KeySettings
    from ..backend.motion.smoothing import Smoothing
    from ..backend.protocol import CaptureRequest, Selection, SourceReference
    from .headless.batch import Work
    from .setup import preferences

    body = options.body or preferences.body_file()
    first = SourceReference(path=str(options.clips[0]))  # each clip puts its own there
    request = CaptureRequest(
        selection=Selection(first, options.start, options.end, options.step, options.frame_rate),
        people=options.people,
        parts=("body", *(part for part in options.parts if part != "body")),
        focal=options.focal,
        fov=options.fov,
        body=None if body is None else str(body.resolve()),
    )
    return Work(
        request=request,
        connection=_connection(options) if captures else None,
        body=load_body(body),
        fps=options.fps,
        keys=KeySettings(smoothing=Smoothing(method=options.smoothing)),
        video=options.video,
    )


def _connection(options: argparse.Namespace) -> Connection:
    """The preferences' backend, or the one that the arguments name."""
    from ..backend.protocol import TOKEN_VARIABLE
    from .setup.preferences import gather

    if options.server is not None:
        token = os.environ.get(TOKEN_VARIABLE, "")
        return replace(gather(), kind="SERVER", server_url=options.server, server_token=token)
    if options.python is not None:
        return replace(gather(), kind="PYTHON", python_path=str(options.python))
    return gather()


def _write(options: argparse.Namespace, clip: Clip, built: BuiltScene) -> None:
    from .console import say
    from .headless.arguments import outputs
    from .scene.export import save_scene

    for path in outputs(options.output, options.format, clip.name):
        save_scene(path, built.figures)
        say(f"wrote {path}")
    if options.views is not None:
        from .scene.views import render_views

        render_views(built, options.views, options.times, options.size)


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
