"""The backend's environment: made for real from small wheels, without a network beyond this machine."""

import functools
import http.server
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pose2pose.addon.link.client import Client, start_backend
from pose2pose.addon.link.connection import Connection, running_backend, stop_backend
from pose2pose.addon.link.processes import clean_environment
from pose2pose.addon.setup import accelerators, environment_maker
from pose2pose.addon.setup.accelerators import Accelerator, amd_from_answer, cpu, nvidia_from_answer
from pose2pose.addon.setup.diagnosis import Check, diagnose, report_text
from pose2pose.addon.setup.environment import RECORD, SetupCancelledError, damage, installed, serve_command, set_up
from pose2pose.addon.setup.environment_maker import SetupError, download_command, environment_python
from pose2pose.addon.setup.pip_progress import PipProgress, SetupProgress
from pose2pose.addon.setup.pythons import Python, find_pythons, probe
from pose2pose.addon.setup.requirements import Requirements, package_name, read_requirements
from pose2pose.backend.protocol import Code

TINY_TORCH = """
class Matrix:
    def __matmul__(self, other):
        return self
def ones(*size):
    return Matrix()
class cuda:
    is_available = staticmethod(lambda: False)
class backends:
    class mps:
        is_available = staticmethod(lambda: False)
"""
TINY = Requirements(
    torch=("torch>=1.0",), rest=("tiny-rest>=2",), pins=("torch==1.5", "tiny-rest==2.1"), version="0.1.0"
)
CPU = Accelerator("cpu", "a processor", None, gigabytes=0.1)
HERE = Path(sys.executable)


def make_wheel(folder: Path, name: str, version: str, code: str = "") -> Path:
    """A pure Python wheel with one module."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    path = folder / f"{module}-{version}-py3-none-any.whl"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{module}.py", code)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"{module}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return path


@pytest.fixture(autouse=True)
def own_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of how pip is configured on this machine."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    make_wheel(folder, "torch", "1.5", TINY_TORCH)
    make_wheel(folder, "tiny-rest", "2.1")
    return folder


def make(folder: Path, **changes: object) -> tuple[Path, list[SetupProgress]]:
    """Set up with what a test does not name; the steps come back too."""
    steps: list[SetupProgress] = []
    arguments = {"python": HERE, "wheels": None, "accelerator": CPU, "requirements": TINY, **changes}
    return set_up(folder, log=folder.with_name("setup.log"), report=steps.append, **arguments), steps


def left_beside(folder: Path) -> list[Path]:
    """What is left of other environments; removing them goes on for a moment."""
    end = time.monotonic() + 10
    while (left := list(folder.parent.glob(f"{folder.name}.*"))) and time.monotonic() < end:
        time.sleep(0.05)
    return left


def refusal(folder: Path, **changes: object) -> str:
    with pytest.raises(SetupError) as caught:
        make(folder, **changes)
    return str(caught.value)


# --- making it --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_environment_from_a_folder_of_wheels(tmp_path: Path, wheels: Path) -> None:
    folder = tmp_path / "env"
    python, steps = make(folder, wheels=wheels)
    assert python == environment_python(folder)
    code = "import sys, torch, tiny_rest; print(sys.prefix)"
    answer = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert Path(answer.stdout.strip()) == folder

    found = installed(folder)
    assert found is not None and found.packages == {"torch": "1.5", "tiny-rest": "2.1"}
    assert found.python == ".".join(map(str, sys.version_info[:3])) and str(found).startswith("torch 1.5, CPU, ")
    assert damage(folder, TINY) == ""

    assert [*dict.fromkeys(step.step for step in steps)] == [
        "Making the environment",
        "Installing from the folder of wheels",
        "Testing",
    ]
    assert any(step.fraction is not None for step in steps)
    assert "Successfully installed" in (tmp_path / "setup.log").read_text()
    assert not left_beside(folder)


@pytest.mark.slow
def test_old_environment_stays_until_the_new_one_works(tmp_path: Path, wheels: Path) -> None:
    folder = tmp_path / "env"
    make(folder, wheels=wheels)
    (folder / "mark").touch()

    missing = refusal(folder, wheels=wheels, requirements=Requirements(("torch",), ("absent",), (), "0.1.0"))
    assert "absent" in missing and "pip download" in missing
    make_wheel(wheels, "tiny-rest", "2.2", "import nothing_such")
    assert "No module named 'nothing_such'" in refusal(folder, wheels=wheels)
    began = time.monotonic()
    with pytest.raises(SetupCancelledError):
        make(folder, wheels=wheels, cancelled=lambda: time.monotonic() > began + 0.3)
    assert time.monotonic() - began < 2.3  # probing the Python comes first
    assert (folder / "mark").exists() and damage(folder, TINY) == ""

    make_wheel(wheels, "tiny-rest", "2.3")
    make(folder, wheels=wheels)
    found = installed(folder)
    assert found is not None and found.packages["tiny-rest"] == "2.3" and not (folder / "mark").exists()
    assert not left_beside(folder)


def test_what_is_wrong_beforehand_is_said_beforehand(tmp_path: Path) -> None:
    folder = tmp_path / "env"
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    assert "no wheels" in refusal(folder, wheels=nothing)
    assert str(tmp_path / "python") in refusal(folder, python=tmp_path / "python")
    huge = Accelerator("cuda", "a GPU", None, gigabytes=1e6)
    assert "1000000 GB (torch for a GPU)" in refusal(folder, accelerator=huge)
    assert not folder.exists()


# --- downloading ------------------------------------------------------------------------------------------------------


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[str, list[Path]], str]]:
    """Makes package indexes; gives their addresses."""
    servers = []

    def start(name: str, wheels: list[Path]) -> str:
        root = tmp_path / "indexes"
        for wheel in wheels:
            page = root / name / wheel.name.split("-")[0].replace("_", "-")
            page.mkdir(parents=True, exist_ok=True)
            wheel.rename(page / wheel.name)
        for page in (root / name).iterdir():
            links = "".join(f'<a href="{file.name.replace("+", "%2B")}">{file.name}</a>' for file in page.glob("*.whl"))
            (page / "index.html").write_text(f"<html><body>{links}</body></html>")
        handler = functools.partial(QuietHandler, directory=str(root))
        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_address[1]}/{name}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def ordinary_index(serve: Callable[[str, list[Path]], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The index that a user has configured; it has newer versions than the tested ones, too."""
    build = tmp_path / "build"
    wheels = [make_wheel(build, "torch", version, TINY_TORCH) for version in ("1.5", "1.9")]
    wheels += [make_wheel(build, "tiny-rest", version) for version in ("2.1", "3.0")]
    url = serve("ordinary", wheels)
    monkeypatch.setenv("PIP_INDEX_URL", url)
    return url


LABELLED = Accelerator("cpu", "a processor", "cpu", gigabytes=0.1)


@pytest.mark.slow
def test_torch_comes_from_its_own_index(
    ordinary_index: str,
    serve: Callable[[str, list[Path]], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = serve("cpu", [make_wheel(tmp_path / "build", "torch", "1.5+cpu", TINY_TORCH)])
    monkeypatch.setattr(accelerators, "TORCH_WHEELS", own.removesuffix("/cpu"))
    make(tmp_path / "env", accelerator=LABELLED)
    found = installed(tmp_path / "env")
    assert found is not None and found.packages == {"torch": "1.5+cpu", "tiny-rest": "2.1"}


@pytest.mark.slow
def test_without_torchs_index_the_ordinary_one_serves(
    ordinary_index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerators, "TORCH_WHEELS", "http://127.0.0.1:9")
    monkeypatch.setattr(environment_maker, "CUDA_GIGABYTES", 0.1)  # the torch of these wheels is small
    _, steps = make(tmp_path / "env", accelerator=LABELLED)
    found = installed(tmp_path / "env")
    assert found is not None and found.packages == {"torch": "1.5", "tiny-rest": "2.1"}
    sentence = "http://127.0.0.1:9/cpu cannot be used; torch comes from the ordinary index"
    assert any(sentence in step.line for step in steps) and sentence in (tmp_path / "setup.log").read_text()


def test_a_full_disk_is_said_before_anything_is_made(tmp_path: Path, wheels: Path) -> None:
    large = Accelerator("cpu", "a processor", None, gigabytes=1e6)
    message = refusal(tmp_path / "env", wheels=wheels, accelerator=large)
    assert "needs about 1000000 GB" in message and "Free some space" in message
    assert not (tmp_path / "env").exists()


@pytest.mark.slow
def test_no_network_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    message = refusal(tmp_path / "env")
    assert "Installing torch failed" in message and "choose a folder of wheels" in message
    assert not (tmp_path / "env").exists()


@pytest.mark.slow
def test_cancelling_a_download_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with http.server.socketserver.TCPServer(("127.0.0.1", 0), None, bind_and_activate=True) as mute:  # type: ignore[arg-type]
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{mute.server_address[1]}/simple")
        since: list[float] = []

        def cancelled() -> bool:
            log = tmp_path / "setup.log"
            if not since and log.exists() and "Looking in indexes" in log.read_text():
                since.append(time.monotonic())
            return bool(since) and time.monotonic() > since[0] + 0.5

        with pytest.raises(SetupCancelledError):
            make(tmp_path / "env", cancelled=cancelled)
        assert time.monotonic() - since[0] - 0.5 < 2.0
    assert not (tmp_path / "env").exists() and not left_beside(tmp_path / "env")


def test_progress_of_pip_is_measured(tmp_path: Path) -> None:
    steps: list[SetupProgress] = []
    downloads, packages = tmp_path / "downloads", tmp_path / "packages"
    (downloads / "pip-unpack-1").mkdir(parents=True)
    progress = PipProgress("Installing torch", downloads, packages, steps.append)
    progress.read("Collecting torch>=2.6")
    assert steps[-1] == SetupProgress("Installing torch", None, "Collecting torch>=2.6")
    progress.read("  Downloading torch-2.12.1-cp311-cp311-manylinux_2_28_x86_64.whl.metadata (29 kB)")
    assert steps[-1].fraction is None
    progress.read("Downloading torch-2.12.1-cp311-cp311-manylinux_2_28_x86_64.whl (2.0 MB)")
    arriving = downloads / "pip-unpack-1" / "torch-2.12.1-cp311-cp311-manylinux_2_28_x86_64.whl"
    arriving.write_bytes(bytes(500_000))
    progress.look()
    assert steps[-1] == SetupProgress("Installing torch", 0.25, "torch-2.12.1: 0 of 2 MB (file 1)")
    progress.read("Installing collected packages: mpmath, torch")
    (packages / "mpmath-1.3.dist-info").mkdir(parents=True)
    progress.look()
    assert steps[-1] == SetupProgress("Installing torch", 0.5, "1 of 2 packages written")


# --- what is needed and what is there ---------------------------------------------------------------------------------


def test_requirements_are_those_of_the_package() -> None:
    found = read_requirements()
    assert {package_name(line) for line in found.torch} == {"torch", "torchvision"}
    assert {"numpy", "fastapi", "uvicorn", "scipy"} <= {package_name(line) for line in found.rest}
    pinned = {package_name(line) for line in found.pins}
    assert {"torch", "fastapi", "opencv-python"} <= pinned and "numpy" not in pinned and "pytest" not in pinned
    assert {"cv2", "PIL", "torch"} <= set(found.modules)
    command = download_command(found, Accelerator("cuda", "GPU", "cu126", 8.0), "3.13")
    assert command.startswith("python3.13 -m pip download") and "/whl/cu126" in command and '"numpy>=1.26"' in command


def test_damage_says_why_it_must_be_made_again(tmp_path: Path) -> None:
    assert "not set up" in damage(tmp_path, TINY)
    python = environment_python(tmp_path)
    python.parent.mkdir()
    python.touch()
    record = (
        '{"pose2pose": "0.0.9", "python": "3.11.7", "base": "%s", "accelerator": "cpu", "device": "CPU", '
        '"packages": {"torch": "1.5"}, "wanted": ["torch>=1.0"], "megabytes": 1900}'
    )
    (tmp_path / RECORD).write_text(record % HERE)
    assert "needs tiny-rest>=2" in damage(tmp_path, TINY)
    assert damage(tmp_path, Requirements(("torch>=1.0",), (), (), "0.1.0")) == ""
    (tmp_path / RECORD).write_text(record % "/blender/4.5/python/bin/python3.11")
    assert "Blender update" in damage(tmp_path, TINY)
    (tmp_path / RECORD).write_text("{")
    assert "not set up" in damage(tmp_path, TINY)


@pytest.mark.parametrize(
    ("answer", "kind", "label"),
    [
        ("580.95.05, 12.0, NVIDIA GeForce RTX 5090", "cuda", None),
        ("610.1, 9.0, NVIDIA H200\n610.1, 8.6, NVIDIA RTX A2000", "cuda", None),
        ("535.183.01, 8.9, NVIDIA GeForce RTX 4090", "cuda", "cu126"),
        ("580.95.05, 6.1, NVIDIA GeForce GTX 1080", "cuda", "cu126"),
        ("470.256.02, 8.6, NVIDIA GeForce RTX 3080", "cpu", "cpu"),
        ("570.124.06, 12.0, NVIDIA GeForce RTX 5090", "cpu", "cpu"),
        ("470.256.02, 3.5, Tesla K40c", "cpu", "cpu"),
    ],
)
def test_build_for_nvidia(answer: str, kind: str, label: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    found = nvidia_from_answer(answer)
    assert found is not None and (found.kind, found.label) == (kind, label)
    assert (found.note == "") == (kind == "cuda")


def test_windows_needs_a_label_for_cuda_and_none_for_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    found = nvidia_from_answer("581.15, 8.9, NVIDIA GeForce RTX 4070")
    assert found is not None and found.index == "https://download.pytorch.org/whl/cu130"
    assert cpu().index is None
    assert nvidia_from_answer("No devices were found") is None


def test_build_for_amd() -> None:
    processor = "  Name:                    AMD Ryzen 9\n  Marketing Name:          AMD Ryzen 9\n"
    card = "  Name:                    gfx1100\n  Uuid: GPU-1\n  Marketing Name:          Radeon RX 7900 XTX\n"
    found = amd_from_answer(processor + card)
    assert found is not None and (found.kind, found.name, found.label) == ("rocm", "Radeon RX 7900 XTX", "rocm7.2")
    assert amd_from_answer(processor) is None


def test_pythons_that_can_make_an_environment() -> None:
    found = find_pythons()
    assert found[0] == HERE and len(set(found)) == len(found)
    assert probe(Path("/no/such/python")) is None
    old = Python(Path("python3.10"), (3, 10, 4), (), "x86_64")
    assert "3.10.4" in old.problem and "3.11 to 3.13" in old.problem
    bare = Python(Path("python3.12"), (3, 12, 1), ("ensurepip",), "x86_64")
    assert "python3.12-venv" in bare.problem


def test_service_sees_nothing_of_blender(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PYTHONHOME", "PYTHONPATH", "BLENDER_USER_RESOURCES", "VIRTUAL_ENV"):
        monkeypatch.setenv(name, "x")
    assert not {"PYTHONHOME", "PYTHONPATH", "BLENDER_USER_RESOURCES", "VIRTUAL_ENV"} & set(clean_environment())
    command, environment = serve_command(HERE, "cpu", tmp_path / "extensions" / "pose2pose")
    assert environment["PYTHONPATH"] == str(tmp_path / "extensions")
    assert command[0] == str(HERE) and "--end-with-stdin" in command and "--allow-paths" in command
    assert "PYTHONPATH" not in serve_command(HERE, "cpu", tmp_path / "checkout")[1]


# --- the running service ----------------------------------------------------------------------------------------------


@pytest.fixture
def existing(backend_python: Path, tmp_path: Path) -> Iterator[Connection]:
    yield Connection("PYTHON", tmp_path, python_path=str(backend_python), device="cpu")
    stop_backend()


@pytest.mark.slow
def test_one_service_runs_and_a_dead_one_is_replaced(existing: Connection, tmp_path: Path) -> None:
    clients: list[object] = []
    threads = [threading.Thread(target=lambda: clients.append(existing.open().backend)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, clients))) == 1
    first = running_backend()
    assert first is not None
    first.stop()
    assert running_backend() is None
    second = existing.open().backend
    assert second is not None and second.pid != first.pid
    third = Connection("PYTHON", tmp_path, python_path=existing.python_path, device="auto").open().backend
    assert third is not None and third.pid != second.pid and not second.alive()
    stop_backend()
    assert running_backend() is None and not third.alive()


@pytest.mark.slow
def test_stopping_ends_a_start(existing: Connection, tmp_path: Path) -> None:
    """Blender is closed while the backend starts."""
    sleeper = tmp_path / "python"
    sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeper.chmod(0o755)
    connection = Connection("PYTHON", tmp_path, python_path=str(sleeper))
    failures: list[Code] = []

    def open_it() -> None:
        try:
            connection.open()
        except Exception as error:
            failures.append(error.failure.code)  # type: ignore[attr-defined]

    thread = threading.Thread(target=open_it)
    thread.start()
    time.sleep(0.3)
    began = time.monotonic()
    stop_backend()
    thread.join(5)
    assert failures == [Code.CANCELLED] and time.monotonic() - began < 2


@pytest.fixture
def environment_without_pose2pose(backend_python: Path, tmp_path: Path) -> Path:
    """A Python with the backend's packages but without pose2pose itself, as Set Up Backend makes it."""
    code = "import json, site; print(json.dumps(site.getsitepackages()))"
    answer = subprocess.run([backend_python, "-I", "-c", code], capture_output=True, text=True, check=True)
    packages = tmp_path / "packages"
    packages.mkdir()
    for entry in Path(json.loads(answer.stdout)[0]).iterdir():
        if "pose2pose" not in entry.name and entry.suffix != ".pth":
            (packages / entry.name).symlink_to(entry)
    subprocess.run([backend_python, "-I", "-m", "venv", "--without-pip", str(tmp_path / "env")], check=True)
    site = next((tmp_path / "env").glob("[Ll]ib/**/site-packages"))
    (site / "packages.pth").write_text(str(packages))
    return environment_python(tmp_path / "env")


@pytest.mark.slow
def test_service_runs_from_the_extensions_folder(environment_without_pose2pose: Path, tmp_path: Path) -> None:
    extension = tmp_path / "extensions" / "pose2pose"
    extension.parent.mkdir()
    extension.symlink_to(Path(__file__).parents[3], target_is_directory=True)
    command, environment = serve_command(environment_without_pose2pose, "cpu", extension)
    backend = start_backend(command, environment, tmp_path / "service.log")
    try:
        info = Client(backend.url, backend.token, backend).info()
        assert info["version"] == read_requirements().version and info["missing"] == []
    finally:
        backend.stop()


def found(checks: list[Check], name: str) -> Check:
    return next(check for check in checks if check.name == name)


@pytest.mark.slow
def test_diagnosis_of_what_works(existing: Connection) -> None:
    checks = list(diagnose(existing, None))
    assert all(check.ok for check in checks), "\n".join(map(str, checks))
    assert len(checks) == 8 and "torch" in found(checks, "Packages").sentence
    assert "CC0" in found(checks, "Body model").sentence


def test_diagnosis_names_the_first_broken_link_only(tmp_path: Path) -> None:
    checks = list(diagnose(Connection("MANAGED", tmp_path), tmp_path / "body.npz"))
    assert [check.name for check in checks if check.ok is False] == ["Set up", "Body model"]
    assert "Press Set Up Backend" in found(checks, "Set up").sentence
    assert found(checks, "Service starts") == Check("Service starts", None, "needs 'Set up'")
    assert "body.npz" in found(checks, "Body model").sentence

    checks = list(diagnose(Connection("PYTHON", tmp_path, python_path="/no/python"), None))
    assert found(checks, "Python starts").ok is False and "/no/python" in found(checks, "Python starts").sentence
    checks = list(diagnose(Connection("SERVER", tmp_path, server_url="http://127.0.0.1:9"), None))
    assert found(checks, "Address").ok and "127.0.0.1:9" in found(checks, "Service answers").sentence
    assert found(checks, "Weights").ok is None


@pytest.mark.slow
def test_diagnosis_names_the_missing_package(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-I", "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    python = environment_python(tmp_path / "bare")
    checks = list(diagnose(Connection("PYTHON", tmp_path, python_path=str(python)), None))
    assert found(checks, "Python starts").ok
    assert found(checks, "Packages").ok is False and "'torch'" in found(checks, "Packages").sentence


@pytest.mark.slow
def test_diagnosis_of_a_wrong_token(existing: Connection, tmp_path: Path) -> None:
    url = existing.open().url
    checks = list(diagnose(Connection("SERVER", tmp_path, server_url=url, server_token="wrong"), None))
    answer = found(checks, "Service answers")
    assert answer.ok is False and "token" in answer.sentence


def test_report_is_complete_and_keeps_the_secret(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    log.write_text("first\nAuthorization: Bearer s3cret\nlast line\n")
    checks = [Check("Set up", True, "torch 2"), Check("Device", False, "none, s3cret"), Check("Weights", None, "needs")]
    text = report_text(checks, {"Blender": "4.5.1"}, [log, tmp_path / "no.log"], ["s3cret", ""])
    for part in ("Blender: 4.5.1", "ok", "BROKEN", "not checked", str(log), "last line", "system: "):
        assert part in text
    assert "s3cret" not in text
