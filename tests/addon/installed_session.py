"""What an animator does with the extension's zip, from its installation to its removal, in a process of its own.

    installed_session.py ZIP CLIP BACKEND_PYTHON FOLDER

Run by test_extension.py, which reads what this prints. Nothing of the checkout is imported, only what the zip brought.
"""

import contextlib
import importlib
import os
import sys
import time
from pathlib import Path
from typing import Any

import bpy
import numpy as np

EXTENSION = "bl_ext.user_default.pose2pose"
RATE = 30.0
FRAMES = 6


def module(name: str) -> Any:
    return importlib.import_module(f"{EXTENSION}.{name}")


def install(extension: str) -> None:
    bpy.ops.extensions.package_install_files(filepath=extension, repo="user_default", enable_on_install=True)
    assert EXTENSION in bpy.context.preferences.addons, "not enabled"


def capture(clip: str, python: str) -> None:
    """Largest person, as raw as possible, so that the keys can be held against the take."""
    preferences = bpy.context.preferences.addons[EXTENSION].preferences
    preferences.backend, preferences.python_path = "PYTHON", python
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    keying = bpy.context.scene.pose2pose.keying
    keying.method, keying.fade = "none", 0.0
    done = bpy.ops.pose2pose.capture(filepath=clip, people="largest", end=FRAMES, fps=RATE)
    assert done == {"FINISHED"}, done


def armature() -> Any:
    (found,) = module("addon.scene.takes").armatures(bpy.context.scene)
    return found


def check_keys() -> np.ndarray:
    """Joints stand to each other as the camera saw them, in each of its frames; returns them (T, 55, 3)."""
    figure = armature()
    take, _ = module("addon.scene.takes").stored(figure.animation_data.action)
    names = module("backend.motion.skeleton").JOINT_NAMES
    posed = np.array([heads(figure, names, 1 + seconds * RATE) for seconds in take.times])
    assert len(take.times) == FRAMES
    error = np.abs(distances(posed) - distances(take.joints_cam)).max()
    assert error < 1e-3, f"{error} m"
    walked = np.linalg.norm(posed[-1, 0] - posed[0, 0]) - np.linalg.norm(take.joints_cam[-1, 0] - take.joints_cam[0, 0])
    assert abs(walked) < 1e-3, f"{walked} m"
    print(f"keys within {1e3 * error:.3f} mm of the take")
    return posed


def heads(figure: Any, names: Any, frame: float) -> list[Any]:
    bpy.context.scene.frame_set(int(frame), subframe=frame % 1)
    return [figure.matrix_world @ figure.pose.bones[name].head for name in names]


def distances(joints: np.ndarray) -> np.ndarray:
    """(T, J, 3) -> (T, J, J): the same wherever the person stands."""
    return np.linalg.norm(joints[:, :, None].astype(float) - joints[:, None], axis=-1)


def save_and_reopen(path: str) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert not bpy.data.objects
    bpy.ops.wm.open_mainfile(filepath=path)


def uninstall() -> None:
    """Blender knows nothing of the add-on afterwards, and its backend ends."""
    backend = module("addon.link.connection").running_backend()
    assert backend is not None
    repositories = [repository.module for repository in bpy.context.preferences.extensions.repos]
    bpy.ops.extensions.package_uninstall(repo_index=repositories.index("user_default"), pkg_id="pose2pose")
    assert EXTENSION not in bpy.context.preferences.addons
    assert not hasattr(bpy.types.Scene, "pose2pose")
    assert not hasattr(bpy.types.WindowManager, "pose2pose")
    assert not [name for name in dir(bpy.types) if name.startswith("POSE2POSE")]
    assert not [name for name in dir(bpy.ops.pose2pose) if not name.startswith("_")]
    assert ends(backend.pid), "the backend still runs"


def ends(pid: int, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def main() -> None:
    extension, clip, python, folder = sys.argv[1:]
    install(extension)
    capture(clip, python)
    posed = check_keys()
    save_and_reopen(str(Path(folder, "captured.blend")))
    assert np.abs(check_keys() - posed).max() < 1e-5
    uninstall()
    assert armature_remains()
    sys.stdout.flush()
    os._exit(0)  # bpy 4.5 can hang in its own clean-up


def armature_remains() -> bool:
    """The animation is the user's, with the add-on or without."""
    found = [item for item in bpy.data.objects if item.type == "ARMATURE" and item.animation_data.action]
    return len(found) == 1


if __name__ == "__main__":
    main()
