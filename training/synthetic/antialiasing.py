"""Several samples a pixel where surfaces end, one where they go on: smooth outlines for little more than one sample."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .rasterizer import Fragments

_SAME_SURFACE = 0.006
"""Share of the distance by which the samples of a pixel may differ and still be shaded as one."""


@dataclass(frozen=True)
class Samples:
    """The shaded samples of a batch of pictures.

    Attributes:
        fragments: N samples, rows and columns in the finer picture.
        kept: (N,) which of all fragments they are.
        pixel: (N,) place in the flattened (B, H, W) picture.
        share: (N,) of the pixel's color.
    """

    fragments: Fragments
    kept: Tensor
    pixel: Tensor
    share: Tensor

    def add(self, color: Tensor, canvas: Tensor) -> Tensor:
        """The (B * H * W, C) canvas with the (N, C) colors added to it by their shares."""
        return canvas.index_add(0, self.pixel, color * self.share[:, None])


def thin_out(fragments: Fragments, factor: int, batch: int, height: int, width: int) -> Samples:
    """Keep one sample of each pixel that a single surface covers, and all of every other pixel.

    Args:
        fragments: of one mesh, of pictures `factor` times as high and wide.
        factor: samples a pixel and axis.
        batch: number of pictures.
        height: rows of the pictures.
        width: columns of the pictures.
    """
    row, column = fragments.row // factor, fragments.column // factor
    pixel = (fragments.image * height + row) * width + column
    samples, count = factor * factor, batch * height * width
    known = torch.zeros(count, device=pixel.device).index_add(0, pixel, torch.ones_like(fragments.depth))
    far = torch.zeros(count, device=pixel.device).scatter_reduce(0, pixel, fragments.depth, "amax")
    near = torch.full((count,), torch.inf, device=pixel.device).scatter_reduce(0, pixel, fragments.depth, "amin")
    whole = ((known == samples) & (far - near < _SAME_SURFACE * near))[pixel]
    middle = (fragments.row % factor == factor // 2) & (fragments.column % factor == factor // 2)
    kept = (~whole | middle).nonzero(as_tuple=True)[0]
    return Samples(fragments.pick(kept), kept, pixel[kept], torch.where(whole[kept], 1.0, 1 / samples))
