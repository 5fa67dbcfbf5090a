"""What lies in files that other programs wrote: dictionaries of arrays, whatever they are packed in."""

import json
import re
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, is_zipfile

import numpy as np

from .pickles import PickleError, read_object_array, read_pickle
from .take import TakeError

CONVERT = "or write an .npz where it was made: numpy.savez('motion.npz', poses=..., trans=..., mocap_frame_rate=30.0)"


def contents(path: Path) -> dict[Any, Any] | None:
    """The arrays of a file by their names, or of a folder by the names of its files.

    Args:
        path: `.npz`, `.pkl`, `.pt`, `.pth` or a folder of `.npz`.

    Returns:
        None for files of our own and of AMASS, which `take.load_take` reads.

    Raises:
        TakeError: nothing can be read there, or only by running what stands in it.
    """
    try:
        if path.is_dir():
            return _folder(path)
        if not path.exists():
            raise TakeError(f"{path}: no such file")
        if path.suffix.lower() == ".npz" or (is_zipfile(path) and _is_npz(path)):
            return _npz(path)
        found = read_pickle(path)
    except PickleError as error:
        raise TakeError(f"{error}; {CONVERT}") from error
    except (OSError, ValueError, BadZipFile) as error:
        raise error if isinstance(error, TakeError) else TakeError(f"{path} is not readable: {error}") from error
    if not isinstance(found, dict):
        raise TakeError(f"{path}: holds a {type(found).__name__}, not arrays by name")
    return found


def files_of_pictures(folder: Path) -> list[Path]:
    """The files of a folder that are named for a picture and a person in it, such as `00001_0.npz`."""
    return [file for file in sorted(folder.glob("*.npz")) if re.fullmatch(r"\d+_\d+", file.stem)]


def _is_npz(path: Path) -> bool:
    with ZipFile(path) as archive:
        return all(name.endswith(".npy") for name in archive.namelist())


def _npz(path: Path) -> dict[str, Any] | None:
    if not is_zipfile(path):
        return None  # what is wrong with it says `load_take`
    with ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
    if "format_version" in names or {"poses", "trans"} <= set(names) or {"root_orient", "pose_body"} <= set(names):
        return None
    found = {}
    with np.load(path, allow_pickle=False) as plain, ZipFile(path) as archive:
        for name in names:
            try:
                found[name] = plain[name]
            except ValueError:
                with archive.open(f"{name}.npy") as stream:
                    found[name] = read_object_array(stream, f"{path}: '{name}'")
    return found


def _folder(path: Path) -> dict[str, Any]:
    """Files such as `00001_0.npz`, beside them in `../meta` the lens of each, as SMPLer-X writes them."""
    files = files_of_pictures(path)
    if not files:
        raise TakeError(f"{path}: no results in this folder; expected files such as 00001_0.npz")
    return {file.stem: {**(_npz(file) or {}), **_lens(path.parent / "meta" / f"{file.stem}.json")} for file in files}


def _lens(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    said = json.loads(file.read_text())
    return {key: said[key] for key in ("focal", "princpt") if key in said}
