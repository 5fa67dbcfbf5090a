"""The vertices of a PLY file, ascii or binary."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .coco_layout import AnnotationError

_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}


def read_ply_vertices(path: Path) -> NDArray[np.float64]:
    """(V, 3) x, y, z of the vertices.

    Raises:
        AnnotationError: the file is damaged, or its first element is not vertices with x, y and z.
    """
    data = path.read_bytes()
    header, _, body = data.partition(b"end_header\n")
    try:
        order, count, properties = _layout(header.decode("ascii").split("\n"))
        if order:
            table: Any = np.frombuffer(body, [(name, order + kind) for name, kind in properties], count)
        else:
            rows = [tuple(line.split()) for line in body.decode("ascii").split("\n")[:count]]
            table = np.array(rows, [(name, kind) for name, kind in properties])
        if len(table) != count:
            raise ValueError(f"{len(table)} of {count} vertices")
        return np.asarray(np.stack([table[axis] for axis in "xyz"], axis=1), dtype=np.float64)
    except (ValueError, KeyError) as error:
        raise AnnotationError(f"{path} is no PLY file of vertices, or damaged ({error}); get it again") from error


def _layout(lines: list[str]) -> tuple[str, int, list[tuple[str, str]]]:
    """Byte order (empty for ascii), number of vertices, and name and type of each of their numbers."""
    words = [line.split() for line in lines if line.strip() and not line.startswith(("comment", "obj_info"))]
    if len(words) < 3 or words[0] != ["ply"] or words[1][0] != "format" or words[2][:2] != ["element", "vertex"]:
        raise ValueError("it does not begin with ply, format, element vertex")
    properties = []
    for word in words[3:]:
        if word[0] != "property":
            break
        properties.append((word[2], _TYPES[word[1]]))
    return _ORDERS[words[1][1]], int(words[2][2]), properties
