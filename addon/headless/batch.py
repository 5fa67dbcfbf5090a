"""Clips without a window: capture or read each, build its scene, write its files. One that fails stops no other."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import bpy
import numpy as np

from ...backend.motion.body_file import BodyFile
from ...backend.motion.others import load_takes, motion_files
from ...backend.motion.settings import KeySettings
from ...backend.motion.take import Take
from ...backend.protocol import CaptureRequest, SourceReference
from ..console import ProgressLines, say
from ..link.capturing import capture_takes
from ..link.connection import Connection
from ..scene.build import BuiltScene, build_scene
from ..sidebar.errors import EXPECTED, is_cancelled
from ..texts import count_frames, count_people, duration


@dataclass(frozen=True)
class Clip:
    """What becomes one scene."""

    name: str
    source: Path | None
    """A video, picture or sequence to capture; None where there are takes already."""
    takes: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Work:
    """What is done with every clip."""

    request: CaptureRequest
    """Its source is replaced by each clip's."""
    connection: Connection | None
    """None where there are only takes."""
    body: BodyFile
    fps: float | None
    """Frames a second of the scene; None = the source's."""
    keys: KeySettings
    video: Path | None
    """What stands behind the camera; None = the source, where it is found."""


def find_clips(inputs: Sequence[Path], *, one_scene: bool) -> list[Clip]:
    """Sort inputs into clips, in their order: each source is one, and the takes of one source together are one.

    Args:
        inputs: videos, pictures, sequences, takes of any program, folders of takes or of pictures.
        one_scene: all takes are one clip, whatever source they name.
    """
    clips: list[Clip] = []
    places: dict[str, int] = {}
    for path in inputs:
        takes = motion_files(path)
        if not takes:
            clips.append(Clip(name=_clip_name(path), source=path))
        for take in takes:
            source = "" if one_scene else _source_of(take)
            place = places.setdefault(source, len(clips))
            if place == len(clips):
                clips.append(Clip(name=_clip_name(Path(source or take)), source=None))
            clips[place] = replace(clips[place], takes=(*clips[place].takes, take))
    return _with_own_names(clips)


def run_clips(
    clips: Sequence[Clip],
    work: Work,
    write: Callable[[Clip, BuiltScene], None],
    cancelled: Callable[[], bool],
) -> int:
    """Build each clip in the file that is open, or in an empty one, and write it. Returns how many failed.

    Raises:
        KeyboardInterrupt: cancelled.
    """
    start, failures = bpy.data.filepath, 0
    for number, clip in enumerate(clips, start=1):
        if cancelled():
            raise KeyboardInterrupt
        label = f"{clip.name} ({number} of {len(clips)})" if len(clips) > 1 else clip.name
        try:
            takes, video = _takes_of(clip, work, label, cancelled)
            _begin(start)
            built = build_scene(takes, work.body, fps=work.fps, settings=work.keys, video=work.video or video)
            for note in built.notes:
                say(note)
            write(clip, built)
        except EXPECTED as error:
            if is_cancelled(error):
                raise KeyboardInterrupt from None
            say(f"{label}: {error}" if len(clips) > 1 else str(error))
            failures += 1
    return failures


def _takes_of(
    clip: Clip, work: Work, label: str, cancelled: Callable[[], bool]
) -> tuple[tuple[Take, ...], Path | None]:
    """Takes, and the source to show behind the camera."""
    if clip.source is None:
        rate = work.request.selection.frame_rate
        takes = tuple(take for path in clip.takes for take in load_takes(path, rate))
        return takes, _source_beside(clip.takes[0], takes[0].source)
    assert work.connection is not None
    selection = replace(work.request.selection, source=SourceReference(path=str(clip.source.resolve())))
    request = replace(work.request, selection=selection)
    with ProgressLines(label) as lines:
        captured = capture_takes(work.connection, clip.source, request, lines.show, cancelled)
    done = captured.done
    for note in done.notes:
        say(f"{label}: {note}")
    seconds = duration(done.frames / max(done.frames_per_second, 1e-9))
    say(f"{label}: {count_frames(done.frames)} of {count_people(len(captured.takes))} captured in {seconds}")
    return captured.takes, clip.source


def _begin(start: str) -> None:
    """Open the file again that was open at first; an empty one if there was none."""
    if start:
        bpy.ops.wm.open_mainfile(filepath=start)
    else:
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def _source_of(take: Path) -> str:
    """The source that a take names; files of others and unreadable ones stand for themselves."""
    try:
        with np.load(take, allow_pickle=False) as file:
            return str(file["source"]) if "source" in file else str(take)
    except EXPECTED:
        return str(take)


def _source_beside(take: Path, source: str) -> Path | None:
    """The takes' own source, if the path still leads to it or it lies in the takes' folder or the one above."""
    places = (Path(source), take.parent / source, take.parent.parent / source) if source else ()
    return next((place for place in places if place.exists()), None)


def _clip_name(path: Path) -> str:
    """`shot.####.png` is `shot`, `walk.mp4` is `walk`, a folder goes by its name."""
    name = path.resolve().name if path.is_dir() else path.stem
    return re.sub(r"[._-]*(#+|%0?\d*d)", "", name) or "clip"


def _with_own_names(clips: Sequence[Clip]) -> list[Clip]:
    """Clips of one name get `_2`, `_3`, so that none overwrites another's files."""
    seen: dict[str, int] = {}
    named = []
    for clip in clips:
        count = seen[clip.name] = seen.get(clip.name, 0) + 1
        named.append(clip if count == 1 else replace(clip, name=f"{clip.name}_{count}"))
    return named
