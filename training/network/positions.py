"""PositionNets of the ablations: none at all (Table 1), and what one on an upsampled map needs (Table 2)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...backend.model.backbones import ResNetBackbone
from ...backend.model.position import Positions


class MapNet(nn.Module):
    """The features alone: the variant with GAP predicts no positional pose (section 5.2).

    Args:
        backbone: (B, 3, H, W) -> (B, C, h, w).
    """

    def __init__(self, *, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, images: Tensor) -> Positions:
        """(B, 3, H, W) pictures 0..1 -> no points (B, 0, 3), one score of 1 for the whole picture."""
        features = self.backbone(images)
        batch = len(features)
        return Positions(features.new_zeros(batch, 0, 3), features.new_ones(batch, 1), (features,))


class UpsampledResNet(nn.Module):
    """ResNet and an FPN-style upsampler (Lin et al. 2017), which enlarges hands and face (section 5.2).

    From the last stage on, each map is brought to the next one's size and added to it after a 1-by-1 convolution; a
    3-by-3 convolution follows the sum of all. The paper names the technique only; the channels are Lin et al.'s.

    Args:
        backbone: the ResNet.
        channels: of the upsampled map.
    """

    def __init__(self, *, backbone: ResNetBackbone, channels: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.out_channels = channels
        last = backbone.out_channels
        self.laterals = nn.ModuleList(nn.Conv2d(last // 2**k, channels, kernel_size=1) for k in (3, 2, 1, 0))
        self.smooth = nn.Conv2d(channels, channels, kernel_size=3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) RGB 0..1 -> (B, channels, H/4, W/4)."""
        stages = self.backbone.stages(images)
        laterals = [lateral(stage) for lateral, stage in zip(self.laterals, stages, strict=True)]
        total: Tensor = laterals[-1]
        for lateral in laterals[-2::-1]:
            total = F.interpolate(total, lateral.shape[2:], mode="nearest") + lateral
        out: Tensor = self.smooth(total)
        return out


def hand_points(points: Tensor, body_joints: int, wrists: tuple[int, int]) -> Tensor:
    """The hands among a positional pose of body, left and right hand.

    Args:
        points: (B, J + 40, 3) pixels, and meters from the pelvis.
        body_joints: J.
        wrists: left and right among them.

    Returns:
        (B, 2, 21, 3) wrist and 20 points, pixels, and meters from the wrist.
    """
    fingers = points[:, body_joints:].unflatten(1, (2, -1))
    hands = torch.cat([points[:, list(wrists)].unsqueeze(2), fingers], dim=2)
    return torch.cat([hands[..., :2], hands[..., 2:] - hands[:, :, :1, 2:]], dim=3)
