"""The modules that stand for each value of a `NetworkConfig`, and how long the vectors are that they give."""

from dataclasses import dataclass

from torch import Tensor, nn

from ...backend.model.backbones import ResNetBackbone
from ...backend.model.body import PixelEncoding
from ...backend.model.hand import MCP, CropPalms
from ...backend.model.pooling import ConvolvedPooling
from ...backend.model.position import CellGrid, HandOn, HeatmapPositionNet, as_found, without_gradient
from ...backend.model.presets import PALM_POINTS, PAPER_POOLED_CHANNELS
from ...backend.model.regions import crop_regions
from .inputs import (
    FeaturePalms,
    GivenEncoding,
    MapCells,
    MeanAndJointPooling,
    MeanPooling,
    NoEncoding,
    NoPalms,
    NoPooling,
)
from .positions import MapNet
from .settings import NetworkConfig, Size


@dataclass(frozen=True)
class Pooled:
    """Features of a branch: the module, numbers for the branch's own RotationNet, numbers of a hand for the body's."""

    module: nn.Module
    size: int
    palm: int


@dataclass(frozen=True)
class Branch:
    """What the choices of a body or hand branch depend on.

    Attributes:
        backbone: (B, 3, H, W) -> (B, channels, h, w).
        channels: of its map.
        joints: J of the positional pose.
        grid: of its heat maps.
        size: height and width of its picture in pixels.
    """

    backbone: nn.Module
    channels: int
    joints: int
    grid: CellGrid
    size: Size


def resnet(depth: int, stride: int = 32) -> ResNetBackbone:
    """A ResNet with random weights; `starts.load_starts` gives it others."""
    return ResNetBackbone(depth=depth, stride=stride)


def choose_position(config: NetworkConfig, branch: Branch) -> nn.Module:
    """PositionNet: 3D or 2D heat maps, or nothing but the map for GAP."""
    if config.pooling == "gap":
        return MapNet(backbone=branch.backbone)
    return HeatmapPositionNet(
        backbone=branch.backbone,
        channels=branch.channels,
        joints=branch.joints,
        grid=branch.grid,
        axes=2 if "positions-2d" in config.rotation_inputs else 3,
    )


def choose_encoding(config: NetworkConfig, size: Size) -> tuple[nn.Module, int]:
    """The positional part of the RotationNets' vectors, and its numbers per point."""
    if "positions-3d" in config.rotation_inputs:
        return PixelEncoding(size=size), 3
    return (PixelEncoding(size=size), 2) if "positions-2d" in config.rotation_inputs else (NoEncoding(), 0)


def choose_pooling(config: NetworkConfig, branch: Branch) -> Pooled:
    """The features of the RotationNets' vectors."""
    if "features" not in config.rotation_inputs:
        return Pooled(NoPooling(), 0, 0)
    if config.pooling == "gap":
        return Pooled(MeanPooling(), branch.channels, branch.channels)
    channels = scaled(config, PAPER_POOLED_CHANNELS)
    reduce = nn.Conv2d(branch.channels, channels, kernel_size=1)
    if config.pooling == "none":
        cells = branch.size[0] * branch.size[1] // branch.grid.stride**2
        return Pooled(MapCells(reduce=reduce), cells * channels, cells * channels)
    if config.pooling == "gap+ppp":
        both = MeanAndJointPooling(reduce=reduce, channels=channels, grid=branch.grid)
        return Pooled(both, branch.joints * channels + branch.channels, len(MCP) * channels)
    return Pooled(ConvolvedPooling(reduce=reduce, grid=branch.grid), branch.joints * channels, len(MCP) * channels)


def choose_palms(config: NetworkConfig) -> nn.Module:
    """What the hand branch passes to the body branch, v_m."""
    if not config.mcp:
        return NoPalms()
    encoding, _ = choose_encoding(config, config.hand_size)
    if config.detach:
        encoding = GivenEncoding(encoding=encoding)
    if config.pooling in ("gap", "none") and "features" in config.rotation_inputs:
        return FeaturePalms(encoding=encoding, knuckles=() if config.pooling == "gap" else MCP)
    return CropPalms(encoding=encoding)


def palms_size(config: NetworkConfig, hand: Pooled | None) -> int:
    """The length of v_m; hand: its features, None where there is no hand branch."""
    if hand is None or not config.mcp:
        return 0
    return PALM_POINTS * choose_encoding(config, config.hand_size)[1] + 2 * hand.palm


def choose_hand_on(config: NetworkConfig) -> HandOn:
    """Whether gradients of rotations and boxes reach the positional pose."""
    return without_gradient if config.detach else as_found


def scaled(config: NetworkConfig, channels: int) -> int:
    """A number of the paper's channels for the network's width."""
    return max(1, round(config.width * channels))


def crop_from_body_picture(images: Tensor, boxes: Tensor, size: Size) -> Tensor:
    """As `crop_regions`, but from the picture at half its size, the one that the body branch sees (Table 10)."""
    half = nn.functional.avg_pool2d(images, 2)
    scale = boxes.new_tensor([0.5, 0.5, 0.5, 0.5, 1.0])
    return crop_regions(half, boxes * scale, size)
