"""MSCOCO written in the layout of COCO-WholeBody and NeuralAnnot and read back, as people, hands and faces."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose2pose.training.augmentation import flip_sample
from pose2pose.training.body_models.joint_sets import COCO_LABELS, HAND, WHOLE, JointSet
from pose2pose.training.datasets.mscoco import MSCOCO
from pose2pose.training.datasets.report import MissingDataError

PARTS = {"left": slice(24, 45), "right": slice(45, 66), "face": slice(66, 134)}
KEYS = {"left": "lefthand", "right": "righthand", "face": "face"}
Write = Callable[[Path, Any], None]


def labels(joint_set: JointSet, person: Any, lens: Any) -> Any:
    """(134, 3): those labels that the joint set has, in the middle of pixels, v = 2."""
    found = np.zeros((134, 3))
    pixels = lens.project(person.points)
    for row, name in enumerate(COCO_LABELS):
        name = name.removesuffix("_Hand")
        if name in joint_set.points and name != "Pelvis":
            found[row] = (*pixels[joint_set.points.index(name)], 2)
    return found


def annotation(number: int, rows: Any, box: list[float], **changes: Any) -> dict[str, Any]:
    """An annotation with tight boxes around its parts; parts without labels are not valid."""
    result = {"id": number, "image_id": 1, "category_id": 1, "iscrowd": 0, "area": 1.0, "segmentation": [],
              "bbox": box, "num_keypoints": int((rows[:17, 2] > 0).sum()), "keypoints": rows[:17].ravel(),
              "foot_kpts": rows[18:24].ravel(), "foot_valid": True}  # fmt: skip
    for part, where in PARTS.items():
        seen = rows[where][rows[where, 2] > 0]
        tight = [*seen[:, :2].min(axis=0), *np.ptp(seen[:, :2], axis=0)] if len(seen) else [0.0] * 4
        result[f"{KEYS[part]}_kpts"] = rows[where].ravel()
        result[f"{KEYS[part]}_box"], result[f"{KEYS[part]}_valid"] = tight, len(seen) > 0
    return result | changes


def write_set(root: Path, annotations: list[Any], fits: Any, model: str, write: Write, lens: Any) -> Path:
    for split in ("train", "val"):
        (root / "images" / f"{split}2017").mkdir(parents=True, exist_ok=True)
        image = {"id": 1, "file_name": f"{581:012d}.jpg", "width": lens.width, "height": lens.height}
        file = root / "annotations" / f"coco_wholebody_{split}_v1.0.json"
        write(file, {"images": [image], "annotations": annotations})
    write(root / "annotations" / f"MSCOCO_train_{model}_NeuralAnnot.json", fits)
    return root


def smplx_parameters(person: Any) -> dict[str, Any]:
    pose = {"root_pose": person.pose[0], "body_pose": person.pose[1:22].ravel(), "jaw_pose": person.pose[22],
            "lhand_pose": person.pose[25:40].ravel(), "rhand_pose": person.pose[40:].ravel()}  # fmt: skip
    rest = {"expr": person.expression, "shape": person.betas, "trans": person.trans}
    return {**pose, **rest, "lhand_valid": True, "rhand_valid": True, "face_valid": True}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory, whole: Any, lens: Any, write_json: Write) -> Path:
    """The cases that the loader must tell apart, one annotation each."""
    annotations, fits = [], {}

    def add(number: int, rows: Any = None, parameters: Any = None, betas: Any = None, **changes: Any) -> None:
        person = whole.person(betas=betas)
        own = labels(WHOLE, person, lens)
        own = own if rows is None else rows(own)
        annotations.append(annotation(number, own, changes.pop("bbox", person.box(lens)), **changes))
        values = smplx_parameters(person)
        if parameters is not None:
            values = parameters(values)
        if values:
            fits[str(number)] = {"smplx_param": values, "cam_param": lens.as_json()}

    def unseen(*names: str, part: slice = slice(0)) -> Any:
        def change(rows: Any) -> Any:
            rows[part] = 0
            rows[[COCO_LABELS.index(name) for name in names], 2] = 0
            return rows

        return change

    def half_seen(rows: Any) -> Any:
        rows[24:, 2] *= 0.17  # float scores, as whole-body parts may have
        return rows

    add(476384)
    add(2, parameters=lambda values: {})
    add(3, parameters=lambda values: values | {"lhand_valid": False})
    add(4, parameters=lambda values: values | {"face_valid": False})
    add(5, iscrowd=1)
    add(6, num_keypoints=0)
    add(7, bbox=[lens.width + 5.0, 20.0, 60.0, 100.0])
    add(8, bbox=[-30.0, 100.0, 800.0, 500.0])
    add(9, rows=half_seen)
    add(10, betas=np.array([3.4, *[0.1] * 9]))
    add(11, rows=unseen(part=PARTS["left"]),
        parameters=lambda values: {key: v for key, v in values.items() if "valid" not in key})  # fmt: skip
    add(12, rows=unseen("L_Hip", "Face_18"))
    return write_set(tmp_path_factory.mktemp("MSCOCO"), annotations, fits, "SMPLX_all", write_json, lens)


def opened(root: Path, studio: Any, split: str = "train") -> MSCOCO:
    return MSCOCO(root=root, split=split, joint_set=studio.model.joint_set, mean_pose=studio.mean)


def of(samples: MSCOCO, end: str) -> Any:
    return next(s for s in (samples[i] for i in range(len(samples))) if s.name.endswith(end))


@pytest.fixture(scope="module")
def train(people: Path, whole: Any) -> MSCOCO:
    return opened(people, whole)


def test_crowds_bodies_without_keypoints_and_empty_boxes_are_skipped(train: MSCOCO, people: Path, whole: Any) -> None:
    assert train.skipped == {"crowd": 1, "no keypoints": 1, "empty box": 1}
    assert len(train) == 9
    val = opened(people, whole, "val")
    assert val.skipped == {"empty box": 1}
    assert len(val) == 11
    assert all(val[i].fit is None for i in range(len(val)))
    assert val[0].image == people / "images" / "val2017" / "000000000581.jpg"


@pytest.mark.parametrize("number", [476384, 3, 4, 8, 9, 10, 11, 12])
def test_fits_with_their_mean_hand_land_on_the_labels(train: MSCOCO, whole: Any, number: int) -> None:
    whole.check_labels(of(train, f"annotation {number}"), made=("Pelvis", "Face_18"))


def test_a_complete_annotation_gives_132_points(train: MSCOCO) -> None:
    sample = of(train, "annotation 476384")
    absent = [name for name, valid in zip(WHOLE.points, sample.points_valid, strict=True) if not valid]
    assert absent == ["Neck", "Face_1", "Face_2", "Face_3", "Face_4"]
    assert not sample.points_3d_valid.any()
    assert sample.fit.points_valid.all()
    assert [i for i, valid in enumerate(sample.fit.rotations_valid) if not valid] == [23, 24]
    assert sample.fit.expression_valid
    assert sample.fit.gender == "neutral"
    pelvis = sample.points[[WHOLE.points.index(name) for name in ("L_Hip", "R_Hip")]].mean(axis=0)
    np.testing.assert_allclose(sample.points[0], pelvis, atol=1e-3)


def test_an_annotation_without_a_fit_keeps_its_labels(train: MSCOCO) -> None:
    sample = of(train, "annotation 2")
    assert sample.fit is None
    assert sample.points_valid.sum() == 132


@pytest.mark.parametrize(("number", "part"), [(3, "left_hand"), (11, "left_hand"), (4, "face")])
def test_a_part_that_was_not_fitted_trains_nothing(train: MSCOCO, number: int, part: str) -> None:
    fit = of(train, f"annotation {number}").fit
    points = next(p.points for p in WHOLE.parts if p.name == part)
    rotations = {"left_hand": slice(25, 40), "face": slice(22, 25)}[part]
    assert not fit.points_valid[points].any()
    assert not fit.rotations_valid[rotations].any()
    assert fit.points_valid.sum() == 137 - (points.stop - points.start)
    assert fit.expression_valid == (part != "face")
    assert fit.rotations_valid[rotations.stop : 22 if part == "left_hand" else 55].all()


def test_boxes_are_cut_at_the_border_and_parts_have_theirs(train: MSCOCO, lens: Any) -> None:
    np.testing.assert_allclose(of(train, "annotation 8").box, [0.5, 100.5, lens.width - 0.5, lens.height - 0.5])
    sample = of(train, "annotation 476384")
    hand = sample.points[[*range(45, 65), WHOLE.points.index("R_Wrist")]]
    np.testing.assert_allclose(sample.regions[1], [*hand.min(axis=0), *hand.max(axis=0)], atol=1e-3)
    assert sample.regions_valid.all()
    lost = of(train, "annotation 11")
    assert lost.regions_valid.tolist() == [False, True, True]
    assert not lost.regions[0].any()


def test_visibility_above_zero_counts_and_the_nose_stands_in_for_its_tip(train: MSCOCO) -> None:
    assert of(train, "annotation 9").points_valid.sum() == 132
    sample = of(train, "annotation 12")
    place = {name: i for i, name in enumerate(WHOLE.points)}
    assert not sample.points_valid[[place["Pelvis"], place["L_Hip"]]].any()
    assert sample.points_valid[place["Face_18"]]
    np.testing.assert_array_equal(sample.points[place["Face_18"]], sample.points[place["Nose"]])


def test_large_shapes_stay_as_they_were_fitted(train: MSCOCO) -> None:
    """The examples' target becomes the mean shape (`transforms`); posed as fitted, the person fits the picture."""
    np.testing.assert_allclose(of(train, "annotation 10").fit.betas[0], 3.4)


def test_bodies_take_fits_of_smpl(tmp_path: Path, body: Any, lens: Any, write_json: Write) -> None:
    person = body.person()
    pose = np.concatenate([person.pose, np.zeros((2, 3))]).ravel()
    values = {"pose": pose, "shape": person.betas, "trans": person.trans}
    rows = labels(body.model.joint_set, person, lens)
    fits = {"1": {"smpl_param": values, "cam_param": lens.as_json()}}
    annotations = [annotation(1, rows, person.box(lens))]
    samples = opened(write_set(tmp_path, annotations, fits, "SMPL", write_json, lens), body)
    body.check_labels(samples[0], made=("Pelvis",))
    assert samples[0].points_valid.sum() == 32
    assert samples[0].fit is not None
    assert samples[0].fit.rotations_valid.all()


def test_faces_take_fits_of_flame(tmp_path: Path, face: Any, lens: Any, write_json: Write) -> None:
    person = face.person(place=(0.05, 0.0, 0.8))
    keys = {"root_pose": person.pose[0], "jaw_pose": person.pose[1], "shape": person.betas}
    values = {**keys, "expr": person.expression, "trans": person.trans}
    rows = labels(face.model.joint_set, person, lens)
    fits = {str(number): {"flame_param": values, "cam_param": lens.as_json()} for number in (1, 2)}
    shown, hidden = (annotation(k, rows, [10.0, 10.0, 90.0, 90.0], num_keypoints=5) for k in (1, 2))
    hidden["face_valid"] = False
    samples = opened(write_set(tmp_path, [shown, hidden], fits, "FLAME", write_json, lens), face)
    assert len(samples) == 1
    face.check_labels(samples[0])
    assert samples[0].points_valid.tolist() == [False] * 5 + [True] * 68
    np.testing.assert_allclose(samples[0].box[:2], rows[PARTS["face"], :2].min(axis=0) + 0.5, atol=1e-3)


def test_left_hands_are_mirrored_right_ones(tmp_path: Path, hand: Any, lens: Any, write_json: Write) -> None:
    right = hand.person(place=(0.1, 0.05, 0.7))
    mirror = np.array([-1.0, 1.0, 1.0])
    rows = np.zeros((134, 3))
    rows[PARTS["right"]] = np.c_[lens.project(right.points), np.full(21, 2)]
    rows[PARTS["left"]] = np.c_[lens.project(right.points * mirror), np.full(21, 1)]
    kept = {"pose": right.pose.ravel(), "shape": right.betas, "trans": right.trans}
    turned = kept | {"pose": (right.pose * -mirror).ravel(), "trans": right.trans * mirror}
    both = {side: {"mano_param": p, "cam_param": lens.as_json()} for side, p in (("left", turned), ("right", kept))}
    annotations = [annotation(number, rows, [10.0, 10.0, 90.0, 90.0], num_keypoints=3) for number in (1, 2)]
    fits = {"1": both, "2": {"left": None, "right": both["right"]}}
    samples = opened(write_set(tmp_path, annotations, fits, "MANO", write_json, lens), hand)
    assert [samples[i].mirrored for i in range(len(samples))] == [True, False] * 2
    hand.check_labels(samples[1])
    hand.check_labels(flip_sample(samples[0], lens.width, HAND))
    assert samples[2].fit is None
    assert samples[2].points_valid.all()


def test_missing_annotations_say_where_they_are_from(tmp_path: Path, whole: Any) -> None:
    with pytest.raises(MissingDataError, match=r"coco_wholebody_train_v1\.0\.json.*COCO-WholeBody"):
        opened(tmp_path, whole)
