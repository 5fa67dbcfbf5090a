"""Which build of torch fits this machine. Plain Python, no bpy.

The table is that of torch 2.12 ("Release Compatibility Matrix" and "PyTorch CUDA Support Matrix" in RELEASE.md of
github.com/pytorch/pytorch; wheels on download.pytorch.org/whl). The oldest drivers are those of "CUDA Toolkit and
Corresponding Driver Versions" and "CUDA Minor Version Compatibility" in NVIDIA's CUDA Toolkit release notes.
"""

from __future__ import annotations

import platform
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from ..link.processes import clean_environment, output_of

TORCH_WHEELS = "https://download.pytorch.org/whl"

_PROBE_SECONDS = 10.0
_KERNEL_FUSION_DRIVER = Path("/dev/kfd")
"""What AMD's compute driver puts there."""


@dataclass(frozen=True)
class Accelerator:
    """What will compute, and the wheels for it."""

    kind: str
    """`cuda`, `rocm`, `metal` or `cpu`."""
    name: str
    label: str | None
    """Local version of the wheels, which is also their folder on torch's index; None: the ordinary index has them."""
    gigabytes: float
    """Disk space that the environment needs while it is made."""
    driver: str | None = None
    note: str = ""
    """What a user should know about the choice."""

    @property
    def index(self) -> str | None:
        """Torch's own package index with these wheels."""
        return None if self.label is None else f"{TORCH_WHEELS}/{self.label}"


@dataclass(frozen=True)
class CudaBuild:
    """One of torch's builds for NVIDIA GPUs, and what it runs on."""

    label: str
    linux_driver: float
    windows_driver: float
    oldest: float
    """Compute capability."""
    newest: float


CUDA_BUILDS = (
    CudaBuild("cu130", linux_driver=580.65, windows_driver=580.0, oldest=7.5, newest=99.0),
    CudaBuild("cu126", linux_driver=525.60, windows_driver=528.33, oldest=5.0, newest=9.0),
)
"""Best first."""
ROCM_LABEL = "rocm7.2"
CPU_GIGABYTES = 2.0
CUDA_GIGABYTES = 8.0
ROCM_GIGABYTES = 20.0


def detect_accelerator() -> Accelerator:
    """Look for an NVIDIA GPU, an AMD GPU with ROCm, Apple's GPU; otherwise the CPU computes."""
    if sys.platform == "darwin":
        return Accelerator("metal", "Apple GPU", None, CPU_GIGABYTES)
    return _nvidia() or _amd() or cpu()


def cpu(note: str = "") -> Accelerator:
    """The small build without a GPU; the ordinary index has it for Windows, and for Linux only with CUDA beside it."""
    name = platform.processor() or platform.machine() or "CPU"
    return Accelerator("cpu", name, "cpu" if sys.platform == "linux" else None, CPU_GIGABYTES, note=note)


def cuda(name: str, driver: str, capability: float) -> Accelerator:
    """The build for an NVIDIA GPU with this driver, or the CPU's with a note on what is in the way."""
    windows = sys.platform == "win32"
    version = _number(driver)
    fitting = [build for build in CUDA_BUILDS if build.oldest <= capability <= build.newest]
    for build in fitting:
        if version >= (build.windows_driver if windows else build.linux_driver):
            # The ordinary index has torch for Linux built with the newer CUDA; for Windows it has the CPU's.
            label = None if build is CUDA_BUILDS[0] and not windows else build.label
            return Accelerator("cuda", name, label, CUDA_GIGABYTES, driver)
    if not fitting:
        return cpu(f"{name} is too old for this torch, so the CPU computes.")
    needed = fitting[-1].windows_driver if windows else fitting[-1].linux_driver
    return cpu(f"{name} needs driver {needed:g} or newer and has {driver}, so the CPU computes. Update the driver.")


def _nvidia() -> Accelerator | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-gpu=driver_version,compute_cap,name", "--format=csv,noheader"]
    answer = output_of(query, clean_environment(), _PROBE_SECONDS)
    return None if answer is None else nvidia_from_answer(answer)


def nvidia_from_answer(answer: str) -> Accelerator | None:
    """Understand the lines "driver, compute capability, name" of nvidia-smi; the most capable GPU counts."""
    rows = [[part.strip() for part in line.split(",", 2)] for line in answer.splitlines()]
    cards = [(_number(row[1]), row[2], row[0]) for row in rows if len(row) == 3 and _number(row[1]) > 0]
    if not cards:
        return None
    capability, name, driver = max(cards)
    return cuda(name, driver, capability)


def _amd() -> Accelerator | None:
    """ROCm has wheels for Linux only; `rocminfo` comes with it and lists processors of every kind."""
    program = shutil.which("rocminfo", path=None) or shutil.which("rocminfo", path="/opt/rocm/bin")
    if sys.platform != "linux" or program is None or not _KERNEL_FUSION_DRIVER.exists():
        return None
    answer = output_of([program], clean_environment(), _PROBE_SECONDS) or ""
    return amd_from_answer(answer)


def amd_from_answer(answer: str) -> Accelerator | None:
    """Understand what `rocminfo` prints: "Name: gfx1100" is a GPU, its "Marketing Name" follows."""
    found = re.search(r"^\s*Name:\s+gfx\w+\s*$(?:.*?^\s*Marketing Name:\s+([^\n]*?)\s*$)?", answer, re.M | re.S)
    if found is None:
        return None
    return Accelerator("rocm", found.group(1) or "AMD GPU", ROCM_LABEL, ROCM_GIGABYTES)


def _number(text: str) -> float:
    """The first two parts of a version as a number; 0 if it is none."""
    found = re.match(r"\d+(\.\d+)?", text)
    return float(found.group()) if found else 0.0
