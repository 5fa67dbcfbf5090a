"""A take: one person over time, the only thing that crosses from the backend to Blender.

A take is an `.npz` without pickle. The keys that AMASS tools and the SMPL-X Blender add-on read keep their names and
meaning: z-up world, axis-angle in radians, meters. The rest says where the motion came from and how sure the network
was. The world of a take is its camera's: origin at the camera, x right, y away from it, z up (`placement`).
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .skeleton import JOINT_COUNT

FORMAT_VERSION = 1

Array = NDArray[np.floating[Any]]


class TakeError(ValueError):
    """A take file cannot be used. The message names the file, the key and the way out."""


@dataclass(frozen=True)
class Take:
    """One person over T frames. Arrays are float32 unless said otherwise.

    Raises:
        TakeError: an array has the wrong shape, or is not finite where it must be.
    """

    poses: Array
    """(T, 165) axis-angle of the 55 joints in file order; the root's is in the z-up world."""
    trans: Array
    """(T, 3) meters, z-up world; the pelvis is at `trans` + the body's rest pelvis, as in smplx."""
    betas: Array
    """(10,) shape, constant over the take."""
    expression: Array
    """(T, 10) expression coefficients."""
    times: Array
    """(T,) float64 seconds, the source's own timestamps."""
    frames: NDArray[np.integer[Any]]
    """(T,) int64 source frame numbers, from 0."""
    joints_cam: Array
    """(T, 55, 3) meters in camera axes (OpenCV: x right, y down, z forward)."""
    joints_img: Array
    """(T, 55, 2) pixels of the source's frames."""
    confidence: Array
    """(T, 55) 0..1 for each joint; 0 where the joint was not seen."""
    boxes: Array
    """(T, 4) pixels xyxy."""
    focal: Array
    """(2,) pixels."""
    principal_point: Array
    """(2,) pixels."""
    image_size: NDArray[np.integer[Any]]
    """(2,) width, height in pixels."""
    mocap_frame_rate: float
    """Frames a second of the source, on average."""
    person: int = 1
    """Number of the person in the source, from 1."""
    source: str = ""
    """Name of the source file."""
    weights: str = ""
    """Preset and hash of the weights, and the name of the set where they have one; or the program of others."""
    body: str = "open"
    """Body model that betas and expression belong to."""
    gender: str = "neutral"
    surface_model_type: str = "smplx"
    flat_hand_mean: bool = True
    """Hand rotations are relative to flat hands; no mean hand is to be added (smplx's name for it)."""
    raw: dict[str, Array] = field(default_factory=dict)
    """The network's own output before refinement: `poses_raw`, `trans_raw`, and `keypoints` (T, 17, 3), the COCO
    points in pixels with their scores. Empty when the take came from elsewhere."""

    def __post_init__(self) -> None:
        count = len(self.poses)
        if count == 0:
            raise TakeError("a take needs at least one frame, got none")
        for name, shape in shapes(count).items():
            value = np.asarray(getattr(self, name))
            if value.shape != shape:
                raise TakeError(f"'{name}' must have shape {shape}, got {value.shape}")
        for name in ("poses", "trans", "betas", "expression", "times"):
            if not np.all(np.isfinite(getattr(self, name))):
                raise TakeError(f"'{name}' holds values that are not finite")
        if np.any(np.diff(self.times) <= 0):
            raise TakeError("'times' must increase from frame to frame")

    def __len__(self) -> int:
        return len(self.poses)

    @property
    def has_camera(self) -> bool:
        """Whether the take knows the camera that saw it; takes from AMASS do not."""
        return bool(np.all(np.isfinite(self.focal)))

    def for_body(self, name: str) -> Take:
        """The take without betas and expression if they belong to another body, whose numbers mean something else.

        Args:
            name: of the body that is to move; "open" is ours, every other one is a licensed SMPL-X file.
        """
        if (self.body == "open") == (name == "open") or not (self.betas.any() or self.expression.any()):
            return self
        return replace(self, betas=np.zeros_like(self.betas), expression=np.zeros_like(self.expression))

    def with_raw_motion(self) -> Take:
        """The take with the network's own motion in place of the refined one. Itself when it holds no raw motion."""
        if "poses_raw" not in self.raw:
            return self
        return replace(self, poses=self.raw["poses_raw"], trans=self.raw["trans_raw"])


def save_take(take: Take, file: Path | BinaryIO) -> None:
    """Write a take as a compressed `.npz`; a path whole or not at all: a killed process leaves no half file behind."""
    values: dict[str, Any] = {f.name: getattr(take, f.name) for f in fields(take) if f.name != "raw"}
    partial = file.with_suffix(".partial.npz") if isinstance(file, Path) else file
    np.savez_compressed(partial, format_version=FORMAT_VERSION, **values, **take.raw)
    if isinstance(file, Path):
        file.with_suffix(".partial.npz").replace(file)


def load_take(file: Path | BinaryIO, frame_rate: float | None = None) -> Take:
    """Read a take, or an AMASS / SMPL-X add-on `.npz` (joints and camera are then unknown and hold NaN).

    Results of other programs, and files of several people: `others.load_takes`.

    Args:
        file: a path, or a binary file in memory.
        frame_rate: frames a second, for files that do not say theirs.

    Raises:
        TakeError: not an `.npz`, keys missing, wrong shapes, or written by a newer version.
    """
    from .amass import from_amass  # which makes takes

    name = file if isinstance(file, Path) else "the take"
    try:
        with np.load(file, allow_pickle=False) as archive:
            data = _members(archive)
    except FileNotFoundError:
        raise TakeError(f"{name}: no such file") from None
    except (OSError, ValueError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise TakeError(f"{name} is not a readable take (.npz without pickle): {error}") from error
    try:
        if "format_version" in data:
            return _from_own(data)
        return from_amass(data, frame_rate, file.stem if isinstance(file, Path) else "AMASS")
    except TakeError as error:
        raise TakeError(f"{name}: {error}") from None


def _members(archive: Any) -> dict[str, Any]:
    """The arrays of a file; pickled ones stay unopened, which is fine for what others put beside their motion."""
    needed = archive.files if "format_version" in archive.files else ("poses", "trans")
    data = {}
    for key in archive.files:
        try:
            data[key] = archive[key]
        except ValueError:
            if key in needed:
                raise
    return data


def _from_own(data: dict[str, Any]) -> Take:
    version = int(data.pop("format_version"))
    if version > FORMAT_VERSION:
        raise TakeError(f"written as format {version}, this pose2pose reads up to {FORMAT_VERSION}: update pose2pose")
    own = {f.name: f for f in fields(Take) if f.name != "raw"}
    missing = [name for name in own if name not in data]
    if missing:
        raise TakeError(f"key '{missing[0]}' is missing; write the take again with `pose2pose capture`")
    values = {name: data.pop(name) for name in own}
    scalars = {name: value.item() for name, value in values.items() if value.ndim == 0}
    return Take(**{**values, **scalars}, raw=data)


def shapes(count: int) -> dict[str, tuple[int, ...]]:
    """Shape of each array of a take of so many frames."""
    return {
        "poses": (count, 3 * JOINT_COUNT),
        "trans": (count, 3),
        "betas": (10,),
        "expression": (count, 10),
        "times": (count,),
        "frames": (count,),
        "joints_cam": (count, JOINT_COUNT, 3),
        "joints_img": (count, JOINT_COUNT, 2),
        "confidence": (count, JOINT_COUNT),
        "boxes": (count, 4),
        "focal": (2,),
        "principal_point": (2,),
        "image_size": (2,),
    }
