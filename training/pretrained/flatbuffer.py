"""The part of the FlatBuffers format that reading a .tflite file needs.

A table begins with the distance to its vtable; the vtable holds, after its own and the table's size, one 16-bit
position per field, 0 where the field has its default.
"""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Table:
    """One table in a buffer; fields are named by their number in the schema."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data = data
        self.position = position
        self.vtable = position - self._read("<i", position)
        self.vtable_size = self._read("<H", self.vtable)

    @classmethod
    def root(cls, data: bytes) -> "Table":
        """The buffer's outermost table."""
        return cls(data, struct.unpack_from("<I", data, 0)[0])

    def scalar(self, field: int, code: str, default: int = 0) -> int:
        """A number; `code` is struct's letter for its type."""
        place = self._place(field)
        return self._read(f"<{code}", place) if place else default

    def text(self, field: int) -> str:
        """A string."""
        count, start = self._vector(field)
        return self.data[start : start + count].decode()

    def numbers(self, field: int, dtype: str = "<i4") -> NDArray[Any]:
        """A vector of numbers."""
        count, start = self._vector(field)
        return np.frombuffer(self.data, dtype, count, start)

    def tables(self, field: int) -> list["Table"]:
        """A vector of tables."""
        count, start = self._vector(field)
        return [Table(self.data, self._follow(start + 4 * k)) for k in range(count)]

    def _vector(self, field: int) -> tuple[int, int]:
        place = self._place(field)
        if not place:
            return 0, 0
        start = self._follow(place)
        return self._read("<I", start), start + 4

    def _place(self, field: int) -> int:
        entry = 4 + 2 * field
        offset = self._read("<H", self.vtable + entry) if entry < self.vtable_size else 0
        return self.position + offset if offset else 0

    def _follow(self, place: int) -> int:
        return place + self._read("<I", place)

    def _read(self, code: str, place: int) -> int:
        return int(struct.unpack_from(code, self.data, place)[0])
