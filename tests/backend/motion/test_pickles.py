"""Other people's pickles: arrays come out, nothing runs."""

import base64
import collections
import os
import pickle  # noqa: TID251 - writes what is read here
import sys
import types
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose2pose.backend.motion.pickles import PickleError, read_pickle

JOBLIB = base64.b85decode(
    "fCQBl0RR910001t3uA9=Y-M9~X>V?Gl#B~xWoBV@Y;<I4V|0|0l#B>sb!lvLX>N0rj09w9V|0|0l!cU1luHABlqie@aBp*El#CN<Z(?j|VlHlVZE$&C"
    "aA{*}Y-N;;5l(e&aCt#;a$$K_a$#_AWpb30lqrFfeUvDS2y=B}V{Bn_bCiq)Zgp*Nd6bL?Ze(F{a$$Ltla!1Fb7*03Wt2+-O9O_Kj0JCUWMy)ci~&QG"
    "j0I$Ld2nTvXb_AAWOR9OWt5YYi~?ygl!=Iklv0!^O9PAnJd{pOPD=m(|Nlz=|Ns9>0CbdMj0$0FY;Sj8ZEaz2l!%NQZgp*Nd0%02a$$L2VQgt<Zf#|5"
    "bYEh5bY*jtOAvKp5C8xF|NsC0|NsC0|NsC0000310ssR51ONp9l`#MS000000E`D?Z)|mKZgZ4q3@L$>eUvC@4`>o-6H5Y11BR4n6^sE!lxP=d9B3bi"
    "Xdp`vbz%ws|NsC0|NsC0000930RRL50ssX7l@0&^000000E`4~VQpoUi~)F*b#pE"
)
"""What joblib 1.4.2 writes for {3: {"pose": ..., "columns": ... in Fortran's order, "name": "x"}}, both of int16."""

PYTHON_2 = (
    b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x02\x85cnumpy\ndtype\n"
    b"U\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x10"
    + np.array([1.5, -2.0]).tobytes()
    + b"tb."
)
"""An array as Python 2 writes it: its bytes are a text."""


class Evil:
    """Runs a command when it is loaded by Python's own pickle."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def write(folder: Path, value: Any, protocol: int = 4) -> Path:
    file = folder / "file.pkl"
    file.write_bytes(pickle.dumps(value, protocol=protocol))
    return file


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_of_every_protocol(tmp_path: Path, protocol: int) -> None:
    values = {
        "rows": np.arange(6.0).reshape(2, 3),
        "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "turned": np.arange(3, dtype=">f4"),
        "names": np.array(["left", "right"]),
        "number": np.float32(0.5),
        "flag": np.bool_(True),
        "nothing": np.zeros((0, 3)),
    }
    mixed = collections.OrderedDict(
        one=[1, "x", (None, 2.5)], two=collections.defaultdict(dict, {1: {"z": np.ones(2)}})
    )
    read = read_pickle(write(tmp_path, {"values": values, "mixed": mixed, "bytes": b"\xff\x00"}, protocol))
    for name, value in values.items():
        np.testing.assert_array_equal(read["values"][name], value)
    assert read["values"]["rows"].flags.writeable
    assert read["mixed"]["one"] == [1, "x", (None, 2.5)]
    assert read["mixed"]["two"][1]["z"].tolist() == [1, 1]
    assert read["bytes"] == b"\xff\x00"


def test_objects_in_arrays(tmp_path: Path) -> None:
    boxed = np.empty((), dtype=object)
    boxed[()] = {"a": np.ones(2)}
    listed = np.array([np.zeros(2), None], dtype=object)
    read = read_pickle(write(tmp_path, [boxed, listed]))
    assert read[0]["a"].tolist() == [1, 1]
    assert read[1][0].tolist() == [0, 0]


def test_python_2(tmp_path: Path) -> None:
    (tmp_path / "old.pkl").write_bytes(PYTHON_2)
    assert read_pickle(tmp_path / "old.pkl").tolist() == [1.5, -2.0]


def test_sparse_matrices_of_scipy_become_full(tmp_path: Path) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    full = np.random.default_rng(0).normal(size=(4, 7)) * (np.random.default_rng(1).uniform(size=(4, 7)) > 0.6)
    np.testing.assert_array_equal(read_pickle(write(tmp_path, sparse.csc_matrix(full), 2)), full)


def test_chumpy_without_chumpy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("chumpy.ch")
    kind = type("Ch", (), {"__module__": "chumpy.ch"})
    module.Ch = kind  # type: ignore[attr-defined]
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
        patched.setitem(sys.modules, "chumpy.ch", module)
        array = kind()
        array.x, array._dirty_vars = np.arange(3.0), {"x"}
        file = write(tmp_path, {"v_template": array}, 2)
    assert read_pickle(file)["v_template"].tolist() == [0, 1, 2]
    assert "chumpy" not in sys.modules


@pytest.mark.parametrize("pack", [bytes, zlib.compress], ids=["plain", "compressed"])
def test_joblib_without_joblib(tmp_path: Path, pack: Any) -> None:
    file = tmp_path / "joblib.pkl"
    file.write_bytes(pack(JOBLIB))
    read = read_pickle(file)
    assert read[3]["pose"].tolist() == read[3]["columns"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert read[3]["name"] == "x"


def test_torch_files(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    turned = torch.arange(12.0).reshape(3, 4).T
    torch.save({"a": {"turned": turned, "part": turned[1:3, 1:]}, "whole": torch.tensor([1, 2])}, tmp_path / "file.pt")
    read = read_pickle(tmp_path / "file.pt")
    np.testing.assert_array_equal(read["a"]["turned"], turned.numpy())
    np.testing.assert_array_equal(read["a"]["part"], turned[1:3, 1:].numpy())
    assert read["whole"].tolist() == [1, 2]


def test_a_tensor_that_reaches_beyond_its_numbers(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"a": torch.zeros(4)}, tmp_path / "file.pt")
    with zipfile.ZipFile(tmp_path / "file.pt") as whole, zipfile.ZipFile(tmp_path / "cut.pt", "w") as cut:
        for name in whole.namelist():
            cut.writestr(name, whole.read(name)[:8] if "/data/" in name else whole.read(name))
    with pytest.raises(PickleError, match=r"cut\.pt is damaged"):
        read_pickle(tmp_path / "cut.pt")


@pytest.mark.parametrize("wrap", [bytes, zlib.compress, "torch"], ids=["plain", "compressed", "torch"])
def test_a_malicious_pickle_runs_nothing(tmp_path: Path, wrap: Any) -> None:
    mark = tmp_path / "run"
    data = pickle.dumps({"v_template": np.ones(3), "x": Evil(f"touch {mark}")})
    file = tmp_path / "evil.pkl"
    if wrap == "torch":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("evil/data.pkl", data)
    else:
        file.write_bytes(wrap(data))
    with pytest.raises(
        PickleError, match=r"evil\.pkl is refused: the pickle asks for '\w+\.system', .* nothing .* run"
    ):
        read_pickle(file)
    assert not mark.exists()
    pickle.loads(data)
    assert mark.exists(), "the file is a real attack"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"cbuiltins\neval\n(S'1'\ntR.", "builtins.eval"),
        (b"cbuiltins\ngetattr\n.", "builtins.getattr"),
        (b"cnumpy\nload\n.", "numpy.load"),
        (b"cos.path\njoin\n.", "os.path.join"),
        (b"(S'x'\nios\nsystem\n.", "os.system"),
        (b"cnumpy\nndarray\n}S'fill'\nNsb.", "the contents of a type"),
        (b"Pfar away\n.", "an object outside of the file"),
        (b"cnumpy\ndtype\n(S'V8'\ntR.", "an array of type 'V8'"),
        (b"ccopyreg\n_reconstructor\n(ccollections\nOrderedDict\ncbuiltins\nobject\nNtR.", "an object of"),
    ],
)
def test_names_that_no_array_needs(tmp_path: Path, data: bytes, name: str) -> None:
    (tmp_path / "odd.pkl").write_bytes(data)
    with pytest.raises(PickleError, match=f"refused: the pickle asks for '{name}"):
        read_pickle(tmp_path / "odd.pkl")


@pytest.mark.parametrize(
    "data", [b"", b"hello", JOBLIB[:300], PYTHON_2[:-10], zlib.compress(JOBLIB)[:100], b"PK\x03\x04x"]
)
def test_damaged_files(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "cut.pkl").write_bytes(data)
    with pytest.raises(PickleError, match=r"cut\.pkl is damaged"):
        read_pickle(tmp_path / "cut.pkl")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_pickle(tmp_path / "nowhere.pkl")


def test_a_pickle_that_holds_itself(tmp_path: Path) -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(PickleError, match="damaged, or no pickle of arrays"):
        read_pickle(write(tmp_path, loop))


def test_random_bytes_fail_cleanly(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = pickle.dumps({"a": np.arange(5.0), "b": ["x", 2]})
    refused = 0
    for _ in range(300):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), 3):
            data[place] = rng.integers(256)
        (tmp_path / "noise.pkl").write_bytes(bytes(data))
        try:
            read_pickle(tmp_path / "noise.pkl")
        except PickleError:
            refused += 1
    assert 0 < refused < 300, "some are damaged beyond reading, some only hold other numbers"
    assert [path.name for path in tmp_path.iterdir()] == ["noise.pkl"]
