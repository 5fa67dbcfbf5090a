"""The 68 face landmarks of iBUG on a posed mesh: 51 inner ones and 17 along the outline that a viewer sees."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...backend.motion.body_file import OPEN_BODY, BodyFile
from ...backend.motion.skeleton import JOINT_INDEX, PARENTS

COUNT = 68
_TURNS = 39
"""The outline is stored for heads turned by up to so many degrees to either side, one row a degree."""


class FaceLandmarks:
    """Reads landmarks off posed meshes, in the order of the `smplx` package: inner ones, then the outline.

    Args:
        body: the body model.
        outline: the file with `dynamic_lmk_faces_idx` and `dynamic_lmk_bary_coords` of the same body.
        device: where to work.

    Raises:
        ValueError: the outline names triangles that the body does not have.
    """

    def __init__(self, body: BodyFile, *, outline: Path = OPEN_BODY, device: torch.device | str = "cpu") -> None:
        with np.load(outline, allow_pickle=False) as archive:
            triangles = torch.from_numpy(archive["dynamic_lmk_faces_idx"].astype(np.int64))
            weights = torch.from_numpy(archive["dynamic_lmk_bary_coords"].astype(np.float32))
        faces = torch.from_numpy(body.faces)
        if int(triangles.max()) >= len(faces):
            raise ValueError(
                f"{outline} names triangle {int(triangles.max())}; the body '{body.name}' has {len(faces)}"
            )
        self._inner_corners = faces[torch.from_numpy(body.lmk_faces_idx)].to(device)
        self._inner_weights = torch.from_numpy(body.lmk_bary_coords).to(device)
        self._outline_corners = faces[triangles].to(device)
        self._outline_weights = weights.to(device)

    def points(self, vertices: Tensor, rotations: Tensor) -> Tensor:
        """(B, V, 3) posed vertices and (B, 55, 3, 3) local rotations -> (B, 68, 3) in the vertices' axes."""
        row = outline_row(rotations)
        corners = torch.cat([self._inner_corners.expand(len(row), -1, -1), self._outline_corners[row]], dim=1)
        weights = torch.cat([self._inner_weights.expand(len(row), -1, -1), self._outline_weights[row]], dim=1)
        image = torch.arange(len(row), device=vertices.device)[:, None, None]
        return (vertices[image, corners] * weights[..., None]).sum(2)


def outline_row(rotations: Tensor) -> Tensor:
    """(B, 55, 3, 3) local rotations -> (B,) row of the outline: 0 to 39 degrees to one side, then 1 to 39 to the other.

    As `smplx.lbs.find_dynamic_lmk_idx_and_bcoords`: the turn of the neck's whole chain about the vertical axis, the
    root's part included.
    """
    turned, joint = torch.eye(3, dtype=rotations.dtype, device=rotations.device), JOINT_INDEX["neck"]
    while joint >= 0:
        turned, joint = rotations[:, joint] @ turned, PARENTS[joint]
    sine, cosine = -turned[:, 2, 0], (turned[:, 0, 0].square() + turned[:, 1, 0].square()).sqrt()
    degrees = (-torch.atan2(sine, cosine) * (180 / math.pi)).clamp_max(_TURNS).round().long()
    return torch.where(degrees < 0, _TURNS - degrees.clamp_min(-_TURNS), degrees)
