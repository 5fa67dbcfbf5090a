"""Where weights are: the project's own in the package, imported ones in the user's data directory.

A set of weights is a folder. The user's sets are `<data>/weights/<name>/`, where <data> is the directory that the
system has for it, or the environment variable `POSE2POSE_DATA`.
"""

import os
import re
from pathlib import Path

import platformdirs

WEIGHTS_FOLDER = Path(__file__).parent / "model" / "weights"
PARTS = ("body", "hand", "face")
"""The branches, which are also the names of their modules in `Pose2Pose`."""
DATA_VARIABLE = "POSE2POSE_DATA"
RELEASE = "https://github.com/mks0601/Hand4Whole_RELEASE"
"""Where the paper's authors link their checkpoints."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


class WeightsError(RuntimeError):
    """A weights file is missing, broken, or made for another network."""


def user_folder() -> Path:
    """The folder of the user's sets; it may not exist yet."""
    given = os.environ.get(DATA_VARIABLE)
    data = Path(given) if given else platformdirs.user_data_path("pose2pose", appauthor=False)
    return data / "weights"


def user_sets() -> list[str]:
    """Names of the user's sets, sorted."""
    folder = user_folder()
    return sorted(path.name for path in folder.iterdir() if _is_set(path)) if folder.is_dir() else []


def set_folder(name: str) -> Path:
    """The folder of a set of the user's, whether it exists or not.

    Raises:
        WeightsError: the name could not be a folder's on every system.
    """
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise WeightsError(f"a name of weights may have letters, digits and . _ -, got {name!r}; choose another --name")
    return user_folder() / name


def part_path(preset_name: str, part: str, folder: Path | None = None) -> Path:
    """Where the weights of a part are; folder None is the package's own."""
    return (folder or WEIGHTS_FOLDER) / f"{preset_name}_{part}.safetensors"


def find_weights(preset_name: str, given: Path | None = None) -> Path:
    """The folder of a preset's weights.

    Args:
        preset_name: a key of `PRESETS`.
        given: a folder, or the name of an imported set; None for the package's own, or else the imported ones.

    Raises:
        WeightsError: there are none, or several to choose from. The text says how to get or choose them.
    """
    if given is not None:
        return _given(given)
    if part_path(preset_name, "body").is_file():
        return WEIGHTS_FOLDER
    fitting = [name for name in user_sets() if part_path(preset_name, "body", set_folder(name)).is_file()]
    if preset_name in fitting or len(fitting) == 1:
        return set_folder(preset_name if preset_name in fitting else fitting[0])
    if fitting:
        raise WeightsError(
            f"several weights fit the preset {preset_name!r}: {', '.join(fitting)}; name one (--weights)"
        )
    raise WeightsError(f"there are no weights of the preset {preset_name!r} here. {_way_to_get(preset_name)}")


def _given(given: Path) -> Path:
    if given.is_dir():
        return given
    if len(given.parts) == 1 and given.name in user_sets():
        return set_folder(given.name)
    imported = f"the imported ones are: {', '.join(user_sets())}" if user_sets() else "none are imported"
    raise WeightsError(f"no weights {given}: neither a folder nor the name of imported weights; {imported}")


def _way_to_get(preset_name: str) -> str:
    if preset_name == "open":
        return "They are part of the package: reinstall it"
    if preset_name == "hand4whole":
        return f"Download the authors' checkpoint ({RELEASE}), then: pose2pose weights import snapshot_6.pth.tar"
    return "Train it, then name the folder of its files (--weights)"


def _is_set(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".")
