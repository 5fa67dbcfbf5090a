"""Boxes of the hands and the face from what the body branch knows (paper section 3.1).

Boxes are center x, center y, width, height, angle in pixels of the 512x384 picture (see `regions.py`), in the order
left hand, right hand, face.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .pooling import pool_at_cells, pool_at_points
from .position import CONFIDENT, Positions, soft_argmax

NOSE, LEFT_EYE, RIGHT_EYE, LEFT_EAR, RIGHT_EAR, LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_ELBOW, RIGHT_ELBOW = range(9)
LEFT_WRIST, RIGHT_WRIST, LEFT_HIP, RIGHT_HIP = range(9, 13)
"""COCO's order."""

IN_FOREARMS = (
    (LEFT_ELBOW, LEFT_WRIST, 1.0),
    (RIGHT_ELBOW, RIGHT_WRIST, 1.0),
    (LEFT_SHOULDER, LEFT_ELBOW, 1.1),
    (RIGHT_SHOULDER, RIGHT_ELBOW, 1.1),
    (LEFT_SHOULDER, RIGHT_SHOULDER, 1.4),
)
"""Usual lengths between points of an adult, in forearms."""
TORSO_IN_FOREARMS = 1.9
SMALLEST_FOREARM = 8.0
"""Pixels; keeps a box where no length is known."""

HIGH_RESOLUTION = 2.0
"""The 512x384 picture has twice the resolution of the body's input."""


@dataclass(frozen=True)
class Boxes:
    """Boxes (B, 3, 5) in the 512x384 picture; scores (B, 3), 0 for a box that nothing was seen to support, else 1."""

    boxes: Tensor
    scores: Tensor


def gaussian_blobs(points: Tensor, size: tuple[int, int], deviation: float) -> Tensor:
    """(B, J, 2) x, y in cells -> (B, J, height, width) maps with a peak of 1 at each point."""
    rows = torch.arange(size[0], device=points.device, dtype=points.dtype)[:, None]
    columns = torch.arange(size[1], device=points.device, dtype=points.dtype)
    x, y = points[..., 0, None, None], points[..., 1, None, None]
    return (-((columns - x).square() + (rows - y).square()) / (2 * deviation**2)).exp()


class HeatmapBoxNet(nn.Module):
    """The paper's box prediction: F_b with Gaussian blobs of P_b, two convolutions, soft-argmax; pooled sizes.

    Args:
        channels: channels of F_b.
        joints: J, the number of blobs.
        hidden: channels between the two convolutions.
        size: height and width of the body's input in pixels.
        stride: its pixels per cell.
        deviation: of the blobs, in cells.
    """

    def __init__(
        self,
        *,
        channels: int,
        joints: int,
        hidden: int,
        size: tuple[int, int],
        stride: int = 32,
        deviation: float = 1.0,
    ) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels + joints, hidden, kernel_size=3, padding=1)
        self.centers = nn.Conv2d(hidden, 3, kernel_size=3, padding=1)
        self.sizes = nn.ModuleList(nn.Linear(channels, 2) for _ in range(3))
        self.size = size
        self.stride = stride
        self.deviation = deviation

    def forward(self, positions: Positions) -> Boxes:
        """Upright boxes, every score 1."""
        features = positions.maps[-1]
        cells = positions.points[..., :2] / self.stride - 0.5
        blobs = gaussian_blobs(cells, (features.shape[2], features.shape[3]), self.deviation)
        logits = self.centers(self.reduce(torch.cat([features, blobs], dim=1)).relu())
        centers = (soft_argmax(logits.unsqueeze(2))[..., :2] + 0.5) * self.stride
        pooled = pool_at_points(features, centers, self.size)
        sizes = torch.stack([linear(pooled[:, i]) for i, linear in enumerate(self.sizes)], dim=1)
        boxes = torch.cat([centers, F.softplus(sizes) * self.stride], dim=2) * HIGH_RESOLUTION
        return Boxes(F.pad(boxes, (0, 1)), boxes.new_ones(boxes.shape[:2]))


class DeconvolvedBoxNet(nn.Module):
    """The boxes of the authors' release: features and 3D heat maps, upsampled; centers from maps, sizes pooled there.

    Sizes grow to squares, as the crops are, and by a margin. They are not kept positive, as in the release.

    Args:
        channels: channels of F_b and of the 3D heat maps, bins and joints together.
        hidden: channels of the upsampled map.
        margins: of the boxes of left hand, right hand, face.
        stride: pixels of the body's input per cell of F_b.
    """

    def __init__(
        self,
        *,
        channels: int,
        hidden: int,
        margins: tuple[float, float, float],
        stride: int = 32,
    ) -> None:
        super().__init__()
        steps = ((channels, hidden), (hidden, hidden), (hidden, hidden))
        self.upsample = nn.Sequential(*(layer for step in steps for layer in _doubled(*step)))
        self.centers = nn.Conv2d(hidden, 3, kernel_size=1)
        self.sizes = nn.ModuleList(
            nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 2)) for _ in range(3)
        )
        self.margins = margins
        self.stride = stride

    def forward(self, positions: Positions) -> Boxes:
        """Upright boxes, every score 1.

        Raises:
            ValueError: the positions have no 3D heat maps.
        """
        if positions.heatmaps is None:
            raise ValueError("boxes from heat maps need a PositionNet with 3D heat maps; these positions have none")
        features = self.upsample(torch.cat([positions.maps[-1], positions.heatmaps.flatten(1, 2)], dim=1))
        cells = soft_argmax(self.centers(features).unsqueeze(2))[..., :2]
        pooled = pool_at_cells(features, cells.detach())
        sizes = torch.stack([size(pooled[:, i]) for i, size in enumerate(self.sizes)], dim=1) * self.stride
        centers = cells * (self.stride / 2**3)
        sides = sizes.amax(dim=2, keepdim=True) * sizes.new_tensor(self.margins)[:, None]
        # pixels are counted from the middle of the first one in the release, here from its edge
        boxes = [centers * HIGH_RESOLUTION + 0.5, (sides * HIGH_RESOLUTION).expand(-1, -1, 2), torch.zeros_like(sides)]
        return Boxes(torch.cat(boxes, dim=2), sizes.new_ones(sizes.shape[:2]))


def _doubled(channels: int, out_channels: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    """Layers that double a map's height and width."""
    upsampling = nn.ConvTranspose2d(channels, out_channels, kernel_size=4, stride=2, padding=1, bias=False)
    return upsampling, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)


class LimbBoxes(nn.Module):
    """Boxes of the preset `open` from anatomy, rotated as the pretrained hand and face networks want them.

    Hands: the forearm points up; the sizes are those at which the pretrained networks are surest. Faces: the eyes
    are level. Lengths are the longest of several projected ones, as each of them may be foreshortened.

    Args:
        hand_size: side of a hand's box in forearm lengths.
        hand_shift: middle of the hand beyond the wrist in (projected) forearm lengths.
        face_size: side of the face's box in distances between the eyes, seen from the front.
    """

    def __init__(self, *, hand_size: float = 0.9, hand_shift: float = 0.28, face_size: float = 3.4) -> None:
        super().__init__()
        self.hand_size = hand_size
        self.hand_shift = hand_shift
        self.face_size = face_size

    def forward(self, positions: Positions) -> Boxes:
        """Boxes from the 17 COCO points of the body's positional pose."""
        points, scores = positions.points[..., :2] * HIGH_RESOLUTION, positions.scores
        forearm = _forearm_length(points, scores)
        left = self._hand(points, forearm, LEFT_ELBOW, LEFT_WRIST)
        right = self._hand(points, forearm, RIGHT_ELBOW, RIGHT_WRIST)
        seen = (
            scores[:, [LEFT_ELBOW, LEFT_WRIST]].amin(1),
            scores[:, [RIGHT_ELBOW, RIGHT_WRIST]].amin(1),
            scores[:, [NOSE, LEFT_EYE, RIGHT_EYE]].mean(1),
        )
        boxes = torch.stack([left, right, self._face(points)], dim=1)
        return Boxes(boxes, (torch.stack(seen, dim=1) > CONFIDENT).to(boxes.dtype))

    def _hand(self, points: Tensor, forearm: Tensor, elbow: int, wrist: int) -> Tensor:
        """(B, 5), the direction from elbow to wrist is up."""
        along = points[:, wrist] - points[:, elbow]
        center = points[:, wrist] + self.hand_shift * along
        side = (self.hand_size * forearm)[:, None]
        angle = torch.atan2(along[:, :1], -along[:, 1:])
        return torch.cat([center, side, side, angle], dim=1)

    def _face(self, points: Tensor) -> Tensor:
        """(B, 5), the line of the eyes is level; seen from the side, the neck decides."""
        eyes = points[:, [LEFT_EYE, RIGHT_EYE]].mean(1)
        ears = points[:, [LEFT_EAR, RIGHT_EAR]].mean(1)
        side = self.face_size * _eye_distance(points)[:, None]
        neck = points[:, [LEFT_SHOULDER, RIGHT_SHOULDER]].mean(1)
        up = F.normalize((eyes + ears) / 2 - neck, dim=1)
        level = torch.stack([-up[:, 1], up[:, 0]], dim=1)
        across = (points[:, LEFT_EYE] - points[:, RIGHT_EYE]) * self.face_size / side.clamp_min(1e-6)
        # of a person seen from behind the eyes come in the other order; the head is still above the neck
        across = across * torch.where((across * level).sum(1, keepdim=True) < 0, -1.0, 1.0)
        axis = across + 0.2 * level
        center = 0.4 * points[:, NOSE] + 0.4 * eyes + 0.2 * ears
        return torch.cat([center, side, side, torch.atan2(axis[:, 1:], axis[:, :1])], dim=1)


def _distance(points: Tensor, first: int, second: int) -> Tensor:
    distance: Tensor = torch.linalg.vector_norm(points[:, first] - points[:, second], dim=1)
    return distance


def _eye_distance(points: Tensor) -> Tensor:
    """(B,) distance of the eyes as if seen from the front: the longest of the head's lengths in that unit."""
    lengths = (
        _distance(points, LEFT_EYE, RIGHT_EYE),
        _distance(points, LEFT_EAR, RIGHT_EAR) / 2.4,
        _distance(points, LEFT_EYE, LEFT_EAR) / 1.5,
        _distance(points, RIGHT_EYE, RIGHT_EAR) / 1.5,
    )
    return torch.stack(lengths).amax(0)


def _forearm_length(points: Tensor, scores: Tensor) -> Tensor:
    """(B,) the longest of the body's lengths in forearms, in pixels; only confident points count."""
    lengths = [
        _distance(points, a, b) / forearms * (scores[:, [a, b]].amin(1) > CONFIDENT) for a, b, forearms in IN_FOREARMS
    ]
    shoulders, hips = [LEFT_SHOULDER, RIGHT_SHOULDER], [LEFT_HIP, RIGHT_HIP]
    torso = torch.linalg.vector_norm(points[:, shoulders].mean(1) - points[:, hips].mean(1), dim=1)
    lengths.append(torso / TORSO_IN_FOREARMS * (scores[:, shoulders + hips].amin(1) > CONFIDENT))
    longest: Tensor = torch.stack(lengths).amax(0)
    return longest.clamp_min(SMALLEST_FOREARM)
