"""Finding people in video frames with MoveNet MultiPose: boxes and 17 keypoints of up to six people per frame."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torchvision.ops import nms  # type: ignore[import-untyped]

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


class PersonDetector:
    """Detects people in images of any size."""

    def __init__(
        self,
        device: torch.device,
        *,
        longest_sides: Sequence[int] = (384, 192),
        min_score: float = 0.25,
        max_overlap: float = 0.7,
    ) -> None:
        """Load the network.

        Args:
            device: where to compute.
            longest_sides: pixels of the network's inputs; a large one finds small people and loses those who fill the
                frame, a small one finds these.
            min_score: people below it are left out.
            max_overlap: of two people whose boxes overlap more (intersection over union) the better one stays.

        Raises:
            WeightsError: if the weights are missing or damaged.
        """
        self.device = device
        self.dtype = inference_dtype(device)
        self.longest_sides = longest_sides
        self.min_score = min_score
        self.max_overlap = max_overlap
        self.network = _load_network().to(device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Find the people in images of one size, in one pass of the network for each size of its input.

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
        passes = [self._decode(images, side) for side in self.longest_sides]
        boxes, keypoints, scores = (torch.cat(values, 1).cpu() for values in zip(*passes, strict=True))
        return [self._best(*people) for people in zip(boxes, keypoints, scores, strict=True)]

    def _decode(self, images: Sequence[NDArray[np.uint8]], longest_side: int) -> tuple[Tensor, Tensor, Tensor]:
        """(B,N,4) boxes and (B,N,17,3) keypoints in the images' pixels, (B,N) scores."""
        height, width = images[0].shape[:2]
        small = _fit(width, height, longest_side)
        batch = torch.from_numpy(np.stack([_letterbox(image, small) for image in images])).to(self.device)
        # A permuted view of (B,H,W,3) is what torch calls channels_last.
        pixels = batch.permute(0, 3, 1, 2).float() / 255
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            people = decode_people(self.network(pixels))
        scale = people.scores.new_tensor([width / small[0], height / small[1]])
        boxes = torch.minimum(people.boxes * scale.repeat(2), scale.new_tensor([width, height] * 2))
        keypoints = torch.cat([people.keypoints[..., :2] * scale, people.keypoints[..., 2:]], -1)
        return boxes, keypoints, people.scores

    def _best(self, boxes: Tensor, keypoints: Tensor, scores: Tensor) -> Detections:
        """One image's people who are sure enough, each once."""
        good = torch.nonzero(scores >= self.min_score)[:, 0]
        kept = good[nms(boxes[good], scores[good], self.max_overlap)]
        return Detections(boxes=boxes[kept].numpy(), keypoints=keypoints[kept].numpy(), scores=scores[kept].numpy())


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


def _letterbox(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Scale to (width, height) and add black on the right and below up to multiples of 32."""
    shrinks = size[0] < image.shape[1]
    scaled = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.pad(scaled, ((0, -size[1] % 32), (0, -size[0] % 32), (0, 0)))
