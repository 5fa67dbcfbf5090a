"""The preferences and their buttons in an enabled extension; every test has a Blender process of its own."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("bpy")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
START = """
import json, os, sys
import bpy
import addon_utils  # which bpy brings
NAME = "bl_ext.user_default.pose2pose"
assert addon_utils.enable(NAME, default_set=True) is not None
preferences = sys.modules[NAME + ".addon.setup.preferences"]
operators = sys.modules[NAME + ".addon.setup.operators"]
connection = sys.modules[NAME + ".addon.link.connection"]
values = preferences.preferences()
home, python = sys.argv[1:]

def error(operator):
    try:
        operator()
    except RuntimeError as caught:
        return str(caught)
    return ""

"""
END = """
sys.stdout.flush()
addon_utils.disable(NAME)
print("RESULT", json.dumps(result), flush=True)
os._exit(0)
"""


def blender(code: str, home: Path, python: Path = Path(sys.executable)) -> Any:
    """Run code in a Blender in which this checkout is the extension; returns what the code puts into `result`."""
    extensions = home / "extensions" / "user_default"
    extensions.mkdir(parents=True, exist_ok=True)
    if not (extensions / "pose2pose").exists():
        (extensions / "pose2pose").symlink_to(ROOT, target_is_directory=True)
    answer = subprocess.run(
        [sys.executable, "-P", "-c", START + textwrap.dedent(code) + END, str(home), str(python)],
        env={**os.environ, "BLENDER_USER_RESOURCES": str(home), "OMP_NUM_THREADS": "1"},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
    )
    last = answer.stdout.splitlines()[-1] if answer.stdout else ""
    assert last.startswith("RESULT "), answer.stdout + answer.stderr
    return json.loads(last.removeprefix("RESULT "))


def test_button_is_gray_without_permission_to_go_online(tmp_path: Path) -> None:
    result = blender(
        """
        result = [bpy.ops.pose2pose.set_up_backend.poll(), error(bpy.ops.pose2pose.set_up_backend)]
        values.wheels_folder = home
        result += [bpy.ops.pose2pose.set_up_backend.poll(), error(bpy.ops.pose2pose.set_up_backend)]
        """,
        tmp_path,
    )
    assert result[0] is False and "Allow Online Access" in result[1] and "folder of wheels" in result[1]
    assert result[2] is True and "holds no wheels" in result[3]


def test_set_up_without_a_window(tmp_path: Path) -> None:
    """From wheels in which torch is missing: the operator runs to its end, says so, and can be called again."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "nothing-1.0-py3-none-any.whl").touch()
    result = blender(
        """
        values.wheels_folder = os.path.join(home, "wheels")
        result = [error(bpy.ops.pose2pose.set_up_backend), preferences.gather().problem()]
        result += [operators.STATE.error, operators.STATE.job is None, bpy.ops.pose2pose.set_up_backend.poll()]
        result += [preferences.gather().setup_log.read_text()]
        """,
        tmp_path,
    )
    assert "torch" in result[0] and "pip download" in result[0]
    assert result[1] == "The backend is not set up."
    assert result[2] in result[0] and result[3:5] == [True, True]
    assert "No matching distribution" in result[5]


def test_preferences_lead_to_a_connection(tmp_path: Path) -> None:
    result = blender(
        """
        from pathlib import Path
        gathered = preferences.gather()
        result = [gathered.kind, str(gathered.folder), gathered.folder.is_dir(), preferences.body_file()]
        values.backend, values.server_url, values.server_token = "SERVER", " host:8000 ", "s3cret"
        values.python_path = "//python"
        gathered = preferences.gather()
        result += [gathered.kind, gathered.server_url, gathered.server_token, gathered.python_path, repr(gathered)]
        values.backend, values.python_path = "PYTHON", ""
        result += [preferences.gather().problem()]
        """,
        tmp_path,
    )
    assert result[0] == "MANAGED" and result[1].startswith(str(tmp_path)) and result[2:4] == [True, None]
    assert result[4:8] == ["SERVER", "host:8000", "s3cret", ""] and "s3cret" not in result[8]
    assert "Choose the backend's Python" in result[9]


def test_defaults_where_blender_made_no_entry(tmp_path: Path) -> None:
    """As with `--factory-startup --addons`."""
    result = blender(
        """
        bpy.context.preferences.addons.remove(bpy.context.preferences.addons[NAME])
        values = preferences.preferences()
        values.backend, values.python_path = "PYTHON", python
        gathered = preferences.gather()
        result = [gathered.kind, gathered.python_path, gathered.device, preferences.wheels_folder()]
        """,
        tmp_path,
    )
    assert result == ["PYTHON", sys.executable, "auto", None]


def test_body_file_is_checked_when_it_is_chosen(tmp_path: Path) -> None:
    (tmp_path / "broken.npz").write_text("no body")
    result = blender(
        f"""
        values.body_path = os.path.join(home, "broken.npz")
        result = [values.body_broken, values.body_note]
        values.body_path = {str(ROOT / "backend" / "body" / "open_body.npz")!r}
        result += [values.body_broken, values.body_note, str(preferences.body_file())]
        """,
        tmp_path,
    )
    assert result[0] is True and "broken.npz" in result[1] and "expected an SMPL-X .npz" in result[1]
    assert result[2] is False and "license" in result[3] and result[4].endswith("open_body.npz")


def test_diagnosis_and_report(tmp_path: Path, backend_python: Path) -> None:
    result = blender(
        """
        bpy.ops.pose2pose.diagnose_backend()
        result = [[check.ok for check in operators.STATE.checks], operators.compose_report()]
        values.backend, values.python_path, values.device, values.server_token = "PYTHON", python, "cpu", "s3cret"
        bpy.ops.pose2pose.diagnose_backend()
        result += [[check.ok for check in operators.STATE.checks], operators.compose_report()]
        backend = connection.running_backend()
        result += [backend is not None, bpy.ops.pose2pose.copy_report.poll()]
        bpy.ops.pose2pose.restart_backend()
        result += [connection.running_backend() is None, backend.alive()]
        preferences.gather().open()
        """,
        tmp_path,
        backend_python,
    )
    assert result[0][:3] == [False, None, None] and "Press Set Up Backend" in result[1]
    assert all(result[2]), result[3]
    for part in ("Blender: ", "online access: False", "the end of", str(backend_python), "pose2pose: 0.1.0"):
        assert part in result[3]
    assert "s3cret" not in result[3]
    assert result[4:] == [True, True, True, False]
