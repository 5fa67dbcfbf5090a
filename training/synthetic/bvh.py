"""BVH files: a skeleton and its motion as text, as CMU's motion capture is passed around."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...backend.motion.rotations import matrix_from_axis_angle

Array = NDArray[np.float64]


class BvhError(ValueError):
    """A file that is no BVH, or has not the joints that are needed."""


@dataclass(frozen=True, eq=False)
class Skeleton:
    """J joints; lengths in the file's own unit."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    """The root has -1; a parent stands before its children."""
    offsets: Array
    """(J, 3) from the parent, in the axes of the parent at rest."""
    channels: tuple[tuple[str, ...], ...]
    """As the file names them: `Zrotation` and others."""


@dataclass(frozen=True, eq=False)
class BvhMotion:
    """A skeleton over T frames."""

    skeleton: Skeleton
    rotations: Array
    """(T, J, 3, 3) of each joint in the axes of the file's world."""
    frame_rate: float

    def positions(self, frame: int | None = None) -> Array:
        """(J, 3) joints of a frame with the root at the origin; None: of the pose without any rotation."""
        tree = self.skeleton
        places = np.zeros((len(tree.names), 3))
        for joint, parent in enumerate(tree.parents):
            if parent >= 0:
                turned = np.eye(3) if frame is None else self.rotations[frame, parent]
                places[joint] = places[parent] + turned @ tree.offsets[joint]
        return places


def read_bvh(path: Path) -> BvhMotion:
    """Read a file.

    Raises:
        BvhError: not a BVH file, or its rows are not as long as its channels say.
    """
    head, found, tail = path.read_text(errors="replace").partition("MOTION")
    if not found or "HIERARCHY" not in head:
        raise BvhError(f"{path}: no HIERARCHY and MOTION: not a BVH file")
    try:
        skeleton = _skeleton(head)
        rows, seconds = _rows(tail)
    except (ValueError, IndexError) as error:
        raise BvhError(f"{path}: not as BVH files are written ({error})") from error
    width = sum(len(names) for names in skeleton.channels)
    if rows.shape[1] != width or not len(rows) or seconds <= 0:
        raise BvhError(f"{path}: {rows.shape} numbers, {seconds} s a frame; its skeleton has {width} channels")
    return BvhMotion(skeleton, _world_rotations(skeleton, rows), 1 / seconds)


def _skeleton(text: str) -> Skeleton:
    names: list[str] = []
    parents: list[int] = []
    offsets: list[list[float]] = []
    channels: list[tuple[str, ...]] = []
    stack: list[int] = []
    end_site, latest = False, -1
    for words in (line.split() for line in text.splitlines()):
        match words:
            case ["ROOT" | "JOINT", *name]:
                latest, end_site = len(names), False
                names.append(" ".join(name).split(":")[-1])  # Mixamo writes mixamorig:Hips
                parents.append(stack[-1] if stack else -1)
                channels.append(())
            case ["End", *_]:
                end_site = True
            case ["{"]:
                stack.append(latest)
            case ["}"]:
                stack.pop()
            case ["OFFSET", *numbers] if not end_site:
                offsets.append([float(number) for number in numbers])
            case ["CHANNELS", _, *kinds]:
                channels[latest] = tuple(kinds)
    return Skeleton(tuple(names), tuple(parents), np.array(offsets).reshape(len(names), 3), tuple(channels))


def _rows(text: str) -> tuple[Array, float]:
    head, _, numbers = text.partition("Frame Time:")
    first, _, rest = numbers.partition("\n")
    count = int(head.split("Frames:")[1])
    return np.array(rest.split(), dtype=np.float64).reshape(count, -1), float(first)


def _world_rotations(skeleton: Skeleton, rows: Array) -> Array:
    """Channels turn about the axes of the joint in the order in which they are written."""
    rotations: NDArray[Any] = np.empty((len(rows), len(skeleton.names), 3, 3))
    column = 0
    for joint, kinds in enumerate(skeleton.channels):
        local = np.tile(np.eye(3), (len(rows), 1, 1))
        for kind in kinds:
            if kind.endswith("rotation"):
                axis = np.eye(3)["XYZ".index(kind[0])]
                local = local @ matrix_from_axis_angle(np.radians(rows[:, column, None]) * axis)
            column += 1
        parent = skeleton.parents[joint]
        rotations[:, joint] = local if parent < 0 else rotations[:, parent] @ local
    return rotations
