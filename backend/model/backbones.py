"""Layers shared by the pretrained networks, and the ResNet of the paper.

The pretrained networks come from TensorFlow with batch norm folded into the convolutions, so every convolution has a
bias, and their SAME padding is asymmetric where the stride is 2.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
import torchvision  # type: ignore[import-untyped]
from torch import Tensor, nn


def _resnet10(weights: None) -> nn.Module:
    """One block in each stage, for runs on a CPU; the paper has none of these."""
    resnet: nn.Module = torchvision.models.ResNet(torchvision.models.resnet.BasicBlock, [1, 1, 1, 1])
    return resnet


RESNETS: dict[int, Callable[..., nn.Module]] = {
    10: _resnet10,
    18: torchvision.models.resnet18,
    50: torchvision.models.resnet50,
}


class SameConv2d(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding, for inputs whose size the stride divides.

    At stride 2 the right and bottom edges get the larger share of the padding, which PyTorch's own padding cannot do.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, *, stride: int = 1, groups: int = 1
    ) -> None:
        total = kernel_size - stride
        symmetric = total // 2 if total % 2 == 0 else 0
        super().__init__(in_channels, out_channels, kernel_size, stride, symmetric, groups=groups)
        self.edges = (total // 2, total - total // 2) * 2 if total % 2 else None

    def forward(self, input: Tensor) -> Tensor:
        """(B,C,H,W) -> (B,C',H/stride,W/stride)."""
        return super().forward(input if self.edges is None else F.pad(input, self.edges))


class InvertedResidual(nn.Module):
    """MobileNetV2's block: expand, depthwise convolution, project; added to its input where the shapes agree.

    There is no expanding layer when `hidden` equals `in_channels`.
    """

    def __init__(
        self, *, in_channels: int, hidden: int, out_channels: int, kernel_size: int = 3, stride: int = 1
    ) -> None:
        super().__init__()
        self.expand = nn.Conv2d(in_channels, hidden, 1) if hidden != in_channels else None
        self.depthwise = SameConv2d(hidden, hidden, kernel_size, stride=stride, groups=hidden)
        self.project = nn.Conv2d(hidden, out_channels, 1)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) -> (B,C',H/stride,W/stride)."""
        hidden = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        out: Tensor = self.project(F.relu6(self.depthwise(hidden), inplace=True))
        return x + out if self.residual else out


IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation of ImageNet's pixels."""
RAW_PIXELS = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
"""Nothing is removed, as in the authors' release."""


class ResNetBackbone(nn.Module):
    """torchvision's ResNet without its pooling and classifier: the backbone of the paper (section 3)."""

    mean: Tensor
    std: Tensor

    def __init__(
        self, *, depth: int, pixels: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET, stride: int = 32
    ) -> None:
        """Build the network with random weights.

        Args:
            depth: 18 or 50; 10 for runs on a CPU.
            pixels: mean and deviation of the red, green and blue pixels 0..1.
            stride: pixels per cell of the feature map, 32, 16 or 8: below 32 the last stages keep the resolution, for
                pictures that are smaller than the paper's. The weights have the same shapes.

        Raises:
            ValueError: for any other depth.
        """
        super().__init__()
        if depth not in RESNETS:
            raise ValueError(f"ResNet depth must be one of {sorted(RESNETS)}, got {depth}")
        resnet = RESNETS[depth](weights=None)
        self.out_channels = int(resnet.fc.in_features)  # type: ignore[union-attr, arg-type]
        self.layers = nn.Sequential(*list(resnet.children())[:-2])
        for stage in list(self.layers)[{32: 8, 16: 7, 8: 6}[stride] :]:
            _keep_resolution(stage)
        self.register_buffer("mean", torch.tensor(pixels[0]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(pixels[1]).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """(B,3,H,W) RGB 0..1 -> (B,512 or 2048,H/stride,W/stride); the pixels' mean and deviation are removed here."""
        features: Tensor = self.layers((images - self.mean) / self.std)
        return features

    def stages(self, images: Tensor) -> tuple[Tensor, ...]:
        """(B,3,H,W) RGB 0..1 -> the maps of the four stages, the last one as `forward` gives it."""
        maps = [(images - self.mean) / self.std]
        for layer in self.layers:
            maps.append(layer(maps[-1]))
        return tuple(maps[-4:])


def _keep_resolution(stage: nn.Module) -> None:
    """Take the stride of 2 out of a ResNet's stage."""
    for module in stage.modules():
        if isinstance(module, nn.Conv2d):
            module.stride = (1, 1)
