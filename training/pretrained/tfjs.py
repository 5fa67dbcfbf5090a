"""Reading TensorFlow.js graph models (a .json and a .bin beside it) with numpy."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .graph import Graph, GraphError, Kind, Node, torch_layout

KINDS: dict[str, Kind] = {
    "_FusedConv2D": "conv",
    "DepthwiseConv2dNative": "depthwise",
    "FusedDepthwiseConv2dNative": "depthwise",
}
KERNEL_AXES = {"conv": "HWIO", "depthwise": "HWOI"}
DTYPES = {"float16": "<f2", "float32": "<f4", "int32": "<i4", "bool": "?"}


def read_tfjs(path: Path) -> Graph:
    """Read a model.

    Args:
        path: the .json file; the weights are read from the files it names, in the same folder.

    Raises:
        GraphError: if the weights do not fit the description or are stored in another way.
        OSError: if a file cannot be read.
    """
    model = json.loads(path.read_text(encoding="utf-8"))
    constants = _read_constants(path.parent, model["weightsManifest"])
    nodes = {
        entry["name"]: _node(entry, constants)
        for entry in model["modelTopology"]["node"]
        if entry["op"] not in ("Const", "Placeholder")
    }
    outputs = tuple(_bare(output["name"]) for output in model["signature"]["outputs"].values())
    return Graph(nodes=nodes, outputs=outputs)


def _node(entry: dict[str, Any], constants: dict[str, NDArray[np.float32]]) -> Node:
    inputs = tuple(_bare(name) for name in entry.get("input", []))
    kind = KINDS.get(entry["op"])
    if kind is None:
        return Node(inputs)
    weights = [constants[name] for name in inputs[1:]]
    return Node(inputs, kind, torch_layout(kind, weights, order=KERNEL_AXES[kind]))


def _bare(name: str) -> str:
    """Without the mark of a control input and the number of the operation's output."""
    return name.removeprefix("^").partition(":")[0]


def _read_constants(folder: Path, manifest: list[dict[str, Any]]) -> dict[str, NDArray[np.float32]]:
    constants: dict[str, NDArray[np.float32]] = {}
    for group in manifest:
        data = b"".join((folder / name).read_bytes() for name in group["paths"])
        start = 0
        for entry in group["weights"]:
            dtype = _dtype(entry)
            count = int(np.prod(entry["shape"]))
            if start + count * dtype.itemsize > len(data):
                raise GraphError(f"{group['paths']} in {folder} end before {entry['name']}; the file is incomplete")
            values = np.frombuffer(data, dtype, count, start).reshape(entry["shape"])
            constants[entry["name"]] = values.astype(np.float32)
            start += count * dtype.itemsize
    return constants


def _dtype(entry: dict[str, Any]) -> np.dtype[Any]:
    stored = entry.get("quantization", entry)["dtype"]
    if stored not in DTYPES:
        raise GraphError(f"{entry['name']} is stored as {stored}; only {', '.join(DTYPES)} can be read")
    return np.dtype(DTYPES[stored])
