"""The command `pose2pose`: capture, animate, info, serve. Gathers arguments, calls one function, reports."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .blend import SUFFIXES, BlendError, write_scene
from .memory import keep_freed_memory
from .motion.others import motion_files
from .motion.smoothing import METHODS
from .motion.take import save_take
from .protocol import PARTS, ProtocolError, check_parts
from .summary import summarize, take_name, write_summary
from .terminal import Bars, Interrupts
from .weights_cli import add_weights_commands

if TYPE_CHECKING:
    from .capture import CaptureResult
    from .progress import Progress

STOPPED = 130
"""Exit code after Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code. Expected errors become one sentence, bugs keep their traceback."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        return code
    except KeyboardInterrupt:
        print("pose2pose: stopped", file=sys.stderr)
        return STOPPED
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("pose2pose"):
            raise
        print(f"pose2pose: {error.name} is not installed; pip install 'pose2pose[backend]'", file=sys.stderr)
        return 1
    except Exception as error:
        from .failures import expected_errors

        if not isinstance(error, (BlendError, *expected_errors())):
            raise
        print(f"pose2pose: {error}", file=sys.stderr)
        return 1


def run_capture(options: argparse.Namespace) -> int:
    """`pose2pose capture`: takes, overlay and summary into a folder."""
    _, interrupted = _capture(options, options.output, with_overlay=not options.no_overlay)
    return STOPPED if interrupted else 0


def run_animate(options: argparse.Namespace) -> int:
    """`pose2pose animate`: from takes, or from a video that is captured first, to scenes and exports."""
    takes, video = motion_files(options.input), None
    if not takes:
        folder = options.output[0].with_name(f"{options.output[0].stem}_takes")
        result, interrupted = _capture(options, folder, with_overlay=False)
        takes = [folder / take_name(take.person) for take in result.takes]
        video = Path(options.input)
        if interrupted:
            return STOPPED
    else:
        video = _captured_video(takes[0].parent)
    for output in options.output:
        output.parent.mkdir(parents=True, exist_ok=True)
    notes = write_scene(
        takes,
        options.output,
        fps=options.fps,
        smoothing=options.smoothing,
        video=video,
        body=options.body,
        frame_rate=options.frame_rate,
    )
    for line in notes:
        print(line)
    return 0


def run_info(options: argparse.Namespace) -> int:
    """`pose2pose info`: what is there and what is missing."""
    from .info import as_text, collect

    facts = collect()
    print(json.dumps(facts, indent=2) if options.json else as_text(facts))
    return 0


def run_serve(options: argparse.Namespace) -> int:
    """`pose2pose serve`: the HTTP service, until it is told to end."""
    from .serving.access import ServeError
    from .serving.service import Settings, serve

    names = (field.name for field in fields(Settings))
    try:
        serve(Settings(**{name: getattr(options, name) for name in names}))
    except ServeError as error:
        print(f"pose2pose: {error}", file=sys.stderr)
        return 1
    return 0


def _capture(options: argparse.Namespace, folder: Path, *, with_overlay: bool) -> tuple[CaptureResult, bool]:
    """Capture; write takes and summary first, then the overlay. Returns the result, and whether Ctrl-C came."""
    from .capture import capture

    keep_freed_memory()
    with Bars() as bars, Interrupts(bars.note) as interrupted:
        result = capture(
            options.input,
            people=options.people,
            start=options.start,
            end=options.end,
            step=options.step,
            frame_rate=options.frame_rate,
            parts=options.parts,
            focal=options.focal,
            fov=options.fov,
            device=options.device,
            preset=options.preset,
            weights=options.weights,
            body=options.body,
            refine=not options.no_refine,
            progress=bars.show,
            cancelled=interrupted,
        )
        _clear(folder)
        for take in result.takes:
            save_take(take, folder / take_name(take.person))
        write_summary(summarize(result), folder)
        overlay = _overlay(result, folder, bars.show, interrupted) if with_overlay and result.takes else None
        write_summary(summarize(result, overlay=overlay), folder)
    if with_overlay and result.takes and overlay is None:
        result.notes.append("stopped while drawing: there is no overlay, the takes are complete")
    _report(result, folder, overlay)
    return result, interrupted()


def _clear(folder: Path) -> None:
    """Make the folder, and remove the takes of an earlier capture into it: people who are not in this one."""
    folder.mkdir(parents=True, exist_ok=True)
    for person in _read_summary(folder).get("people", []):
        if person["take"]:
            (folder / person["take"]).unlink(missing_ok=True)


def _overlay(
    result: CaptureResult, folder: Path, show: Callable[[Progress], None], interrupted: Callable[[], bool]
) -> str | None:
    """Draw the overlay; its file name, or None if it was interrupted."""
    from .overlay import write_overlay

    stopped_before = interrupted()

    def progress(message: Progress) -> None:
        show(message)
        if interrupted() and not stopped_before:
            raise KeyboardInterrupt

    name = "overlay.png" if result.frames == 1 and result.source.expected == 1 else "overlay.mp4"
    try:
        frames = result.frames if result.stopped else None
        write_overlay(result.source, result.takes, result.body, folder / name, frames, progress)
    except KeyboardInterrupt:
        return None
    return name


def _report(result: CaptureResult, folder: Path, overlay: str | None) -> None:
    """Say on the terminal what was written, and what to know about it."""
    for note in result.notes:
        print(f"note: {note}", file=sys.stderr)
    if result.stopped:
        last = max((int(take.frames[-1]) for take in result.takes), default=None)
        print(
            f"stopped: {'nothing was captured' if last is None else f'the takes end at frame {last}'}", file=sys.stderr
        )
    for take in result.takes:
        span = f"frames {take.frames[0]} to {take.frames[-1]}"
        print(f"{folder / take_name(take.person)}: person {take.person}, {span}, {take.mocap_frame_rate:.2f} a second")
    if overlay is not None:
        print(folder / overlay)
    print(f"{folder / 'summary.json'}: {result.frames} frames, {result.frames_per_second:.2f} a second")


def _captured_video(folder: Path) -> Path | None:
    """The source that a capture's summary names, if it is still there."""
    video = Path(_read_summary(folder).get("source", ""))
    return video if video.name and video.exists() else None


def _read_summary(folder: Path) -> dict[str, Any]:
    """A capture's summary; empty if there is none."""
    try:
        summary: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return summary


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pose2pose", description="From a video of people to a moving SMPL-X armature."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    capture = commands.add_parser("capture", help="video, pictures or picture -> one take (.npz) per person, overlay")
    _add_capture_options(capture)
    capture.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder for what is written")
    capture.add_argument("--no-overlay", action="store_true", help="write no overlay.mp4")
    capture.set_defaults(run=run_capture)
    animate = commands.add_parser("animate", help="takes, or a video -> .blend, .fbx, .glb, .bvh or .npz")
    _add_capture_options(animate)
    animate.add_argument(
        "-o", "--output", type=Path, required=True, action="append", metavar="FILE",
        help=f"what to write ({', '.join(SUFFIXES)}); may be given several times",
    )  # fmt: skip
    animate.add_argument("--fps", type=float, help="frames a second of the scene (the source's)")
    animate.add_argument("--smoothing", choices=METHODS, default=METHODS[0], help="default: %(default)s")
    animate.set_defaults(run=run_animate)
    info = commands.add_parser("info", help="versions, device, weights, body, and what is missing")
    info.add_argument("--json", action="store_true", help="for programs")
    info.set_defaults(run=run_info)
    add_weights_commands(commands)
    _add_serve(commands.add_parser("serve", help="HTTP service for the add-on, on this machine or another one"))
    return parser


def _add_serve(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=_port, default=0, help="default: any that is free")
    add("--token-file", type=Path, metavar="FILE", help="with the token; only its owner may be able to read it")
    add("--allow-paths", action="store_true", help="clients may name files of this machine in place of sending them")
    add("--allow-remote", action="store_true", help="--host may be an address that other machines reach")
    add("--upload-limit", type=_positive, default=4000, metavar="MB", help="of one upload (default: %(default)s)")
    add("--end-with-stdin", action="store_true", help="end when stdin closes, as when the program that started it dies")
    add("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"), help="default: auto")
    parser.set_defaults(run=run_serve)


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 65536:
        raise argparse.ArgumentTypeError(f"must be 0 to 65535, got {port}")
    return port


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def _parts(text: str) -> tuple[str, ...]:
    parts = tuple(text.split(","))
    try:
        check_parts(parts)
    except ProtocolError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return parts


def _add_capture_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    is_animate = parser.prog.endswith("animate")
    what = "a video, a folder of pictures, a pattern such as shot.####.png, or a picture"
    add(
        "input",
        type=Path,
        metavar="INPUT" if is_animate else "VIDEO",
        help=f"{'takes, or ' if is_animate else ''}{what}",
    )
    add("--people", default="all", help="all, largest, or numbers such as 1,3 (1 is the largest; default: all)")
    add("--start", type=int, metavar="FRAME", help="first source frame, from 0")
    add("--end", type=int, metavar="FRAME", help="last source frame, included")
    add("--step", type=int, default=1, metavar="N", help="take every N-th frame")
    add("--frame-rate", type=float, metavar="FPS", help="of an image sequence; videos carry their own times")
    add("--parts", type=_parts, default=PARTS, help="body, and with it hands and face (default: body,hands,face)")
    lens = parser.add_mutually_exclusive_group()
    lens.add_argument("--focal", type=float, metavar="PX", help="focal length in pixels, if you know it")
    lens.add_argument("--fov", type=float, metavar="DEG", help="field of view over the picture's longer side")
    add("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"), help="default: auto")
    add("--preset", default="open", help="of the network (default: open)")
    add("--weights", type=Path, metavar="WEIGHTS", help="name of imported weights, or a folder")
    add("--body", type=Path, metavar="FILE", help="licensed SMPL-X file, .npz or .pkl, in place of the open body")
    add("--no-refine", action="store_true", help="keep the network's own motion, frame by frame")
