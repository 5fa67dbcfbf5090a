"""How takes become keys: smoothing by group in Hz and seconds, and where the person stands."""

from dataclasses import fields, replace
from typing import Any

import bpy
from bpy.props import EnumProperty, FloatProperty, PointerProperty

from ...backend.motion.settings import KeySettings
from ...backend.motion.smoothing import Smoothing, Strength

METHOD_ITEMS = (
    ("one-euro", "One-Euro", "Calms slow motion and follows fast motion"),
    ("savitzky-golay", "Savitzky-Golay", "Fits a curve over a window of time"),
    ("butterworth", "Butterworth", "Removes everything faster than a frequency"),
    ("none", "None", "The motion as it was captured"),
)
GROUPS = ("root", "body", "hands", "face")
VALUES = {"one-euro": ("min_cutoff", "speed"), "savitzky-golay": ("window",), "butterworth": ("cutoff",), "none": ()}
"""What of a group's strength each method uses."""


def _strength_group(group: str, default: Strength) -> type:
    """A property group for a group of joints; the defaults differ from group to group."""

    def value(name: str, label: str, description: str, high: float, **more: Any) -> Any:
        start = getattr(default, name)
        return FloatProperty(
            name=label, description=description, default=start, min=0.01, soft_max=high, precision=2, **more
        )

    annotations = {
        "min_cutoff": value(
            "min_cutoff", "Cutoff (Hz)", "Motion faster than this is smoothed away at rest. Lower is calmer", 10.0
        ),
        "speed": value("speed", "Response", "How much of fast motion comes through. Higher follows it better", 10.0),
        "window": value(
            "window", "Window", "Time over which a curve is fitted. Longer is calmer", 2.0, unit="TIME_ABSOLUTE"
        ),
        "cutoff": value("cutoff", "Cutoff (Hz)", "Motion faster than this is removed. Lower is calmer", 15.0),
    }
    name = f"POSE2POSE_PG_{group}"
    return type(name, (bpy.types.PropertyGroup,), {"__annotations__": annotations, "__module__": __name__})


_groups = {group: _strength_group(group, getattr(Smoothing(), group)) for group in GROUPS}


class POSE2POSE_PG_keying(bpy.types.PropertyGroup):
    """The values of a `KeySettings`, to be edited."""

    method: EnumProperty(name="Smoothing", description="How jitter is removed", items=METHOD_ITEMS)
    root: PointerProperty(type=_groups["root"])
    body: PointerProperty(type=_groups["body"])
    hands: PointerProperty(type=_groups["hands"])
    face: PointerProperty(type=_groups["face"])
    space: EnumProperty(
        name="Placement",
        description="Where the person stands",
        items=(
            (
                "GROUND",
                "On Ground",
                "Upright, feet on the ground plane, the first person at the world's origin",
            ),
            ("CAMERA", "As Recorded", "Where the person was, seen from a level camera at the world's origin"),
        ),
    )
    fade: FloatProperty(
        name="Hide Below",
        description="Hands and face go to rest softly where they were seen with less confidence than this",
        default=KeySettings().fade,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )

    def as_settings(self) -> KeySettings:
        """The values as they are keyed with."""
        strengths = {group: self._strength(group) for group in GROUPS}
        smoothing = replace(Smoothing(), method=self.method, **strengths)
        return KeySettings(smoothing=smoothing, ground=self.space == "GROUND", fade=round(self.fade, 6))

    def show(self, settings: KeySettings) -> None:
        """Take over values that something was keyed with."""
        self.method = settings.smoothing.method
        self.space = "GROUND" if settings.ground else "CAMERA"
        self.fade = settings.fade
        for group in GROUPS:
            strength = getattr(settings.smoothing, group)
            for field in fields(strength):
                setattr(getattr(self, group), field.name, getattr(strength, field.name))

    def _strength(self, group: str) -> Strength:
        values = getattr(self, group)
        return Strength(**{field.name: round(getattr(values, field.name), 6) for field in fields(Strength)})


classes = (*_groups.values(), POSE2POSE_PG_keying)
register, unregister = bpy.utils.register_classes_factory(classes)
