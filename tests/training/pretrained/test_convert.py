"""Reading published weights: a small network written here, and the real files where they are at hand.

The real files are looked for in the folder `POSE2POSE_SOURCES`: the unpacked npm package as `package` and the wheel
`mediapipe-0.10.21-*.whl`.
"""

import hashlib
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from pose2pose.backend.detection import WEIGHTS_FILE
from pose2pose.backend.model.mediapipe import FaceLandmarkNet, HandLandmarkNet
from pose2pose.backend.model.movenet import build_multipose, build_thunder
from pose2pose.training.pretrained.convert import (
    FACE_FILE,
    FACE_OUTPUTS,
    HAND_FILE,
    HAND_OUTPUTS,
    ConversionError,
    convert_mediapipe,
    convert_movenet,
    fill,
    save,
)
from pose2pose.training.pretrained.graph import Graph, GraphError, Node
from pose2pose.training.pretrained.tfjs import read_tfjs
from pose2pose.training.pretrained.tflite import read_tflite

SOURCES = Path(os.environ.get("POSE2POSE_SOURCES", "/nowhere"))
needs_sources = pytest.mark.skipif(not SOURCES.is_dir(), reason="POSE2POSE_SOURCES names no folder")


def write_tfjs(folder: Path, *, cut: int = 0) -> Path:
    """A depthwise and a 1x1 convolution as TensorFlow.js writes them, half precision; weights count up from 0."""
    shapes = {"deep/kernel": [3, 3, 2, 1], "point/kernel": [1, 1, 2, 4], "point/bias": [4]}
    half = {"dtype": "float16", "original_dtype": "float32"}
    weights = [{"name": n, "shape": s, "dtype": "float32", "quantization": half} for n, s in shapes.items()]
    nodes = [
        {"name": "input", "op": "Placeholder"},
        {"name": "point", "op": "_FusedConv2D", "input": ["deep", "point/kernel", "point/bias"]},
        {"name": "deep", "op": "DepthwiseConv2dNative", "input": ["input", "deep/kernel"]},
        {"name": "out", "op": "Identity", "input": ["point:0"]},
    ]
    model = {
        "modelTopology": {"node": nodes + [{"name": n, "op": "Const"} for n in shapes]},
        "signature": {"outputs": {"a": {"name": "out:0"}}},
        "weightsManifest": [{"paths": ["tiny.bin"], "weights": weights}],
    }
    data = np.arange(18 + 8 + 4, dtype="<f2").tobytes()
    (folder / "tiny.bin").write_bytes(data[: len(data) - cut])
    (folder / "tiny.json").write_text(json.dumps(model))
    return folder / "tiny.json"


def tiny_network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(2, 2, 3, groups=2, bias=False), nn.Conv2d(2, 4, 1))


def test_tfjs_weights_land_in_the_modules(tmp_path: Path) -> None:
    graph = read_tfjs(write_tfjs(tmp_path))
    network = tiny_network()
    fill(network, graph.layers(graph.outputs))
    deep, point = network[0], network[1]
    # TensorFlow's kernels run height, width, in, out.
    np.testing.assert_array_equal(deep.weight[1, 0].detach(), np.arange(18).reshape(3, 3, 2)[..., 1])
    np.testing.assert_array_equal(point.weight[:, :, 0, 0].detach(), np.arange(18, 26).reshape(2, 4).T)
    np.testing.assert_array_equal(point.bias.detach(), np.arange(26, 30))


def test_an_incomplete_weights_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=r"end before point/bias"):
        read_tfjs(write_tfjs(tmp_path, cut=2))


def test_another_network_is_refused(tmp_path: Path) -> None:
    graph = read_tfjs(write_tfjs(tmp_path))
    layers = graph.layers(graph.outputs)
    with pytest.raises(ConversionError, match="more depthwise layers"):
        fill(nn.Conv2d(2, 4, 1), layers)
    with pytest.raises(ConversionError, match=r"without weights: \{'linear': 1\}"):
        fill(nn.Sequential(tiny_network(), nn.Linear(4, 4)), layers)
    with pytest.raises(ConversionError, match=r"\(5, 2, 1, 1\).*\(4, 2, 1, 1\)"):
        fill(nn.Sequential(nn.Conv2d(2, 2, 3, groups=2, bias=False), nn.Conv2d(2, 5, 1)), layers)


def test_layers_come_output_by_output() -> None:
    """Two branches that a file interleaves are walked one after the other, the trunk once."""
    conv = {name: Node((before,), "conv") for name, before in (("a1", "trunk"), ("b1", "trunk"))}
    conv |= {"a2": Node(("a1",), "conv"), "b2": Node(("b1",), "conv"), "trunk": Node(("image",), "conv")}
    graph = Graph(nodes=conv, outputs=("a2", "b2"))
    assert graph.layers(("a2", "b2")) == [conv[name] for name in ("trunk", "a1", "a2", "b1", "b2")]
    with pytest.raises(GraphError, match="no output 'c'"):
        graph.layers(("c",))


def test_other_files_are_not_read_as_tflite() -> None:
    with pytest.raises(GraphError, match="not a TensorFlow Lite file"):
        read_tflite(b"PK\x03\x04 something else")


def test_the_header_says_where_weights_come_from(tmp_path: Path) -> None:
    save(tiny_network(), tmp_path / "tiny.safetensors", name="tiny", source="here", data=b"original")
    with safe_open(tmp_path / "tiny.safetensors", "np") as file:
        header = file.metadata()
        assert file.get_tensor("1.weight").dtype == np.float16
    sha256 = hashlib.sha256(b"original").hexdigest()
    assert header == {"name": "tiny", "source": "here", "license": "Apache-2.0", "sha256": sha256}


def test_the_shipped_detector_has_such_a_header() -> None:
    with safe_open(WEIGHTS_FILE, "np") as file:
        header = file.metadata()
    assert header["name"] == "movenet-multipose"
    assert header["license"] == "Apache-2.0"
    assert len(header["sha256"]) == 64


@needs_sources
def test_the_shipped_detector_is_the_published_one() -> None:
    network = build_multipose()
    path = SOURCES / "package/models/movenet-multipose.json"
    convert_movenet(path, network)
    with safe_open(WEIGHTS_FILE, "pt") as file:
        assert file.metadata()["sha256"] == hashlib.sha256(path.with_suffix(".bin").read_bytes()).hexdigest()
        for name, value in network.state_dict().items():
            assert torch.equal(file.get_tensor(name).float(), value), name


@needs_sources
def test_thunder_is_read() -> None:
    network = build_thunder()
    convert_movenet(SOURCES / "package/models/movenet-thunder.json", network)
    assert network.heads["center"][1].bias.item() == pytest.approx(-2.990234375)


def waves(size: int) -> Tensor:
    one = torch.sin(torch.arange(size)[:, None] * 0.2 + torch.arange(size)[None] * 0.13)
    return torch.stack([one, one.flip(0), one.flip(1)])[None] * 0.5 + 0.5


def wheel_member(name: str) -> bytes:
    (path,) = SOURCES.glob("mediapipe-0.10.21-*.whl")
    with zipfile.ZipFile(path) as wheel:
        return wheel.read(name)


@needs_sources
def test_hand_network_equals_the_original_runtime() -> None:
    """Expected: ai-edge-litert 2.3.0 on the same picture."""
    network = HandLandmarkNet()
    convert_mediapipe(wheel_member(HAND_FILE), network, HAND_OUTPUTS)
    with torch.inference_mode():
        maps = network.eval()(waves(224))
    expected = [[135.79515, 163.45346, 0.00013], [125.44836, 148.92679, -1.55437]]
    np.testing.assert_allclose(maps.points[0, :2], expected, atol=2e-3)
    np.testing.assert_allclose(maps.points[0, -1], [121.16881, 78.0712, -7.623719], atol=2e-3)
    np.testing.assert_allclose(maps.world[0, -1], [0.02214975, -0.05489474, 0.03193489], atol=1e-5)
    assert float(maps.right_handedness) == pytest.approx(0.76748, abs=1e-4)
    assert float(maps.presence) == pytest.approx(0.00005, abs=1e-5)


@needs_sources
def test_face_network_equals_the_original_runtime() -> None:
    """Expected: mediapipe 0.10.21's own graph on the same picture of 8 bits; landmarks 33 and 386 are of the eyes."""
    network = FaceLandmarkNet()
    convert_mediapipe(wheel_member(FACE_FILE), network, FACE_OUTPUTS)
    with torch.inference_mode():
        maps = network.eval()((waves(192) * 255).round() / 255)
    np.testing.assert_allclose(maps.points[0, 0], [92.0362, 111.6804, -15.5269], atol=2e-3)
    np.testing.assert_allclose(maps.points[0, 33], [54.1632, 76.7235, 6.8136], atol=2e-3)
    np.testing.assert_allclose(maps.points[0, 386], [115.2275, 73.1950, 9.7324], atol=2e-3)
    np.testing.assert_allclose(maps.points[0, -1], [124.0051, 74.5672, 14.5202], atol=2e-3)
    assert float(maps.presence) == pytest.approx(2.2189e-08, rel=1e-2)
