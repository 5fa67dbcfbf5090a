"""The person detector on drawn people, on real ones, and on maps made by hand."""

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pose2pose.backend import detection
from pose2pose.backend.detection import VIEWS, PersonDetector, View
from pose2pose.backend.device import DeviceError, inference_dtype, pick_device
from pose2pose.backend.model.movenet import MoveNetMaps
from pose2pose.backend.model.multipose import decode_people
from pose2pose.backend.weights import WeightsError

Image = NDArray[np.uint8]

SKIN, SHIRT, TROUSERS, HAIR = (224, 172, 140), (60, 90, 160), (40, 40, 50), (60, 40, 30)
JOINTS = np.array(
    [
        (0, -0.425), (0.022, -0.44), (-0.022, -0.44), (0.055, -0.435), (-0.055, -0.435), (0.11, -0.3), (-0.11, -0.3),
        (0.16, -0.15), (-0.16, -0.15), (0.18, 0), (-0.18, 0), (0.055, 0), (-0.055, 0), (0.06, 0.24), (-0.06, 0.24),
        (0.065, 0.46), (-0.065, 0.46),
    ]
)  # fmt: skip
"""COCO keypoints of the drawn figure around its pelvis, in heights; it faces the viewer: its left is on the right."""

# What the original .tflite file says about the picture of `two_people`, run by ai-edge-litert 2.3.0: x and y of the
# larger figure's keypoints, then its box and both scores.
ORIGINAL_KEYPOINTS = [
    (190.6, 90.3), (197.6, 85.0), (183.7, 84.4), (206.2, 91.3), (174.1, 91.1), (226.7, 126.4), (153.6, 127.9),
    (241.7, 178.6), (135.8, 176.4), (248.8, 227.9), (130.2, 228.2), (208.9, 228.0), (166.7, 229.0), (212.5, 307.7),
    (168.0, 308.5), (211.1, 373.6), (171.3, 372.4),
]  # fmt: skip
ORIGINAL_BOX = (121.1, 58.5, 258.1, 401.8)
ORIGINAL_SCORES = (0.795, 0.686)


def draw_person(image: Image, x: int, y: int, height: int) -> NDArray[np.float64]:
    """Draw a standing figure with its pelvis at x, y; return its keypoints (17,2) in pixels."""

    def at(a: float, b: float) -> tuple[int, int]:
        return round(x + a * height), round(y + b * height)

    def limb(start: tuple[float, float], end: tuple[float, float], color: tuple[int, ...], width: float) -> None:
        cv2.line(image, at(*start), at(*end), color, max(1, int(width * height)), cv2.LINE_AA)

    for side in (-1, 1):
        limb((side * 0.055, 0), (side * 0.06, 0.24), TROUSERS, 0.085)
        limb((side * 0.06, 0.24), (side * 0.065, 0.46), TROUSERS, 0.065)
        limb((side * 0.065, 0.47), (side * 0.09, 0.49), HAIR, 0.04)
        limb((side * 0.11, -0.3), (side * 0.16, -0.15), SHIRT, 0.06)
        limb((side * 0.16, -0.15), (side * 0.18, 0), SKIN, 0.04)
        cv2.circle(image, at(side * 0.182, 0.02), int(0.025 * height), SKIN, -1, cv2.LINE_AA)
    torso = [(-0.12, -0.33), (0.12, -0.33), (0.09, -0.1), (0.1, 0.03), (-0.1, 0.03), (-0.09, -0.1)]
    cv2.fillPoly(image, [np.array([at(*corner) for corner in torso])], SHIRT, cv2.LINE_AA)
    limb((0, -0.34), (0, -0.38), SKIN, 0.06)
    head, hair = (int(0.055 * height), int(0.07 * height)), (int(0.058 * height), int(0.05 * height))
    cv2.ellipse(image, at(0, -0.435), head, 0, 0, 360, SKIN, -1, cv2.LINE_AA)
    cv2.ellipse(image, at(0, -0.465), hair, 0, 180, 360, HAIR, -1, cv2.LINE_AA)
    for side in (-1, 1):
        cv2.circle(image, at(side * 0.022, -0.44), max(1, int(0.007 * height)), (30, 30, 30), -1, cv2.LINE_AA)
    cv2.circle(image, at(0, -0.425), max(1, int(0.006 * height)), (190, 130, 100), -1)
    cv2.line(image, at(-0.015, -0.4), at(0.015, -0.4), (160, 70, 70), max(1, int(0.007 * height)))
    return np.array([x, y]) + JOINTS * height


def empty_picture() -> Image:
    """Sky and ground, (480,640,3)."""
    image = np.full((480, 640, 3), (190, 200, 205), np.uint8)
    image[330:] = (120, 130, 110)
    return image


@pytest.fixture(scope="module")
def detector() -> PersonDetector:
    return PersonDetector(torch.device("cpu"))


@pytest.fixture(scope="module")
def two_people() -> tuple[Image, list[NDArray[np.float64]]]:
    image = empty_picture()
    return image, [draw_person(image, 190, 230, 330), draw_person(image, 460, 260, 250)]


def test_drawn_people_are_found_where_they_are(
    detector: PersonDetector, two_people: tuple[Image, list[NDArray[np.float64]]]
) -> None:
    image, drawn = two_people
    (found,) = detector.detect([image])
    assert len(found.scores) == 2
    assert found.scores[0] >= found.scores[1] > 0.5
    for keypoints, box, joints in zip(found.keypoints, found.boxes, drawn, strict=True):
        assert np.linalg.norm(keypoints[:, :2] - joints, axis=1).mean() < 5
        assert (box[:2] < joints.min(0)).all() and (box[2:] > joints.max(0)).all()
        assert (keypoints[:, 2] > 0.4).all()


def test_detections_equal_the_original_runtime(two_people: tuple[Image, list[NDArray[np.float64]]]) -> None:
    (found,) = PersonDetector(torch.device("cpu"), views=[View(384)]).detect([two_people[0]])
    np.testing.assert_allclose(found.keypoints[0, :, :2], ORIGINAL_KEYPOINTS, atol=1)
    np.testing.assert_allclose(found.boxes[0], ORIGINAL_BOX, atol=1)
    np.testing.assert_allclose(found.scores, ORIGINAL_SCORES, atol=0.02)


def test_a_batch_gives_what_single_images_give(
    detector: PersonDetector, two_people: tuple[Image, list[NDArray[np.float64]]]
) -> None:
    image, mirrored = two_people[0], two_people[0][:, ::-1].copy()
    together = detector.detect([image, empty_picture(), mirrored])
    assert [len(one.scores) for one in together] == [2, 0, 2]
    for single, batched in zip((image, mirrored), (together[0], together[2]), strict=True):
        (alone,) = detector.detect([single])
        np.testing.assert_allclose(batched.keypoints, alone.keypoints, atol=0.05)
        np.testing.assert_allclose(batched.boxes, alone.boxes, atol=0.05)


def test_positions_scale_with_the_image(
    detector: PersonDetector, two_people: tuple[Image, list[NDArray[np.float64]]]
) -> None:
    image, drawn = two_people
    (found,) = detector.detect([cv2.resize(image, None, fx=2.5, fy=2.5)])
    for keypoints, joints in zip(found.keypoints, drawn, strict=True):
        assert np.linalg.norm(keypoints[:, :2] / 2.5 - joints, axis=1).mean() < 5


def test_real_people_stay_found_over_a_clip(detector: PersonDetector, clip_frames: list[Image]) -> None:
    """The walking woman is in every frame and never jumps."""
    found = detector.detect(clip_frames[:8])
    assert all(len(one.scores) for one in found)
    walker = [one.keypoints[one.boxes[:, 3].argmax()] for one in found]
    steps = [np.linalg.norm(b[:, :2] - a[:, :2], axis=1)[5:].mean() for a, b in pairwise(walker)]
    assert max(steps) < 12


@pytest.mark.parametrize("share", [1.0, 0.55], ids=["from head to foot", "head and trunk"])
def test_people_who_fill_the_picture_are_found(
    detector: PersonDetector, clip_frames: list[Image], share: float
) -> None:
    """Pictures cut to the walking woman, as a phone held upright or a webcam would show her."""
    (found,) = detector.detect([clip_frames[0]])
    box = found.boxes[found.boxes[:, 3].argmax()]
    left, top, right, bottom = box.clip(0).round().astype(int).tolist()
    bottom = top + round(share * (bottom - top))
    (close,) = detector.detect([clip_frames[0][top:bottom, left:right].copy()])
    assert len(close.scores) == 1 and close.scores[0] > 0.4
    assert (np.abs(close.boxes[0] - [0, 0, right - left, bottom - top]) < 0.15 * (bottom - top)).all()


def test_large_and_small_people_are_found_together_and_once(detector: PersonDetector) -> None:
    image = empty_picture()
    drawn = [draw_person(image, 200, 232, 460), draw_person(image, 520, 330, 110)]
    (small_only,) = PersonDetector(torch.device("cpu"), views=VIEWS[:1]).detect([image])
    (large_only,) = PersonDetector(torch.device("cpu"), views=VIEWS[1:]).detect([image])
    (found,) = detector.detect([image])
    assert len(large_only.scores) == 1 and len(small_only.scores) >= 1
    assert len(found.scores) == 2 and (np.diff(found.scores) <= 0).all()
    for keypoints, joints in zip(sorted(found.keypoints, key=lambda points: points[0, 0]), drawn, strict=True):
        assert np.linalg.norm(keypoints[:, :2] - joints, axis=1).mean() < 0.03 * np.ptp(joints[:, 1])


def test_odd_sizes_and_no_images(detector: PersonDetector) -> None:
    assert detector.detect([]) == []
    (found,) = detector.detect([np.zeros((31, 500, 3), np.uint8)])
    assert found.boxes.shape == (0, 4)
    assert found.keypoints.shape == (0, 17, 3)


def test_images_of_different_sizes_are_refused(detector: PersonDetector) -> None:
    with pytest.raises(ValueError, match="one size"):
        detector.detect([np.zeros((32, 32, 3), np.uint8), np.zeros((64, 32, 3), np.uint8)])


def hand_made_maps(centers: list[tuple[int, int]]) -> MoveNetMaps:
    """Maps of 24 x 32 cells with persons at the given cells (y, x), all keypoints one cell below and right of it."""
    logits = {"heatmap": 17, "center": 1}
    maps = {name: torch.full((1, channels, 24, 32), -8.0) for name, channels in logits.items()}
    for y, x in centers:
        maps["center"][0, 0, y, x] = 3
        maps["heatmap"][0, :, y + 1, x + 1] = 2
    return MoveNetMaps(
        **{name: torch.zeros(1) for name in ("s4", "s8", "s16", "s32", "fpn4")},
        **maps,
        regression=torch.full((1, 34, 24, 32), 0.8),
        offset=torch.full((1, 34, 24, 32), 0.25),
        box_size=torch.full((1, 2, 24, 32), 8.0),
        box_offset=torch.full((1, 2, 24, 32), 0.5),
    )


def test_decoding_of_hand_made_maps() -> None:
    people = decode_people(hand_made_maps([(6, 8), (15, 25)]))
    assert people.keypoints.shape == (1, 6, 17, 3)
    first = int(people.boxes[0, :2, 0].argmin())
    torch.testing.assert_close(people.keypoints[0, first, 0, :2], torch.tensor([9.25, 7.25]) * 4)
    torch.testing.assert_close(people.boxes[0, first], torch.tensor([4.5, 2.5, 12.5, 10.5]) * 4)
    # Score of the keypoint's logit 2, times a Gaussian of 0.2 cells off in each direction, times the center's logit 3.
    keypoint = torch.sigmoid(torch.tensor(2.0)) * torch.exp(torch.tensor(-0.08 / (0.3 * 24)))
    torch.testing.assert_close(people.keypoints[0, first, :, 2], keypoint.expand(17))
    torch.testing.assert_close(people.scores[0, first], keypoint * torch.sigmoid(torch.tensor(3.0)))
    assert (people.scores[0, 2:] < 0.01).all()


def test_two_people_at_one_place_are_one() -> None:
    """Centers closer than the window belong to one person."""
    maps = hand_made_maps([(6, 8), (7, 9)])
    maps.center[0, 0, 7, 9] = 2.5
    assert (decode_people(maps).scores > 0.1).sum() == 1


def test_missing_weights_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(detection, "WEIGHTS_FILE", tmp_path / "gone.safetensors")
    with pytest.raises(WeightsError, match=r"gone\.safetensors"):
        PersonDetector(torch.device("cpu"))


def test_damaged_weights_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(detection.WEIGHTS_FILE.read_bytes()[:10_000])
    monkeypatch.setattr(detection, "WEIGHTS_FILE", broken)
    with pytest.raises(WeightsError, match="Reinstall"):
        PersonDetector(torch.device("cpu"))


def test_devices() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in ("cpu", "cuda", "mps")
    assert inference_dtype(torch.device("cpu")) == torch.float32
    with pytest.raises(DeviceError, match="choose one of"):
        pick_device("tpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_missing_gpu_is_said_clearly() -> None:
    with pytest.raises(DeviceError, match="finds no cuda device here; choose auto or cpu"):
        pick_device("cuda")
