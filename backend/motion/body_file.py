"""Read a body model file in the layout of SMPL-X: the packaged open body or a licensed file alike. numpy only.

Licensed ones are SMPL-X 1.0 and 1.1 and those with a locked head, as `.npz` or as the older `.pkl`; all have the same
arrays. Betas and expressions lie in one array, split by the rule of the `smplx` package (`smplx.body_models.SMPLX`):
with 400 directions and more the first 300 are shapes and the next expressions, with fewer 10 are shapes and 10 are
expressions. The first 10 of each are used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from .pickles import PickleError, read_pickle
from .skeleton import JOINT_NAMES, PARENTS

OPEN_BODY = Path(__file__).parents[1] / "body" / "open_body.npz"

Array = NDArray[Any]
Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

_SHAPES: dict[str, tuple[int | str, ...]] = {
    "v_template": ("V", 3),
    "f": ("F", 3),
    "shapedirs": ("V", 3, "S"),
    "posedirs": ("V", 3, 486),
    "J_regressor": (55, "V"),
    "weights": ("V", 55),
    "kintree_table": (2, 55),
    "hands_meanl": (45,),
    "hands_meanr": (45,),
    "lmk_faces_idx": (51,),
    "lmk_bary_coords": (51, 3),
    "vt": ("U", 2),
    "ft": ("F", 3),
}
_BETAS = 10
_ALL_SHAPES = 300
_ALL_DIRECTIONS = 400
"""A file with that many keeps its expressions behind `_ALL_SHAPES`, one with fewer behind `_BETAS`."""
_OTHERS = {24: "SMPL", 52: "SMPL-H", 16: "MANO", 5: "FLAME"}
"""Other body models of the same family, by their number of joints."""
_GET = "get SMPLX_NEUTRAL.npz of SMPL-X 1.1 at https://smpl-x.is.tue.mpg.de"


class BodyFileError(ValueError):
    """A file that is no body model in the layout of SMPL-X."""


@dataclass(frozen=True, eq=False)
class BodyFile:
    """A body model as arrays; lengths in meters, y up, facing +z, left = +x."""

    name: str
    """"open" for the packaged body, otherwise the file's stem."""
    v_template: Floats
    """(V, 3) vertices of the mean shape in the rest pose."""
    faces: Integers
    """(F, 3)."""
    shapedirs: Floats
    """(V, 3, 10) displacement per unit of each beta."""
    exprdirs: Floats
    """(V, 3, 10) displacement per unit of each expression."""
    posedirs: Floats
    """(V, 3, 486) displacement per entry of the 54 joints' rotation minus identity, rows of each matrix in order."""
    J_regressor: Floats
    """(55, V), rows sum to 1."""
    weights: Floats
    """(V, 55) skinning weights, rows sum to 1."""
    hands_mean: Floats
    """(2, 15, 3) relaxed left and right hand, axis-angle in radians."""
    lmk_faces_idx: Integers
    """(51,) triangle of each inner face landmark, in the order of iBUG's 68 without the contour."""
    lmk_bary_coords: Floats
    """(51, 3) place in that triangle."""
    vt: Floats
    """(U, 2) texture coordinates."""
    ft: Integers
    """(F, 3) their triangles."""
    joint_names: tuple[str, ...]
    expression_names: tuple[str, ...]

    def rest_joints(self, betas: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """(10,) betas, None = zeros -> (55, 3) joints of that shape in the rest pose, meters."""
        vertices = self.v_template.astype(np.float64)
        if betas is not None:
            vertices = vertices + self.shapedirs @ np.asarray(betas, dtype=np.float64)
        joints: NDArray[np.float64] = self.J_regressor.astype(np.float64) @ vertices
        return joints


def load_body(path: Path | None = None) -> BodyFile:
    """Load the open body, or a licensed SMPL-X file, `.npz` or `.pkl`.

    Args:
        path: the file; None stands for the packaged open body.

    Raises:
        BodyFileError: if the file is missing, is of another model, or lacks an array of the layout; the text names it.
    """
    file = OPEN_BODY if path is None else Path(path)
    arrays = _read(file)
    directions = arrays["shapedirs"]
    first_expression = _ALL_SHAPES if directions.shape[2] >= _ALL_DIRECTIONS else _BETAS
    return BodyFile(
        name="open" if file == OPEN_BODY else file.stem,
        v_template=_floats(arrays["v_template"]),
        faces=arrays["f"].astype(np.int64),
        shapedirs=_floats(directions[..., :_BETAS]),
        exprdirs=_floats(directions[..., first_expression : first_expression + 10]),
        posedirs=_floats(arrays["posedirs"]),
        J_regressor=_floats(arrays["J_regressor"]),
        weights=_floats(arrays["weights"]),
        hands_mean=_floats(np.stack([arrays["hands_meanl"], arrays["hands_meanr"]])).reshape(2, 15, 3),
        lmk_faces_idx=arrays["lmk_faces_idx"].astype(np.int64),
        lmk_bary_coords=_floats(arrays["lmk_bary_coords"]),
        vt=_floats(arrays["vt"]),
        ft=arrays["ft"].astype(np.int64),
        joint_names=JOINT_NAMES,
        expression_names=tuple(str(name) for name in arrays["expression_names"]),
    )


def _read(file: Path) -> dict[str, Array]:
    """Only the arrays that are needed: licensed files also hold pickled dictionaries, which stay unopened."""
    if file.suffix.lower() == ".pkl":
        return _checked(_unpickled(file), file)
    with _open(file) as archive:
        return _checked(archive, file)


def _checked(members: Mapping[str, Any], file: Path) -> dict[str, Array]:
    _check_model(members, file)
    arrays = {key: _member(members, file, key) for key in _SHAPES}
    _check_shapes(arrays, file)
    names = members["expression_names"] if "expression_names" in members else np.arange(10).astype(str)
    return {**arrays, "expression_names": names}


def _unpickled(file: Path) -> dict[str, Any]:
    try:
        members = read_pickle(file)
    except (OSError, PickleError) as error:
        raise BodyFileError(f"cannot read the body model {file}: {error}; {_GET}") from error
    if not isinstance(members, dict):
        raise BodyFileError(f"cannot read the body model {file}: it holds no arrays by name; {_GET}")
    return members


def _open(file: Path) -> np.lib.npyio.NpzFile:
    try:
        archive = np.load(file, allow_pickle=False)
    except (OSError, EOFError, ValueError, BadZipFile) as error:
        raise BodyFileError(f"cannot read the body model {file}: {error}; expected an SMPL-X .npz or .pkl") from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise BodyFileError(f"cannot read the body model {file}: it is a single array; expected an SMPL-X .npz file")
    return archive


def _check_model(members: Mapping[str, Any], file: Path) -> None:
    """Say by name what is given by mistake: models of the same family, and motion."""
    if "poses" in members:
        raise BodyFileError(f"{file} holds motion, not a body model; {_GET}")
    tree = _member(members, file, "kintree_table") if "kintree_table" in members else np.zeros((2, 0))
    other = _OTHERS.get(tree.shape[-1])
    if other is not None:
        raise BodyFileError(f"{file} is a body model of {other} ({tree.shape[-1]} joints), SMPL-X has 55; {_GET}")


def _member(members: Mapping[str, Any], file: Path, key: str) -> Array:
    if key not in members:
        raise BodyFileError(
            f"{file} has no array '{key}'; expected a body model in the layout of SMPL-X (55 joints): {_GET}"
        )
    try:
        array = np.asarray(members[key])
    except ValueError as error:
        raise BodyFileError(f"'{key}' in {file} is a pickled object, which is never opened; {_GET}") from error
    if array.dtype == object:
        raise BodyFileError(
            f"'{key}' in {file} holds no numbers but what chumpy computes; {_GET}, or clean the file with "
            "tools/clean_ch.py of the smplx package"
        )
    return array


def _check_shapes(arrays: dict[str, Array], file: Path) -> None:
    sizes: dict[str, int] = {}
    for key, shape in _SHAPES.items():
        got = arrays[key].shape
        wanted = tuple(sizes.get(size, size) if isinstance(size, str) else size for size in shape)
        if len(got) != len(wanted) or any(isinstance(w, int) and w != g for w, g in zip(wanted, got, strict=True)):
            raise BodyFileError(
                f"'{key}' in {file} has shape {got}; expected {wanted} (V vertices, F triangles); {_GET}"
            )
        sizes.update({size: got[i] for i, size in enumerate(shape) if isinstance(size, str)})
    if sizes["S"] < 20:
        raise BodyFileError(
            f"'shapedirs' in {file} has {sizes['S']} directions; expected 10 shapes and 10 expressions; {_GET}"
        )
    if tuple(arrays["kintree_table"][0].astype(np.int64)[1:]) != PARENTS[1:]:
        raise BodyFileError(f"'kintree_table' in {file} is not the joint hierarchy of SMPL-X; {_GET}")


def _floats(array: Array) -> Floats:
    return np.ascontiguousarray(array, dtype=np.float32)
