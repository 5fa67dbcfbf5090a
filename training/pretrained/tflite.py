"""Reading the layers of TensorFlow Lite models with numpy.

Field numbers are those of TensorFlow's `schema.fbs`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .flatbuffer import Table
from .graph import Graph, GraphError, Kind, Node, torch_layout

KINDS: dict[int, Kind] = {3: "conv", 4: "depthwise", 9: "linear", 54: "prelu"}
DEQUANTIZE = 6
KERNEL_AXES = {"conv": "OHWI", "depthwise": "IHWO", "linear": "", "prelu": ""}
DTYPES = {0: "<f4", 1: "<f2", 2: "<i4", 4: "<i8", 6: "?"}


def read_tflite(data: bytes) -> Graph:
    """Read a model with one input and float weights.

    Raises:
        GraphError: if it is no TensorFlow Lite file or stores a layer's weights as integers.
    """
    if data[4:8] != b"TFL3":
        raise GraphError("not a TensorFlow Lite file (it should have TFL3 at byte 4)")
    model = Table.root(data)
    # The older field holds codes below 127, the newer one all of them; the other is 0.
    codes = [max(code.scalar(0, "B"), code.scalar(3, "i")) for code in model.tables(1)]
    graph = model.tables(2)[0]
    tensors = graph.tables(0)
    constants = _constants(tensors, model.tables(4))
    nodes: dict[str, Node] = {}
    for operator in graph.tables(3):
        code = codes[operator.scalar(0, "I")]
        inputs = [int(i) for i in operator.numbers(1) if i >= 0]
        outputs = [int(i) for i in operator.numbers(2)]
        if code == DEQUANTIZE and inputs[0] in constants:
            constants[outputs[0]] = constants[inputs[0]].astype(np.float32)
            continue
        node = _node(KINDS.get(code, "other"), inputs, constants)
        nodes |= {_name(index): node for index in outputs}
    return Graph(nodes=nodes, outputs=tuple(_name(int(index)) for index in graph.numbers(2)))


def _node(kind: Kind, inputs: list[int], constants: dict[int, NDArray[Any]]) -> Node:
    names = tuple(_name(index) for index in inputs)
    if kind == "other":
        return Node(names)
    missing = [index for index in inputs[1:] if index not in constants]
    if missing:
        raise GraphError(f"the {kind} layer that reads {names[0]} has weights that are not floats in the file")
    weights = [constants[index] for index in inputs[1:]]
    return Node(names, kind, torch_layout(kind, weights, order=KERNEL_AXES[kind]))


def _constants(tensors: list[Table], buffers: list[Table]) -> dict[int, NDArray[Any]]:
    """The tensors that have their values in the file, by index."""
    constants = {}
    for index, tensor in enumerate(tensors):
        raw = buffers[tensor.scalar(2, "I")].numbers(0, "u1")
        dtype = DTYPES.get(tensor.scalar(1, "B"))
        if raw.size and dtype is not None:
            constants[index] = np.frombuffer(raw.tobytes(), dtype).reshape(tensor.numbers(0))
    return constants


def _name(index: int) -> str:
    """Tensor names repeat in some files; their numbers do not."""
    return f"tensor {index}"
