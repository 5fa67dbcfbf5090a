"""The layers of a frozen inference graph, in an order that does not depend on the file's."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["conv", "depthwise", "linear", "prelu", "other"]


class GraphError(Exception):
    """A network file that cannot be read."""


@dataclass(frozen=True)
class Node:
    """One operation: what it reads and, if it is a layer, its weights in PyTorch's layout."""

    inputs: tuple[str, ...]
    kind: Kind = "other"
    weights: tuple[NDArray[np.float32], ...] = ()


@dataclass(frozen=True)
class Graph:
    """Operations by the name of what they produce; names that no operation produces are inputs or constants."""

    nodes: dict[str, Node]
    outputs: tuple[str, ...]

    def layers(self, outputs: Iterable[str]) -> list[Node]:
        """The layers that lead to the outputs, each after those it reads from, output by output.

        Raises:
            GraphError: if an output is not in the graph.
        """
        walk = _Walk(self.nodes)
        for output in outputs:
            if output not in self.nodes:
                raise GraphError(f"the network has no output {output!r}; it has {', '.join(self.outputs)}")
            walk.visit(output)
        return [node for node in walk.found if node.kind != "other"]

    def find(self, start: str, end: str) -> str:
        """The name of the only operation whose name starts and ends so.

        Raises:
            GraphError: if there is none or more than one.
        """
        names = [name for name in self.nodes if name.startswith(start) and name.endswith(end)]
        if len(names) != 1:
            raise GraphError(f"expected one operation {start}...{end}, found {names}")
        return names[0]


@dataclass
class _Walk:
    """Depth-first walk from the outputs towards the input."""

    nodes: dict[str, Node]
    found: list[Node] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def visit(self, name: str) -> None:
        pending: list[tuple[str, Iterator[str]]] = [(name, self._unseen_inputs(name))]
        while pending:
            current, inputs = pending[-1]
            following = next((i for i in inputs if i not in self.seen and i in self.nodes), None)
            if following is None:
                pending.pop()
                self._leave(current)
            else:
                pending.append((following, self._unseen_inputs(following)))

    def _unseen_inputs(self, name: str) -> Iterator[str]:
        return iter(self.nodes[name].inputs)

    def _leave(self, name: str) -> None:
        if name not in self.seen:
            self.seen.add(name)
            self.found.append(self.nodes[name])


def torch_layout(kind: Kind, weights: Sequence[NDArray[np.float32]], *, order: str) -> tuple[NDArray[np.float32], ...]:
    """Bring a layer's weights into PyTorch's layout.

    Args:
        kind: of the layer.
        weights: the kernel and, if there is one, the bias; or the slopes of a PReLU.
        order: what the axes of a convolution's kernel are in the file, letters O, I, H, W.
    """
    kernel, *bias = weights
    if kind in ("conv", "depthwise"):
        kernel = kernel.transpose([order.index(axis) for axis in "OIHW"])
    elif kind == "prelu":
        kernel = kernel.reshape(-1)
    return tuple(np.ascontiguousarray(w, np.float32) for w in (kernel, *bias))
