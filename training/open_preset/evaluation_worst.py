"""A sheet of the validation pictures on which the network errs most: its points (orange) over the true ones (green)."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...backend.body.joints import LIMBS12
from ..datasets.synthetic import SyntheticPeople
from ..metrics import pa_mpjpe
from .evaluation_measures import CLEAR, SMALLEST_HAND, turn_degrees
from .evaluation_people import Image, People, Scores, Shown, network_picture

ROW = 6
"""Pictures of a row: worst poses, worst facing, worst clear hands."""
WIDTH, HEIGHT = 150, 200
"""Pixels of a picture."""
TRUE, SAID = (90, 230, 90), (255, 120, 60)
QUALITY = 82
_BONES = ((0, 1), (0, 2), (2, 4), (1, 3), (3, 5), (0, 6), (1, 7), (6, 7), (6, 8), (8, 10), (7, 9), (9, 11))
"""Among the limb joints; left and right stand in turn."""
_FINGERS = tuple((0 if k % 4 == 1 else k - 1, k) for k in range(1, 21))


def draw_worst(path: Path, people: SyntheticPeople, said: People, truth: People, shown: Shown, scores: Scores) -> None:
    """Write the sheet: three rows, each beginning with the largest error.

    Args:
        path: of the picture, .jpg.
        people: the set.
        said: about it.
        truth: of it.
        shown: what the pictures show.
        scores: how sure the network is.
    """
    limbs = list(LIMBS12)
    pose = pa_mpjpe(said.points[:, limbs], truth.points[:, limbs])
    facing = turn_degrees(said.rotations[:, 0], truth.rotations[:, 0])
    clear = (shown.hands >= CLEAR) & (shown.hand_sizes >= SMALLEST_HAND)
    off = (said.hands - truth.hands).norm(dim=-1).mean(-1) / shown.hand_sizes.clamp_min(1)
    errors, sure = off.masked_fill(~clear, -1).flatten(), scores.hands.flatten()
    poses = [_body(people, said, truth, index, f"{pose[index]:.0f} mm PA") for index in _largest(pose)]
    turns = [_body(people, said, truth, index, f"turned {facing[index]:.0f} deg") for index in _largest(facing)]
    hands = [
        _hand(people, said, truth, divmod(place, 2), f"{errors[place]:.1f} sizes, sure {sure[place]:.2f}")
        for place in _largest(errors)
        if errors[place] >= 0
    ]
    sheet = np.concatenate([_filled(row) for row in (poses, turns, hands)])
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


def _largest(errors: Tensor) -> list[int]:
    """Of (N,) the first to be shown."""
    return [int(index) for index in errors.argsort(descending=True)[:ROW]]


def _body(people: SyntheticPeople, said: People, truth: People, index: int, caption: str) -> Image:
    """The true limbs, and those of the predicted pose, moved and scaled onto the keypoints that the network found."""
    picture = network_picture(people[index])
    wanted = truth.limbs[index].numpy()
    cell = _resized(picture)
    scale = HEIGHT / picture.shape[0]
    _draw(cell, wanted * scale, _BONES, TRUE)
    _draw(
        cell, _laid_over(said.points[index, list(LIMBS12), :2].numpy(), said.limbs[index].numpy()) * scale, _BONES, SAID
    )
    return _captioned(cell, caption)


def _laid_over(points: NDArray[Any], target: NDArray[Any]) -> NDArray[Any]:
    """(P, 2) points, moved and scaled as far as that brings them nearest to the target."""
    spread, wanted = points - points.mean(0), target - target.mean(0)
    scale = max(float((spread * wanted).sum() / max(float(np.square(spread).sum()), 1e-9)), 0.0)
    return np.asarray(target.mean(0) + scale * spread)


def _hand(people: SyntheticPeople, said: People, truth: People, which: tuple[int, int], caption: str) -> Image:
    """One hand: the person's number, and 0 for the left or 1 for the right."""
    index, side = which
    picture = network_picture(people[index])
    points = truth.hands[index, side].numpy()
    middle, half = (points.max(0) + points.min(0)) / 2, max(float(np.ptp(points, axis=0).max()), 30.0) * 1.2
    scale = HEIGHT / (2 * half)
    shift = np.array([WIDTH, HEIGHT]) / 2 - scale * middle
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    cell = np.asarray(cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR), np.uint8)
    _draw(cell, points * scale + shift, _FINGERS, TRUE)
    _draw(cell, said.hands[index, side].numpy() * scale + shift, _FINGERS, SAID)
    return _captioned(cell, caption)


def _draw(image: Image, points: NDArray[Any], bones: tuple[tuple[int, int], ...], color: tuple[int, int, int]) -> None:
    places = [(round(float(x)), round(float(y))) for x, y in np.nan_to_num(points).clip(-2000, 2000)]
    for first, second in bones:
        cv2.line(image, places[first], places[second], color, 1, cv2.LINE_AA)
    for place in places:
        cv2.circle(image, place, 2, color, -1, cv2.LINE_AA)


def _resized(picture: Image) -> Image:
    return np.asarray(cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)


def _captioned(cell: Image, caption: str) -> Image:
    for color, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(cell, caption, (5, HEIGHT - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.38, color, thickness, cv2.LINE_AA)
    return cell


def _filled(cells: list[Image]) -> Image:
    blank = np.full((HEIGHT, WIDTH, 3), 24, np.uint8)
    return np.concatenate([*cells, *[blank] * (ROW - len(cells))], axis=1)
