"""The pretrained networks' modules: shapes, TensorFlow's padding, and numbers of the original runtimes."""

import math

import pytest
import torch
from torch import Tensor, nn

from pose2pose.backend.detection import WEIGHTS_FILE
from pose2pose.backend.model.backbones import InvertedResidual, ResNetBackbone, SameConv2d
from pose2pose.backend.model.mediapipe import FACE_REGIONS, FaceLandmarkNet, HandLandmarkNet
from pose2pose.backend.model.movenet import build_multipose, build_thunder

safetensors_torch = pytest.importorskip("safetensors.torch")


def waves(height: int, width: int) -> Tensor:
    """A smooth picture (1,3,height,width), 0..1."""
    one = torch.sin(torch.arange(height)[:, None] * 0.2 + torch.arange(width)[None] * 0.13)
    return torch.stack([one, one.flip(0), one.flip(1)])[None] * 0.5 + 0.5


@pytest.mark.parametrize("kernel_size", [3, 5])
def test_same_padding_at_stride_two_is_tensorflows(kernel_size: int) -> None:
    """TensorFlow pads more on the right, so an even picture is sampled at its odd pixels."""
    layer = SameConv2d(1, 1, kernel_size, stride=2)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    layer.weight.data[..., kernel_size // 2, kernel_size // 2] = 1
    picture = torch.rand(1, 1, 8, 12)
    assert torch.equal(layer(picture), picture[..., 1::2, 1::2])


@pytest.mark.parametrize("kernel_size", [3, 5])
def test_same_padding_keeps_the_size_at_stride_one(kernel_size: int) -> None:
    layer = SameConv2d(2, 2, kernel_size, groups=2)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    layer.weight.data[..., kernel_size // 2, kernel_size // 2] = 1
    picture = torch.rand(1, 2, 7, 9)
    assert torch.equal(layer(picture), picture)


def test_inverted_residual_adds_its_input_only_where_shapes_agree() -> None:
    block = InvertedResidual(in_channels=4, hidden=8, out_channels=4)
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x = torch.rand(1, 4, 6, 6)
    assert torch.equal(block(x), x)
    narrowing = InvertedResidual(in_channels=4, hidden=8, out_channels=2, stride=2)
    assert narrowing(x).shape == (1, 2, 3, 3)


@pytest.mark.parametrize(("height", "width"), [(256, 192), (64, 96)])
def test_thunder_maps_have_the_documented_shapes(height: int, width: int) -> None:
    with torch.inference_mode():
        maps = build_thunder()(torch.rand(2, 3, height, width))
    h, w = height // 4, width // 4
    assert maps.s4.shape == (2, 40, h, w)
    assert maps.s8.shape == (2, 56, h // 2, w // 2)
    assert maps.s16.shape == (2, 168, h // 4, w // 4)
    assert maps.s32.shape == (2, 1280, h // 8, w // 8)
    assert maps.fpn4.shape == (2, 24, h, w)
    assert [m.shape[1] for m in (maps.heatmap, maps.center, maps.regression, maps.offset)] == [17, 1, 34, 34]
    assert maps.box_size is None


def test_movenet_refuses_sizes_that_32_does_not_divide() -> None:
    with pytest.raises(ValueError, match=r"32 divides, got \(100, 64\)"):
        build_multipose()(torch.rand(1, 3, 100, 64))


def test_shipped_detector_gives_the_original_numbers() -> None:
    """Expected: the published TensorFlow.js graph, run operation by operation, at the map's middle and on average."""
    network = build_multipose()
    network.load_state_dict(safetensors_torch.load_file(WEIGHTS_FILE))
    with torch.inference_mode():
        maps = network.eval()(waves(64, 96))
    expected = {
        "heatmap": (-5.7375, -6.0098),
        "center": (-5.1858, -5.4194),
        "regression": (-2.4132, 0.1245),
        "offset": (-0.1307, 0.5437),
        "box_size": (9.7211, 6.4042),
        "box_offset": (0.5051, 0.5151),
        "fpn4": (0.3748, 0.2039),
        "s16": (10.1067, -0.4219),
    }
    for name, (middle, mean) in expected.items():
        found = getattr(maps, name)
        _, _, height, width = found.shape
        assert found[0, 0, height // 2, width // 2].item() == pytest.approx(middle, abs=2e-3), name
        assert found.mean().item() == pytest.approx(mean, abs=2e-3), name


def test_hand_network_shapes() -> None:
    with torch.inference_mode():
        maps = HandLandmarkNet()(torch.rand(2, 3, 224, 224))
    assert maps.points.shape == maps.world.shape == (2, 21, 3)
    assert maps.presence.shape == maps.right_handedness.shape == (2,)
    assert ((maps.presence > 0) & (maps.presence < 1)).all()
    assert [tuple(feature.shape) for feature in maps.features] == [(2, 112, 14, 14), (2, 192, 7, 7)]


def test_face_network_shapes() -> None:
    with torch.inference_mode():
        maps = FaceLandmarkNet()(torch.rand(2, 3, 192, 192))
    assert maps.points.shape == (2, 468, 3)
    assert maps.presence.shape == (2,)
    assert [tuple(feature.shape) for feature in maps.features] == [(2, 128, 12, 12), (2, 128, 6, 6)]


def test_the_second_look_at_a_region_turns_with_the_face() -> None:
    """Lips along a slanted line: the region's box has its angle, surrounds it by half, and answers land in it."""
    torch.manual_seed(0)
    network = FaceLandmarkNet().eval()
    angle = 0.4
    along = torch.tensor([math.cos(angle), math.sin(angle)])
    points = torch.rand(1, 468, 3) * 40 + 76
    lips, first, second = FACE_REGIONS[0]
    spread = torch.linspace(-20, 20, len(lips))
    points[0, list(lips), :2] = 96 + spread[:, None] * along
    points[0, first, :2], points[0, second, :2] = 96 - 20 * along, 96 + 20 * along
    region = network.regions[0]
    torch.nn.init.zeros_(region.points.weight)
    region.points.bias.data = torch.tensor([0.0, 32.0]).repeat(len(lips))  # the middle of the left edge
    with torch.inference_mode():
        refined = network.refine(torch.rand(1, 32, 48, 48), points)
    expected = (96 - 1.5 * 20 * along).expand(len(lips), 2)
    assert torch.allclose(refined[0, list(lips), :2], expected, atol=1e-3)
    assert torch.equal(refined[..., 2], points[..., 2])
    untouched = sorted(set(range(468)) - {landmark for region in FACE_REGIONS for landmark in region[0]})
    assert torch.equal(refined[0, untouched], points[0, untouched])


@pytest.mark.parametrize("network", [HandLandmarkNet, FaceLandmarkNet])
def test_landmark_networks_name_a_wrong_size(network: type[nn.Module]) -> None:
    with pytest.raises(ValueError, match=r"got \(1, 3, 128, 128\)"):
        network()(torch.rand(1, 3, 128, 128))


@pytest.mark.parametrize(("network", "size"), [(HandLandmarkNet, 224), (FaceLandmarkNet, 192)])
def test_landmark_networks_can_be_trained(network: type[nn.Module], size: int) -> None:
    """Every parameter on the way to the points gets a gradient; in-place activations do not spoil it."""
    torch.manual_seed(0)
    module = network()
    module(torch.rand(1, 3, size, size)).points.sum().backward()
    without = [n for n, p in module.named_parameters() if p.grad is None]
    assert all(name.startswith(("presence", "right_handedness", "world")) for name in without)


@pytest.mark.parametrize(("depth", "channels"), [(18, 512), (50, 2048)])
def test_resnet_is_a_thirty_second_of_the_picture(depth: int, channels: int) -> None:
    backbone = ResNetBackbone(depth=depth).eval()
    with torch.inference_mode():
        features = backbone(torch.rand(1, 3, 64, 96))
    assert features.shape == (1, channels, 2, 3)
    assert backbone.out_channels == channels


def test_resnet_refuses_other_depths() -> None:
    with pytest.raises(ValueError, match="got 34"):
        ResNetBackbone(depth=34)
