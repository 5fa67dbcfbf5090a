"""MediaPipe's hand and face landmark networks (Google, Apache-2.0) as plain modules.

Both work on upright square crops of one hand or face. The image size is fixed: the layers after the trunk are fully
connected in effect.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .backbones import InvertedResidual, SameConv2d
from .regions import crop_regions, points_to_image

HAND_SIZE = 224
FACE_SIZE = 192
HAND_POINTS = 21
HAND_POOLED = 1152
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

LIPS = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409,
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415,
    76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306, 184, 74, 73, 72, 11, 302, 303, 304, 408,
    62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292, 183, 42, 41, 38, 12, 268, 271, 272, 407,
)  # fmt: skip
RIGHT_EYE = (
    33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173, 130, 25, 110, 24, 23, 22, 26, 112,
    243, 247, 30, 29, 27, 28, 56, 190, 226, 31, 228, 229, 230, 231, 232, 233, 244, 113, 225, 224, 223, 222, 221, 189,
    35, 124, 46, 53, 52, 65, 143, 111, 117, 118, 119, 120, 121, 128, 245, 156, 70, 63, 105, 66, 107, 55, 193,
)  # fmt: skip
LEFT_EYE = (
    263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398, 359, 255, 339, 254, 253, 252, 256,
    341, 463, 467, 260, 259, 257, 258, 286, 414, 446, 261, 448, 449, 450, 451, 452, 453, 464, 342, 445, 444, 443, 442,
    441, 413, 265, 353, 276, 283, 282, 295, 372, 340, 346, 347, 348, 349, 350, 357, 465, 383, 300, 293, 334, 296, 336,
    285, 417,
)  # fmt: skip
FACE_REGIONS = ((LIPS, 61, 291), (RIGHT_EYE, 33, 133), (LEFT_EYE, 362, 263))
"""Landmarks that the network finds a second time, more finely, with the two between which the region is level. Those of
an eye include its brow."""
REGION_MARGIN = 1.5
REGION_CELLS, REGION_PIXELS = (16, 16), (64, 64)
"""What a region's network reads, and the unit of its answer."""


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
    pooled: Tensor
    """(B,1152), from which all of the above but the maps is read."""


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
        return self.late(self.early(images))

    def early(self, images: Tensor) -> Tensor:
        """(B,3,224,224) -> (B,112,14,14), the layers that stay as they were published."""
        s16: Tensor = self.s16_blocks(F.relu6(self.stem(images), inplace=True))
        return s16

    def late(self, s16: Tensor) -> HandMaps:
        """The landmarks from the map of the early layers."""
        s32 = self.s32_blocks(s16)
        wide = F.relu6(self.depthwise(F.relu6(self.expand(s32), inplace=True)), inplace=True)
        pooled = wide.mean((2, 3))
        return HandMaps(
            points=self.points(pooled).view(-1, HAND_POINTS, 3),
            presence=torch.sigmoid(self.presence(pooled))[:, 0],
            right_handedness=torch.sigmoid(self.right_handedness(pooled))[:, 0],
            world=self.world(pooled).view(-1, HAND_POINTS, 3),
            features=(s16, s32),
            pooled=pooled,
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


class FaceRegionNet(nn.Module):
    """The second look at a region: 16x16 cells of an early map -> its landmarks in a 64x64 picture of it."""

    def __init__(self, points: int) -> None:
        super().__init__()
        self.stages = nn.Sequential(
            _face_stage(32, 32, blocks=2),
            _face_stage(32, 64, blocks=3, stride=2),
            _face_stage(64, 128, blocks=3, stride=2),
            _face_stage(128, 128, blocks=3, stride=2),
            _face_neck(),
        )
        self.points = nn.Conv2d(32, 2 * points, 2)

    def forward(self, cells: Tensor) -> Tensor:
        """(B,32,16,16) -> (B,P,2) x, y."""
        out: Tensor = self.points(self.stages(cells))
        return out.view(len(cells), -1, 2)


class FaceLandmarkNet(nn.Module):
    """`face_landmark_with_attention` without its irises: all landmarks, then lips, eyes and brows once more.

    The coarse landmarks alone hardly tell closed eyes from open ones. The original's box of a region repeats no border
    cells; here those within half a cell are repeated.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(SameConv2d(3, 16, 3, stride=2), nn.PReLU(16))
        self.s4 = nn.Sequential(_face_stage(16, 16, blocks=2), FaceBlock(in_channels=16, out_channels=32, stride=2))
        self.s16 = nn.Sequential(
            _face_stage(32, 32, blocks=2),
            _face_stage(32, 64, blocks=3, stride=2),
            _face_stage(64, 128, blocks=3, stride=2),
        )
        self.s32 = _face_stage(128, 128, blocks=3, stride=2)
        self.neck = nn.Sequential(_face_stage(128, 128, blocks=3, stride=2), _face_neck())
        self.points = nn.Conv2d(32, FACE_POINTS * 3, 3)
        self.presence = nn.Conv2d(32, 1, 3)
        self.regions = nn.ModuleList(FaceRegionNet(len(landmarks)) for landmarks, _, _ in FACE_REGIONS)

    def forward(self, images: Tensor) -> FaceMaps:
        """Find the face's landmarks.

        Args:
            images: (B,3,192,192) RGB 0..1, the eyes level.

        Raises:
            ValueError: if the images have another size.
        """
        _check_size(images, FACE_SIZE)
        s4 = self.s4(self.stem(images))
        s16 = self.s16(s4)
        s32 = self.s32(s16)
        whole = self.neck(s32)
        return FaceMaps(
            points=self.refine(s4, self.points(whole).view(-1, FACE_POINTS, 3)),
            presence=torch.sigmoid(self.presence(whole)).flatten(),
            features=(s16, s32),
        )

    def refine(self, s4: Tensor, points: Tensor) -> Tensor:
        """Replace x and y of the regions' landmarks (B,468,3) by those found on (B,32,48,48) around them."""
        boxes = torch.stack([_region_box(points[..., :2], *region) for region in FACE_REGIONS], dim=1)
        scale = boxes.new_tensor([s4.shape[3] / FACE_SIZE] * 4 + [1.0])
        cells = crop_regions(s4, boxes * scale, REGION_CELLS)
        refined = points.clone()
        for number, (network, (landmarks, _, _)) in enumerate(zip(self.regions, FACE_REGIONS, strict=True)):
            refined[:, landmarks, :2] = points_to_image(network(cells[:, number]), boxes[:, number], REGION_PIXELS)
        return refined


def _region_box(points: Tensor, landmarks: tuple[int, ...], first: int, second: int) -> Tensor:
    """(B,P,2) -> (B,5) around a region's landmarks, level from its first to its second."""
    x, y = (points[:, second] - points[:, first]).unbind(-1)
    angle = torch.atan2(y, x)
    cosine, sine = angle.cos()[:, None], angle.sin()[:, None]
    x, y = points[:, landmarks].unbind(-1)
    level = torch.stack([cosine * x + sine * y, cosine * y - sine * x], dim=-1)
    low, high = level.amin(1), level.amax(1)
    x, y = ((low + high) / 2).split(1, dim=1)
    center = torch.cat([cosine * x - sine * y, sine * x + cosine * y], dim=1)
    return torch.cat([center, REGION_MARGIN * (high - low), angle[:, None]], dim=1)


def _face_stage(in_channels: int, out_channels: int, *, blocks: int, stride: int = 1) -> nn.Sequential:
    first = FaceBlock(in_channels=in_channels, out_channels=out_channels, stride=stride)
    return nn.Sequential(
        first, *(FaceBlock(in_channels=out_channels, out_channels=out_channels) for _ in range(blocks - 1))
    )


def _face_neck() -> nn.Sequential:
    """(B,128,h,w) -> (B,32,h,w)."""
    return nn.Sequential(nn.Conv2d(128, 32, 1), nn.PReLU(32), FaceBlock(in_channels=32, out_channels=32))


def _check_size(images: Tensor, size: int) -> None:
    if images.shape[1:] != (3, size, size):
        raise ValueError(f"images must be (B,3,{size},{size}), got {tuple(images.shape)}")
