"""The licensed files of SMPL-X, SMPL, MANO and FLAME, and the index files that evaluations need: which, where, reading.

They lie in one folder in the layout that the `smplx` package documents: `smplx/`, `smpl/`, `mano/`, `flame/`. They are
read as arrays without running anything that stands in them (`backend.motion.pickles`), so neither chumpy nor the
Python 2 that wrote some of them is needed.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ...backend.motion.pickles import PickleError, read_object_array, read_pickle

Array = NDArray[Any]
Index = TypeVar("Index", Array, dict[str, Array])

SITES = {
    "smplx": "https://smpl-x.is.tue.mpg.de",
    "smpl": "https://smpl.is.tue.mpg.de",
    "mano": "https://mano.is.tue.mpg.de",
    "flame": "https://flame.is.tue.mpg.de",
}
"""Where each folder's files are given to those who accept their licenses."""

MODEL_FOLDERS = {"whole": "smplx", "body": "smpl", "hand": "mano", "face": "flame"}
_STEMS = {"whole": "SMPLX_{}", "body": "SMPL_{}", "hand": "MANO_RIGHT", "face": "FLAME_{}"}
_BESIDE = {"face": ("flame_static_embedding.pkl", "flame_dynamic_embedding.npy")}
_ENDINGS = (".npz", ".pkl")

_SKINNING = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table")
_LANDMARKS = ("lmk_faces_idx", "lmk_bary_coords", "dynamic_lmk_faces_idx", "dynamic_lmk_bary_coords")
_HANDS = ("hands_meanl", "hands_meanr", "hands_componentsl", "hands_componentsr")
ARRAYS = {
    "whole": (*_SKINNING, *_HANDS, *_LANDMARKS),
    "body": _SKINNING,
    "hand": (*_SKINNING, "hands_mean", "hands_components"),
    "face": _SKINNING,
}
"""What the `smplx` package takes from each model's file."""

HAND_VERTICES = Path("smplx", "MANO_SMPLX_vertex_ids.pkl")
FACE_VERTICES = Path("smplx", "SMPL-X__FLAME_vertex_ids.npy")
JOINTS_14 = Path("smplx", "SMPLX_to_J14.pkl")
JOINTS_H36M = {"whole": Path("smplx", "J_regressor_h36m_smplx.npy"), "body": Path("smpl", "J_regressor_h36m_smpl.npy")}
"""Index files of the evaluations, in the folder of the models."""

_SOURCES = {
    HAND_VERTICES: f"the downloads of {SITES['smplx']}",
    FACE_VERTICES: f"the downloads of {SITES['smplx']}",
    JOINTS_14: "the data of ExPose, https://expose.is.tue.mpg.de",
    JOINTS_H36M["whole"]: "the annotations of Human3.6M that the paper's authors publish with their code",
    JOINTS_H36M["body"]: "the annotations of Human3.6M that the paper's authors publish with their code",
}


class MissingModelError(FileNotFoundError):
    """Files that have to be got under a license are missing; the text lists them, where to get them, where to put."""


class ModelFileError(ValueError):
    """A file of a body model that cannot be read as one."""


def model_file(part: str, folder: Path, gender: str = "neutral") -> Path:
    """The file of a part's model.

    Args:
        part: whole, body, hand or face.
        folder: of all models.
        gender: neutral, male or female; MANO has none.

    Raises:
        MissingModelError: it, or a file that belongs to it, is missing.
    """
    place = folder / MODEL_FOLDERS[part]
    stem = _STEMS[part].format(gender.upper())
    found = next((file for ending in _ENDINGS if (file := place / (stem + ending)).is_file()), None)
    missing = [str(place / name) for name in _BESIDE.get(part, ()) if not (place / name).is_file()]
    if found is None or missing:
        wanted = [] if found else [f"{place / stem}.npz (or .pkl)"]
        lines = "".join(f"\n  {name}" for name in wanted + missing)
        site = SITES[MODEL_FOLDERS[part]]
        raise MissingModelError(
            f"missing files:{lines}\nget them at {site} and put them there under these names (SMPL's basicmodel_*.pkl "
            "and FLAME's generic_model.pkl are renamed), or name another folder by models.folder"
        )
    return found


def read_model(part: str, file: Path) -> dict[str, Array]:
    """The arrays of `ARRAYS` from a model's file; of FLAME also `_LANDMARKS`, from the two files beside it.

    Raises:
        ModelFileError: it is damaged, or an array is missing or computed by chumpy.
    """
    members = _members(file)
    arrays = {name: _array(members, name, file) for name in ARRAYS[part]}
    return arrays | _flame_landmarks(file.parent) if part == "face" else arrays


def hand_vertices(folder: Path) -> dict[str, Array]:
    """SMPL-X's vertices that are MANO's: `left_hand`, `right_hand` (778,) each.

    Raises:
        MissingModelError: there is no such file in the folder of the models.
        ModelFileError: it is damaged.
    """
    sides = ("left_hand", "right_hand")
    return _read_index(folder, HAND_VERTICES, lambda file: _integers(read_pickle(file), sides))


def face_vertices(folder: Path) -> Array:
    """SMPL-X's vertices that are FLAME's, (5023,).

    Raises:
        MissingModelError: there is no such file in the folder of the models.
        ModelFileError: it is damaged.
    """
    return _read_index(folder, FACE_VERTICES, lambda file: _numbers(file).astype(np.int64))


def joints_14(folder: Path) -> Array:
    """ExPose's regressor of the 14 joints of LSP from SMPL-X's vertices, (14, V).

    Raises:
        MissingModelError: there is no such file in the folder of the models.
        ModelFileError: it is damaged.
    """
    return _read_index(folder, JOINTS_14, lambda file: np.asarray(read_pickle(file), dtype=np.float32))


def joints_h36m(part: str, folder: Path) -> Array:
    """Regressor of Human3.6M's 17 joints from the vertices of SMPL-X (whole) or SMPL (body), (17, V).

    Raises:
        MissingModelError: there is no such file in the folder of the models.
        ModelFileError: it is damaged.
    """
    return _read_index(folder, JOINTS_H36M[part], lambda file: _numbers(file).astype(np.float32))


def _read_index(folder: Path, name: Path, read: Callable[[Path], Index]) -> Index:
    file = folder / name
    if not file.is_file():
        raise MissingModelError(f"missing file:\n  {file}\nget it from {_SOURCES[name]} and put it there")
    try:
        return read(file)
    except (OSError, EOFError, KeyError, ValueError, TypeError, PickleError) as error:
        raise ModelFileError(f"cannot read {file}: {error}; get it again from {_SOURCES[name]}") from error


def _numbers(file: Path) -> Array:
    return np.asarray(np.load(file, allow_pickle=False))


def _integers(members: dict[str, Any], names: tuple[str, ...]) -> dict[str, Array]:
    return {name: np.asarray(members[name]).astype(np.int64) for name in names}


def _members(file: Path) -> dict[str, Any]:
    """Everything in a file that is an array; what an .npz pickles beside them stays unopened."""
    try:
        if file.suffix == ".pkl":
            return dict(read_pickle(file))
        with np.load(file, allow_pickle=False) as archive:
            wanted = {name for names in ARRAYS.values() for name in names}
            return {name: archive[name] for name in archive.files if name in wanted}
    except (OSError, ValueError, TypeError, BadZipFile, PickleError) as error:
        raise ModelFileError(f"cannot read the body model {file}: {error}") from error


def _array(members: dict[str, Any], name: str, file: Path) -> Array:
    if name not in members:
        raise ModelFileError(f"{file} has no array '{name}'; it is another model, or an older release of this one")
    array = np.asarray(members[name])
    if array.dtype == object:
        raise ModelFileError(
            f"'{name}' in {file} holds no numbers but what chumpy computes; clean the file with tools/clean_ch.py of "
            "the smplx package"
        )
    return array


def _flame_landmarks(folder: Path) -> dict[str, Array]:
    static_file, dynamic_file = (folder / name for name in _BESIDE["face"])
    try:
        static = read_pickle(static_file)
        with dynamic_file.open("rb") as stream:
            dynamic = read_object_array(stream, str(dynamic_file))
        found = [source[key] for source in (static, dynamic) for key in ("lmk_face_idx", "lmk_b_coords")]
    except (EOFError, KeyError, ValueError, TypeError, PickleError) as error:
        names = " or ".join(_BESIDE["face"])
        raise ModelFileError(f"cannot read {names} in {folder}: {error}; get them at {SITES['flame']}") from error
    return {name: np.asarray(array) for name, array in zip(_LANDMARKS, found, strict=True)}
