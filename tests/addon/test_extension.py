"""The extension as Blender builds, checks, installs and enables it; each in a process of its own."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("bpy")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CONTENTS = {"__init__.py", "blender_manifest.toml", "LICENSE", "LICENSES", "NOTICE", "README.md", "addon", "backend"}
TOOL = (
    "import sys, bpy; from bl_pkg import bl_extension_cli as tool; sys.exit(tool.cli_extension_handler(sys.argv[1:]))"
)
INSTALL = """
import sys, bpy
bpy.ops.extensions.package_install_files(filepath=sys.argv[1], repo="user_default", enable_on_install=True)
assert "bl_ext.user_default.pose2pose" in bpy.context.preferences.addons, "not enabled"
from bl_ext.user_default.pose2pose.addon.commands import main
code = main(sys.argv[2:])
names = [repository.module for repository in bpy.context.preferences.extensions.repos]
bpy.ops.extensions.package_uninstall(repo_index=names.index("user_default"), pkg_id="pose2pose")
assert "bl_ext.user_default.pose2pose" not in bpy.context.preferences.addons, "not uninstalled"
sys.exit(code)
"""


def run(code: str, *arguments: object, home: Path) -> str:
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(home)}
    # Out of the checkout and isolated from it: only what the zip brings may be found.
    result = subprocess.run(
        [sys.executable, "-P", "-c", code, *map(str, arguments)],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("extension")
    run(TOOL, "build", "--source-dir", ROOT, "--output-dir", folder, home=folder)
    return folder / "pose2pose-0.1.0.zip"


def test_zip_holds_what_is_expected(extension: Path) -> None:
    names = zipfile.ZipFile(extension).namelist()
    assert {name.split("/")[0] for name in names} == CONTENTS
    unwanted = [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".log", ".zip"))]
    assert not unwanted
    assert {"addon/commands.py", "backend/motion/take.py", "backend/body/open_body.npz"} <= set(names)


def test_zip_is_valid(extension: Path, tmp_path: Path) -> None:
    run(TOOL, "validate", extension, home=tmp_path)


def test_installed_extension_makes_a_scene(extension: Path, take_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "scene.blend"
    run(INSTALL, extension, take_file, "--output", out, home=tmp_path)
    assert out.stat().st_size > 1_000_000
