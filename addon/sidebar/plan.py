"""From what a person chose, in the panel or in a script, to the values of one capture, which a thread may have."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import bpy

from ...backend.motion.settings import KeySettings
from ...backend.protocol import CaptureRequest, Selection, SourceReference
from ..pictures import is_pattern, is_picture
from ..scene.camera import SENSOR_WIDTH
from ..scene.rig import check_target
from ..scene.timeline import scene_rate

SOURCE = "pose2pose_source"
"""Custom property of an armature: path of what its take was captured from."""


class PlanError(ValueError):
    """What was chosen cannot be captured. One sentence that says what to choose."""


@dataclass(frozen=True)
class Plan:
    """One capture."""

    path: Path
    request: CaptureRequest
    keys: KeySettings
    fps: float | None
    """Frames a second that a script wants the scene to have; None = what the scene's settings say at the end."""
    target: str | None
    """Name of the armature that gets the motion; None = new ones."""
    camera: bool
    """Whether the camera that filmed is made, too."""


def plan_capture(scene: bpy.types.Scene, given: Mapping[str, Any] | None = None, body: Path | None = None) -> Plan:
    """What the scene's settings ask for.

    Args:
        scene: its settings count where nothing is given.
        given: a script's own values, by the names of the operator's properties.
        body: a licensed body file; None = the open body.

    Raises:
        PlanError: something is missing or does not exist.
        ValueError: the armature cannot take motion.
    """
    given = given or {}
    settings = scene.pose2pose
    selection = plan_selection(scene, given)
    people = given["people"] if "people" in given else _people(scene, selection)
    target = _target(settings, given)
    if target is not None and not (people == "largest" or people.isdecimal()):
        raise PlanError("An armature takes the motion of one person: choose Largest, or pick one")
    focal = given.get("focal", settings.focal if settings.use_focal else None)
    request = CaptureRequest(
        selection=selection,
        people=people,
        parts=("body", *(part.lower() for part in ("HANDS", "FACE") if part in given.get("parts", settings.parts))),
        fov=math.degrees(2 * math.atan(SENSOR_WIDTH / 2 / focal)) if focal else None,
        body=None if body is None else str(body),
    )
    return Plan(
        path=Path(selection.source.path or ""),
        request=request,
        keys=settings.keying.as_settings(),
        fps=given.get("fps"),
        target=target,
        camera=settings.use_camera,
    )


def plan_selection(scene: bpy.types.Scene, given: Mapping[str, Any] | None = None) -> Selection:
    """Which frames of which source.

    Raises:
        PlanError: no source, it does not exist, or the range is empty.
    """
    given = given or {}
    settings = scene.pose2pose
    path, rate = _source(scene, given)
    if not path.exists() and not is_pattern(path):
        raise PlanError(f"{path}: no such file or folder")
    ranged = settings.use_range
    start = given.get("start", settings.start if ranged else None)
    end = given.get("end", settings.end if ranged else None)
    if start is not None and end is not None and end < start:
        raise PlanError(f"The frame range is empty: it starts at {start} and ends at {end}")
    return Selection(
        source=SourceReference(path=str(path)),
        start=None if start is None else start - 1,
        end=None if end is None else end - 1,
        step=given.get("step", settings.step),
        frame_rate=given.get("frame_rate", rate),
    )


def scan_key(selection: Selection) -> str:
    """Two selections with equal keys have the same people under the same numbers."""
    return json.dumps(asdict(selection))


def is_sequence(settings: Any) -> bool:
    """Whether the chosen file stands for pictures that need a frame rate: a folder, a pattern, or a picture said to."""
    if not settings.filepath:
        return False
    path = _absolute(settings.filepath)
    if is_picture(path):
        return bool(settings.use_sequence) or (is_pattern(path) and not path.is_file())
    return path.is_dir()


def wanted_rate(scene: bpy.types.Scene) -> float | None:
    """Frames a second that the scene is to have; None = the source's."""
    return scene_rate(scene) if scene.pose2pose.rate == "KEEP" else None


def existing_target(settings: Any) -> bpy.types.Object | None:
    """The chosen armature; None = new ones.

    Raises:
        PlanError: none is chosen.
    """
    if settings.target_kind == "NEW":
        return None
    if settings.target is None:
        raise PlanError("Choose the armature that gets the motion, or New Armature")
    return settings.target


def named_target(name: str) -> bpy.types.Object | None:
    """The armature of a name; None = new ones, for no name.

    Raises:
        PlanError: there is none.
    """
    if name and name not in bpy.data.objects:
        raise PlanError(f"There is no armature '{name}'")
    return bpy.data.objects.get(name)


def remember_source(armature: bpy.types.Object, path: Path) -> None:
    """Note on an armature what its take was captured from."""
    armature[SOURCE] = str(path)


def remembered_source(armature: bpy.types.Object) -> Path | None:
    """What an armature's take was captured from, if it is still there."""
    path = Path(bpy.path.abspath(armature.get(SOURCE, "")))
    return path if armature.get(SOURCE) and path.exists() else None


def _source(scene: bpy.types.Scene, given: Mapping[str, Any]) -> tuple[Path, float | None]:
    """Path and, for an image sequence, frames a second."""
    settings = scene.pose2pose
    if "filepath" in given:
        return _absolute(given["filepath"]), None
    if settings.kind == "CLIP":
        if settings.clip is None:
            raise PlanError("Choose a movie clip")
        # The clip editor shows one picture of a sequence in each frame of the scene.
        rate = scene_rate(scene) if settings.clip.source == "SEQUENCE" else None
        return _absolute(settings.clip.filepath), rate
    if not settings.filepath:
        raise PlanError("Choose a video or a picture")
    return _absolute(settings.filepath), settings.sequence_rate if is_sequence(settings) else None


def _absolute(filepath: str) -> Path:
    return Path(bpy.path.abspath(filepath)).expanduser().resolve()


def _people(scene: bpy.types.Scene, selection: Selection) -> str:
    settings = scene.pose2pose
    if settings.people != "PICK":
        return str(settings.people).lower()
    state = bpy.context.window_manager.pose2pose
    if state.scanned != scan_key(selection):
        raise PlanError("Scan for people first" if not state.scanned else "The source or its range changed: scan again")
    picked = [str(person.number) for person in state.people if person.use]
    if not picked:
        raise PlanError("Tick at least one person")
    return ",".join(picked)


def _target(settings: Any, given: Mapping[str, Any]) -> str | None:
    chosen = named_target(given["target"]) if "target" in given else existing_target(settings)
    if chosen is None:
        return None
    check_target(chosen)
    return str(chosen.name)
