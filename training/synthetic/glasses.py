"""A pair of glasses in front of the resting face."""

import math

import torch
from torch import Tensor

from .meshes import Mesh, disk, joined, tube, two_sided

_AROUND = 20
_RADIUS = 0.0015
FRAME_RIMS = 2 * (_AROUND * 8) + 3 * (2 * 8)
"""Triangles of the frame: two rims, the bridge and the temples; the rest are the lenses'."""


def glasses(eyes: Tensor, landmarks: Tensor) -> Mesh:
    """(2, 3) centers of the left and right eyeball and (51, 3) face landmarks at rest -> the mesh, lenses last."""
    eyes, landmarks = eyes.cpu(), landmarks.cpu()
    front = landmarks[[10, 11, *range(19, 31)], 2].max().item() + 0.004
    angle = torch.arange(_AROUND) * (2 * math.pi / _AROUND)
    rims, temples = [], []
    for eye in eyes:
        side = 1.0 if eye[0] > 0 else -1.0
        x, y = eye[0] + 0.024 * angle.cos() + 0.002 * side, eye[1] - 0.002 + 0.019 * angle.sin()
        rims.append(torch.stack([x, y, front - 0.25 * (x - eye[0]).mul(side).clamp_min(0)], dim=1))
        outer = torch.stack([eye[0] + 0.026 * side, eye[1] + 0.004, torch.tensor(front - 0.006)])
        ear = torch.stack([torch.tensor(0.074 * side), eye[1] + 0.006, eye[2] - 0.075])
        temples.append(torch.stack([outer, torch.lerp(outer, ear, 0.15) * torch.tensor([1.06, 1, 1]), ear]))
    bridge = torch.stack([eyes.mean(0) + torch.tensor([x, y, 0.0]) for x, y in ((0.009, 0), (0, 0.003), (-0.009, 0))])
    bridge[:, 2] = front
    frame = [tube(rim, _RADIUS, closed=True) for rim in rims]
    frame += [tube(line, _RADIUS, closed=False) for line in (bridge, *temples)]
    lenses = [two_sided(disk(rim)) for rim in rims]
    return joined([*frame, *lenses])[0]
