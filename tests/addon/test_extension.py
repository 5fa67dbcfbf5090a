"""The extension as Blender builds, checks, installs and enables it; each in a process of its own."""

import ast
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("bpy")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "blender_manifest.toml").read_text())["version"]
CONTENTS = {
    *("__init__.py", "addon", "backend", "blender_manifest.toml"),
    *("constraints.txt", "pyproject.toml"),  # what "Set Up Backend" installs
    *("LICENSE", "LICENSES", "NOTICE", "README.md"),
}
LARGEST_BYTES = 60_000_000
"""Weights and body are in it, so that nothing but Python packages is downloaded."""
TOOL = (
    "import sys, bpy; from bl_pkg import bl_extension_cli as tool; sys.exit(tool.cli_extension_handler(sys.argv[1:]))"
)
SESSION = (Path(__file__).parent / "installed_session.py").read_text()


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
    return folder / f"pose2pose-{VERSION}.zip"


def test_zip_holds_what_is_expected(extension: Path) -> None:
    names = zipfile.ZipFile(extension).namelist()
    assert {name.split("/")[0] for name in names} == CONTENTS
    unwanted = [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".log", ".zip"))]
    assert not unwanted
    assert {"addon/commands.py", "backend/motion/take.py", "backend/body/open_body.npz"} <= set(names)
    assert extension.stat().st_size < LARGEST_BYTES


def test_every_module_is_python_3_11(extension: Path) -> None:
    """Blender 4.2 to 5.0 carry that version, whatever runs this test."""
    archive = zipfile.ZipFile(extension)
    modules = [name for name in archive.namelist() if name.endswith(".py")]
    for name in modules:
        ast.parse(archive.read(name), name, feature_version=(3, 11))
        compile(archive.read(name), name, "exec")
    assert len(modules) > 40


def test_zip_is_valid(extension: Path, tmp_path: Path) -> None:
    said = run(TOOL, "validate", extension, home=tmp_path)
    assert "Success" in said


def test_from_installation_to_removal(extension: Path, clip: Path, backend_python: Path, tmp_path: Path) -> None:
    """Capture through the installed extension, hold the keys against the take, save, reopen, uninstall."""
    said = run(SESSION, extension, clip, backend_python, tmp_path, home=tmp_path)
    assert said.count("mm of the take") == 2
    assert not (tmp_path / "extensions" / "user_default" / "pose2pose").exists()
