"""What a camera and a codec do to a picture: exposure, white balance, blur, lost resolution, noise, gamma."""

import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

from .randomness import chance, uniform


def develop(generator: torch.Generator, radiance: Tensor) -> Tensor:
    """(B, H, W, 3) linear radiance -> (B, 3, H, W) picture with values 0..1, every picture its own camera."""
    batch = len(radiance)
    image = radiance.permute(0, 3, 1, 2)
    image = image * uniform(generator, 0.6, 1.5, batch, 1, 1, 1) * uniform(generator, 0.88, 1.12, batch, 3, 1, 1)
    image = image.clamp_min(0) / (1 + 0.2 * image.clamp_min(0))
    image = (image.clamp(0, 1) + 1e-6) ** (uniform(generator, 0.8, 1.2, batch, 1, 1, 1) / 2.2)
    image = _blur(generator, image)
    image = _lose_resolution(generator, image)
    noise = uniform(generator, 0, 1, batch, 1, 1, 1) ** 2 * 0.03
    image = image + noise * torch.randn(image.shape, generator=generator, device=image.device)
    gray = chance(generator, 0.04, batch, 1, 1, 1)
    return torch.where(gray, image.mean(1, keepdim=True), image).clamp(0, 1)


def _blur(generator: torch.Generator, image: Tensor, reach: int = 4) -> Tensor:
    """An oriented Gaussian: defocus, or motion where it is long in one direction only."""
    batch = len(image)
    offset = torch.arange(-reach, reach + 1, device=image.device).float()
    y, x = torch.meshgrid(offset, offset, indexing="ij")
    angle = uniform(generator, 0, 3.1416, batch, 1, 1)
    across = uniform(generator, 0.3, 1.0, batch, 1, 1)
    along = torch.where(chance(generator, 0.2, batch, 1, 1), uniform(generator, 1, 2.5, batch, 1, 1), across)
    u, v = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    kernel = torch.exp(-0.5 * ((u / along) ** 2 + (v / across) ** 2))
    kernel = (kernel / kernel.sum((1, 2), keepdim=True)).repeat_interleave(3, dim=0)[:, None]
    padded = pad(image, (reach, reach, reach, reach), mode="replicate").flatten(0, 1)[None]
    blurred: Tensor = conv2d(padded, kernel, groups=3 * batch)[0].unflatten(0, (batch, 3))
    return blurred


def _lose_resolution(generator: torch.Generator, image: Tensor) -> Tensor:
    """Shrink and enlarge a third of the pictures, as a person far from the camera is."""
    for size in (0.35, 0.6):
        small = interpolate(image, scale_factor=size, mode="area")
        coarse = interpolate(small, size=image.shape[-2:], mode="bilinear", align_corners=False)
        image = torch.where(chance(generator, 0.17, len(image), 1, 1, 1), coarse, image)
    return image
