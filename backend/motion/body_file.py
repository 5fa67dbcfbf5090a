"""Read a body model file in the layout of SMPL-X: the packaged open body or a licensed file alike. numpy only."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

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
_FULL_SHAPE_SPACE = 300
"""A file with all 400 directions keeps its expressions behind 300 shapes, one with 20 behind 10."""


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
    """Load the open body, or a licensed SMPL-X `.npz` file.

    Args:
        path: the file; None stands for the packaged open body.

    Raises:
        BodyFileError: if the file is missing, is no `.npz`, or lacks an array of the layout; the text names it.
    """
    file = OPEN_BODY if path is None else Path(path)
    arrays = _read(file)
    directions = arrays["shapedirs"]
    first_expression = _FULL_SHAPE_SPACE if directions.shape[2] > _FULL_SHAPE_SPACE else _BETAS
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
    with _open(file) as archive:
        arrays = {key: _member(archive, file, key) for key in _SHAPES}
        names = archive["expression_names"] if "expression_names" in archive else np.arange(10).astype(str)
    _check_shapes(arrays, file)
    return {**arrays, "expression_names": names}


def _open(file: Path) -> np.lib.npyio.NpzFile:
    try:
        archive = np.load(file, allow_pickle=False)
    except (OSError, EOFError, ValueError, BadZipFile) as error:
        raise BodyFileError(f"cannot read the body model {file}: {error}; expected an SMPL-X .npz file") from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise BodyFileError(f"cannot read the body model {file}: it is a single array; expected an SMPL-X .npz file")
    return archive


def _member(archive: np.lib.npyio.NpzFile, file: Path, key: str) -> Array:
    if key not in archive:
        raise BodyFileError(
            f"{file} has no array '{key}'; expected a body model in the layout of SMPL-X (55 joints, not SMPL or MANO)"
        )
    try:
        return np.asarray(archive[key])
    except ValueError as error:
        raise BodyFileError(
            f"'{key}' in {file} is a pickled object, which is never opened; use the .npz of SMPL-X 1.1 or convert it"
        ) from error


def _check_shapes(arrays: dict[str, Array], file: Path) -> None:
    sizes: dict[str, int] = {}
    for key, shape in _SHAPES.items():
        got = arrays[key].shape
        wanted = tuple(sizes.get(size, size) if isinstance(size, str) else size for size in shape)
        if len(got) != len(wanted) or any(isinstance(w, int) and w != g for w, g in zip(wanted, got, strict=True)):
            raise BodyFileError(f"'{key}' in {file} has shape {got}; expected {wanted} (V vertices, F triangles)")
        sizes.update({size: got[i] for i, size in enumerate(shape) if isinstance(size, str)})
    if sizes["S"] < 20:
        raise BodyFileError(f"'shapedirs' in {file} has {sizes['S']} directions; expected 10 shapes and 10 expressions")
    if tuple(arrays["kintree_table"][0].astype(np.int64)[1:]) != PARENTS[1:]:
        raise BodyFileError(f"'kintree_table' in {file} is not the joint hierarchy of SMPL-X")


def _floats(array: Array) -> Floats:
    return np.ascontiguousarray(array, dtype=np.float32)
