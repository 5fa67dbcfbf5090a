"""The add-on's preferences: which backend, on which device, with which body."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ...backend.motion.body_file import BodyFileError
from ..link.connection import Connection, stop_backend
from .diagnosis import body_sentence
from .drawing import draw_preferences

ADDON = (__package__ or "").removesuffix(".addon.setup")
"""The package that Blender knows the add-on by: the one above this one."""

_BACKENDS = (
    ("MANAGED", "Managed", "What Set Up Backend makes: nothing else needs to be installed"),
    ("PYTHON", "Existing Python", "A Python in which the backend's packages are installed already"),
    ("SERVER", "Server", "A pose2pose service that runs elsewhere; files are sent there"),
)
_DEVICES = (
    ("auto", "Automatic", "The GPU if there is one that torch can use, else the CPU"),
    ("cpu", "CPU", "Always works"),
    ("cuda", "GPU (CUDA, ROCm)", "A graphics card by NVIDIA or AMD"),
    ("mps", "GPU (Apple)", "The graphics of Apple's processors"),
)


def _check_body(values: Any, _context: bpy.types.Context) -> None:
    """What the panel says about the body file; it is read once when it is chosen."""
    try:
        values.body_note = body_sentence(_path(values.body_path))
        values.body_broken = False
    except (BodyFileError, OSError) as error:
        values.body_note, values.body_broken = str(error), True


class POSE2POSE_AP_preferences(bpy.types.AddonPreferences):
    """What stands in Blender's preferences; `preferences` gives it, or defaults."""

    bl_idname = ADDON

    backend: bpy.props.EnumProperty(name="Backend", description="What computes the motion", items=_BACKENDS)
    python_path: bpy.props.StringProperty(
        name="Python", description="The program in an environment that has the backend's packages", subtype="FILE_PATH"
    )
    server_url: bpy.props.StringProperty(
        name="URL", description="Where the service runs, such as http://192.168.0.5:8000"
    )
    server_token: bpy.props.StringProperty(
        name="Token", description="What the service printed or was given at its start", subtype="PASSWORD"
    )
    wheels_folder: bpy.props.StringProperty(
        name="Wheels", description="A folder of wheels to install from; empty: they are downloaded", subtype="DIR_PATH"
    )
    device: bpy.props.EnumProperty(name="Device", description="What the network runs on", items=_DEVICES)
    body_path: bpy.props.StringProperty(
        name="Body Model",
        description="A licensed SMPLX_NEUTRAL.npz; empty: the open body that comes with the add-on",
        subtype="FILE_PATH",
        update=_check_body,
    )
    body_note: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    body_broken: bpy.props.BoolProperty(options={"HIDDEN", "SKIP_SAVE"})

    def draw(self, context: bpy.types.Context) -> None:
        """Blender calls this for its preferences window."""
        draw_preferences(self.layout, self, gather(), context)


@dataclass
class Unsaved:
    """The same fields where Blender has made no entry: enabled from the command line, or imported as a package."""

    backend: str = "MANAGED"
    python_path: str = ""
    server_url: str = ""
    server_token: str = ""
    wheels_folder: str = ""
    device: str = "auto"
    body_path: str = ""


_UNSAVED = Unsaved()


def preferences() -> Any:
    """What the user has chosen, with the fields of `POSE2POSE_AP_preferences`."""
    entry = bpy.context.preferences.addons.get(ADDON)
    return _UNSAVED if entry is None or entry.preferences is None else entry.preferences


def gather() -> Connection:
    """The way to the backend as plain values, for other threads. Call it on the main thread."""
    values = preferences()
    kind = values.backend
    return Connection(
        kind=kind,
        folder=user_folder(),
        python_path=str(_path(values.python_path) or "") if kind == "PYTHON" else "",
        server_url=values.server_url.strip() if kind == "SERVER" else "",
        server_token=values.server_token.strip() if kind == "SERVER" else "",
        device=values.device,
    )


def body_file() -> Path | None:
    """The licensed body model file; None for the open body."""
    return _path(preferences().body_path)


def wheels_folder() -> Path | None:
    """The folder of wheels to install from; None to download them."""
    return _path(preferences().wheels_folder)


def user_folder() -> Path:
    """Where the environment and the logs are kept: Blender removes it together with the extension."""
    try:
        return Path(bpy.utils.extension_path_user(ADDON, path="backend", create=True))
    except ValueError:  # not installed as an extension
        return Path(bpy.utils.user_resource("DATAFILES", path="pose2pose/backend", create=True))


def _path(text: str) -> Path | None:
    """A path from a field, in which `//` may stand for the open file's folder."""
    return Path(bpy.path.abspath(text.strip())) if text.strip() else None


_register, _unregister = bpy.utils.register_classes_factory((POSE2POSE_AP_preferences,))


def register() -> None:
    """Register the preferences."""
    _register()


def unregister() -> None:
    """End the backend, which nobody can use any more, and unregister the preferences."""
    stop_backend()
    _unregister()


classes = (POSE2POSE_AP_preferences,)
