"""Arrays out of other people's pickles, without running anything that stands in them.

A pickle is a program that builds objects. Here it may only build dictionaries, lists, numbers, texts and arrays: each
name that it calls for is looked up in a list of stand-ins of ours, never imported, and a name that is not on the list
ends the reading. So a file of scipy, chumpy, joblib or torch is read without any of these being installed.

Read: plain pickles of Python 2 and 3, files of `joblib.dump` (also with zlib inside), zip files of `torch.save`, and
the objects inside an `.npz`.
"""

import io
import pickle  # noqa: TID251 - the one place: no name in the file is ever imported or called, see `_RestrictedReader`
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, ClassVar

from .pickled_objects import STAND_INS, RefusedNameError, StandIn, bound, plain, stored_tensors

ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")


class PickleError(ValueError):
    """A pickle that holds more than arrays, or is damaged. Nothing in it was run."""


def read_pickle(file: Path) -> Any:
    """What lies in a pickle, a joblib file or a torch file: dictionaries, lists, numbers, texts and numpy arrays.

    Raises:
        PickleError: it asks for something else, or is damaged.
        OSError: it cannot be read at all.
    """
    with file.open("rb") as stream:
        start = stream.read(4)
        stream.seek(0)
        if start[:2] in ZLIB:
            try:
                return read_objects(io.BytesIO(zlib.decompress(stream.read())), str(file))
            except zlib.error as error:
                raise PickleError(f"{file} is damaged: {error}") from error
        return _read_torch(file) if start == b"PK\x03\x04" else read_objects(stream, str(file))


def read_object_array(stream: IO[bytes], name: str) -> Any:
    """What lies in an `.npy` of objects, as `numpy.savez` writes a dictionary.

    Raises:
        PickleError: as `read_pickle`.
    """
    start = stream.read(8)  # magic and version; then the header and its length
    length = int.from_bytes(stream.read(2 if start[6:7] == b"\x01" else 4), "little")
    stream.read(length)
    return read_objects(stream, name)


def read_objects(stream: IO[bytes], name: str, storage: Callable[[str], bytes] | None = None) -> Any:
    """What lies in an open pickle.

    Args:
        stream: stands at its beginning.
        name: of the file, for errors.
        storage: gives the bytes of a tensor by its key, in a torch file.

    Raises:
        PickleError: as `read_pickle`.
    """
    try:
        return plain(_RestrictedReader(stream, storage).load())
    except RefusedNameError as error:
        raise PickleError(
            f"{name} is refused: the pickle asks for '{error}', and only arrays, numbers and texts are read from one; "
            "nothing in it was run"
        ) from None
    except Exception as error:  # bytes that are no pickle can fail anywhere
        raise PickleError(f"{name} is damaged, or no pickle of arrays: {error or type(error).__name__}") from error


def _read_torch(file: Path) -> Any:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            root = next((name for name in names if name.endswith("/data.pkl")), None)
            if root is None:
                raise PickleError(f"{file} is a zip file, but none of torch")
            folder = root.removesuffix("data.pkl")
            return read_objects(io.BytesIO(archive.read(root)), str(file), lambda k: archive.read(f"{folder}data/{k}"))
    except zipfile.BadZipFile as error:
        raise PickleError(f"{file} is damaged: {error}") from error


class _RestrictedReader(pickle._Unpickler):
    """Python's own reader of pickles, which finds nothing but stand-ins.

    The one in Python and not the one in C, because joblib puts the bytes of arrays between the pickle's own.
    """

    dispatch: ClassVar[dict[int, Callable[..., None]]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, stream: IO[bytes], storage: Callable[[str], bytes] | None) -> None:
        super().__init__(stream, encoding="latin1")
        self._stream = stream
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a name of the file."""
        found = STAND_INS.get((module, name)) or STAND_INS.get((module.partition(".")[0], "*"))
        if found is None:
            raise RefusedNameError(f"{module}.{name}")
        return bound(found, self._stream)

    def persistent_load(self, pid: Any) -> Any:
        """A tensor's numbers, which torch keeps beside the pickle."""
        if self._storage is None:
            raise RefusedNameError("an object outside of the file")
        return stored_tensors(pid, self._storage)

    def load_build(self) -> None:
        """Give an object its contents; only stand-ins take any."""
        stack: list[Any] = self.stack  # type: ignore[attr-defined]
        state = stack.pop()
        if not isinstance(stack[-1], StandIn):
            raise RefusedNameError(f"the contents of a {type(stack[-1]).__name__}")
        stack[-1].fill(state)

    dispatch[pickle.BUILD[0]] = load_build
