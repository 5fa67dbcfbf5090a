"""Scenes and exports (.blend, .fbx, .glb, .bvh) from takes, made by Blender in a process of its own.

Two Blenders will do: the `bpy` module of this Python, or a Blender program (the variable `BLENDER`, or `blender` on
the path). Both run `addon/commands.py`; a crash of Blender leaves the caller standing, and this side never imports bpy.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

COMMANDS = Path(__file__).resolve().parents[1] / "addon" / "commands.py"
SUFFIXES = (".blend", ".fbx", ".glb", ".bvh", ".npz")
ERROR_LINES = 12
"""Of what Blender said last, shown when it fails."""
NOTE = "pose2pose: "
"""How lines for the user begin in what `addon/commands.py` says."""


class BlendError(RuntimeError):
    """Blender is missing or failed. The message is the sentence that it ended with, or the last lines that it said."""


def write_scene(
    takes: Sequence[Path],
    outputs: Sequence[Path],
    *,
    fps: float | None = None,
    smoothing: str = "one-euro",
    video: Path | None = None,
    body: Path | None = None,
    frame_rate: float | None = None,
) -> list[str]:
    """Build one scene from the takes and write it to every output.

    Args:
        takes: one `.npz` for each person of one source.
        outputs: files that end in one of `SUFFIXES`.
        fps: the scene's frames a second; None = the source's.
        smoothing: a method of `motion.smoothing.METHODS`.
        video: the source, shown behind the camera; None = the one that the takes name, where it lies beside them.
        body: a licensed body file; None = the open body.
        frame_rate: frames a second of takes by other programs that do not say theirs.

    Returns:
        Sentences that a user should see: what did not fit, what was written.

    Raises:
        BlendError: an unknown suffix, no Blender, or Blender failed.
    """
    for path in outputs:
        if path.suffix.lower() not in SUFFIXES:
            raise BlendError(f"cannot write '{path}': the name must end in one of {', '.join(SUFFIXES)}")
    options = ["--fps", str(fps)] if fps is not None else []
    options += ["--smoothing", smoothing]
    options += ["--video", str(video)] if video is not None else []
    options += ["--body", str(body)] if body is not None else []
    options += ["--frame-rate", str(frame_rate)] if frame_rate is not None else []
    for path in outputs:
        options += ["--output", str(path)]
    return run_commands([*map(str, takes), *options])


def run_commands(arguments: Sequence[str]) -> list[str]:
    """Run `addon/commands.py` in whichever Blender there is.

    Returns:
        What it noted.

    Raises:
        BlendError: no Blender, or it ended with an error; holds its last lines.
    """
    result = subprocess.run(
        [*blender_command(), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    lines = result.stderr.strip().splitlines()
    notes = [line.removeprefix(NOTE) for line in lines if line.startswith(NOTE)]
    if result.returncode != 0 and notes and lines[-1].startswith(NOTE):
        raise BlendError(notes[-1])
    if result.returncode != 0:
        said = "\n".join(lines[-ERROR_LINES:])
        raise BlendError(f"Blender ended with code {result.returncode}:\n{said or '(it said nothing)'}")
    return notes


def blender_command() -> list[str]:
    """The start of a command line that runs `addon/commands.py`; the caller adds its arguments.

    Raises:
        BlendError: neither the bpy module nor a Blender program is here.
    """
    if importlib.util.find_spec("bpy") is not None:
        return [sys.executable, str(COMMANDS)]
    program = blender_program()
    if program is None:
        raise BlendError(
            "no Blender found. Either install the bpy module into this Python (pip install 'pose2pose[blender]'), "
            "or install Blender 4.2 or newer and put it on the PATH or its path into the variable BLENDER"
        )
    flags = ["--background", "--factory-startup", "--python-exit-code", "1"]
    return [program, *flags, "--python", str(COMMANDS), "--"]


def blender_program() -> str | None:
    """Path of the Blender program: the variable `BLENDER`, or `blender` on the path; None where there is none.

    Raises:
        BlendError: `BLENDER` names no program.
    """
    named = os.environ.get("BLENDER")
    if not named:
        return shutil.which("blender")
    found = shutil.which(named)
    if found is None:
        raise BlendError(f"the variable BLENDER names '{named}', which is no program; correct or unset it")
    return found
