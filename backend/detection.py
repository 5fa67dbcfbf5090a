"""Finding people in video frames with MoveNet MultiPose: boxes and 17 keypoints of up to six people per frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torchvision.ops import box_iou, nms  # type: ignore[import-untyped]

from .device import inference_dtype
from .model.movenet import MoveNet, build_multipose
from .model.multipose import decode_people
from .weights import WEIGHTS_FOLDER, WeightsError

WEIGHTS_FILE = WEIGHTS_FOLDER / "person_detector.safetensors"


@dataclass(frozen=True)
class Detections:
    """The people in one image, best first; pixels of that image."""

    boxes: NDArray[np.float32]
    """(N,4) x, y, x, y."""
    keypoints: NDArray[np.float32]
    """(N,17,3) x, y and score 0..1 in COCO's order."""
    scores: NDArray[np.float32]
    """(N,) 0..1."""


@dataclass(frozen=True)
class View:
    """How the network is shown an image."""

    longest_side: int
    """Pixels that the image is scaled to."""
    margin: int = 0
    """Pixels on each side of it, that go on as its border ends."""
    smallest: float = 0.0
    """Share of the image's width or height that people have to take up; smaller ones are left to other views."""


VIEWS = (View(384), View(128, margin=64, smallest=0.5))
"""The first finds small people and loses those who fill the image, or whom its border cuts; the second finds these."""

SAME_PERSON = 0.5
"""Intersection over union from which boxes of two views are of one person."""


class PersonDetector:
    """Detects people in images of any size."""

    def __init__(
        self,
        device: torch.device,
        *,
        views: Sequence[View] = VIEWS,
        min_score: float = 0.25,
        max_overlap: float = 0.7,
    ) -> None:
        """Load the network.

        Args:
            device: where to compute.
            views: each is a pass of the network.
            min_score: people below it are left out.
            max_overlap: of two people in a view whose boxes overlap more (intersection over union) the better stays.

        Raises:
            WeightsError: if the weights are missing or damaged.
        """
        self.device = device
        self.dtype = inference_dtype(device)
        self.views = views
        self.min_score = min_score
        self.max_overlap = max_overlap
        self.network = _load_network().to(device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Find the people in images of one size.

        Args:
            images: (H,W,3) RGB each.

        Raises:
            ValueError: if the images differ in size.
        """
        if not images:
            return []
        shapes = {image.shape for image in images}
        if len(shapes) > 1:
            raise ValueError(f"images of one call must have one size, got {sorted(shapes)}")
        views = [self._detect(images, view) for view in self.views]
        return [reduce(_merge, found) for found in zip(*views, strict=True)]

    def _detect(self, images: Sequence[NDArray[np.uint8]], view: View) -> list[Detections]:
        """The people whom one view shows, in pixels of the images."""
        height, width = images[0].shape[:2]
        small = _fit(width, height, view.longest_side)
        batch = torch.from_numpy(np.stack([_letterbox(image, small, view.margin) for image in images])).to(self.device)
        # A permuted view of (B,H,W,3) is what torch calls channels_last.
        pixels = batch.permute(0, 3, 1, 2).float() / 255
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            people = decode_people(self.network(pixels))
        scale = people.scores.new_tensor([width / small[0], height / small[1]])
        corners = (people.boxes.unflatten(-1, (2, 2)) - view.margin) * scale
        size = scale.new_tensor([width, height])
        inside = corners.clamp(min=0).minimum(size)
        keypoints = torch.cat([(people.keypoints[..., :2] - view.margin) * scale, people.keypoints[..., 2:]], -1)
        share = ((inside[..., 1, :] - inside[..., 0, :]) / size).amax(-1)
        scores = torch.where(share >= view.smallest, people.scores, 0)
        found = (values.cpu() for values in (inside.flatten(-2), keypoints, scores))
        return [self._best(*person) for person in zip(*found, strict=True)]

    def _best(self, boxes: Tensor, keypoints: Tensor, scores: Tensor) -> Detections:
        """One image's people who are sure enough, each once."""
        good = torch.nonzero(scores >= self.min_score)[:, 0]
        kept = good[nms(boxes[good], scores[good], self.max_overlap)]
        return Detections(boxes=boxes[kept].numpy(), keypoints=keypoints[kept].numpy(), scores=scores[kept].numpy())


def _merge(first: Detections, second: Detections) -> Detections:
    """Everybody whom either view found; whom both found, as the surer one did."""
    if not len(first.scores):
        return second
    overlaps = box_iou(torch.from_numpy(second.boxes), torch.from_numpy(first.boxes)).numpy()
    twins, same = overlaps.argmax(1), overlaps.max(1) > SAME_PERSON
    added = ~same | (second.scores > first.scores[twins])
    kept = np.ones(len(first.scores), dtype=bool)
    kept[twins[same & added]] = False
    scores = np.concatenate([first.scores[kept], second.scores[added]])
    order = np.argsort(-scores)
    return Detections(
        boxes=np.concatenate([first.boxes[kept], second.boxes[added]])[order],
        keypoints=np.concatenate([first.keypoints[kept], second.keypoints[added]])[order],
        scores=scores[order],
    )


def _load_network() -> MoveNet:
    network = build_multipose()
    try:
        network.load_state_dict(load_file(WEIGHTS_FILE))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise WeightsError(
            f"{WEIGHTS_FILE} cannot be used: {error}. Reinstall the package; the file is part of it"
        ) from error
    return network.eval()


def _fit(width: int, height: int, longest_side: int) -> tuple[int, int]:
    """Width and height after scaling the longer one to `longest_side`."""
    scale = longest_side / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _letterbox(image: NDArray[np.uint8], size: tuple[int, int], margin: int) -> NDArray[np.uint8]:
    """Scale to (width, height), add a margin, and black on the right and below up to multiples of 32."""
    shrinks = size[0] < image.shape[1]
    scaled = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    wide = np.pad(scaled, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    return np.pad(wide, ((0, -wide.shape[0] % 32), (0, -wide.shape[1] % 32), (0, 0)))
