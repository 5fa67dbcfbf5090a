"""Runs inside Blender: answers a test's questions over a socket, one Python expression a line, between its events.

Where a button is drawn cannot be asked for. But Blender knows which one lies under the mouse, as for its own "Copy
Python Command", so the test moves the mouse over the panel and asks (`hovered`).
"""

import json
import os
import socket
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

import bpy

TAB = "Pose2Pose"
EXTENSION = "bl_ext.user_default.pose2pose"
SECONDS = 0.02
"""Between two looks at the socket, if Blender is not busy."""
drawn: dict[str, list[dict]] = {}
"""Layout of each panel of the tab, as it was last drawn."""


class Server:
    """One client, one line in, one line of JSON out."""

    def __init__(self, path: str) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.listener.setblocking(False)
        self.client: socket.socket | None = None
        self.received = b""
        self.looks: list[float] = []

    def __call__(self) -> float:
        """A timer: accept, read, answer."""
        self.looks.append(time.perf_counter())
        with suppress(BlockingIOError):
            if self.client is None:
                self.client, _ = self.listener.accept()
                self.client.setblocking(False)
            self.received += self.client.recv(1 << 16)
        while b"\n" in self.received and self.client is not None:
            line, _, self.received = self.received.partition(b"\n")
            self.client.setblocking(True)
            self.client.sendall(json.dumps(answer(json.loads(line)), default=str).encode() + b"\n")
            self.client.setblocking(False)
        return SECONDS


def answer(source: str) -> dict:
    """The value of an expression, or the traceback."""
    try:
        return {"value": eval(source, globals())}
    except Exception:
        return {"error": traceback.format_exc()}


def pauses() -> list[float]:
    """Seconds between looks at the socket since the last call: how long the window did not answer."""
    looks, server.looks = server.looks, []
    return [after - before for before, after in pairwise(looks)]


# --- where things are -------------------------------------------------------------------------------------------------


def place(kind: str = "VIEW_3D") -> tuple[bpy.types.Window, bpy.types.Area]:
    """The largest area of its kind, and its window."""
    areas = [(w, a) for w in bpy.context.window_manager.windows for a in w.screen.areas if a.type == kind]
    return max(areas, key=lambda found: found[1].width * found[1].height)


def region(area: str = "VIEW_3D", kind: str = "UI") -> bpy.types.Region:
    """A region of that area; the sidebar's is called UI."""
    return next(r for r in place(area)[1].regions if r.type == kind)


def rectangle(area: str = "VIEW_3D", kind: str = "UI") -> list[int]:
    """Left, top, width, height in pixels of the screen, from its upper left corner."""
    window, found = place(area)[0], region(area, kind)
    screen_height = bpy.context.window_manager.windows[0].height
    top = screen_height - (window.y + found.y + found.height)
    return [window.x + found.x, top, found.width, found.height]


def hovered(area: str = "VIEW_3D", kind: str = "UI") -> str:
    """What the button under the mouse does or shows: `bpy.ops...()`, a property's path, or nothing."""
    manager = bpy.context.window_manager
    window, found = place(area)
    manager.clipboard = ""
    with bpy.context.temp_override(window=window, area=found, region=region(area, kind)):
        for copy in (bpy.ops.ui.copy_python_command_button, bpy.ops.ui.copy_data_path_button):
            if copy.poll():
                copy()
                return manager.clipboard
    return ""


def draw() -> None:
    """Let the screen show what is, before it is photographed; drawing in software can lag behind."""
    for window in bpy.context.window_manager.windows:
        with bpy.context.temp_override(window=window):
            bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=1)


# --- the sidebar ------------------------------------------------------------------------------------------------------


def show_sidebar() -> None:
    """Open the sidebar; the tab can be chosen once it has been drawn (`show_tab`)."""
    place()[1].spaces.active.show_region_ui = True


def show_tab() -> None:
    """Bring the add-on's tab to the front, and write down what it shows whenever it is drawn."""
    region().active_panel_category = TAB
    region().tag_redraw()
    for panel in bpy.types.Panel.__subclasses__():
        if getattr(panel, "bl_category", "") == TAB and panel.__name__ not in drawn:
            drawn[panel.__name__] = []
            panel.append(write_down)


def write_down(panel: bpy.types.Panel, _context: bpy.types.Context) -> None:
    """A draw function behind the panel's own."""
    drawn[type(panel).__name__] = panel.layout.introspect()


def texts(panel: str = "POSE2POSE_PT_main") -> list[str]:
    """Every text that a panel shows, in the order of drawing."""
    return list(_texts(drawn[panel]))


def _texts(items: list[dict]) -> Iterator[str]:
    for item in items:
        if item.get("draw_string"):
            yield item["draw_string"]
        yield from _texts(item.get("items", []))


# --- the add-on -------------------------------------------------------------------------------------------------------


def use_python(path: str) -> None:
    """Choose Existing Python in the preferences, whose fields cannot be found with the mouse."""
    values = bpy.context.preferences.addons[EXTENSION].preferences
    values.backend, values.python_path = "PYTHON", path


def module(name: str) -> object:
    """A module of the installed extension."""
    return sys.modules[f"{EXTENSION}.{name}"]


def state() -> dict:
    """What the add-on says about its running or last job."""
    job = bpy.context.window_manager.pose2pose
    values = {prop.identifier: getattr(job, prop.identifier) for prop in job.bl_rna.properties}
    return {name: value for name, value in values.items() if isinstance(value, str | int | float)}


def diagnosis() -> list[list]:
    """Name, whether it works (None: it was not asked), and sentence of each link that Diagnose has looked at."""
    return [[check.name, check.ok, check.sentence] for check in module("addon.setup.state").STATE.checks]


def close_preferences() -> None:
    """As the window's own button does, which a screen without a window manager does not draw."""
    with bpy.context.temp_override(window=place("PREFERENCES")[0]):
        bpy.ops.wm.window_close()


def contents() -> dict[str, list[str]]:
    """Names of everything that a capture could leave in the file."""
    kinds = ("objects", "meshes", "armatures", "actions", "materials", "cameras", "movieclips", "images", "shape_keys")
    return {kind: sorted(getattr(bpy.data, kind).keys()) for kind in kinds}


def curves() -> list[list]:
    """Data path, index, and number of keys of every F-curve on an armature."""
    found = []
    for item in bpy.data.objects:
        if item.type == "ARMATURE" and item.animation_data and item.animation_data.action:
            found += [[c.data_path, c.array_index, len(c.keyframe_points)] for c in action_curves(item.animation_data)]
    return found


def action_curves(animation: bpy.types.AnimData) -> list[bpy.types.FCurve]:
    """The curves of an action, in Blender 4.3 as in those with slots."""
    action = animation.action
    if not hasattr(action, "layers"):
        return list(action.fcurves)
    return [c for layer in action.layers for s in layer.strips for c in s.channelbag(animation.action_slot).fcurves]


bpy.context.preferences.view.show_splash = False
bpy.context.preferences.view.show_tooltips = False  # they would lie over what is clicked next
bpy.context.preferences.view.smooth_view = 0  # what is asked next shall be what will stay
server = Server(os.environ["PROBE_SOCKET"])
bpy.app.timers.register(server, persistent=True)
