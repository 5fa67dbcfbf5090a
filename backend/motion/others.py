"""Takes from files of any program: ours, AMASS's, and the results that `formats` understands.

Parts of the body that a program does not estimate have confidence 0, so that they rest when the take is keyed.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .body_file import BodyFile, load_body
from .elsewhere import asked_rate, take_from_elsewhere
from .foreign_files import contents, files_of_pictures
from .formats import Motion, understood
from .placement import on_ground, posed_joints, sole_height
from .rotations import axis_angle_from_matrix, matrix_from_axis_angle
from .skeleton import JAW, JOINT_COUNT, LEFT_HAND
from .take import Take, TakeError, load_take

Array = NDArray[np.float64]

SUFFIXES = (".npz", ".pkl", ".pt")
"""Files of motion end in one of these; in folders, takes do in the first."""


def motion_files(path: Path) -> list[Path]:
    """The files of motion that a path stands for; none if it is a video, a picture or a folder of pictures.

    A folder with a file for each picture is one of them itself, as it holds people over all of its files.
    """
    if path.is_dir():
        return [path] if files_of_pictures(path) else sorted(path.glob("*.npz"))
    return [path] if path.suffix.lower() in SUFFIXES else []


def load_takes(path: Path, frame_rate: float | None = None) -> list[Take]:
    """Read a file of takes, or a folder of them: ours, AMASS's, or what another program wrote.

    Results without a known camera stand on the ground; those with one stand where it saw them.

    Args:
        path: the file or folder.
        frame_rate: frames a second of the source, for files that do not say it.

    Returns:
        One take for each person, the longest first.

    Raises:
        TakeError: not readable, of no known kind, or the frame rate is missing.
    """
    data = contents(path)
    if data is None:
        return [load_take(path, frame_rate)]
    body = load_body()
    try:
        people = _people(data)
        takes = _takes(people, body.rest_joints()[0], asked_rate(frame_rate), path.name)
    except TakeError as error:
        raise TakeError(f"{path}: {error}") from None
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise TakeError(f"{path}: not as its program writes it ({type(error).__name__}: {error})") from error
    return takes if takes[0].has_camera else _grounded(takes, body)


def _people(data: Mapping[Any, Any]) -> list[Motion]:
    people = understood(data)
    if people:
        return people
    if people is not None:
        raise TakeError("nobody is in it")
    item = next(iter(data.values()), None)
    keys = ", ".join(repr(key) for key in list(item if isinstance(item, Mapping) else data)[:12]) or "nothing"
    raise TakeError(
        f"holds {keys}, which is no motion known here (AMASS, SMPL-X add-on, GVHMR, WHAM, 4D-Humans, SMPLer-X, "
        "SMPLest-X, OSX, ROMP); write an .npz with poses (T, 165), trans (T, 3), z up, and mocap_frame_rate"
    )


def _takes(people: list[Motion], rest: Array, rate: float, source: str) -> list[Take]:
    longest_first = sorted(people, key=lambda person: -len(person.frames))
    return [_take(person, rest, number, rate, source) for number, person in enumerate(longest_first, start=1)]


def _take(motion: Motion, rest: Array, number: int, rate: float, source: str) -> Take:
    """`rest` (3,) is where the pelvis of SMPL-X rests, much the same in all of its bodies."""
    poses = motion.poses.copy()
    poses[:, 0] = axis_angle_from_matrix(motion.axes @ matrix_from_axis_angle(poses[:, 0]))
    pelvis = (motion.pelvis + (rest if motion.shifted else 0.0)) @ motion.axes.T
    confidence = np.ones((len(poses), JOINT_COUNT), np.float32)
    if not motion.hands:
        confidence[:, LEFT_HAND.start :] = 0.0
    if not motion.face:
        confidence[:, JAW : LEFT_HAND.start] = 0.0
    return take_from_elsewhere(
        poses.reshape(len(poses), -1),
        pelvis - rest,
        motion.frames / rate,
        rate,
        frames=motion.frames,
        confidence=confidence,
        person=number,
        source=source,
        weights=motion.program,
        **(motion.known or {}),
    )


def _grounded(takes: list[Take], body: BodyFile) -> list[Take]:
    """Scenes leave takes without a camera where they say, so these come with their feet on the ground."""
    rest = body.rest_joints()
    offset = on_ground([posed_joints(take, rest) for take in takes], [sole_height(body.v_template, rest)] * len(takes))
    return [replace(take, trans=(take.trans + offset.offset).astype(np.float32)) for take in takes]
