"""Blender's side: bpy, numpy and the standard library, nothing else.

Imports of Blender's modules happen inside the functions, so that plain Python can import the package.
"""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

_commands: list[Any] = []


def register() -> None:
    """Register classes, properties and handlers, and the command `blender --command pose2pose ...`."""
    import bpy

    for module in _modules():
        module.register()
    _commands.append(bpy.utils.register_cli_command("pose2pose", _command))


def unregister() -> None:
    """Take back what `register` did."""
    import bpy

    while _commands:
        bpy.utils.unregister_cli_command(_commands.pop())
    for module in reversed(_modules()):
        module.unregister()


def _modules() -> tuple[ModuleType, ...]:
    """Those with a `register` and an `unregister`, in the order in which they are registered."""
    from .setup import operators as setup_operators
    from .setup import preferences
    from .sidebar import (
        activity,
        capture_operators,
        file_operators,
        keying_properties,
        panels,
        properties,
        source_operators,
        take_operators,
        take_panels,
        thumbnails,
    )

    first = (preferences, setup_operators, keying_properties, properties, activity, thumbnails)
    return (*first, capture_operators, take_operators, file_operators, source_operators, panels, take_panels)


def _command(arguments: Sequence[str]) -> int:
    from . import commands

    return commands.main(arguments)
