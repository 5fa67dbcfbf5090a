"""From a `NetworkConfig` to the network (paper sections 3, 5.2). The default is the preset `paper`, weight by weight.

| network | takes | gives |
|---|---|---|
| whole | (B, 3, H, W), 0..1 | `Pose2PoseOutput` |
| whole with `initial` | the same | `initial.TwoStageOutput` of two of them |
| body, hand, face | its own picture | `PartOutput`; a face has no positional pose |

What a variant does not predict is empty: with GAP, `body_points` (B, 0, 3) and `hand_points` (B, 2, 0, 3); without the
hand branch, `hand_points` (B, 2, 0, 3); with 2D positional pose the points have two coordinates. The translation is
for `NetworkConfig.focal`.
"""

from torch import nn

from ...backend.body.joints import RIGHT_HAND21, points
from ...backend.model.body import BodyBranch, JointFeatures, PooledShapeNet
from ...backend.model.boxes import HeatmapBoxNet
from ...backend.model.face import LinearFaceHead, PooledFaceBranch
from ...backend.model.hand import HandBranch
from ...backend.model.parts import HeadNet, LimbNet
from ...backend.model.pose2pose import Pose2Pose
from ...backend.model.presets import BODY_ROTATIONS, HAND_ROTATIONS, PAPER_BODY_POINTS
from ...backend.model.regions import crop_regions
from ...backend.model.rotation import LinearRotationNet
from .absent import AbsentFace, AbsentHand, WholePictureBoxes
from .choices import (
    Branch,
    Pooled,
    choose_encoding,
    choose_hand_on,
    choose_palms,
    choose_pooling,
    choose_position,
    crop_from_body_picture,
    palms_size,
    resnet,
    scaled,
)
from .initial import InitialHead, TwoStagePose2Pose, start_anew, start_from
from .positions import UpsampledResNet
from .refining import RefiningFaceHead, RefiningRotationNet
from .settings import NetworkConfig
from .starts import load_starts

BODY_JOINTS = len(PAPER_BODY_POINTS)
HAND_JOINTS = len(RIGHT_HAND21)
WRISTS = (PAPER_BODY_POINTS.index(points("left_wrist")[0]), PAPER_BODY_POINTS.index(points("right_wrist")[0]))
UPSAMPLED_CHANNELS = 256
BOX_CHANNELS = 256
PART_DISTANCE = 1.8
"""Meters before the camera where a hand or a head of 0.3 m fills the picture at the paper's focal length."""


def build_network(config: NetworkConfig) -> nn.Module:
    """The network with random weights where no start is named.

    Raises:
        StartError: a file of first weights cannot be used.
    """
    builders = {"whole": _build_whole, "body": _build_body_part, "hand": _build_hand_part, "face": _build_face_part}
    network = builders[config.part](config)
    load_starts(network, config)
    return network


def _build_whole(config: NetworkConfig) -> nn.Module:
    hand: nn.Module = AbsentHand(rotations=HAND_ROTATIONS)
    pooled_hand = None
    if "hand" in config.trained:
        hand, pooled_hand = _build_hand(config)
    body, own_size = _build_body(config, pooled_hand)
    network = Pose2Pose(
        body=body,
        hand=hand,  # type: ignore[arg-type]
        face=_build_face(config) if "face" in config.trained else AbsentFace(),  # type: ignore[arg-type]
        cut=crop_regions if config.crops == "high-resolution" else crop_from_body_picture,
        size=config.input_size,
    )
    if config.initial == "none":
        return network
    return TwoStagePose2Pose(
        network=network,
        head=InitialHead(input_size=own_size, hand_rotations=HAND_ROTATIONS),
        starts=start_from if config.initial == "refined" else start_anew,
        body_joints=BODY_JOINTS,
        wrists=WRISTS,
    )


def _build_body(config: NetworkConfig, hand: Pooled | None) -> tuple[BodyBranch, int]:
    """The branch, and the length of v_b."""
    branch = _body_branch(config)
    encoding, numbers = choose_encoding(config, branch.size)
    pooled = choose_pooling(config, branch)
    own_size = branch.joints * numbers + pooled.size
    body = BodyBranch(
        position=choose_position(config, branch),
        boxes=_boxes(config, branch),
        encoding=encoding,
        features=JointFeatures(pooling=pooled.module),  # type: ignore[arg-type]
        rotation=LinearRotationNet(own_size + palms_size(config, hand), BODY_ROTATIONS),
        shape=PooledShapeNet(branch.channels),
        hand_on=choose_hand_on(config),
    )
    return body, own_size


def _body_branch(config: NetworkConfig) -> Branch:
    backbone = resnet(config.body_resnet, config.body_stride)
    grid, size = config.body_grid, config.branch_size
    if config.initial == "none":
        return Branch(backbone, backbone.out_channels, BODY_JOINTS, grid, size)
    upsampled = UpsampledResNet(backbone=backbone, channels=scaled(config, UPSAMPLED_CHANNELS))
    hands = 2 * (HAND_JOINTS - 1)  # the wrists are the body's
    return Branch(upsampled, upsampled.out_channels, BODY_JOINTS + hands, grid, size)


def _boxes(config: NetworkConfig, branch: Branch) -> nn.Module:
    if config.trained == ("body",):
        return WholePictureBoxes(size=config.input_size)
    return HeatmapBoxNet(
        channels=branch.channels,
        joints=0 if config.pooling == "gap" else branch.joints,
        hidden=scaled(config, BOX_CHANNELS),
        size=branch.size,
        stride=branch.grid.stride,
    )


def _hand_branch(config: NetworkConfig) -> Branch:
    backbone = resnet(config.hand_resnet, config.hand_stride)
    return Branch(backbone, backbone.out_channels, HAND_JOINTS, config.hand_grid, config.hand_size)


def _build_hand(config: NetworkConfig) -> tuple[HandBranch, Pooled]:
    branch = _hand_branch(config)
    encoding, numbers = choose_encoding(config, branch.size)
    pooled = choose_pooling(config, branch)
    rotation = RefiningRotationNet if config.initial == "refined" else LinearRotationNet
    hand = HandBranch(
        position=choose_position(config, branch),
        pooling=pooled.module,
        projection=nn.Identity(),
        encoding=encoding,
        rotation=rotation(branch.joints * numbers + pooled.size, HAND_ROTATIONS),
        palms=choose_palms(config),
        size=config.hand_size,
        hand_on=choose_hand_on(config),
    )
    return hand, pooled


def _build_face(config: NetworkConfig) -> PooledFaceBranch:
    backbone = resnet(config.face_resnet)
    head = RefiningFaceHead if config.initial == "refined" else LinearFaceHead
    return PooledFaceBranch(backbone=backbone, head=head(backbone.out_channels), size=config.face_size)


def _build_body_part(config: NetworkConfig) -> LimbNet:
    """SMPL's root and 21 joints."""
    branch = _body_branch(config)
    return _limb(config, branch, BODY_ROTATIONS, PooledShapeNet(branch.channels))


def _build_hand_part(config: NetworkConfig) -> LimbNet:
    """MANO's root and 15 joints."""
    branch = _hand_branch(config)
    return _limb(config, branch, 1 + HAND_ROTATIONS, PooledShapeNet(branch.channels, distance=PART_DISTANCE))


def _build_face_part(config: NetworkConfig) -> HeadNet:
    """FLAME's root and jaw."""
    backbone = resnet(config.face_resnet)
    channels = backbone.out_channels
    return HeadNet(
        backbone=backbone,
        head=LinearFaceHead(channels, rotations=2),
        shape=PooledShapeNet(channels, distance=PART_DISTANCE),
        size=config.face_size,
    )


def _limb(config: NetworkConfig, branch: Branch, rotations: int, shape: PooledShapeNet) -> LimbNet:
    encoding, numbers = choose_encoding(config, branch.size)
    pooled = choose_pooling(config, branch)
    return LimbNet(
        position=choose_position(config, branch),
        pooling=pooled.module,
        encoding=encoding,
        rotation=LinearRotationNet(branch.joints * numbers + pooled.size, rotations),
        shape=shape,
        size=branch.size,
        hand_on=choose_hand_on(config),
    )
