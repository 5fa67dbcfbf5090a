"""What the hand network's training looks at: crops as the capture makes them, and their map from the early layers.

Three sources: close-ups, turned and shrunk at random; whole rendered people, whose hands the body network finds, or
does not; and footage of real people, for which there is only what the published network says.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate
from tqdm import tqdm

from ...backend.body.joints import LEFT_HAND21, RIGHT_HAND21
from ...backend.crops import crop, crop_transform
from ...backend.detection import PersonDetector
from ...backend.model.mediapipe import HAND_SIZE, HandLandmarkNet
from ...backend.model.pose2pose import Pose2Pose
from ...backend.model.regions import crop_regions, points_from_image
from ...backend.model.rotation import mirror_rotations
from ...backend.motion.skeleton import LEFT_HAND, RIGHT_HAND
from ..synthetic.randomness import normal, uniform
from ..synthetic.shards import read_shard

SIZE = (HAND_SIZE, HAND_SIZE)
COARSEST = 32
"""Pixels of the smallest picture that a crop is enlarged from; in the 512x384 picture of a whole person a hand's box is
mostly 50 to 100 pixels wide."""
SHOWN, HIDDEN = 0.4, 0.15
"""Share of the 21 points that are seen, from which a hand counts as there, and up to which as hidden."""
FRAMES_APART = 4
"""Every so many frames of a video are looked at."""
BATCH = 64


@dataclass(frozen=True)
class Crops:
    """B crops of right hands, or of left ones mirrored.

    Attributes:
        images: (B, 3, 224, 224) values 0..1.
        points: (B, 21, 3) true places in pixels of the crop, z relative to the wrist in the same unit.
        rotations: (B, 15, 3, 3) true local rotations.
        known: (B,) bool, whether these mean something.
        shown: (B,) whether the hand is there: 1 yes, 0 no, NaN unknown.
    """

    images: Tensor
    points: Tensor
    rotations: Tensor
    known: Tensor
    shown: Tensor


@dataclass(frozen=True)
class HandViews:
    """N crops after the early layers, with the same labels, and what the published network says of them.

    Attributes:
        maps: (N, 112, 14, 14), 16-bit.
        points: (N, 21, 3).
        rotations: (N, 15, 3, 3).
        known: (N,).
        shown: (N,).
        said: (N, 21, 3) the published network's points.
        presence: (N,) its presence.
    """

    maps: Tensor
    points: Tensor
    rotations: Tensor
    known: Tensor
    shown: Tensor
    said: Tensor
    presence: Tensor

    def take(self, index: Tensor) -> "HandViews":
        """The views with these indices, or where a mask is true."""
        return HandViews(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


@torch.no_grad()
def view(network: HandLandmarkNet, crops: Iterator[Crops]) -> HandViews:
    """Run the published network over all crops."""
    parts: list[HandViews] = []
    for batch in tqdm(crops, desc="network", unit="batch"):
        maps = network.early(batch.images.contiguous(memory_format=torch.channels_last))
        said = network.late(maps)
        parts.append(
            HandViews(maps.half(), batch.points, batch.rotations, batch.known, batch.shown, said.points, said.presence)
        )
    return join(parts) if parts else _no_views(next(network.parameters()).device)


def join(parts: list[HandViews]) -> HandViews:
    """All views of several parts in turn."""
    return HandViews(*(torch.cat([getattr(part, name) for part in parts]) for name in HandViews.__dataclass_fields__))


def _no_views(device: torch.device) -> HandViews:
    points, one = torch.zeros(0, 21, 3, device=device), torch.zeros(0, device=device)
    maps = torch.zeros(0, 112, 14, 14, device=device).half()
    return HandViews(maps, points, torch.zeros(0, 15, 3, 3, device=device), one.bool(), one, points, one)


def close_ups(paths: list[Path], device: torch.device) -> Iterator[Crops]:
    """Rendered close-ups as they are: what the heads are judged by."""
    for path in paths:
        shard = read_shard(path)
        points = in_pixels(shard["points_3d"], shard["points_2d"])
        for rows in torch.arange(len(points)).split(BATCH):
            crops = shard["images"][rows], points[rows], shard["rotations"][rows]
            yield labelled(*(part.to(device) for part in crops))


def moved_close_ups(paths: list[Path], device: torch.device, seed: int) -> Iterator[Crops]:
    """The same, moved."""
    generator = torch.Generator(device=device).manual_seed(seed)
    for crops in close_ups(paths, device):
        yield moved(generator, crops)


def moved(generator: torch.Generator, crops: Crops) -> Crops:
    """Hands turned, shifted, scaled and made coarse at random."""
    count = len(crops.images)
    shift = normal(generator, 0.06 * HAND_SIZE, count, 2)
    side = HAND_SIZE * torch.exp(uniform(generator, -0.15, 0.4, count, 1))
    box = torch.cat([HAND_SIZE / 2 + shift, side, side, normal(generator, 0.25, count, 1)], dim=1)
    images = coarsen(generator, crop_regions(crops.images, box[:, None], SIZE)[:, 0])
    return labelled(images, points_in(box, crops.points), crops.rotations)


def people(paths: list[Path], network: Pose2Pose, device: torch.device) -> Iterator[Crops]:
    """Both hands of rendered people, in the boxes that the whole network finds for them."""
    for path in paths:
        shard = read_shard(path)
        for rows in torch.arange(len(shard["images"])).split(BATCH // 2):
            picture = {name: shard[name][rows].to(device) for name in shard}
            yield _of_people(picture, network)


@torch.no_grad()
def _of_people(picture: dict[str, Tensor], network: Pose2Pose) -> Crops:
    images, boxes = cut_hands(picture["images"], network)
    sides, shown, rotations = [], [], []
    for side, (hand, fingers) in enumerate(((LEFT_HAND21, LEFT_HAND), (RIGHT_HAND21, RIGHT_HAND))):
        places = list(hand)
        true = in_pixels(picture["points_3d"][:, places], picture["points_2d"][:, places])
        points = points_in(boxes[:, side], true)
        inside = ((points[:, (0, 9), :2] > 0) & (points[:, (0, 9), :2] < HAND_SIZE)).all(dim=(1, 2))
        share = picture["visible"][:, places].float().mean(1) * inside
        turned = picture["rotations"][:, fingers]
        if side == 0:
            points = torch.cat([HAND_SIZE - points[..., :1], points[..., 1:]], dim=-1)
            turned = mirror_rotations(turned)
        sides.append(points)
        rotations.append(turned)
        shown.append(torch.where(share >= SHOWN, 1.0, torch.where(share <= HIDDEN, 0.0, torch.nan)))
    there = torch.stack(shown, dim=1).flatten()
    return Crops(
        images=images.flatten(0, 1),
        points=torch.stack(sides, dim=1).flatten(0, 1),
        rotations=torch.stack(rotations, dim=1).flatten(0, 1),
        known=there == 1,
        shown=there,
    )


def footage(videos: list[Path], network: Pose2Pose, device: torch.device) -> Iterator[Crops]:
    """Both hands of the people in videos, as found and once more made coarse; nothing is known of them."""
    generator = torch.Generator(device=device).manual_seed(0)
    detector = PersonDetector(device)
    for video in videos:
        for frame in _frames(video):
            found = detector.detect([frame])[0]
            cuts = [crop(frame, crop_transform(box)) for box in found.boxes]
            if cuts:
                images = torch.from_numpy(np.stack(cuts)).to(device).permute(0, 3, 1, 2).float() / 255
                hands = cut_hands(images, network)[0].flatten(0, 1)
                yield _unlabelled(torch.cat([hands, coarsen(generator, hands)]))


@torch.no_grad()
def cut_hands(images: Tensor, network: Pose2Pose) -> tuple[Tensor, Tensor]:
    """(B, 3, 512, 384) -> (B, 2, 3, 224, 224) left hands mirrored and right hands, and their boxes (B, 2, 5)."""
    boxes = network.body.predict_boxes(network.body.locate(network.shrink(images)))[0][:, :2]
    hands = crop_regions(images, boxes, SIZE)
    return torch.stack([hands[:, 0].flip(-1), hands[:, 1]], dim=1), boxes


def coarsen(generator: torch.Generator, images: Tensor) -> Tensor:
    """(B, 3, 224, 224) as if enlarged from pictures of random sizes."""
    sizes = COARSEST * torch.exp(uniform(generator, 0, math.log(HAND_SIZE / COARSEST), len(images)))
    coarse = []
    for image, size in zip(images, sizes.round().int().tolist(), strict=True):
        small = interpolate(image[None], size=(size, size), mode="area")
        coarse.append(interpolate(small, size=SIZE, mode="bilinear", align_corners=False))
    return torch.cat(coarse)


def in_pixels(points_3d: Tensor, points_2d: Tensor) -> Tensor:
    """True points as the network states them: x, y in pixels, z relative to the wrist in pixels at its distance."""
    span = (points_2d[:, 1:] - points_2d[:, :1]).norm(dim=2).sum(1)
    meters = (points_3d[:, 1:, :2] - points_3d[:, :1, :2]).norm(dim=2).sum(1)
    depth = (points_3d[..., 2:] - points_3d[:, :1, 2:]) * (span / meters)[:, None, None]
    return torch.cat([points_2d, depth], dim=2)


def points_in(boxes: Tensor, points: Tensor) -> Tensor:
    """(B, 21, 3) points of a picture -> in pixels of the crop of (B, 5) boxes."""
    flat = points_from_image(points[..., :2], boxes, SIZE)
    return torch.cat([flat, points[..., 2:] * (HAND_SIZE / boxes[:, 2])[:, None, None]], dim=-1)


def labelled(images: Tensor, points: Tensor, rotations: Tensor) -> Crops:
    """Crops of hands that are there."""
    ones = torch.ones(len(images), device=images.device)
    return Crops(images, points, rotations, ones.bool(), ones)


def _unlabelled(images: Tensor) -> Crops:
    count, device = len(images), images.device
    still = torch.eye(3, device=device).expand(count, 15, 3, 3)
    nothing = torch.zeros(count, device=device)
    return Crops(images, torch.zeros(count, 21, 3, device=device), still, nothing.bool(), nothing + torch.nan)


def _frames(video: Path) -> Iterator[np.ndarray]:  # type: ignore[type-arg]
    """RGB frames, some apart."""
    capture = cv2.VideoCapture(str(video))
    number = 0
    while True:
        done, frame = capture.read()
        if not done:
            break
        if number % FRAMES_APART == 0:
            yield np.ascontiguousarray(frame[..., ::-1])
        number += 1
    capture.release()
