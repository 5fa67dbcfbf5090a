"""Reading body model files: the packaged one, licensed look-alikes, and files that are none."""

import os
import pickle  # noqa: TID251 - writes what is read here
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose2pose.backend.motion.body_file import BodyFileError, load_body
from pose2pose.backend.motion.skeleton import JOINT_NAMES, PARENTS

VERTICES, FACES = 6, 4


@pytest.fixture
def arrays() -> dict[str, Any]:
    """A file of six vertices in the layout of SMPL-X with all 400 directions, as licensed files have it."""
    rng = np.random.default_rng(0)
    regressor = rng.uniform(size=(55, VERTICES))
    return {
        "v_template": rng.normal(size=(VERTICES, 3)),
        "f": np.zeros((FACES, 3), dtype=np.uint32),
        "shapedirs": rng.normal(size=(VERTICES, 3, 400)),
        "posedirs": rng.normal(size=(VERTICES, 3, 486)),
        "J_regressor": regressor / regressor.sum(axis=1, keepdims=True),
        "weights": np.full((VERTICES, 55), 1 / 55),
        "kintree_table": np.stack([np.array(PARENTS), np.arange(55)]).astype(np.uint32),
        "hands_meanl": np.zeros(45),
        "hands_meanr": np.ones(45),
        "lmk_faces_idx": np.zeros(51, dtype=np.int64),
        "lmk_bary_coords": np.full((51, 3), 1 / 3),
        "vt": np.zeros((8, 2)),
        "ft": np.zeros((FACES, 3), dtype=np.uint32),
    }


def write(folder: Path, arrays: dict[str, Any]) -> Path:
    file = folder / "SMPLX_NEUTRAL.npz"
    np.savez(file, **arrays)
    return file


def test_packaged_body_loads_without_a_path() -> None:
    body = load_body()
    assert body.name == "open"
    assert body.joint_names == JOINT_NAMES
    assert len(body.expression_names) == 10
    assert body.v_template.dtype == body.posedirs.dtype == body.shapedirs.dtype == np.float32


def test_expressions_of_a_full_file_stand_behind_300_shapes(tmp_path: Path, arrays: dict[str, Any]) -> None:
    body = load_body(write(tmp_path, arrays))
    np.testing.assert_allclose(body.shapedirs, arrays["shapedirs"][..., :10], rtol=1e-6)
    np.testing.assert_allclose(body.exprdirs, arrays["shapedirs"][..., 300:310], rtol=1e-6)
    assert body.name == "SMPLX_NEUTRAL"


def test_expressions_of_a_short_file_stand_behind_10_shapes(tmp_path: Path, arrays: dict[str, Any]) -> None:
    arrays["shapedirs"] = arrays["shapedirs"][..., :20]
    body = load_body(write(tmp_path, arrays))
    np.testing.assert_allclose(body.exprdirs, arrays["shapedirs"][..., 10:], rtol=1e-6)


@pytest.mark.parametrize(("directions", "first"), [(20, 10), (310, 10), (399, 10), (400, 300), (500, 300)])
def test_shapes_and_expressions_are_split_as_smplx_does(
    tmp_path: Path, arrays: dict[str, Any], directions: int, first: int
) -> None:
    arrays["shapedirs"] = np.random.default_rng(1).normal(size=(VERTICES, 3, directions))
    body = load_body(write(tmp_path, arrays))
    np.testing.assert_allclose(body.exprdirs, arrays["shapedirs"][..., first : first + 10], rtol=1e-6)


@pytest.mark.parametrize("protocol", [2, 4])
def test_pickled_files_are_the_same(tmp_path: Path, arrays: dict[str, Any], protocol: int) -> None:
    wanted = load_body(write(tmp_path, arrays))
    arrays["joint2num"] = {"pelvis": 0}
    arrays["bs_type"] = "lrotmin"
    file = tmp_path / "SMPLX_NEUTRAL.pkl"
    file.write_bytes(pickle.dumps(arrays, protocol=protocol))
    body = load_body(file)
    assert body.name == "SMPLX_NEUTRAL"
    for name in ("v_template", "shapedirs", "exprdirs", "posedirs", "J_regressor", "weights", "hands_mean", "faces"):
        np.testing.assert_array_equal(getattr(body, name), getattr(wanted, name))


def test_a_sparse_regressor_in_a_pickle(tmp_path: Path, arrays: dict[str, Any]) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    wanted = arrays["J_regressor"]
    (tmp_path / "body.pkl").write_bytes(pickle.dumps({**arrays, "J_regressor": sparse.csc_matrix(wanted)}))
    np.testing.assert_allclose(load_body(tmp_path / "body.pkl").J_regressor, wanted, rtol=1e-6)


def test_a_malicious_body_file_runs_nothing(tmp_path: Path, arrays: dict[str, Any]) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {tmp_path / 'run'}",)

    (tmp_path / "SMPLX_NEUTRAL.pkl").write_bytes(pickle.dumps({**arrays, "extra": Evil()}))
    with pytest.raises(BodyFileError, match=r"SMPLX_NEUTRAL\.pkl is refused: .*system.* nothing in it was run; get"):
        load_body(tmp_path / "SMPLX_NEUTRAL.pkl")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("joints", "name"), [(24, "SMPL"), (52, "SMPL-H"), (16, "MANO"), (5, "FLAME")])
@pytest.mark.parametrize("ending", ["npz", "pkl"])
def test_other_models_of_the_family_are_named(tmp_path: Path, joints: int, name: str, ending: str) -> None:
    arrays = {"v_template": np.zeros((VERTICES, 3)), "kintree_table": np.zeros((2, joints), np.int64)}
    file = tmp_path / f"model.{ending}"
    if ending == "npz":
        np.savez(file, **arrays)
    else:
        file.write_bytes(pickle.dumps(arrays, protocol=2))
    with pytest.raises(
        BodyFileError, match=rf"is a body model of {name} \({joints} joints\), SMPL-X has 55; get SMPLX_N"
    ):
        load_body(file)


def test_motion_given_for_a_body(tmp_path: Path) -> None:
    np.savez(tmp_path / "walk.npz", poses=np.zeros((3, 165)), trans=np.zeros((3, 3)))
    with pytest.raises(BodyFileError, match=r"walk\.npz holds motion, not a body model"):
        load_body(tmp_path / "walk.npz")


def test_a_pickle_without_names(tmp_path: Path) -> None:
    (tmp_path / "list.pkl").write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(BodyFileError, match="holds no arrays by name"):
        load_body(tmp_path / "list.pkl")


def test_an_array_that_only_chumpy_can_compute(tmp_path: Path, arrays: dict[str, Any]) -> None:
    (tmp_path / "body.pkl").write_bytes(pickle.dumps({**arrays, "posedirs": None}))
    with pytest.raises(BodyFileError, match=r"'posedirs' in .* chumpy computes; .*clean_ch"):
        load_body(tmp_path / "body.pkl")


def test_rest_joints_follow_the_shape(tmp_path: Path, arrays: dict[str, Any]) -> None:
    body = load_body(write(tmp_path, arrays))
    betas = np.linspace(-1, 1, 10)
    vertices = arrays["v_template"] + arrays["shapedirs"][..., :10] @ betas
    np.testing.assert_allclose(body.rest_joints(betas), arrays["J_regressor"] @ vertices, atol=1e-5)
    np.testing.assert_allclose(body.rest_joints(), arrays["J_regressor"] @ arrays["v_template"], atol=1e-5)


def test_pickled_extras_of_licensed_files_are_left_alone(tmp_path: Path, arrays: dict[str, Any]) -> None:
    arrays["joint2num"] = np.array({"pelvis": 0}, dtype=object)
    assert len(load_body(write(tmp_path, arrays)).v_template) == VERTICES


def test_a_needed_array_that_is_pickled_is_refused(tmp_path: Path, arrays: dict[str, Any]) -> None:
    arrays["J_regressor"] = np.array({"sparse": 1}, dtype=object)
    with pytest.raises(BodyFileError, match=r"'J_regressor' in .*SMPLX_NEUTRAL\.npz is a pickled object"):
        load_body(write(tmp_path, arrays))


@pytest.mark.parametrize("key", ["v_template", "posedirs", "kintree_table", "lmk_faces_idx", "vt"])
def test_a_missing_array_is_named(tmp_path: Path, arrays: dict[str, Any], key: str) -> None:
    del arrays[key]
    with pytest.raises(BodyFileError, match=f"SMPLX_NEUTRAL.npz has no array '{key}'"):
        load_body(write(tmp_path, arrays))


@pytest.mark.parametrize(
    ("key", "shape"),
    [("posedirs", (VERTICES, 3, 207)), ("weights", (VERTICES + 1, 55)), ("J_regressor", (24, VERTICES)), ("f", (4,))],
)
def test_a_wrong_shape_is_named(tmp_path: Path, arrays: dict[str, Any], key: str, shape: tuple[int, ...]) -> None:
    arrays[key] = np.zeros(shape)
    with pytest.raises(BodyFileError, match=rf"'{key}' in .* has shape \({shape[0]}.*expected"):
        load_body(write(tmp_path, arrays))


def test_too_few_directions_are_refused(tmp_path: Path, arrays: dict[str, Any]) -> None:
    arrays["shapedirs"] = arrays["shapedirs"][..., :10]
    with pytest.raises(BodyFileError, match="10 directions; expected 10 shapes and 10 expressions"):
        load_body(write(tmp_path, arrays))


def test_another_joint_tree_is_refused(tmp_path: Path, arrays: dict[str, Any]) -> None:
    arrays["kintree_table"][0, 5] = 0
    with pytest.raises(BodyFileError, match="kintree_table"):
        load_body(write(tmp_path, arrays))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 broken"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "body.npz"
    file.write_bytes(content)
    with pytest.raises(BodyFileError, match=r"cannot read the body model .*body.npz"):
        load_body(file)


def test_a_single_array_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "body.npy", np.zeros(3))
    with pytest.raises(BodyFileError, match="single array"):
        load_body(tmp_path / "body.npy")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BodyFileError, match=r"nowhere\.npz"):
        load_body(tmp_path / "nowhere.npz")
