"""What the whole network of the preset `open` says about a validation set of rendered people, beside the truth.

The set is one that `pose2pose-train synthesize --held-out` wrote. Each picture goes through `Pose2Pose` as a crop of a
capture does, at 512x384; smaller pictures are enlarged, and their hands and faces are then worse than a capture's.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from ...backend.body.joints import COCO17, LEFT_HAND21, LIMBS12, RIGHT_HAND21
from ...backend.body.layer import BodyLayer
from ...backend.crops import CROP_HEIGHT, CROP_WIDTH, ray_rotation
from ...backend.model.pose2pose import Pose2Pose
from ..body_models.joint_sets import WHOLE
from ..datasets.sample import Fit, Sample
from ..datasets.synthetic import LABELS, SyntheticPeople
from ..pictures import read_picture
from ..rotation_vectors import matrix_from_axis_angle

Image = NDArray[np.uint8]

BATCH = 16
BODY_SCALE = 2
"""Pixels of the crop for each pixel of the body branch's picture."""
FACE = slice(65, 137)
"""The face's points among those of `WHOLE`."""
HANDS = (LEFT_HAND21, RIGHT_HAND21)


class ValidationSetError(ValueError):
    """A folder that holds no validation set of rendered people."""


@dataclass(frozen=True)
class People:
    """N people: what is true of them, or what the network says. Tensors on the CPU.

    Attributes:
        rotations: (N, 55, 3, 3) local, the root in the axes of the picture's camera.
        betas: (N, 10).
        expression: (N, 10).
        points: (N, 76, 3) meters relative to the pelvis, camera axes.
        turns: (N, 55, 3, 3) rotations of the joints in camera axes.
        limbs: (N, 12, 2) the limb joints in pixels of a 512x384 picture.
        hands: (N, 2, 21, 2) points of left and right hand, the same pixels.
    """

    rotations: Tensor
    betas: Tensor
    expression: Tensor
    points: Tensor
    turns: Tensor
    limbs: Tensor
    hands: Tensor


@dataclass(frozen=True)
class Shown:
    """What the pictures show of N people, as shares 0..1 of the points.

    Attributes:
        limbs: (N, 12) whether each limb joint is seen.
        hands: (N, 2) left and right.
        faces: (N,).
        hand_sizes: (N, 2) longer side of the hand's points, pixels of a 512x384 picture.
        face_sizes: (N,).
    """

    limbs: Tensor
    hands: Tensor
    faces: Tensor
    hand_sizes: Tensor
    face_sizes: Tensor


@dataclass(frozen=True)
class Scores:
    """How sure the network says it is: keypoints (N, 17), left and right hand (N, 2), face (N,)."""

    keypoints: Tensor
    hands: Tensor
    faces: Tensor


Record = TypeVar("Record", People, Scores)


def open_people(folder: Path) -> SyntheticPeople:
    """The validation set in a folder.

    Raises:
        ValidationSetError: there is none, or it has no pictures.
        AnnotationError: its labels are of another layout.
    """
    folder = folder.resolve()
    if not (folder / LABELS).is_file():
        raise ValidationSetError(
            f"{folder} is no set of rendered people: {LABELS} is missing. Make one: `pose2pose-train synthesize "
            "--held-out --people 600 --size 512x384 -o FOLDER` (finished, or the labels are not there yet)"
        )
    people = SyntheticPeople(root=folder.parent, split=folder.name, joint_set=WHOLE)
    if len(people) == 0:
        raise ValidationSetError(f"{folder / LABELS} names no people; render the set again")
    return people


def read_truth(people: SyntheticPeople, layer: BodyLayer) -> tuple[People, Shown]:
    """The labels of a set; the layer is the body's on the CPU."""
    samples = [people[index] for index in range(len(people))]
    fits = [_fit(sample) for sample in samples]
    zoom = CROP_HEIGHT / picture_size(people)[0]
    points = zoom * torch.from_numpy(np.stack([sample.points for sample in samples]))
    seen = torch.from_numpy(np.stack([sample.points_valid for sample in samples]))
    truth = posed(
        layer,
        matrix_from_axis_angle(torch.from_numpy(np.stack([fit.rotations for fit in fits]))),
        torch.from_numpy(np.stack([fit.betas for fit in fits])),
        torch.from_numpy(np.stack([fit.expression for fit in fits])),
        points[:, _places(LIMBS12)],
        torch.stack([points[:, _places(hand)] for hand in HANDS], dim=1),
    )
    shown = Shown(
        limbs=seen[:, _places(LIMBS12)],
        hands=torch.stack([seen[:, _places(hand)].float().mean(1) for hand in HANDS], dim=1),
        faces=seen[:, FACE].float().mean(1),
        hand_sizes=_extent(truth.hands),
        face_sizes=_extent(points[:, FACE]),
    )
    return truth, shown


@torch.inference_mode()
def ask_network(
    network: Pose2Pose, people: SyntheticPeople, layer: BodyLayer, device: torch.device, batch: int = BATCH
) -> tuple[People, Scores]:
    """Run the network over a set.

    Args:
        network: of the preset `open`, on the device, in evaluation mode.
        people: the set.
        layer: the body, on the CPU.
        device: of the network.
        batch: pictures at once.

    Raises:
        SampleError: a picture cannot be read.
    """
    parts: list[tuple[People, Scores]] = []
    size = picture_size(people)
    with tqdm(total=len(people), desc="network", unit="picture", dynamic_ncols=True) as bar:
        for samples in _batches(people, batch):
            pictures = torch.from_numpy(np.stack([network_picture(sample) for sample in samples])).to(device)
            pixels = pictures.permute(0, 3, 1, 2).float().div_(255).contiguous(memory_format=torch.channels_last)
            output = network(pixels)
            rotations = output.rotations.float().cpu()
            rotations[:, 0] = torch.stack([_toward(sample, size) for sample in samples]) @ rotations[:, 0]
            keypoints = output.body_points[..., :2].float().cpu() * BODY_SCALE
            limbs = keypoints[:, [COCO17.index(point) for point in LIMBS12]]
            betas, expression = output.betas.float().cpu(), output.expression.float().cpu()
            said = posed(layer, rotations, betas, expression, limbs, output.hand_points[..., :2].float().cpu())
            sure = (output.body_scores, output.hand_scores, output.face_score)
            parts.append((said, Scores(*(values.float().cpu() for values in sure))))
            bar.update(len(samples))
    return _joined([said for said, _ in parts]), _joined([sure for _, sure in parts])


def picture_size(people: SyntheticPeople) -> tuple[int, int]:
    """Height and width of the set's pictures, which are all alike."""
    first = people[0]
    height, width = read_picture(first.image, first.name).shape[:2]
    return height, width


def posed(
    layer: BodyLayer, rotations: Tensor, betas: Tensor, expression: Tensor, limbs: Tensor, hands: Tensor
) -> People:
    """`People` of parameters; the points are those of the posed skeleton."""
    points, turns = layer.skeleton(rotations, betas)
    return People(rotations, betas, expression, points - points[:, :1], turns, limbs, hands)


def network_picture(sample: Sample) -> Image:
    """(512, 384, 3) RGB: a picture of the set as the network takes it."""
    picture = read_picture(sample.image, sample.name)
    if picture.shape[:2] == (CROP_HEIGHT, CROP_WIDTH):
        return picture
    return np.asarray(cv2.resize(picture, (CROP_WIDTH, CROP_HEIGHT), interpolation=cv2.INTER_LINEAR), np.uint8)


def _batches(people: SyntheticPeople, batch: int) -> Iterator[list[Sample]]:
    for start in range(0, len(people), batch):
        yield [people[index] for index in range(start, min(start + batch, len(people)))]


def _toward(sample: Sample, size: tuple[int, int]) -> Tensor:
    """(3, 3) from the axes of a camera that looks at the picture's middle to those of the picture's camera."""
    fit = _fit(sample)
    middle = np.array([size[1], size[0]]) / 2
    turn = ray_rotation(middle, fit.focal.astype(float), fit.principal_point.astype(float))
    return torch.from_numpy(turn).float()


def _fit(sample: Sample) -> Fit:
    if sample.fit is None:
        raise ValidationSetError(f"{sample.name} has no parameters of the body; render the set again")
    return sample.fit


def _places(points: tuple[int, ...]) -> list[int]:
    """Where some of the 76 points stand among those of `WHOLE`."""
    return [WHOLE.layer_points.index(point) for point in points]


def _extent(points: Tensor) -> Tensor:
    """(..., P, 2) -> (...) the longer side of their box."""
    return (points.amax(-2) - points.amin(-2)).amax(-1)


def _joined(parts: list[Record]) -> Record:
    kind = type(parts[0])
    return kind(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(kind)))
