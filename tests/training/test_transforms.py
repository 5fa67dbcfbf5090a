"""Examples against the pictures they are cut from: dots, posed bodies, mirrored hands, files that cannot be read."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from pose2pose.backend.motion.rotations import matrix_from_axis_angle
from pose2pose.training.augmentation import flip_sample
from pose2pose.training.body_models.human_models import HumanModel, build_human_model
from pose2pose.training.body_models.joint_sets import FACE, HAND, WHOLE, JointSet
from pose2pose.training.config import Augmentation
from pose2pose.training.datasets.sample import Fit, Sample
from pose2pose.training.transforms import Draw, Example, Prepare, PreparedSamples, SampleError

WIDTH, HEIGHT = 400, 300
SIZE = (256, 192)
DOTS = {
    "L_Wrist": ((250.0, 90.0), (255, 0, 0)),
    "R_Knee": ((170.5, 180.25), (0, 255, 0)),
    "Nose": ((205.0, 60.75), (0, 0, 255)),
    "L_Ear": ((228.5, 66.0), (255, 255, 0)),
}
MIRRORED = {"L_Wrist": "R_Wrist", "R_Knee": "L_Knee", "Nose": "Nose", "L_Ear": "R_Ear"}
DRAWS = [
    Draw(),
    Draw(scale=0.8, turn=0.6),
    Draw(flip=True),
    Draw(scale=1.2, turn=-0.9, flip=True, color=(0.9, 1.2, 0.8)),
]


@pytest.fixture(scope="module")
def open_model() -> HumanModel:
    pytest.importorskip("smplx")
    return build_human_model("whole", None)


def empty_sample(image: Path, joint_set: JointSet) -> Sample:
    count = len(joint_set.points)
    return Sample(
        name="dots/1",
        image=image,
        box=np.array([150, 40, 260, 200], np.float32),
        points=np.zeros((count, 2), np.float32),
        points_valid=np.zeros(count, bool),
        points_3d=np.zeros((count, 3), np.float32),
        points_3d_valid=np.zeros(count, bool),
        fit=None,
        regions=np.zeros((3, 4), np.float32),
        regions_valid=np.zeros(3, bool),
    )


@pytest.fixture()
def dotted(tmp_path: Path) -> Sample:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    sample = empty_sample(tmp_path / "dots.png", WHOLE)
    for name, ((x, y), color) in DOTS.items():
        place = (round((x - 0.5) * 16), round((y - 0.5) * 16))
        cv2.circle(image, place, 5 * 16, color[::-1], -1, cv2.LINE_AA, shift=4)
        sample.points[WHOLE.points.index(name)] = x, y
        sample.points_valid[WHOLE.points.index(name)] = True
    cv2.imwrite(str(sample.image), image)
    return sample


def dot_center(image: torch.Tensor, color: tuple[int, int, int]) -> np.ndarray:
    """Of what has this color on black or gray, in continuous pixels."""
    channels, on = image.float().numpy(), np.array(color) > 0
    weight = np.clip(channels[on].min(axis=0) - channels[~on].max(axis=0) - 60, 0, None)
    rows, columns = np.mgrid[: image.shape[1], : image.shape[2]] + 0.5
    return np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()


@pytest.mark.parametrize("draw", DRAWS)
def test_labels_lie_on_the_dots_of_the_crop(dotted: Sample, draw: Draw) -> None:
    example = Prepare(joint_set=WHOLE, size=SIZE, augmentation=None).changed(dotted, draw)
    assert example["image"].shape == (3, *SIZE)
    for name, (_, color) in DOTS.items():
        place = WHOLE.points.index(MIRRORED[name] if draw.flip else name)
        assert example["points_valid"][place]
        np.testing.assert_allclose(dot_center(example["image"], color), example["points"][place], atol=0.15)
    assert int(example["points_valid"].sum()) == len(DOTS)


@pytest.mark.parametrize("draw", DRAWS)
def test_affine_maps_the_flipped_picture_onto_the_crop(dotted: Sample, draw: Draw) -> None:
    example = Prepare(joint_set=WHOLE, size=SIZE, augmentation=None).changed(dotted, draw)
    place = np.array(DOTS["Nose"][0])
    if example["flipped"]:
        place[0] = float(example["picture_width"]) - place[0]
    affine = example["affine"].numpy()
    np.testing.assert_allclose(
        affine[:, :2] @ place + affine[:, 2], example["points"][WHOLE.points.index("Nose")], atol=1e-3
    )


def test_box_is_grown_to_the_aspect_and_by_a_quarter(dotted: Sample) -> None:
    example = Prepare(joint_set=WHOLE, size=SIZE, augmentation=None).changed(dotted, Draw())
    zoom = example["affine"][0, 0].item()
    assert zoom == pytest.approx(256 / (160 * 1.25))  # 110 x 160 is narrower than 3:4
    wide = replace(dotted, box=np.array([100, 100, 300, 200], np.float32))
    example = Prepare(joint_set=WHOLE, size=SIZE, augmentation=None).changed(wide, Draw())
    assert example["affine"][0, 0].item() == pytest.approx(192 / (200 * 1.25))


def test_points_outside_of_the_crop_are_not_valid(dotted: Sample) -> None:
    near = replace(dotted, box=np.array([240, 80, 260, 100], np.float32))
    example = Prepare(joint_set=WHOLE, size=SIZE, augmentation=None).changed(near, Draw())
    assert example["points_valid"].nonzero().flatten().tolist() == [WHOLE.points.index("L_Wrist")]


def test_a_large_picture_is_averaged_and_stays_in_place(tmp_path: Path) -> None:
    """Stripes of one pixel become an even gray; a dot stays where its label is."""
    image = np.zeros((1999, 1999, 3), np.uint8)
    image[:, ::2] = 200
    cv2.circle(image, (1199, 799), 80, (0, 0, 255), -1)
    cv2.imwrite(str(tmp_path / "large.png"), image)
    sample = empty_sample(tmp_path / "large.png", WHOLE)
    sample = replace(sample, box=np.array([400, 200, 1600, 1800], np.float32))
    sample.points[0] = 1199.5, 799.5
    example = Prepare(joint_set=WHOLE, size=SIZE, augmentation=None).changed(sample, Draw())
    corner = example["image"][1, 4:40, 4:40].float()
    assert corner.std() < 12
    np.testing.assert_allclose(dot_center(example["image"], (255, 0, 0)), example["points"][0], atol=0.2)


def test_regions_are_swapped_by_a_flip_and_bounded_after_a_turn(dotted: Sample) -> None:
    regions = np.array([[240, 80, 260, 100], [150, 80, 170, 100], [190, 40, 220, 70]], np.float32)
    sample = replace(dotted, regions=regions, regions_valid=np.array([True, False, True]))
    example = Prepare(joint_set=WHOLE, size=SIZE, augmentation=None).changed(sample, Draw(flip=True))
    assert example["regions_valid"].tolist() == [False, True, True]
    right = WHOLE.points.index("R_Wrist")  # the left wrist's dot, in the middle of the left hand's box
    middle = (example["regions"][1, :2] + example["regions"][1, 2:]) / 2
    torch.testing.assert_close(middle, example["points"][right], atol=1e-3, rtol=0)
    turned = Prepare(joint_set=WHOLE, size=SIZE, augmentation=None).changed(sample, Draw(turn=math.pi / 4))
    zoom = example["affine"][1, 1]
    torch.testing.assert_close(
        turned["regions"][0, 2:] - turned["regions"][0, :2], torch.full((2,), 20 * math.sqrt(2)) * zoom
    )


def posed_sample(sample: Sample, model: HumanModel, seed: int = 0) -> Sample:
    """A fit with labels that are projected from it, before a camera that sees its picture from the side."""
    random = np.random.default_rng(seed)
    rotations = random.normal(0, 0.15, (len(model.joint_set.rotations), 3)).astype(np.float32)
    rotations[0] += (math.pi, 0, 0)
    fit = Fit(
        rotations=rotations,
        rotations_valid=random.random(len(rotations)) > 0.2,
        betas=random.normal(0, 0.5, 10).astype(np.float32),
        betas_valid=True,
        expression=random.normal(0, 0.5, 10).astype(np.float32),
        expression_valid=True,
        trans=np.array([0.2, 0.1, 4.0], np.float32),
        gender="neutral",
        points_valid=random.random(len(sample.points)) > 0.3,
        focal=np.array([420, 410], np.float32),
        principal_point=np.array([180, 140], np.float32),
    )
    points = pose(model, fit.rotations, fit.betas, fit.expression) + fit.trans
    pixels = points[:, :2] / points[:, 2:] * fit.focal + fit.principal_point
    everything = np.ones(len(points), bool)
    box = np.concatenate([pixels.min(0), pixels.max(0)]).astype(np.float32)
    return replace(
        sample, box=box, fit=fit, points=pixels, points_valid=everything, points_3d=points, points_3d_valid=everything
    )


def pose(model: HumanModel, rotations: Any, betas: Any, expression: Any) -> np.ndarray:
    matrices = torch.from_numpy(matrix_from_axis_angle(np.asarray(rotations))).float()[None]
    shape = (torch.as_tensor(value, dtype=torch.float32)[None] for value in (betas, expression))
    points: np.ndarray = model(matrices, *shape).points[0].numpy()
    return points


def turned(points: np.ndarray, example: Example) -> np.ndarray:
    angle = -float(example["turn"])
    z = np.array([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]])
    return points @ z.T


@pytest.mark.parametrize("draw", DRAWS)
def test_the_posed_fit_falls_onto_the_labels(dotted: Sample, open_model: HumanModel, draw: Draw) -> None:
    """As `Example` describes it: pose, project, mirror, crop; and in camera axes mirror, turn."""
    sample = posed_sample(dotted, open_model)
    example = Prepare(joint_set=WHOLE, size=SIZE, augmentation=None).changed(sample, draw)
    points = pose(open_model, example["fit_rotations"], example["betas"], example["expression"])
    points = points + example["fit_trans"].numpy()
    pixels = points[:, :2] / points[:, 2:] * example["focal"].numpy() + example["principal_point"].numpy()
    order = np.arange(len(points))
    if example["flipped"]:
        for left, right in WHOLE.point_pairs:
            order[[left, right]] = right, left
        pixels[:, 0] = float(example["picture_width"]) - pixels[:, 0]
        points = points * (-1, 1, 1)
    affine = example["affine"].numpy()
    np.testing.assert_allclose((pixels @ affine[:, :2].T + affine[:, 2])[order], example["points"], atol=0.01)
    np.testing.assert_allclose(turned(points, example)[order], example["points_3d"], atol=1e-5)
    assert sample.fit is not None
    np.testing.assert_array_equal(example["fit_points_valid"], sample.fit.points_valid[order])


@pytest.mark.parametrize("draw", DRAWS)
def test_target_rotations_pose_the_body_of_the_crop(dotted: Sample, open_model: HumanModel, draw: Draw) -> None:
    sample = posed_sample(dotted, open_model)
    example = Prepare(joint_set=WHOLE, size=SIZE, augmentation=None).changed(sample, draw)
    points = pose(open_model, example["rotations"], example["betas"], example["expression"])
    labels = example["points_3d"].numpy()
    body = slice(0, 65)  # without the face, whose contour the layer chooses by the angle of the head
    difference = (points - points[:1] - labels + labels[:1])[body]
    assert np.abs(difference).max() < (0.012 if draw.flip else 1e-4)  # the body is nearly its own mirror image
    assert sample.fit is not None
    assert example["rotations_valid"].sum() == sample.fit.rotations_valid.sum()


def test_a_left_hand_is_mirrored_before_anything_else(tmp_path: Path, hand_model: HumanModel) -> None:
    """Labels and parameters of a left hand give the example that the mirrored picture of a right hand gives."""
    random = np.random.default_rng(5)
    image = random.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "right.png"), image)
    cv2.imwrite(str(tmp_path / "left.png"), image[:, ::-1])
    right = posed_sample(empty_sample(tmp_path / "right.png", HAND), hand_model)
    left = replace(flip_sample(right, WIDTH, HAND), image=tmp_path / "left.png", mirrored=True)
    assert not np.allclose(left.points, right.points)
    augmentation = Augmentation(flip=1.0)
    prepare = Prepare(joint_set=HAND, size=(256, 256), augmentation=augmentation)
    first, second = (prepare(sample, np.random.default_rng(3)) for sample in (right, left))
    for key, value in first.items():
        torch.testing.assert_close(second[key], value, atol=1e-3, rtol=1e-4)
    assert not first["flipped"]  # a right hand never becomes a left one


def test_flipping_twice_changes_nothing(dotted: Sample, open_model: HumanModel) -> None:
    sample = posed_sample(replace(dotted, regions=np.arange(12, dtype=np.float32).reshape(3, 4)), open_model)
    twice = flip_sample(flip_sample(sample, WIDTH, WHOLE), WIDTH, WHOLE)
    np.testing.assert_allclose(twice.points, sample.points, atol=1e-4)
    np.testing.assert_allclose(twice.regions, sample.regions, atol=1e-4)
    assert twice.fit is not None and sample.fit is not None
    np.testing.assert_array_equal(twice.fit.rotations, sample.fit.rotations)
    np.testing.assert_array_equal(twice.fit.points_valid, sample.fit.points_valid)


def test_a_flip_swaps_the_eyes_of_a_face(tmp_path: Path) -> None:
    sample = empty_sample(tmp_path / "none.png", FACE)
    sample.points[FACE.points.index("L_Eyeball")] = 120, 50
    flipped = flip_sample(sample, WIDTH, FACE)
    assert flipped.points[FACE.points.index("R_Eyeball")].tolist() == [WIDTH - 120, 50]


def test_large_shapes_become_the_mean_shape(dotted: Sample, open_model: HumanModel) -> None:
    sample = posed_sample(dotted, open_model)
    assert sample.fit is not None
    betas = np.array([0.5, -3.5, *np.zeros(8)], np.float32)
    example = Prepare(joint_set=WHOLE, size=SIZE, augmentation=None).changed(
        replace(sample, fit=replace(sample.fit, betas=betas)), Draw()
    )
    assert not example["betas"].any()
    assert example["betas_valid"]


def test_an_item_depends_on_seed_epoch_index_and_repeat_alone(dotted: Sample) -> None:
    def items(seed: int) -> PreparedSamples:
        prepare = Prepare(joint_set=WHOLE, size=SIZE, augmentation=Augmentation())
        return PreparedSamples(samples=[dotted] * 4, prepare=prepare, seed=seed, starts=(0, 3))

    one, other = items(0), items(0)
    first = [one[i, epoch, 0] for epoch in (0, 1) for i in range(4)]
    again = [other[i, epoch, 0] for epoch in (1, 0) for i in (3, 1, 2, 0)]
    for a, b in ((0, 7), (1, 5), (4, 3), (7, 0)):
        for key, value in first[a].items():
            assert torch.equal(value, again[b][key]), key
    affines = [example["affine"] for example in [*first, items(1)[0, 0, 0], one[0, 0, 1]]]
    assert all(not torch.equal(a, b) for i, a in enumerate(affines) for b in affines[:i])
    assert [int(example["group"]) for example in first[:4]] == [0, 0, 0, 1]
    assert [int(example["index"]) for example in first[:4]] == [0, 1, 2, 3]


def test_draws_stay_in_the_published_ranges() -> None:
    random = np.random.default_rng(0)
    draws = [Draw.at_random(Augmentation(), random) for _ in range(4000)]
    scales, turns = np.array([draw.scale for draw in draws]), np.degrees([draw.turn for draw in draws])
    colors = np.array([draw.color for draw in draws])
    assert scales.min() == 0.75 and scales.max() == 1.25 and abs(scales.mean() - 1) < 0.01
    assert turns.max() == pytest.approx(60) and turns.min() == pytest.approx(-60)
    assert np.mean(turns != 0) == pytest.approx(0.6, abs=0.03)
    assert np.mean([draw.flip for draw in draws]) == pytest.approx(0.5, abs=0.03)
    assert 0.8 <= colors.min() < 0.805 and 1.195 < colors.max() <= 1.2


def test_without_augmentation_nothing_is_random(dotted: Sample) -> None:
    prepare = Prepare(joint_set=WHOLE, size=SIZE, augmentation=None)
    first, second = (prepare(dotted, np.random.default_rng(seed)) for seed in (1, 2))
    assert all(torch.equal(value, second[key]) for key, value in first.items())


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_picture_that_is_cut_short_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"half{suffix}"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8))
    prepare = Prepare(joint_set=WHOLE, size=SIZE, augmentation=None)
    prepare.changed(empty_sample(path, WHOLE), Draw())
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(SampleError, match=r"dots/1: .*half"):
        prepare.changed(empty_sample(path, WHOLE), Draw())


def test_what_cannot_be_used_is_named(tmp_path: Path, dotted: Sample) -> None:
    prepare = Prepare(joint_set=WHOLE, size=SIZE, augmentation=None)
    with pytest.raises(SampleError, match=r"dots/1: .*missing.jpg cannot be read .*No such file"):
        prepare.changed(replace(dotted, image=tmp_path / "missing.jpg"), Draw())
    (tmp_path / "text.jpg").write_text("<html>not found</html>")
    with pytest.raises(SampleError, match=r"dots/1: .*text.jpg \(22 bytes\) is no picture"):
        prepare.changed(replace(dotted, image=tmp_path / "text.jpg"), Draw())
    with pytest.raises(SampleError, match=r"the box .* is empty"):
        prepare.changed(replace(dotted, box=np.array([5, 5, 5, 9], np.float32)), Draw())
    dotted.points[4] = np.nan
    with pytest.raises(SampleError, match="dots/1: points holds a number that is not finite"):
        prepare.changed(dotted, Draw())
