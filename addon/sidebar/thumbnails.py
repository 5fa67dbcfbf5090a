"""Pictures of the people that a scan found, as icons."""

from typing import Any

import bpy.utils.previews

from ..link.capturing import FoundPeople

_icons: Any = None
_found: FoundPeople | None = None


def show(found: FoundPeople) -> None:
    """Show these people's pictures from now on. Blender reads the files when they are drawn, so they are kept."""
    global _icons, _found
    unload()
    _icons, _found = bpy.utils.previews.new(), found
    for person, path in found.thumbnails.items():
        _icons.load(str(person), str(path), "IMAGE")


def has(person: int) -> bool:
    """Whether there is a picture of a person."""
    return _icons is not None and str(person) in _icons


def icon(person: int) -> int:
    """Number of a person's icon for `template_icon`; 0 where there is none, and without a window."""
    return int(_icons[str(person)].icon_id) if has(person) else 0


def unload() -> None:
    """Forget the pictures, which removes their files."""
    global _icons, _found
    if _icons is not None:
        bpy.utils.previews.remove(_icons)
    if _found is not None:
        _found.folder.cleanup()
    _icons = _found = None


def register() -> None:
    """Nothing to do before a scan."""


unregister = unload
