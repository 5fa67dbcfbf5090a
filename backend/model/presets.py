"""The presets: which modules make up the network. Configuration ends here.

`paper` is the architecture of sections 3 and 4 to the letter. `open` has the same structure on small networks that were
pretrained on real pictures and may be shipped; its weights come with the project. `hand4whole` is what the authors
released (`released.py`), so that their weights can be imported.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from ..body.joints import COCO17, POINT_NAMES, RIGHT_HAND21
from ..motion.skeleton import JOINT_NAMES
from . import mediapipe, released
from .backbones import ResNetBackbone
from .body import (
    BodyBranch,
    JointFeatures,
    KeypointEncoding,
    PixelEncoding,
    PooledShapeNet,
    ProjectedFeatures,
    VectorShapeNet,
)
from .boxes import HeatmapBoxNet, LimbBoxes
from .camera import PAPER_FOCAL
from .face import FaceBranch, LandmarkFaceBranch, LinearFaceHead, PooledFaceBranch
from .hand import (
    CropPalms,
    HandBranch,
    HandEncoding,
    ImagePalms,
    LandmarkPositionNet,
    PointCorrector,
    TellApart,
    as_seen,
    each_once,
)
from .mirror import MirrorAverage, other_sides
from .movenet import build_thunder
from .pooling import ConvolvedPooling, MapPooling
from .pose2pose import BODY_SIZE, Cut, Pose2Pose, Shrink, shrink_by_average, shrink_by_picking
from .position import CellGrid, CenterNetPositionNet, DepthLifter, HeatmapPositionNet
from .regions import align_regions, crop_regions
from .rotation import LinearRotationNet, ResidualRotationNet

BODY_ROTATIONS = 22
HAND_ROTATIONS = 15
HAND_POINTS = 21
PALM_POINTS = 8
"""Index, middle, ring and pinky MCP joints of two hands."""

PAPER_BODY_POINTS = released.BODY_POINTS
"""The paper does not list its body joints; these 25 are the ones of its authors' later release."""
PAPER_BODY_GRID = CellGrid(depth_bins=8, depth_range=2.0)
"""The paper does not state its depth bins either; 8 is what its authors released later."""
PAPER_HAND_GRID = CellGrid(depth_bins=8, depth_range=0.3)
PAPER_HAND_SIZE = (256, 256)
PAPER_FACE_SIZE = (192, 128)
PAPER_POOLED_CHANNELS = 512

THUNDER_CHANNELS = 56 + 168 + 24
"""MoveNet Thunder's maps s8, s16 and fpn4."""
THUNDER_CONTEXT = 1280
HAND_CHANNELS = 112
OPEN_PROJECTED = (64, 128, 16)
"""Channels kept of a body joint, of the whole picture, of an MCP joint."""
OPEN_HAND_PROJECTED = 32
OPEN_PALM = 13
OPEN_BODY_GEOMETRY = 4 * 17 + 2 * OPEN_PALM
OPEN_BODY_FEATURES = 17 * OPEN_PROJECTED[0] + OPEN_PROJECTED[1] + PALM_POINTS * OPEN_PROJECTED[2]


def build_paper_body() -> BodyBranch:
    """ResNet-50 at 256x192, 3D heat maps, one fully connected layer (section 3.1)."""
    backbone = ResNetBackbone(depth=50)
    channels, joints = backbone.out_channels, len(PAPER_BODY_POINTS)
    position = HeatmapPositionNet(backbone=backbone, channels=channels, joints=joints, grid=PAPER_BODY_GRID)
    pooling = ConvolvedPooling(reduce=nn.Conv2d(channels, PAPER_POOLED_CHANNELS, 1), grid=PAPER_BODY_GRID)
    vector = (joints + PALM_POINTS) * (3 + PAPER_POOLED_CHANNELS)
    return BodyBranch(
        position=position,
        boxes=HeatmapBoxNet(channels=channels, joints=joints, hidden=256, size=BODY_SIZE),
        encoding=PixelEncoding(size=BODY_SIZE),
        features=JointFeatures(pooling=pooling),
        rotation=LinearRotationNet(vector, BODY_ROTATIONS),
        shape=PooledShapeNet(channels),
    )


def build_paper_hand() -> HandBranch:
    """ResNet-50 at 256x256, 3D heat maps, one fully connected layer (section 3.2)."""
    backbone = ResNetBackbone(depth=50)
    channels, size = backbone.out_channels, PAPER_HAND_SIZE
    encoding = PixelEncoding(size=size)
    return HandBranch(
        position=HeatmapPositionNet(backbone=backbone, channels=channels, joints=HAND_POINTS, grid=PAPER_HAND_GRID),
        pooling=ConvolvedPooling(reduce=nn.Conv2d(channels, PAPER_POOLED_CHANNELS, 1), grid=PAPER_HAND_GRID),
        projection=nn.Identity(),
        encoding=encoding,
        rotation=LinearRotationNet(HAND_POINTS * (3 + PAPER_POOLED_CHANNELS), HAND_ROTATIONS),
        palms=CropPalms(encoding=encoding),
        size=size,
    )


def build_paper_face() -> PooledFaceBranch:
    """ResNet-18 at 192x128 and one fully connected layer (section 3.3)."""
    backbone = ResNetBackbone(depth=18)
    return PooledFaceBranch(backbone=backbone, head=LinearFaceHead(backbone.out_channels), size=PAPER_FACE_SIZE)


def build_open_body() -> BodyBranch:
    """MoveNet Thunder at 256x192, learnt depth, residual heads."""
    keypoints = [POINT_NAMES[point] for point in COCO17]
    return BodyBranch(
        position=CenterNetPositionNet(
            backbone=build_thunder(), lifter=DepthLifter(17, hidden=512, blocks=2), sides=other_sides(keypoints)
        ),
        boxes=LimbBoxes(),
        encoding=KeypointEncoding(),
        features=ProjectedFeatures(
            pooling=MapPooling(channels=THUNDER_CHANNELS, size=BODY_SIZE),
            joint_channels=THUNDER_CHANNELS,
            context_channels=THUNDER_CONTEXT,
            palm_channels=HAND_CHANNELS,
            projected=OPEN_PROJECTED,
        ),
        rotation=ResidualRotationNet(
            OPEN_BODY_GEOMETRY, BODY_ROTATIONS, hidden=1024, blocks=2, features=OPEN_BODY_FEATURES
        ),
        shape=VectorShapeNet(input_size=OPEN_BODY_GEOMETRY, features=OPEN_BODY_FEATURES, hidden=256, blocks=1),
        ask=MirrorAverage(keypoints=keypoints, rotations=JOINT_NAMES[:BODY_ROTATIONS], palm=OPEN_PALM),
    )


def build_open_hand() -> HandBranch:
    """MediaPipe's hand network at 224x224 and a residual head."""
    size = (mediapipe.HAND_SIZE, mediapipe.HAND_SIZE)
    return HandBranch(
        position=LandmarkPositionNet(
            backbone=mediapipe.HandLandmarkNet(),
            corrector=PointCorrector(points=HAND_POINTS, channels=mediapipe.HAND_POOLED, hidden=512),
        ),
        pooling=MapPooling(channels=HAND_CHANNELS, size=size),
        projection=nn.Linear(HAND_CHANNELS, OPEN_HAND_PROJECTED, bias=False),
        encoding=HandEncoding(),
        rotation=ResidualRotationNet(
            3 * HAND_POINTS, HAND_ROTATIONS, hidden=512, blocks=2, features=HAND_POINTS * OPEN_HAND_PROJECTED
        ),
        palms=ImagePalms(),
        size=size,
    )


def build_open_face() -> LandmarkFaceBranch:
    """MediaPipe's face network at 192x192 and a residual head."""
    return LandmarkFaceBranch(
        backbone=mediapipe.FaceLandmarkNet(),
        points=mediapipe.FACE_POINTS,
        channels=2 * 128,
        hidden=256,
        blocks=2,
        size=(mediapipe.FACE_SIZE, mediapipe.FACE_SIZE),
    )


class PresetError(ValueError):
    """No preset has that name."""


@dataclass(frozen=True)
class Preset:
    """One arrangement of the network.

    Attributes:
        name: as on the command line and in the weights' file names.
        body_points: which of the 76 points of `body.joints` the body's positional pose predicts.
        build_body: makes the body branch with random weights.
        build_hand: makes the hand branch.
        build_face: makes the face branch.
        hand_points: which of the 76 points a right hand's positional pose predicts.
        focal: focal length in pixels for the translation that the network predicts, on the 256x192 picture whose center
            is the principal point; None where it predicts none.
        shrink: makes the body's picture from the input.
        cut: cuts hands and face out of the input.
        tell_apart: decides on the presence of hands.
    """

    name: str
    body_points: tuple[int, ...]
    build_body: Callable[[], BodyBranch]
    build_hand: Callable[[], HandBranch]
    build_face: Callable[[], FaceBranch]
    hand_points: tuple[int, ...] = RIGHT_HAND21
    focal: float | None = None
    shrink: Shrink = shrink_by_average
    cut: Cut = crop_regions
    tell_apart: TellApart = as_seen

    def __post_init__(self) -> None:
        outside = [point for point in self.body_points if not 0 <= point < len(POINT_NAMES)]
        if outside:
            raise ValueError(f"body_points must be 0..{len(POINT_NAMES) - 1}. Got {outside} in preset {self.name!r}")


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset("open", COCO17, build_open_body, build_open_hand, build_open_face, tell_apart=each_once),
        Preset("paper", PAPER_BODY_POINTS, build_paper_body, build_paper_hand, build_paper_face, focal=PAPER_FOCAL),
        Preset(
            "hand4whole",
            released.BODY_POINTS,
            released.build_body,
            released.build_hand,
            released.build_face,
            hand_points=released.HAND_POINTS,
            focal=released.FOCAL,
            shrink=shrink_by_picking,
            cut=align_regions,
        ),
    )
}


def preset(name: str) -> Preset:
    """The preset of that name.

    Raises:
        PresetError: there is none.
    """
    if name not in PRESETS:
        raise PresetError(f"preset must be one of {sorted(PRESETS)}. Got {name!r}")
    return PRESETS[name]


def build(preset: Preset) -> Pose2Pose:
    """The preset's network with random weights."""
    return Pose2Pose(
        body=preset.build_body(),
        hand=preset.build_hand(),
        face=preset.build_face(),
        shrink=preset.shrink,
        cut=preset.cut,
        tell_apart=preset.tell_apart,
    )
