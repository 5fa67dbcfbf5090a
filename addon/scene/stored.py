"""A take in its action: the `.npz` as it was captured, and what it was keyed with, so that it can be keyed again.

Both lie in one group of custom properties of the action. They are saved, appended, copied and undone with it, without
a backend and without the source. A group, because Blender's panels show a plain property of bytes as a text field, in
which a click and Return would cut the take off at its first zero; a group is only named there.
"""

import json
from dataclasses import asdict, dataclass, fields, replace
from io import BytesIO
from typing import Any

import bpy
import numpy as np

from ...backend.motion.placement import AS_RECORDED, Placement
from ...backend.motion.presence import confidence_by_part
from ...backend.motion.settings import KeySettings
from ...backend.motion.take import Take, load_take, save_take
from .timeline import source_rate

KEY = "pose2pose"
"""Name of the group."""


@dataclass(frozen=True)
class Fit:
    """How a take was fitted to its armature: what its keys depend on beside the take and the settings. As in JSON."""

    body: str
    """Body model of the armature."""
    pelvis: list[float]
    """(3,) rest pelvis of the take's body in its file's axes, meters."""
    hands_rest: list[Any]
    """(2, 15, 3) relaxed hands, axis-angle in radians."""
    ground: list[float]
    """(3,) meters; offset that puts the source's people on the ground."""
    world: list[Any]
    """(4, 4) where the armature stood. Moving it afterwards moves the person: keying again does not take that back."""
    fps: float
    """Frames a second of the scene."""
    error: list[float] | None = None
    """Reprojection error of the keys in pixels and in the person's height, once measured."""
    pitch: float = 0.0
    """Radians by which the source's camera is tilted where its people stand on the ground."""

    def placement(self, *, ground: bool) -> Placement:
        """Where the take stands: on the ground, or as a level camera saw it."""
        return Placement(np.array(self.ground), self.pitch) if ground else AS_RECORDED


@dataclass(frozen=True)
class Summary:
    """Of a take, to be read without unpacking it. As in JSON."""

    person: int
    source: str
    shot: str
    """The same for all people in one source, seen by one camera; empty where no camera is known."""
    frames: int
    fps: float
    """Frames a second of the source."""
    confidence: dict[str, float]
    """For each part of the body, 0..1."""


def store(action: bpy.types.Action, take: Take, settings: KeySettings) -> None:
    """Put a take into an action.

    Args:
        action: gets the group.
        take: as it was captured.
        settings: what it is keyed with.
    """
    file = BytesIO()
    save_take(take, file)
    action[KEY] = {
        "take": file.getvalue(),
        "settings": settings.to_json(),
        "summary": json.dumps(asdict(_summary(take))),
    }


def stored(action: bpy.types.Action) -> tuple[Take, KeySettings]:
    """The take in an action, and what it was keyed with.

    Raises:
        ValueError: it holds none, or one that cannot be read.
    """
    group = _group(action)
    return load_take(BytesIO(group["take"])), KeySettings.from_json(group["settings"])


def store_settings(action: bpy.types.Action, settings: KeySettings) -> None:
    """Note what the take in an action has been keyed with."""
    _group(action)["settings"] = settings.to_json()


def store_fit(action: bpy.types.Action, fit: Fit) -> None:
    """Note how the take in an action is fitted to its armature."""
    _group(action)["fit"] = json.dumps(asdict(fit))


def stored_fit(action: bpy.types.Action) -> Fit:
    """How the take in an action is fitted to its armature.

    Raises:
        ValueError: it holds none.
    """
    return _read(Fit, action, "fit")


def store_error(action: bpy.types.Action, pixels: float, share: float) -> None:
    """Note the reprojection error of the keys."""
    store_fit(action, replace(stored_fit(action), error=[pixels, share]))


def stored_summary(action: bpy.types.Action) -> Summary:
    """The take in an action in short.

    Raises:
        ValueError: it holds none.
    """
    return _read(Summary, action, "summary")


def take_action(armature: bpy.types.Object) -> bpy.types.Action | None:
    """The action of an armature that holds a take: the active one, or the topmost in the NLA editor."""
    animation = armature.animation_data
    if animation is None:
        return None
    strips = [strip.action for track in reversed(animation.nla_tracks) for strip in track.strips]
    return next((action for action in (animation.action, *strips) if action is not None and KEY in action), None)


def shot_of(take: Take) -> str:
    """What the people in one source have in common, seen by one camera; empty where no camera is known."""
    if not take.has_camera:
        return ""
    numbers = [round(float(n), 3) for n in (*take.image_size, *take.focal, *take.principal_point)]
    return json.dumps([take.source, *numbers])


def _group(action: bpy.types.Action) -> Any:
    if KEY not in action:
        raise ValueError(f"the action '{action.name}' holds no take of pose2pose")
    return action[KEY]


def _read(kind: type[Any], action: bpy.types.Action, name: str) -> Any:
    """What `asdict` wrote; a newer pose2pose may have written more fields than are known here."""
    try:
        values = json.loads(_group(action)[name])
        return kind(**{field.name: values[field.name] for field in fields(kind) if field.name in values})
    except (KeyError, TypeError) as error:
        raise ValueError(f"the take in '{action.name}' was stored by another pose2pose: capture it again") from error


def _summary(take: Take) -> Summary:
    confidence = {part: round(float(v.mean()), 4) for part, v in confidence_by_part(take.confidence).items()}
    return Summary(
        person=int(take.person),
        source=str(take.source),
        shot=shot_of(take),
        frames=len(take),
        fps=source_rate(take),
        confidence=confidence,
    )
