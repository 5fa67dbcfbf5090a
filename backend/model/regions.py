"""Cutting hands and faces out of the high-resolution picture (paper sections 3.2, 3.3), and the way back.

A box is center x, center y, width, height in pixels (continuous: 0 is the left edge of the picture) and an angle in
radians. Positive angles turn the box clockwise on the screen: the crop's x axis lies along (cos, sin) in the picture.
"""

import torch
import torch.nn.functional as F
import torchvision  # type: ignore[import-untyped]
from torch import Tensor


def points_to_image(points: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Map points of crops to the picture that they were cut from.

    Args:
        points: (..., P, 2) x, y in pixels of the crop.
        boxes: (..., 5).
        size: height and width of the crop in pixels.

    Returns:
        (..., P, 2) x, y in pixels of the picture.
    """
    box = boxes.unsqueeze(-2)
    unit = points / points.new_tensor([size[1], size[0]]) - 0.5
    x, y = (unit * box[..., 2:4]).unbind(-1)
    cosine, sine = box[..., 4].cos(), box[..., 4].sin()
    return torch.stack([cosine * x - sine * y, sine * x + cosine * y], dim=-1) + box[..., :2]


def points_from_image(points: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """The inverse of `points_to_image`: (..., P, 2) pixels of the picture -> (..., P, 2) pixels of the crop."""
    box = boxes.unsqueeze(-2)
    x, y = (points - box[..., :2]).unbind(-1)
    cosine, sine = box[..., 4].cos(), box[..., 4].sin()
    turned = torch.stack([cosine * x + sine * y, cosine * y - sine * x], dim=-1)
    return (turned / box[..., 2:4] + 0.5) * points.new_tensor([size[1], size[0]])


def crop_regions(images: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Rotated ROIAlign with one bilinear sample for each output pixel (He et al. 2017).

    At an angle of zero it equals `torchvision.ops.roi_align(sampling_ratio=1, aligned=True)`: samples within a pixel of
    the border repeat it, those further away are black.

    Args:
        images: (B, C, H, W).
        boxes: (B, R, 5) in pixels of the pictures.
        size: height and width of the crops.

    Returns:
        (B, R, C, height, width).
    """
    batch, regions = boxes.shape[:2]
    height, width = size
    rows = torch.arange(height, device=images.device, dtype=images.dtype) + 0.5
    columns = torch.arange(width, device=images.device, dtype=images.dtype) + 0.5
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    pixels = torch.stack([x, y], dim=-1).view(1, 1, -1, 2)
    extent = images.new_tensor([images.shape[3], images.shape[2]])
    places = points_to_image(pixels, boxes, size)
    inside = ((places >= -0.5) & (places <= extent + 0.5)).all(-1).view(batch, 1, regions * height, width)
    # one tall grid for all regions of a picture: no copy of the picture for each region
    grid = (places / extent * 2 - 1).view(batch, regions * height, width, 2)
    crops = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False) * inside
    return crops.reshape(batch, -1, regions, height, width).transpose(1, 2)


def align_regions(images: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """ROIAlign as the authors' release uses it: upright boxes, the mean of as many samples as an output pixel covers.

    Boxes are taken as they come, however small or turned inside out: the release does not keep sizes positive.

    Args:
        images: (B, C, H, W).
        boxes: (B, R, 5) in pixels of the pictures; the angles are not used.
        size: height and width of the crops.

    Returns:
        (B, R, C, height, width).
    """
    batch, regions = boxes.shape[:2]
    center, half = boxes[..., :2] - 0.5, boxes[..., 2:4] / 2  # its pixels are counted from the middle of the first one
    picture = torch.arange(batch, device=boxes.device, dtype=boxes.dtype).view(-1, 1, 1).expand(-1, regions, -1)
    rows = torch.cat([picture, center - half, center + half], dim=2).flatten(0, 1)
    crops: Tensor = torchvision.ops.roi_align(images, rows.to(images.dtype), size, aligned=False)
    return crops.view(batch, regions, *crops.shape[1:])
