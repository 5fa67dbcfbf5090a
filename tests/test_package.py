"""The house rules: who may import what, what is packaged, what is licensed, what the README promises."""

import ast
import importlib.metadata
import json
import re
import shlex
import struct
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pose2pose.backend import cli, weights_cli

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CODE = ("addon", "backend", "training")
GENERATED = {"build", "dist", "out"}

BLENDER = {"bpy", "bmesh", "mathutils", "bpy_extras", "addon_utils", "bl_pkg", "bl_ui", "gpu", "gpu_extras"}
WITHOUT_BLENDER = {
    *("addon/__init__.py", "addon/console.py", "addon/jobs.py", "addon/pictures.py", "addon/texts.py"),
    *("addon/link/capturing.py", "addon/setup/diagnosis.py", "addon/setup/environment.py"),
}
"""Modules of the add-on that plain Python imports, and with them whatever they import."""
LAZY_BLENDER = {"backend/blend.py"}
DISTRIBUTIONS = {"cv2": "opencv-python", "PIL": "pillow"}

MODULES = sorted(p.relative_to(ROOT).as_posix() for folder in CODE for p in (ROOT / folder).rglob("*.py"))


def imported(path: str, tree: ast.AST | None = None) -> set[str]:
    """Dotted names that a module imports anywhere, relative ones made absolute (pose2pose.backend...)."""
    tree = ast.parse((ROOT / path).read_text()) if tree is None else tree
    package = ["pose2pose", *Path(path).parts[:-1]]
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            names |= {f"{base}.{alias.name}" for alias in node.names}
    return names


def at_import_time(path: str) -> set[str]:
    """The imports that run when the module is imported: those outside of functions."""
    tree = ast.parse((ROOT / path).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [ast.Pass()]
    return imported(path, tree)


def tops(names: set[str]) -> set[str]:
    """First parts of dotted names, without the standard library and this package."""
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"pose2pose"}


def reaches(names: set[str], *packages: str) -> set[str]:
    """The names that lie in one of the packages of this project."""
    return {name for name in names for package in packages if f"{name}.".startswith(f"pose2pose.{package}.")}


def module_file(name: str) -> str | None:
    """The file of a dotted name that `imported` gave: a module, or something in one."""
    parts = name.split(".")[1:]
    paths = ("/".join(parts[:length]) + ".py" for length in (len(parts), len(parts) - 1))
    return next((path for path in paths if path in MODULES), None)


def with_their_imports(paths: set[str], folder: str) -> set[str]:
    """The modules, and those of the same folder that are imported with them."""
    found = set(paths)
    for path in paths:
        names = reaches(at_import_time(path), folder)
        found |= {file for file in map(module_file, names) if file is not None and file.startswith(f"{folder}/")}
    return found if found == paths else with_their_imports(found, folder)


def within(folder: str) -> list[str]:
    return [path for path in MODULES if path.startswith(f"{folder}/")]


def requirements(extra: str) -> set[str]:
    lines = PROJECT["project"]["optional-dependencies"][extra]
    return {re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in lines}


def text_files() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part != ".ci" for part in parts)
        generated = parts[0] in GENERATED or any(p == "__pycache__" or p.endswith(".egg-info") for p in parts)
        if not path.is_file() or (hidden and path.name != ".gitignore") or generated or b"\0" in path.read_bytes():
            continue
        yield path


# --- imports ---------------------------------------------------------------------------------------------------------


def test_scan_sees_relative_and_nested_imports() -> None:
    source = "from ..motion import take\nfrom . import layer\ndef f():\n    import bpy\n"
    assert imported("backend/body/x.py", ast.parse(source)) == {
        "pose2pose.backend.motion.take",
        "pose2pose.backend.body.layer",
        "bpy",
    }


@pytest.mark.parametrize("path", sorted(with_their_imports(WITHOUT_BLENDER, "addon")))
def test_plain_python_imports_it(path: str) -> None:
    assert not tops(at_import_time(path)) & BLENDER


@pytest.mark.parametrize("path", [path for path in MODULES if not path.startswith("addon/")])
def test_blender_only_inside_the_addon(path: str) -> None:
    names = at_import_time(path) if path in LAZY_BLENDER else imported(path)
    assert not tops(names) & BLENDER, "bpy belongs in addon/, or inside the functions of backend/blend.py"


@pytest.mark.parametrize("path", within("addon"))
def test_addon_needs_nothing_but_blender_and_numpy(path: str) -> None:
    names = imported(path)
    assert tops(names) <= BLENDER | {"numpy"}, "Blender's Python has numpy and the standard library only"
    outside = reaches(names, "backend", "training") - reaches(names, "backend.motion", "backend.protocol")
    assert not outside, "the add-on uses backend.motion and backend.protocol only"


@pytest.mark.parametrize("path", within("backend/motion"))
def test_motion_needs_numpy_only(path: str) -> None:
    names = imported(path)
    assert tops(names) <= {"numpy"}
    assert not reaches(names, *CODE) - reaches(names, "backend.motion")


@pytest.mark.parametrize("path", [path for path in MODULES if path == "backend/protocol.py"])
def test_protocol_needs_the_standard_library_only(path: str) -> None:
    assert not tops(imported(path))
    assert not reaches(imported(path), *CODE)


@pytest.mark.parametrize("path", within("backend"))
def test_backend_stands_without_addon_and_training(path: str) -> None:
    names = imported(path)
    assert not reaches(names, "addon", "training"), "arrows point one way: addon -> backend <- training"
    declared = requirements("backend") | {"numpy"} | (BLENDER if path in LAZY_BLENDER else set())
    used = {DISTRIBUTIONS.get(name, name) for name in tops(names)}
    assert used <= declared, "not in the extra 'backend'; smplx may not be: its license is non-commercial"


@pytest.mark.parametrize("path", within("training"))
def test_training_declares_what_it_imports(path: str) -> None:
    names = imported(path)
    assert not reaches(names, "addon")
    declared = requirements("backend") | requirements("training") | requirements("body-build") | {"numpy"}
    assert {DISTRIBUTIONS.get(name, name) for name in tops(names)} <= declared


def test_root_package_imports_nothing() -> None:
    assert not at_import_time("__init__.py"), "pytest and pip import the root package; Blender's side comes lazily"


def test_motion_loads_where_only_numpy_is() -> None:
    modules = [path[:-3].replace("/", ".") for path in [*within("backend/motion"), "backend/protocol.py"]]
    modules = [name.removesuffix(".__init__") for name in modules if (ROOT / f"{name.replace('.', '/')}.py").exists()]
    blocked = ["torch", "torchvision", "bpy", "cv2", "scipy", "av", "safetensors", "tqdm", "smplx"]
    code = "\n".join(
        [
            "import sys",
            f"sys.modules.update(dict.fromkeys({blocked!r}))",  # None there makes `import` raise
            *[f"import pose2pose.{name}" for name in modules],
        ]
    )
    assert len(modules) > 4
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT.anchor)


# --- packaging -------------------------------------------------------------------------------------------------------


def test_versions_agree() -> None:
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text())
    assert PROJECT["project"]["version"] == manifest["version"]
    assert PROJECT["project"]["name"] == manifest["id"]
    assert f"## [{manifest['version']}]" in (ROOT / "CHANGELOG.md").read_text()


def test_installed_version_is_this_one() -> None:
    assert importlib.metadata.version("pose2pose") == PROJECT["project"]["version"]


def test_listed_packages_are_the_folders_on_disk() -> None:
    folders = {Path(path).parent for path in MODULES}
    expected = {"pose2pose", *(".".join(("pose2pose", *folder.parts)) for folder in folders)}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == expected
    without = [folder.as_posix() for folder in folders if not (ROOT / folder / "__init__.py").exists()]
    assert not without, "folders with modules but without __init__.py"


def test_every_data_file_is_packaged() -> None:
    listed: dict[str, list[str]] = PROJECT["tool"]["setuptools"]["package-data"]
    packaged = {
        path
        for package, patterns in listed.items()
        for pattern in patterns
        for path in ROOT.joinpath(*package.split(".")[1:]).glob(pattern)
    }
    data = {
        p for suffix in ("npz", "safetensors", "toml") for folder in CODE for p in (ROOT / folder).rglob(f"*.{suffix}")
    }
    assert data
    assert not data - packaged


def test_pins_cover_every_requirement() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {line.partition("==")[0] for line in lines if "==" in line}
    wanted = set().union(*(requirements(extra) for extra in PROJECT["project"]["optional-dependencies"]))
    assert not wanted - pins - {"pose2pose"}


# --- licenses --------------------------------------------------------------------------------------------------------

LARGEST_MIB, TOGETHER_MIB = 15, 60
WEIGHTS = sorted((ROOT / "backend" / "model" / "weights").glob("*.safetensors"))


def metadata(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        found: dict[str, str] = json.loads(file.read(length)).get("__metadata__", {})
    return found


def test_weights_are_small() -> None:
    sizes = {path.name: path.stat().st_size / 2**20 for path in WEIGHTS}
    assert sizes
    assert max(sizes.values()) < LARGEST_MIB, f"MiB: {sizes}"
    assert sum(sizes.values()) < TOGETHER_MIB, f"MiB: {sizes}"


@pytest.mark.parametrize("path", WEIGHTS, ids=lambda path: path.name)
def test_weights_say_their_license(path: Path) -> None:
    header = metadata(path)
    assert header.get("license"), "the safetensors header carries the license"
    assert path.name in (ROOT / "NOTICE").read_text(), "NOTICE says where every weight comes from"


def test_every_license_named_in_notice_is_there() -> None:
    named = set(re.findall(r"LICENSES/[\w.-]+\.txt", (ROOT / "NOTICE").read_text()))
    assert named == {path.relative_to(ROOT).as_posix() for path in (ROOT / "LICENSES").iterdir()}
    assert "GNU GENERAL PUBLIC LICENSE" in (ROOT / "LICENSE").read_text()


def test_no_machine_paths() -> None:
    machine = re.compile(r"(?<![\w.$}])/(?:work|root|home|Users|opt|tmp/\w+)/[\w.]|[A-Z]:\\\\?Users")
    everywhere = re.compile(r"/opt/(?:rocm|homebrew)/")  # where AMD's tools and Homebrew always are
    files = list(text_files())
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in files
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if machine.search(everywhere.sub("", line))
    ]
    assert len(files) > 30
    assert not found


# --- the README ------------------------------------------------------------------------------------------------------


def readme_commands(program: str) -> list[str]:
    blocks = re.findall(r"```(?:sh|bash|console)?\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.partition("  #")[0].strip() for line in lines if line.strip().startswith(f"{program} ")]


@pytest.mark.parametrize("line", readme_commands("pose2pose"))
def test_readme_commands_are_understood(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real parser reads each line; only the work behind it is left out."""
    asked = []
    for module in (cli, weights_cli):
        for name in [name for name in vars(module) if name.startswith("run_")]:
            monkeypatch.setattr(module, name, lambda options, name=name: asked.append(name) or 0)
    words = shlex.split(line)
    assert cli.main(words[1:]) == 0
    assert asked == [f"run_{words[2] if words[1] == 'weights' else words[1]}"]


def test_readme_shows_the_two_commands() -> None:
    shown = {shlex.split(line)[1] for line in readme_commands("pose2pose")}
    assert {"capture", "animate", "info"} <= shown


def test_readme_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    shown = {word for line in readme_commands("make") for word in line.split()[1:] if "=" not in word}
    assert shown
    assert not shown - targets
