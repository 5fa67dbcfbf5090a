"""The four networks that the paper's authors released, and what each of their parameters is called there.

The tensors are the same here and there, only names differ. A network's names and shapes are asked of its modules.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

from ..model import released
from ..model.presets import build, preset

_RESNET = {0: "conv1", 1: "bn1", 4: "layer1", 5: "layer2", 6: "layer3", 7: "layer4"}


def _resnet(ours: str, theirs: str) -> dict[str, str]:
    return {f"{ours}.layers.{index}": f"{theirs}.{name}" for index, name in _RESNET.items()}


_WHOLE_NAMES = {
    **_resnet("body.position.backbone", "backbone"),
    "body.position.heatmaps": "body_position_net.conv.0",
    "body.features.pooling.reduce": "body_rotation_net.body_conv",
    "hand.palms.left.reduce": "body_rotation_net.lhand_conv",
    "hand.palms.right.reduce": "body_rotation_net.rhand_conv",
    "body.rotation.linears.0": "body_rotation_net.root_pose_out.0",
    "body.rotation.linears.1": "body_rotation_net.body_pose_out.0",
    "body.shape.betas": "body_rotation_net.shape_out.0",
    "body.shape.camera": "body_rotation_net.cam_out.0",
    "body.boxes.upsample": "box_net.deconv",
    "body.boxes.centers": "box_net.bbox_center.0",
    "body.boxes.sizes.0": "box_net.lhand_size",
    "body.boxes.sizes.1": "box_net.rhand_size",
    "body.boxes.sizes.2": "box_net.face_size",
    **_resnet("hand.position.backbone", "hand_roi_net.backbone"),
    "hand.position.heatmaps": "hand_position_net.conv.0",
    "hand.pooling.reduce": "hand_rotation_net.hand_conv",
    "hand.rotation.linears.0": "hand_rotation_net.hand_pose_out.0",
    **_resnet("face.backbone", "face_roi_net.backbone"),
    "face.head.expression": "face_regressor.expr_out.0",
    "face.head.rotations": "face_regressor.jaw_pose_out.0",
}
_LIMB_NAMES = {
    **_resnet("position.backbone", "backbone"),
    "position.heatmaps": "position_net.conv.0",
    "pooling.reduce": "rotation_net.conv",
    "rotation.linears.0": "rotation_net.root_pose_out.0",
    "rotation.linears.1": "rotation_net.pose_out.0",
    "shape.betas": "rotation_net.shape_out.0",
    "shape.camera": "rotation_net.cam_out.0",
}
_FACE_NAMES = {
    **_resnet("backbone", "backbone"),
    "head.rotations": "regressor.pose_out.0",
    "head.expression": "regressor.expr_out.0",
    "shape.betas": "regressor.shape_out.0",
    "shape.camera": "regressor.cam_out.0",
}


@dataclass(frozen=True)
class ReleasedModel:
    """One of the four networks.

    Attributes:
        name: of the authors; of the whole body it is also the preset's.
        build: makes the network with random weights.
        body: the body model that its rotations, betas and expression belong to.
        names: the beginnings of our parameters' names and what they are in the checkpoint.
        files: what our parameters' names begin with, and in which file of a set they are, without that beginning.
    """

    name: str
    build: Callable[[], nn.Module]
    body: str
    names: Mapping[str, str]
    files: Mapping[str, str]

    def expected(self) -> dict[str, Tensor]:
        """Our names of all parameters and buffers, with tensors that have a shape and no content."""
        return _expected(self.name)

    def theirs(self, name: str) -> str:
        """A parameter's name in the checkpoint, without `module.`."""
        ours = next(beginning for beginning in self.names if name.startswith(f"{beginning}."))
        return self.names[ours] + name.removeprefix(ours)


def _whole() -> nn.Module:
    return build(preset("hand4whole"))


_WHOLE_FILES = {f"{part}.": f"hand4whole_{part}.safetensors" for part in ("body", "hand", "face")}

RELEASED: dict[str, ReleasedModel] = {
    model.name: model
    for model in (
        ReleasedModel("hand4whole", _whole, "smplx", _WHOLE_NAMES, _WHOLE_FILES),
        ReleasedModel(
            "pose2pose_body", released.build_body_part, "smpl", _LIMB_NAMES, {"": "pose2pose_body.safetensors"}
        ),
        ReleasedModel(
            "pose2pose_hand", released.build_hand_part, "mano", _LIMB_NAMES, {"": "pose2pose_hand.safetensors"}
        ),
        ReleasedModel(
            "pose2pose_face", released.build_face_part, "flame", _FACE_NAMES, {"": "pose2pose_face.safetensors"}
        ),
    )
}


@cache
def _expected(name: str) -> dict[str, Tensor]:
    with torch.device("meta"):
        return RELEASED[name].build().state_dict()
