"""MoveNet (Google, Apache-2.0): MobileNetV2, a feature pyramid and CenterNet heads for 17 COCO keypoints.

Thunder (one person, width 1.75) and MultiPose Lightning (up to six people, width 1.5, two more heads) are the same
network. The input may have any size that 32 divides.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from .backbones import InvertedResidual, SameConv2d

MOBILENET_V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels at width 1, blocks and stride of the seven stages (Sandler et al., 2018, table 2)."""

KEYPOINT_HEADS = {"heatmap": 17, "center": 1, "regression": 34, "offset": 34}
BOX_HEADS = {"box_size": 2, "box_offset": 2}
STRIDE = 4
"""Input pixels per cell of the head maps."""


@dataclass(frozen=True)
class MoveNetMaps:
    """Feature maps and raw head maps; h, w are the input's height and width over 4.

    In the heads with two numbers per point the order is y, x, in cells; `heatmap` and `center` are logits.
    """

    s4: Tensor
    """(B,40,h,w)."""
    s8: Tensor
    """(B,56 or 48,h/2,w/2)."""
    s16: Tensor
    """(B,168 or 144,h/4,w/4)."""
    s32: Tensor
    """(B,1280,h/8,w/8)."""
    fpn4: Tensor
    """(B,24,h,w)."""
    heatmap: Tensor
    """(B,17,h,w) where each keypoint is."""
    center: Tensor
    """(B,1,h,w) where persons' centers are."""
    regression: Tensor
    """(B,34,h,w) from a person's center to its keypoints."""
    offset: Tensor
    """(B,34,h,w) from a keypoint's cell to its exact place."""
    box_size: Tensor | None = None
    """(B,2,h,w) height and width of the person's box, MultiPose only."""
    box_offset: Tensor | None = None
    """(B,2,h,w) from a center's cell to the center of the box, MultiPose only."""


class SeparableConv(nn.Module):
    """3x3 depthwise and 1x1 convolution, ReLU."""

    def __init__(self, *, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) -> (B,C',H,W)."""
        return F.relu(self.pointwise(self.depthwise(x)), inplace=True)


class PyramidLevel(nn.Module):
    """Doubles the size of the deeper map and adds the shallower one to it."""

    def __init__(self, *, in_channels: int, width: int, out_channels: int) -> None:
        super().__init__()
        self.lateral = nn.Conv2d(in_channels, width, 1)
        self.merge = SeparableConv(in_channels=width, out_channels=out_channels)

    def forward(self, deep: Tensor, shallow: Tensor) -> Tensor:
        """(B,width,H/2,W/2) and (B,C,H,W) -> (B,C',H,W)."""
        doubled = F.interpolate(deep, scale_factor=2.0, mode="bilinear")
        merged: Tensor = self.merge(doubled + self.lateral(shallow))
        return merged


class MoveNet(nn.Module):
    """The network with its heads; the decoding of people is the caller's."""

    def __init__(self, *, width: float, heads: Mapping[str, int]) -> None:
        """Build the network with random weights.

        Args:
            width: multiplies MobileNetV2's channels.
            heads: channels of each head, by the names of `MoveNetMaps`.
        """
        super().__init__()
        channels = _scaled(32, width)
        self.stem = SameConv2d(3, channels, 3, stride=2)
        self.stages = nn.ModuleList()
        widths = []
        for expansion, base, blocks, stride in MOBILENET_V2:
            out = _scaled(base, width)
            self.stages.append(_stage(channels, out, expansion, blocks, stride))
            channels = out
            widths.append(out)
        self.last = nn.Conv2d(channels, 1280, 1)
        self.top = nn.Conv2d(1280, 64, 1)
        self.level16 = PyramidLevel(in_channels=widths[3], width=64, out_channels=32)
        self.level8 = PyramidLevel(in_channels=widths[2], width=32, out_channels=24)
        self.level4 = PyramidLevel(in_channels=widths[1], width=24, out_channels=24)
        self.heads = nn.ModuleDict(
            {
                name: nn.Sequential(SeparableConv(in_channels=24, out_channels=96), nn.Conv2d(96, outputs, 1))
                for name, outputs in heads.items()
            }
        )

    def forward(self, images: Tensor) -> MoveNetMaps:
        """Compute all maps.

        Args:
            images: (B,3,H,W) RGB 0..1, H and W multiples of 32.

        Raises:
            ValueError: if 32 does not divide the size.
        """
        if images.shape[-2] % 32 or images.shape[-1] % 32:
            raise ValueError(f"MoveNet needs a height and width that 32 divides, got {tuple(images.shape[-2:])}")
        x = F.relu6(self.stem(images * 2 - 1), inplace=True)
        maps: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        _, s4, s8, s16_early, s16, *_ = maps
        s32 = F.relu6(self.last(x), inplace=True)
        fpn4 = self.level4(self.level8(self.level16(self.top(s32), s16_early), s8), s4)
        heads = {name: head(fpn4) for name, head in self.heads.items()}
        return MoveNetMaps(s4=s4, s8=s8, s16=s16, s32=s32, fpn4=fpn4, **heads)


def build_thunder() -> MoveNet:
    """MoveNet Thunder, single pose, with random weights."""
    return MoveNet(width=1.75, heads=KEYPOINT_HEADS)


def build_multipose() -> MoveNet:
    """MoveNet MultiPose Lightning with random weights."""
    return MoveNet(width=1.5, heads={**KEYPOINT_HEADS, **BOX_HEADS})


def _stage(in_channels: int, out_channels: int, expansion: int, blocks: int, stride: int) -> nn.Sequential:
    """The first block changes the channels and the stride, the others keep both."""
    inputs = [in_channels] + [out_channels] * (blocks - 1)
    strides = [stride] + [1] * (blocks - 1)
    return nn.Sequential(
        *(
            InvertedResidual(in_channels=c, hidden=c * expansion, out_channels=out_channels, stride=s)
            for c, s in zip(inputs, strides, strict=True)
        )
    )


def _scaled(channels: int, width: float) -> int:
    """Multiply and round to a multiple of 8, never losing more than a tenth (MobileNet's rule)."""
    rounded = max(8, int(channels * width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels * width else rounded
