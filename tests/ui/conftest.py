"""A desktop for the tests: a virtual screen and a real Blender in a small Debian, driven with mouse and keyboard.

`make ui-test` makes that Debian (tools/blender_root.sh) and names it in POSE2POSE_BLENDER_ROOT, and the extension's zip
in POSE2POSE_EXTENSION. Everything in it runs below one shell, whose end ends it all.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
SCREEN = (1440, 900)
START_SECONDS, ANSWER_SECONDS = 120, 60
"""Software rendering on a busy machine is slow to begin; a test that waits longer is stuck."""
STEP, COLUMNS, HOVER_SECONDS = 9, (0.6, 0.25, 0.8), 0.04
"""How the mouse looks for a button: pixels down, shares of the width, and how long it rests. A button is 20 high."""


class Desktop:
    """A shell in the small Debian, with a screen. Its temporary folder is `folder` out here."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.folder = folder
        self._shell = subprocess.Popen(
            [*_sandbox(root, folder), "bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        width, height = SCREEN
        self.run(
            f"Xvfb :7 -screen 0 {width}x{height}x24 +extension GLX -nolisten tcp -nolisten local >/tmp/x.log 2>&1 &"
        )
        self.run("export DISPLAY=:7; until xdotool getmouselocation >/dev/null 2>&1; do sleep 0.1; done")

    def run(self, command: str) -> str:
        """Run a line of shell and return what it printed. Raises AssertionError when it fails."""
        assert self._shell.stdin is not None and self._shell.stdout is not None
        self._shell.stdin.write(f"{{ {command}\n}} 2>&1 </dev/null; status=$?; echo; echo END $status\n")
        self._shell.stdin.flush()
        lines: list[str] = []
        while not (line := self._shell.stdout.readline()).startswith("END "):
            assert line, f"the shell ended at: {command}"
            lines.append(line)
        printed = "".join(lines).strip()
        assert line == "END 0\n", f"{command}: {printed}"
        return printed

    def click(self, x: float, y: float, times: int = 1) -> None:
        """Click where the mouse was seen to arrive: Blender finds the button under it while it moves."""
        self.move(x, y)
        self.run(f"sleep 0.3; xdotool click --repeat {times} --delay 60 1; sleep 0.3")

    def move(self, x: float, y: float) -> None:
        self.run(f"xdotool mousemove {round(x) - 2} {round(y)} mousemove {round(x)} {round(y)}")

    def key(self, *keys: str) -> None:
        self.run(f"xdotool key --delay 60 {' '.join(keys)}; sleep 0.3")

    def type(self, text: str) -> None:
        self.run(f"xdotool type --delay 15 '{text}'; sleep 0.3")

    def resize(self, title: str, width: int, height: int) -> None:
        """Give a window another size, in the screen's upper left corner."""
        self.run(f"xdotool search --sync --name '^{title}$' windowmove 40 30 windowsize {width} {height}; sleep 2")

    def screenshot(self, name: str) -> Path:
        self.run(f"scrot -o /tmp/{name}.png")
        return self.folder / f"{name}.png"

    def processes(self, word: str) -> list[str]:
        """Command lines on this desktop that contain a word."""
        lines = self.run("for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $f 2>/dev/null; echo; done").splitlines()
        return [line for line in lines if word in line]

    def wait_gone(self, word: str, seconds: float) -> None:
        """Until no process has that word in its command line. Raises AssertionError."""
        wait_for(lambda: not self.processes(word), seconds)

    def close(self) -> None:
        self._shell.kill()
        self._shell.wait()


def _sandbox(root: Path, folder: Path) -> list[str]:
    """Command line before the program: the Debian's files, the checkout, and the Python that .venv came from."""
    variables = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LC_ALL": "C.UTF-8", "LIBGL_ALWAYS_SOFTWARE": "1"}
    variables["OMP_NUM_THREADS"] = "1"  # drawing in software needs the other core
    return [
        *("bwrap", "--die-with-parent", "--unshare-pid", "--bind", str(root), "/", "--dev", "/dev", "--proc", "/proc"),
        *("--bind", str(folder), "/tmp", "--chdir", "/tmp", "--clearenv"),
        *(part for path in (CHECKOUT, Path(sys.prefix), *_python()) for part in ("--ro-bind", str(path), str(path))),
        *(part for name, value in variables.items() for part in ("--setenv", name, value)),
    ]


def _python() -> list[Path]:
    """The files of the Python below .venv; the small Debian has another one in the system's place."""
    prefix = Path(sys.base_prefix)
    if prefix != Path("/usr"):
        return [prefix]
    return [Path(sys.executable).resolve(), Path(sysconfig.get_path("stdlib"))]


class Window:
    """A Blender with a window on that desktop, and a line to the probe inside it. The add-on's tab is open."""

    def __init__(self, desktop: Desktop, arguments: str = "") -> None:
        self.desktop = desktop
        shutil.copy(HERE / "probe.py", desktop.folder)
        (desktop.folder / "probe").unlink(missing_ok=True)
        width, height = SCREEN
        desktop.run(
            f"PROBE_SOCKET=/tmp/probe blender --window-geometry 0 0 {width} {height} {arguments}"
            " --python-exit-code 1 --python /tmp/probe.py >>/tmp/blender.log 2>&1 & blender=$!"
        )
        wait_for((desktop.folder / "probe").exists, START_SECONDS)
        self._line = socket.socket(socket.AF_UNIX)
        self._line.settimeout(ANSWER_SECONDS)
        self._line.connect(str(desktop.folder / "probe"))
        self._answers = self._line.makefile()
        self._places: dict[str, tuple[int, int]] = {}
        self.ask("show_sidebar()")
        wait_for(lambda: self.ask("rectangle()")[2] > 100, START_SECONDS)
        wait_for(lambda: self.ask("show_tab() or texts()"), START_SECONDS, every=0.5)

    def ask(self, expression: str) -> Any:
        """The value of a Python expression inside Blender. Raises AssertionError with its traceback."""
        self._line.sendall(json.dumps(expression).encode() + b"\n")
        answer = json.loads(self._answers.readline())
        assert "error" not in answer, f"{expression}\n{answer.get('error')}"
        return answer["value"]

    def kill(self) -> None:
        """As a crash would."""
        self.desktop.run("kill -9 $blender")

    def wait_closed(self, seconds: float) -> None:
        """Until Blender has ended by itself. Raises AssertionError."""
        wait_for(lambda: self.desktop.run("kill -0 $blender 2>/dev/null || echo ended") == "ended", seconds)

    def wait_until(self, expression: str, seconds: float) -> Any:
        """Until an expression inside Blender is true; returns its value."""
        return wait_for(lambda: self.ask(expression), seconds)

    def click_button(self, name: str, *region: str, times: int = 1) -> None:
        """Find a button by its operator or property, and click it."""
        self.desktop.click(*self.find(name, *region), times=times)

    def find(self, name: str, *region: str) -> tuple[int, int]:
        """Where a button is: move the mouse over the region, from above, until Blender names it."""
        left, top, width, height = self.ask(f"rectangle{region}")
        columns = [left + round(width * share) for share in COLUMNS]
        places = [(x, y) for x in columns for y in range(top + STEP, top + height, STEP)]
        before = self._places.get(name)
        for place in [before, *places] if before else places:
            if self._is_over(name, place, region):
                self._places[name] = place
                return place
        raise AssertionError(f"no button {name} in {self.desktop.screenshot('not-found')}")

    def _is_over(self, name: str, place: tuple[int, int], region: tuple[str, ...]) -> bool:
        """Asked twice: a slow Blender may first answer for the place before."""
        self.desktop.move(*place)
        time.sleep(HOVER_SECONDS)
        for _ in range(2):
            if not self.ask(f"hovered{region}").startswith(name):
                return False
            time.sleep(5 * HOVER_SECONDS)
        return True

    def fill(self, name: str, text: str) -> None:
        """Type into a text field of the sidebar, over what it holds."""
        self.click_button(name, times=2)
        self.desktop.key("ctrl+a")
        self.desktop.type(text)
        self.desktop.key("Return")


def wait_for(condition: Callable[[], Any], seconds: float, every: float = 0.1) -> Any:
    """Until the condition holds; returns what it gave. Raises AssertionError."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(every)
    return value


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where screenshots are kept."""
    folder = CHECKOUT / "out" / "ui"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def desktop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desktop]:
    """A screen with nothing on it; Blender is installed and has the extension."""
    root = os.environ.get("POSE2POSE_BLENDER_ROOT")
    if root is None:
        pytest.skip("make ui-test names a Blender with a window")
    desktop = Desktop(Path(root), tmp_path_factory.mktemp("desktop"))
    shutil.copy(os.environ["POSE2POSE_EXTENSION"], desktop.folder / "extension.zip")
    desktop.run("blender --command extension install-file -r user_default --enable /tmp/extension.zip")
    yield desktop
    desktop.close()


@pytest.fixture(scope="session")
def open_window(desktop: Desktop) -> Callable[[str], Window]:
    """Start Blender with the given arguments. One at a time."""
    return lambda arguments="": Window(desktop, arguments)
