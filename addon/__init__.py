"""Blender's side: bpy, numpy and the standard library, nothing else.

Imports of Blender's modules happen inside the functions, so that plain Python can import the package.
"""

from collections.abc import Sequence
from typing import Any

_registered: list[Any] = []


def register() -> None:
    """Register the command `blender --command pose2pose TAKE ... --output out.blend`."""
    import bpy

    _registered.append(bpy.utils.register_cli_command("pose2pose", _command))


def unregister() -> None:
    """Take back what `register` did."""
    import bpy

    while _registered:
        bpy.utils.unregister_cli_command(_registered.pop())


def _command(arguments: Sequence[str]) -> int:
    from . import commands

    return commands.main(arguments)
