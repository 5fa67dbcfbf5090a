"""The arrangement of the networks that the paper's authors released: Hand4Whole, and Pose2Pose for one part alone.

Where they differ from the paper: pixels as they are; convolutions with batch norm and ReLU before pooling; positions in
cells of the heat maps, counted from a cell's first corner; boxes from upsampled maps, heat maps included; the body has
convolutions of its own on the hands' feature maps; 20 points of a hand, without its wrist; a longer lens. Fingers are
relative to the mean hand of the body model, which `motion.mean_hand` adds.
"""

import math

from torch import nn

from ..body.joints import RIGHT_HAND21, points
from .backbones import RAW_PIXELS, ResNetBackbone
from .body import BodyBranch, CellEncoding, JointFeatures, WeakCameraShapeNet
from .boxes import DeconvolvedBoxNet
from .face import PooledFaceBranch, SplitFaceHead
from .hand import HandBranch, MapPalms
from .parts import HeadNet, LimbNet
from .pooling import ConvolvedPooling
from .pose2pose import BODY_SIZE
from .position import CellGrid, HeatmapPositionNet
from .rotation import JointwiseRotationNet

BODY_POINTS = points(
    "pelvis", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "neck", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_big_toe", "left_small_toe",
    "left_heel", "right_big_toe", "right_small_toe", "right_heel", "left_ear", "right_ear", "left_eye", "right_eye",
    "nose",
)  # fmt: skip
HAND_POINTS = RIGHT_HAND21[1:]
KNUCKLES = (4, 8, 12, 16)
"""Index, middle, ring and pinky MCP joints among them."""
HAND_SIZE = (256, 256)
FACE_SIZE = (192, 192)
FOCAL = 5000.0
"""Pixels, on the picture that the network sees; its center is the principal point."""

BODY_GRID = CellGrid(depth_bins=8, depth_range=2.0, first_pixel=0.25, first_bin=0.0)
"""Half a pixel of the 512x384 picture, whose pixels are counted from the middle of the first one."""
HAND_GRID = CellGrid(depth_bins=8, depth_range=0.3, first_pixel=0.0, first_bin=0.0)
BODY_METERS = 2.5
PART_METERS = 0.4
"""Side of the square that fills the picture from the farthest place of the camera."""

_CHANNELS = 2048
_POOLED = 512


def build_body() -> BodyBranch:
    """The body branch of Hand4Whole."""
    knuckles = 2 * len(KNUCKLES)
    return BodyBranch(
        position=_position(len(BODY_POINTS), BODY_GRID),
        boxes=DeconvolvedBoxNet(
            channels=_CHANNELS + len(BODY_POINTS) * BODY_GRID.depth_bins, hidden=256, margins=(2.0, 2.0, 1.5)
        ),
        encoding=CellEncoding(grid=BODY_GRID),
        features=JointFeatures(pooling=_pooling(BODY_GRID)),
        rotation=JointwiseRotationNet(joints=len(BODY_POINTS) + knuckles, channels=_POOLED, rotations=(1, 21)),
        shape=_shape(BODY_SIZE, BODY_METERS),
    )


def build_hand() -> HandBranch:
    """The hand branch of Hand4Whole."""
    encoding = CellEncoding(grid=HAND_GRID)
    return HandBranch(
        position=_position(len(HAND_POINTS), HAND_GRID),
        pooling=_pooling(HAND_GRID),
        projection=nn.Identity(),
        encoding=encoding,
        rotation=JointwiseRotationNet(joints=len(HAND_POINTS), channels=_POOLED, rotations=(15,)),
        palms=MapPalms(encoding=encoding, left=_pooling(HAND_GRID), right=_pooling(HAND_GRID), knuckles=KNUCKLES),
        size=HAND_SIZE,
        mirrored_width=HAND_GRID.mirrored_width(HAND_SIZE[1] // HAND_GRID.stride),
    )


def build_face() -> PooledFaceBranch:
    """The face branch of Hand4Whole."""
    backbone = ResNetBackbone(depth=18, pixels=RAW_PIXELS)
    head = SplitFaceHead(backbone.out_channels, rotations=1)
    return PooledFaceBranch(backbone=backbone, head=head, size=FACE_SIZE)


def build_body_part() -> LimbNet:
    """Pose2Pose for the body alone: SMPL's root and 21 joints; its two hand joints are zero."""
    return _limb(joints=len(BODY_POINTS), grid=BODY_GRID, rotations=21, size=BODY_SIZE, meters=BODY_METERS)


def build_hand_part() -> LimbNet:
    """Pose2Pose for a right hand alone: MANO's root and 15 joints; its positional pose starts with the wrist."""
    return _limb(joints=len(RIGHT_HAND21), grid=HAND_GRID, rotations=15, size=HAND_SIZE, meters=PART_METERS)


def build_face_part() -> HeadNet:
    """Pose2Pose for a face alone: FLAME's root and jaw."""
    return HeadNet(
        backbone=ResNetBackbone(depth=50, pixels=RAW_PIXELS),
        head=SplitFaceHead(_CHANNELS, rotations=2),
        shape=_shape(BODY_SIZE, PART_METERS),
        size=BODY_SIZE,
    )


def _limb(*, joints: int, grid: CellGrid, rotations: int, size: tuple[int, int], meters: float) -> LimbNet:
    return LimbNet(
        position=_position(joints, grid),
        pooling=_pooling(grid),
        encoding=CellEncoding(grid=grid),
        rotation=JointwiseRotationNet(joints=joints, channels=_POOLED, rotations=(1, rotations)),
        shape=_shape(size, meters),
        size=size,
    )


def _position(joints: int, grid: CellGrid) -> HeatmapPositionNet:
    backbone = ResNetBackbone(depth=50, pixels=RAW_PIXELS)
    return HeatmapPositionNet(backbone=backbone, channels=_CHANNELS, joints=joints, grid=grid)


def _pooling(grid: CellGrid) -> ConvolvedPooling:
    layers = (nn.Conv2d(_CHANNELS, _POOLED, kernel_size=1), nn.BatchNorm2d(_POOLED), nn.ReLU(inplace=True))
    return ConvolvedPooling(reduce=nn.Sequential(*layers), grid=grid)


def _shape(size: tuple[int, int], meters: float) -> WeakCameraShapeNet:
    return WeakCameraShapeNet(_CHANNELS, farthest=FOCAL * meters / math.sqrt(size[0] * size[1]))
