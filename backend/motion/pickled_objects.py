"""What stands in for the classes and functions that pickles of arrays name. None of them does more than keep numbers.

Sources: numpy's own documentation of `ndarray.__reduce__`, and the public sources of scipy, chumpy, joblib and torch
for what they write. numpy's own functions are not used, as some of them trust what they are given.
"""

from collections.abc import Callable
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

KINDS = "biufcSU"
"""Kinds of numbers and texts that an array may hold, in numpy's letters."""


class RefusedNameError(Exception):
    """The pickle asks for something that no array needs. Its text is the name."""


class StandIn:
    """An object of the file: takes its contents by `fill` and gives what is meant by `value`."""

    stream: IO[bytes]
    """The file, for those whose numbers stand in it directly; set by `bound`."""
    state: Any = None

    def __init__(self, *_: object) -> None:
        """Whatever it is called with says nothing."""

    def fill(self, state: Any) -> None:
        """Take the contents."""
        self.state = state

    def value(self) -> Any:
        """What is meant."""
        return plain(self.state)


class DataType(StandIn):
    """numpy's dtype."""

    def __init__(self, text: Any = "", *_: object) -> None:
        text = text.decode("latin1") if isinstance(text, bytes) else str(text)
        self.objects = text.lstrip("|=<>") in ("O", "O4", "O8")
        self.numpy = np.dtype("u1") if self.objects else np.dtype(text)
        if self.numpy.kind not in KINDS:
            raise RefusedNameError(f"an array of type '{text}'")

    def fill(self, state: Any) -> None:
        """Take the order of bytes; the rest says nothing more about plain numbers."""
        if state[1] in (">", b">"):
            self.numpy = self.numpy.newbyteorder(">")

    def value(self) -> Any:
        """The dtype."""
        return self.numpy

    def read(self, data: Any, shape: Any, order: str) -> Array:
        """Bytes (Python 2 wrote them as text) -> an array of its own."""
        raw = data.encode("latin1") if isinstance(data, str) else bytes(data)
        flat = np.frombuffer(raw, dtype=self.numpy)
        native = flat.astype(flat.dtype.newbyteorder("="))
        return native.reshape(tuple(int(n) for n in shape), order="F" if order == "F" else "C")


class PickledArray(StandIn):
    """numpy's array."""

    def fill(self, state: Any) -> None:
        """Take (version, shape, dtype, whether columns come first, bytes or a list of objects)."""
        shape, kind, columns_first, data = state[-4:]
        if kind.objects:
            self.state = data[0] if tuple(shape) == () else data
        else:
            self.state = kind.read(data, shape, "F" if columns_first else "C")


class JoblibArray(StandIn):
    """joblib's array, whose bytes follow in the file."""

    def fill(self, state: Any) -> None:
        """Take the description, and read the bytes from the file."""
        kind, shape = state["dtype"], tuple(int(n) for n in state["shape"])
        if kind.objects or min(shape, default=0) < 0:
            raise RefusedNameError("an array of objects in a joblib file")
        if state.get("numpy_array_alignment_bytes") is not None:  # joblib 1.2 on
            self.stream.read(self.stream.read(1)[0])
        data = self.stream.read(int(np.prod(shape, dtype=object)) * kind.numpy.itemsize)
        if state["order"] == "F":
            self.state = kind.read(data, shape[::-1], "C").T
        else:
            self.state = kind.read(data, shape, "C")


class SparseColumns(StandIn):
    """scipy's sparse matrix by columns; its meaning is the full matrix."""

    def value(self) -> Any:
        """(rows, columns)."""
        state = plain(self.state)
        rows, columns = (int(n) for n in state.get("_shape", state.get("shape")))
        full = np.zeros((rows, columns), dtype=state["data"].dtype)
        column = np.repeat(np.arange(columns), np.diff(state["indptr"]))
        np.add.at(full, (state["indices"], column), state["data"])
        return full


class ChumpyArray(StandIn):
    """chumpy's array, which old body files hold: its numbers are under `x`."""

    def value(self) -> Any:
        """The numbers; what chumpy computes from others when it is asked is left out (None)."""
        state = plain(self.state)
        return state.get("x") if isinstance(state, dict) else None


class TensorStorage(StandIn):
    """The numbers of torch's tensors."""

    def __init__(self, numbers: Array) -> None:
        self.numbers = numbers


def bound(found: Any, stream: IO[bytes]) -> Any:
    """A stand-in of the list; a class that reads from the file gets the file."""
    return type("JoblibArray", (JoblibArray,), {"stream": stream}) if found is JoblibArray else found


def stored_tensors(pid: Any, storage: Callable[[str], bytes]) -> TensorStorage:
    """What torch calls a storage, by what stands for it in the pickle: (kind, type, key, device, how many)."""
    return TensorStorage(np.frombuffer(storage(str(pid[2])), dtype=np.dtype(pid[1])))


def plain(value: Any) -> Any:
    """What is meant by stand-ins, however deep."""
    if isinstance(value, StandIn):
        return value.value()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(plain(item) for item in value)
    return value


def _array(*_: object) -> PickledArray:
    return PickledArray()


def _array_of_bytes(data: Any, kind: DataType, shape: Any, order: str) -> Array:
    return kind.read(data, shape, order)


def _number(kind: DataType, data: Any) -> Any:
    return kind.read(data, (), "C")[()]


def _object(kind: Any, *_: object) -> StandIn:
    """What Python 2 calls for objects of any class."""
    if not (isinstance(kind, type) and issubclass(kind, StandIn)):
        raise RefusedNameError(f"an object of {kind!r}")
    return kind()


def _bytes(text: str, *_: object) -> bytes:
    """What Python 3 writes for bytes in pickles that Python 2 can read."""
    return text.encode("latin1")


def _no_bytes(*_: object) -> bytes:
    """How Python 3 writes b"" for Python 2."""
    return b""


def _dictionary(*_: object) -> dict[Any, Any]:
    return {}


def _set(members: Any = (), *_: object) -> list[Any]:
    return list(members)


def _tensor(storage: TensorStorage, offset: int, shape: Any, strides: Any, *_: object) -> Array:
    places = np.full((), offset, dtype=np.int64)
    for count, stride in zip(shape, strides, strict=True):
        places = places[..., None] + stride * np.arange(count)
    return storage.numbers[places]


_TENSORS = {"Float": "<f4", "Double": "<f8", "Half": "<f2", "Long": "<i8", "Int": "<i4", "Byte": "u1", "Bool": "?"}

STAND_INS: dict[tuple[str, str], Any] = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _number for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _array_of_bytes for core in ("core", "_core")},
    ("numpy", "ndarray"): PickledArray,
    ("numpy", "dtype"): DataType,
    **{(f"scipy.sparse.{module}", "csc_matrix"): SparseColumns for module in ("csc", "_csc")},
    ("chumpy", "*"): ChumpyArray,
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): JoblibArray,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    **{("torch", f"{name}Storage"): kind for name, kind in _TENSORS.items()},
    ("_codecs", "encode"): _bytes,
    ("collections", "OrderedDict"): _dictionary,
    ("collections", "defaultdict"): _dictionary,
    **{(module, "dict"): _dictionary for module in ("builtins", "__builtin__")},
    **{(module, "bytes"): _no_bytes for module in ("builtins", "__builtin__")},
    **{(module, "set"): _set for module in ("builtins", "__builtin__")},
    **{(module, "object"): StandIn for module in ("builtins", "__builtin__")},
    **{(module, "_reconstructor"): _object for module in ("copyreg", "copy_reg")},
}
"""By module and name. Whatever is not here is refused."""
