"""Small models in the layouts of SMPL-X, SMPL, MANO and FLAME, made from the open body, with the published counts.

The open body's mesh is thinned to the number of vertices that each licensed model has, and the vertices that the
`smplx` package and the paper's authors pick as points (nose, toes, finger tips...) keep their meaning and their index.
So regressors, vertex sets and evaluations of the published sizes can be tested on them.
"""

import pickle  # noqa: TID251 - writes what the licensed files are
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[Any]

VERTICES = {"whole": 10475, "body": 6890, "hand": 778, "face": 5023}

SMPL_POINTS = {
    "nose": (332, 331), "right_eye": (6260, 6262), "left_eye": (2800, 2802), "right_ear": (4071, 3990),
    "left_ear": (583, 3489), "left_big_toe": (3216, 3292), "left_small_toe": (3226, 3313), "left_heel": (3387, 3468),
    "right_big_toe": (6617, 6691), "right_small_toe": (6624, 6713), "right_heel": (6787, 6858),
    "left_thumb": (2746,), "left_index": (2319,), "left_middle": (2445,), "left_ring": (2556,), "left_pinky": (2673,),
    "right_thumb": (6191,), "right_index": (5782,), "right_middle": (5905,), "right_ring": (6016,),
    "right_pinky": (6133,),
}  # fmt: skip
"""Vertices of SMPL by point: the one of the `smplx` package, then the one of the paper's authors."""
SMPL_KNUCKLES = {25: 2274, 28: 2270, 34: 2293, 31: 2173, 40: 5595, 43: 5675, 49: 5636, 46: 5655}
"""The authors' vertices at SMPL-X's index, middle, ring and pinky joints."""
MANO_TIPS = {
    "thumb": (744, 745), "index": (320, 317), "middle": (443, 445), "ring": (554, 555, 556), "pinky": (671, 672, 673),
}  # fmt: skip
LSP14 = (8, 5, 2, 1, 4, 7, 21, 19, 17, 16, 18, 20, 12)
H36M = (0, 2, 5, 8, 1, 4, 7, 6, 12, 15, None, 16, 18, 20, 17, 19, 21)
"""Joints of SMPL-X that stand for those of the sets; None and what is missing at the end is the top of the head."""


@dataclass(frozen=True)
class Thinned:
    """A coarser mesh: original vertex of each new one (N,), new vertex of each original (V,) or -1, triangles."""

    order: Array
    owner: Array
    faces: Array

    def regressor(self, rows: Array) -> Array:
        """(J, V) rows on the original vertices -> (J, N), sums of 1."""
        inside = self.owner >= 0
        out = np.zeros((len(rows), len(self.order)))
        np.add.at(out.T, self.owner[inside], rows.T[inside])
        return out / out.sum(axis=1, keepdims=True)

    def landmarks(self, places: Array, vertices: Array) -> tuple[Array, Array]:
        """(..., 3) places on the skin -> triangle (...) with the nearest vertex as first corner, weights (..., 3)."""
        corners, first = np.unique(self.faces[:, 0], return_index=True)
        triangles = first[_nearest(vertices[self.order[corners]], places)]
        return triangles, np.broadcast_to(np.array([1.0, 0.0, 0.0], np.float32), (*triangles.shape, 3)).copy()


def thin(vertices: Array, faces: Array, region: Array, count: int, places: dict[int, int]) -> Thinned:
    """Collapse the shortest edges inside a region (mask) until `count` vertices are left; places: new index -> old."""
    faces = faces[region[faces].all(axis=1)].astype(np.int64)
    edges = np.unique(np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1), axis=0)
    edges = edges[np.argsort(np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1), kind="stable")]
    parent, fixed, left = list(range(len(vertices))), set(places.values()), int(region.sum())

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    for a, b in edges.tolist():
        if left == count:
            break
        a, b = root(a), root(b)
        if a != b and not (a in fixed and b in fixed):
            parent[a if b in fixed else b] = b if b in fixed else a
            left -= 1
    roots = np.array([root(i) if inside else -1 for i, inside in enumerate(region.tolist())])
    others = iter(sorted(set(roots[region].tolist()) - fixed))
    order = np.array([places[i] if i in places else next(others) for i in range(count)])
    new = np.full(len(vertices) + 1, -1)
    new[order] = np.arange(count)
    owner = new[roots]
    thinned = owner[faces]
    return Thinned(order, owner, thinned[(np.diff(np.sort(thinned, axis=1), axis=1) > 0).all(axis=1)])


def _region(body: dict[str, Array], joints: Sequence[int], count: int) -> Array:
    """The vertices that hang on the joints, or as many more from near them as are needed."""
    share = body["weights"][:, joints].sum(axis=1)
    first = body["J_regressor"][joints[0]] @ body["v_template"]
    rank = share - 0.1 * np.linalg.norm(body["v_template"] - first, axis=1)
    mask = np.zeros(len(share), dtype=bool)
    mask[np.argsort(-rank)[: max(count, int((share > 0.5).sum()))]] = True
    return mask


def _skinning(body: dict[str, Array], mesh: Thinned, groups: Sequence[Sequence[int]], parents: Sequence[int]) -> Any:
    """The arrays that all models share; each new joint stands for a group of SMPL-X's and bends as the first one."""
    rows = np.stack([body["J_regressor"][group[0]] for group in groups])
    weights = np.stack([body["weights"][mesh.order][:, group].sum(axis=1) for group in groups], axis=1)
    bends = [np.arange(9) + 9 * (group[0] - 1) for group in groups[1:]]
    return {
        "v_template": body["v_template"][mesh.order],
        "f": mesh.faces.astype(np.uint32),
        "shapedirs": body["shapedirs"][mesh.order].astype(np.float32),
        "posedirs": body["posedirs"][mesh.order][..., np.concatenate(bends)].astype(np.float32),
        "J_regressor": mesh.regressor(rows),
        "weights": weights / weights.sum(axis=1, keepdims=True),
        "kintree_table": np.array([[2**32 - 1, *parents[1:]], range(len(parents))], dtype=np.uint32),
    }


def _places(body: dict[str, Array], wanted: dict[int, Array]) -> dict[int, int]:
    """The nearest vertex to each place that no other place has taken."""
    taken: dict[int, int] = {}
    for index, place in wanted.items():
        near = np.argsort(np.linalg.norm(body["v_template"] - place, axis=1))
        taken[index] = next(v for v in near.tolist() if v not in taken.values())
    return taken


def _write_smplx(body: dict[str, Array], folder: Path) -> Thinned:
    from pose2pose.backend.body.joints import LANDMARK_VERTICES
    from pose2pose.backend.motion.skeleton import PARENTS

    vertices, faces = body["v_template"], body["f"]
    places = {vertex: vertex for vertex in LANDMARK_VERTICES.values()}
    mesh = thin(vertices, faces, np.ones(len(vertices), dtype=bool), VERTICES["whole"], places)
    arrays = body | _skinning(body, mesh, [(joint,) for joint in range(55)], PARENTS)
    for start in ("", "dynamic_"):
        triangles, weights = body[f"{start}lmk_faces_idx"], body[f"{start}lmk_bary_coords"]
        skin = np.einsum("...ij,...i->...j", vertices[faces[triangles]], weights)
        arrays[f"{start}lmk_faces_idx"], arrays[f"{start}lmk_bary_coords"] = mesh.landmarks(skin, vertices)
    np.savez(folder / "SMPLX_NEUTRAL.npz", **arrays, joint2num=np.array({"pelvis": 0}, dtype=object))
    return mesh


def _write_smpl(body: dict[str, Array], folder: Path) -> Thinned:
    from pose2pose.backend.body.joints import LANDMARK_VERTICES
    from pose2pose.backend.motion.skeleton import PARENTS

    vertices, joints = body["v_template"], body["J_regressor"] @ body["v_template"]
    wanted = {i: vertices[LANDMARK_VERTICES[name]] for name, indices in SMPL_POINTS.items() for i in indices}
    places = _places(body, wanted | {index: joints[joint] for joint, index in SMPL_KNUCKLES.items()})
    mesh = thin(vertices, body["f"], np.ones(len(vertices), dtype=bool), VERTICES["body"], places)
    alone = [(j,) for j in range(22)]
    groups = [*alone[:15], (15, 22, 23, 24), *alone[16:], tuple(range(25, 40)), tuple(range(40, 55))]
    arrays = _skinning(body, mesh, groups, (*PARENTS[:22], 20, 21))
    arrays["posedirs"][..., -18:] = 0
    for gender in ("NEUTRAL", "MALE", "FEMALE"):
        taller = {"MALE": 1.02, "FEMALE": 0.98}.get(gender, 1.0)
        _pickle(folder / f"SMPL_{gender}.pkl", arrays | {"v_template": arrays["v_template"] * taller})
    return mesh


def _write_mano(body: dict[str, Array], folder: Path) -> dict[str, Thinned]:
    from pose2pose.backend.body.joints import LANDMARK_VERTICES

    meshes = {}
    for side, wrist, first in (("left", 20, 25), ("right", 21, 40)):
        fingers = range(first, first + 15)
        tips = {tip: body["v_template"][LANDMARK_VERTICES[f"{side}_{tip}"]] for tip in MANO_TIPS}
        wanted = {i: tips[tip] for tip, indices in MANO_TIPS.items() for i in indices}
        region = _region(body, (wrist, *fingers), VERTICES["hand"])
        mesh = thin(body["v_template"], body["f"], region, VERTICES["hand"], _places(body, wanted))
        rest = tuple(j for j in range(55) if j not in (wrist, *fingers))
        parents = (-1, *(0 if k % 3 == 0 else k for k in range(15)))
        arrays = _skinning(body, mesh, [(wrist, *rest), *((j,) for j in fingers)], parents)
        arrays |= {"hands_mean": body[f"hands_mean{side[0]}"], "hands_components": body[f"hands_components{side[0]}"]}
        arrays["shapedirs"] = arrays["shapedirs"][..., :10]
        _pickle(folder / f"MANO_{side.upper()}.pkl", arrays)
        meshes[f"{side}_hand"] = mesh
    return meshes


def _write_flame(body: dict[str, Array], folder: Path) -> Thinned:
    head = (12, 15, 22, 23, 24)
    vertices, faces = body["v_template"], body["f"]
    mesh = thin(vertices, faces, _region(body, head, VERTICES["face"]), VERTICES["face"], {})
    rest = tuple(j for j in range(55) if j not in head)
    _pickle(
        folder / "FLAME_NEUTRAL.pkl",
        _skinning(body, mesh, [(12, *rest), *((j,) for j in head[1:])], (-1, 0, 1, 1, 1)),
    )
    found = []
    for start in ("", "dynamic_"):
        triangles, weights = body[f"{start}lmk_faces_idx"], body[f"{start}lmk_bary_coords"]
        skin = np.einsum("...ij,...i->...j", vertices[faces[triangles]], weights)
        found.append(dict(zip(("lmk_face_idx", "lmk_b_coords"), mesh.landmarks(skin, vertices), strict=True)))
    (folder / "flame_static_embedding.pkl").write_bytes(pickle.dumps(found[0], protocol=2))
    np.save(folder / "flame_dynamic_embedding.npy", np.array(found[1], dtype=object), allow_pickle=True)
    return mesh


def _write_indices(body: dict[str, Array], whole: Thinned, parts: dict[str, Thinned], folder: Path) -> None:
    """The index files of the evaluations; the sets name the whole mesh's vertices nearest to a part's own."""
    places = body["v_template"]
    nearest = {name: _nearest(places[whole.order], places[mesh.order]) for name, mesh in parts.items()}
    hands = {side: nearest[side] for side in ("left_hand", "right_hand")}
    (folder / "smplx" / "MANO_SMPLX_vertex_ids.pkl").write_bytes(pickle.dumps(hands, protocol=2))
    np.save(folder / "smplx" / "SMPL-X__FLAME_vertex_ids.npy", nearest["face"])
    top = np.zeros(len(places))
    top[places[:, 1].argmax()] = 1
    lsp, h36m = (
        np.stack([top if joint is None else body["J_regressor"][joint] for joint in joints])
        for joints in ((*LSP14, None), H36M)
    )
    (folder / "smplx" / "SMPLX_to_J14.pkl").write_bytes(pickle.dumps(whole.regressor(lsp), protocol=2))
    np.save(folder / "smplx" / "J_regressor_h36m_smplx.npy", whole.regressor(h36m))
    np.save(folder / "smpl" / "J_regressor_h36m_smpl.npy", parts["body"].regressor(h36m))


def _nearest(vertices: Array, places: Array) -> Array:
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(vertices).query(places)[1])


def _pickle(file: Path, arrays: dict[str, Any]) -> None:
    """As the licensed files are: pickled, the regressor a sparse matrix of scipy."""
    from scipy.sparse import csc_matrix

    sparse = {"J_regressor": csc_matrix(arrays["J_regressor"])}
    file.write_bytes(pickle.dumps(arrays | sparse, protocol=2))


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`smplx/`, `smpl/`, `mano/` and `flame/` with the index files of the evaluations; to be read, not changed."""
    from pose2pose.backend.motion.body_file import OPEN_BODY

    folder = tmp_path_factory.mktemp("models")
    with np.load(OPEN_BODY) as archive:
        body = {name: archive[name] for name in archive.files if archive[name].dtype.kind in "fiu"}
    for name in ("smplx", "smpl", "mano", "flame"):
        (folder / name).mkdir()
    whole = _write_smplx(body, folder / "smplx")
    parts = {
        "body": _write_smpl(body, folder / "smpl"),
        **_write_mano(body, folder / "mano"),
        "face": _write_flame(body, folder / "flame"),
    }
    _write_indices(body, whole, parts, folder)
    return folder


def _model(part: str, folder: Path) -> Any:
    pytest.importorskip("smplx")
    from pose2pose.training.body_models.human_models import build_human_model

    return build_human_model(part, folder)


@pytest.fixture(scope="session")
def whole_model(model_folder: Path) -> Any:
    """SMPL-X's layout: a `HumanModel` of 10475 vertices."""
    return _model("whole", model_folder)


@pytest.fixture(scope="session")
def body_model(model_folder: Path) -> Any:
    """SMPL's layout: 6890 vertices."""
    return _model("body", model_folder)


@pytest.fixture(scope="session")
def hand_model(model_folder: Path) -> Any:
    """MANO's layout, right: 778 vertices."""
    return _model("hand", model_folder)


@pytest.fixture(scope="session")
def face_model(model_folder: Path) -> Any:
    """FLAME's layout: 5023 vertices."""
    return _model("face", model_folder)
