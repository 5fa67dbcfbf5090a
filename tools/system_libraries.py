"""Check the shared libraries that bpy and OpenCV load on Linux, and install the missing ones where that is possible.

Without libEGL a render ends the whole process instead of raising, so this is checked before anything is installed.
Standard library only: it runs before the packages are there.
"""

import ctypes
import os
import shutil
import subprocess
import sys

PACKAGES = {
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXrender.so.1": "libxrender1",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libEGL_mesa.so.0": "libgl1-mesa-dri",
    "libgomp.so.1": "libgomp1",
    "libgthread-2.0.so.0": "libglib2.0-0",
}
"""Library -> Debian package. The mesa drivers render without a graphics card or a display."""


def missing_libraries() -> list[str]:
    """Names of the libraries that the loader does not find."""
    return [name for name in PACKAGES if not _loads(name)]


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def install(packages: list[str]) -> None:
    """Install Debian packages. Raises CalledProcessError when apt-get fails."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-q"], check=True, env=environment)
    subprocess.run(
        ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages], check=True, env=environment
    )


def main() -> int:
    """Return the exit status: 0 when every library loads, if need be after installing it."""
    missing = missing_libraries() if sys.platform == "linux" else []
    if not missing:
        return 0
    packages = [PACKAGES[name] for name in missing]
    print(f"missing system libraries: {', '.join(missing)}")
    if shutil.which("apt-get") is None:
        print("install them with this system's package manager, then run make again")
        return 1
    if os.geteuid() != 0:
        print(f"run this, then make again:\n  sudo apt-get install --no-install-recommends {' '.join(packages)}")
        return 1
    install(packages)
    missing = missing_libraries()
    if missing:
        print(f"still missing after the installation: {', '.join(missing)}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
