"""MediaPipe's hand and face landmark networks (Google, Apache-2.0) as plain modules.

Both work on upright square crops of one hand or face. The image size is fixed: the layers after the trunk are fully
connected in effect.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .backbones import InvertedResidual, SameConv2d

HAND_SIZE = 224
FACE_SIZE = 192
HAND_POINTS = 21
FACE_POINTS = 468

HAND_BLOCKS = (
    (24, 3, 1, 16),
    (64, 3, 2, 24),
    (144, 3, 1, 24),
    (144, 5, 2, 40),
    (240, 5, 1, 40),
    (240, 3, 2, 80),
    (480, 3, 1, 80),
    (480, 3, 1, 80),
    (480, 5, 1, 112),
    (672, 5, 1, 112),
    (672, 5, 1, 112),
    (672, 5, 2, 192),
    (1152, 5, 1, 192),
    (1152, 5, 1, 192),
    (1152, 5, 1, 192),
)
"""Hidden channels, kernel size, stride and output channels of the hand network's blocks."""
HAND_S16_BLOCKS = 11
"""Blocks up to the last map at a sixteenth of the input's size."""

FACE_STAGES = ((16, 2, 1), (32, 3, 2), (64, 3, 2), (128, 3, 2), (128, 3, 2))
"""Channels, blocks and stride of the face network's trunk."""


@dataclass(frozen=True)
class HandMaps:
    """What the hand network says about B crops."""

    points: Tensor
    """(B,21,3) x, y in input pixels, z in the same unit relative to the wrist, smaller is nearer."""
    presence: Tensor
    """(B,) 0..1, that there is a hand."""
    right_handedness: Tensor
    """(B,) 0..1, that it is a right hand."""
    world: Tensor
    """(B,21,3) meters, origin near the middle of the hand, axes of the crop."""
    features: tuple[Tensor, Tensor]
    """(B,112,14,14) and (B,192,7,7)."""


@dataclass(frozen=True)
class FaceMaps:
    """What the face network says about B crops."""

    points: Tensor
    """(B,468,3) x, y in input pixels, z in the same unit, smaller is nearer."""
    presence: Tensor
    """(B,) 0..1, that there is a face."""
    features: tuple[Tensor, Tensor]
    """(B,128,12,12) and (B,128,6,6)."""


class HandLandmarkNet(nn.Module):
    """`hand_landmark_full`: inverted residual blocks, global pooling, four linear outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv2d(3, 24, 3, stride=2)
        blocks, channels = [], 24
        for hidden, kernel_size, stride, out in HAND_BLOCKS:
            blocks.append(
                InvertedResidual(
                    in_channels=channels, hidden=hidden, out_channels=out, kernel_size=kernel_size, stride=stride
                )
            )
            channels = out
        self.s16_blocks = nn.Sequential(*blocks[:HAND_S16_BLOCKS])
        self.s32_blocks = nn.Sequential(*blocks[HAND_S16_BLOCKS:])
        self.expand = nn.Conv2d(192, 1152, 1)
        self.depthwise = SameConv2d(1152, 1152, 3, groups=1152)
        self.points = nn.Linear(1152, HAND_POINTS * 3)
        self.presence = nn.Linear(1152, 1)
        self.right_handedness = nn.Linear(1152, 1)
        self.world = nn.Linear(1152, HAND_POINTS * 3)

    def forward(self, images: Tensor) -> HandMaps:
        """Find the hand's landmarks.

        Args:
            images: (B,3,224,224) RGB 0..1, wrist below, fingers up.

        Raises:
            ValueError: if the images have another size.
        """
        _check_size(images, HAND_SIZE)
        s16 = self.s16_blocks(F.relu6(self.stem(images), inplace=True))
        s32 = self.s32_blocks(s16)
        wide = F.relu6(self.depthwise(F.relu6(self.expand(s32), inplace=True)), inplace=True)
        pooled = wide.mean((2, 3))
        return HandMaps(
            points=self.points(pooled).view(-1, HAND_POINTS, 3),
            presence=torch.sigmoid(self.presence(pooled))[:, 0],
            right_handedness=torch.sigmoid(self.right_handedness(pooled))[:, 0],
            world=self.world(pooled).view(-1, HAND_POINTS, 3),
            features=(s16, s32),
        )


class FaceBlock(nn.Module):
    """3x3 depthwise and 1x1 convolution, added to the (pooled, zero-extended) input, PReLU."""

    def __init__(self, *, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = SameConv2d(in_channels, in_channels, 3, stride=stride, groups=in_channels)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)
        self.activation = nn.PReLU(out_channels)
        self.stride = stride
        self.new_channels = out_channels - in_channels

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) -> (B,C',H/stride,W/stride)."""
        shortcut = x if self.stride == 1 else F.max_pool2d(x, self.stride)
        if self.new_channels:
            shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self.new_channels))
        out: Tensor = self.activation(shortcut + self.pointwise(self.depthwise(x)))
        return out


class FaceLandmarkNet(nn.Module):
    """`face_landmark`: a trunk of residual blocks and two branches, landmarks and presence."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(SameConv2d(3, 16, 3, stride=2), nn.PReLU(16))
        stages, channels = [], 16
        for out, blocks, stride in FACE_STAGES:
            stages.append(_face_stage(channels, out, blocks, stride))
            channels = out
        self.s16_stages = nn.Sequential(*stages[:-1])
        self.s32_stage = stages[-1]
        self.points = _face_branch(blocks=3, outputs=FACE_POINTS * 3)
        self.presence = _face_branch(blocks=1, outputs=1)

    def forward(self, images: Tensor) -> FaceMaps:
        """Find the face's landmarks.

        Args:
            images: (B,3,192,192) RGB 0..1, the eyes level.

        Raises:
            ValueError: if the images have another size.
        """
        _check_size(images, FACE_SIZE)
        s16 = self.s16_stages(self.stem(images))
        s32 = self.s32_stage(s16)
        return FaceMaps(
            points=self.points(s32).view(-1, FACE_POINTS, 3),
            presence=torch.sigmoid(self.presence(s32)).flatten(),
            features=(s16, s32),
        )


def _face_stage(in_channels: int, out_channels: int, blocks: int, stride: int) -> nn.Sequential:
    first = FaceBlock(in_channels=in_channels, out_channels=out_channels, stride=stride)
    return nn.Sequential(
        first, *(FaceBlock(in_channels=out_channels, out_channels=out_channels) for _ in range(blocks - 1))
    )


def _face_branch(*, blocks: int, outputs: int) -> nn.Sequential:
    """(B,128,6,6) -> (B,outputs,1,1)."""
    return nn.Sequential(
        _face_stage(128, 128, blocks, 2),
        nn.Conv2d(128, 32, 1),
        nn.PReLU(32),
        FaceBlock(in_channels=32, out_channels=32),
        nn.Conv2d(32, outputs, 3),
    )


def _check_size(images: Tensor, size: int) -> None:
    if images.shape[1:] != (3, size, size):
        raise ValueError(f"images must be (B,3,{size},{size}), got {tuple(images.shape)}")
