"""AGORA written as the authors' tools write it and read back, from the small pictures and from crops."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose2pose.training.body_models.joint_sets import WHOLE, WHOLE_HANDS
from pose2pose.training.datasets.agora import Agora
from pose2pose.training.datasets.report import MissingDataError

Write = Callable[[Path, Any], None]
FOCAL, CENTER = (2986.0, 2990.0), (1920.0, 1080.0)
NAME = "ag_trainset_3dpeople_bfh_archviz_5_10_cam02_00001"
CROP = np.array([[0.4, 0.0, -310.0], [0.0, 0.4, -120.0]])
"""From the middles of the large picture's pixels to those of a crop's."""


def pixels(person: Any) -> Any:
    return person.points[:, :2] / person.points[:, 2:] * FOCAL + CENTER


def around(points: Any) -> list[float]:
    low, high = points.min(axis=0), points.max(axis=0)
    size = (high - low) * 1.2
    return [*((low + high - size) / 2), *size]


def parameters(person: Any) -> dict[str, Any]:
    parts = {"global_orient": slice(0, 1), "body_pose": slice(1, 22), "jaw_pose": slice(22, 23),
             "leye_pose": slice(23, 24), "reye_pose": slice(24, 25), "left_hand_pose": slice(25, 40),
             "right_hand_pose": slice(40, 55)}  # fmt: skip
    pose = {key: person.pose[rows].ravel() for key, rows in parts.items()}
    return {**pose, "betas": person.betas, "expression": person.expression, "transl": person.trans}


@pytest.fixture(scope="module")
def agora(tmp_path_factory: pytest.TempPathFactory, whole: Any, write_json: Write) -> tuple[Path, Any]:
    """Complete, not valid, a child, outside of the picture, a hand outside of it; the first and the last have crops."""
    root = tmp_path_factory.mktemp("AGORA")
    data, people, annotations = root / "data", [], []
    for number in range(5):
        person = whole.person(place=(0.3 * number, 0.2, 4.0))
        people.append(person)
        boxes = {
            f"{side}hand_bbox": around(pixels(person)[list(hand)]) for side, hand in zip("lr", WHOLE_HANDS, strict=True)
        }
        files = {"smplx_param_path": f"smplx_params_cam/train_0/{NAME}/{number}.json",
                 "cam_param_path": f"cam_params/train_0/{NAME}.json"}  # fmt: skip
        annotations.append({"id": number, "image_id": 0, "person_id": number, **files, "gender": "female",
                            "kid": number == 2, "occlusion": 10.0, "is_valid": number != 1, "age": "31-50",
                            "ethnicity": "x", "bbox": around(pixels(person)), **boxes,
                            "face_bbox": around(pixels(person)[65:])})  # fmt: skip
        write_json(data / files["smplx_param_path"], parameters(person))
    annotations[3]["bbox"] = [4000.0, 0.0, 50.0, 50.0]
    annotations[4]["lhand_bbox"] = [-80.0, 0.0, 50.0, 50.0]
    write_json(data / "cam_params" / "train_0" / f"{NAME}.json", {"focal": FOCAL, "princpt": CENTER})
    image = {"id": 0, "file_name_3840x2160": f"3840x2160/train_0/{NAME}.png",
             "file_name_1280x720": f"1280x720/train_0/{NAME}_1280x720.png"}  # fmt: skip
    write_json(data / "AGORA_train_SMPLX.json", {"images": [image], "annotations": annotations})
    for number in (0, 4):
        crop = {"bbox_orig": [0, 0, 1, 1], "affine_mat": CROP, "resized_height": 512, "resized_width": 384}
        write_json(data / "images_3840x2160" / "train_0_crop" / f"{NAME}_person_id_{number}.json", crop)
    (data / "1280x720").mkdir()
    return root, people


def opened(root: Path, studio: Any, pictures: str) -> Agora:
    return Agora(root=root, split="train", pictures=pictures, mean_pose=studio.mean, mesh=studio.mesh)


def test_small_pictures(agora: tuple[Path, Any], whole: Any) -> None:
    samples = opened(agora[0], whole, "1280x720")
    assert samples.skipped == {"marked as not valid": 1, "child": 1, "empty box": 1}
    assert len(samples) == 2
    for sample, person in zip((samples[0], samples[1]), (agora[1][0], agora[1][4]), strict=True):
        assert sample.fit is not None
        np.testing.assert_allclose(whole.fit_points(sample.fit), person.points, atol=1e-5)
        np.testing.assert_allclose(whole.fit_pixels(sample.fit), pixels(person) / 3, atol=0.01)
        seen = pixels(person) / 3
        low, high = seen.min(axis=0), seen.max(axis=0)
        grown = np.array([(low + high) / 2 - 0.6 * (high - low), (low + high) / 2 + 0.6 * (high - low)])
        np.testing.assert_allclose(sample.box, np.clip(grown, 0, (1280, 720)).ravel(), atol=0.01)
        assert sample.image.name == f"{NAME}_1280x720.png"
    assert samples[0].regions_valid.all()
    assert samples[1].regions_valid.tolist() == [False, True, True]
    middle = samples[0].regions[1].reshape(2, 2).mean(axis=0)
    hand = pixels(agora[1][0])[list(WHOLE_HANDS[1])] / 3
    np.testing.assert_allclose(middle, (hand.min(axis=0) + hand.max(axis=0)) / 2, atol=0.01)


def test_everything_but_eyes_may_be_learnt_from_a_fit(agora: tuple[Path, Any], whole: Any) -> None:
    fit = opened(agora[0], whole, "1280x720")[0].fit
    assert fit is not None
    assert [WHOLE.rotations[i] for i in np.flatnonzero(~fit.rotations_valid)] == [
        "left_eye_smplhf",
        "right_eye_smplhf",
    ]
    assert fit.points_valid.all()
    assert fit.expression_valid
    assert fit.gender == "female"


def test_crops_carry_camera_and_boxes_along(agora: tuple[Path, Any], whole: Any) -> None:
    samples = opened(agora[0], whole, "crops")
    assert samples.skipped == {"marked as not valid": 1, "child": 1, "no crop": 1}
    sample, person = samples[0], agora[1][0]
    assert sample.fit is not None
    moved = (pixels(person) - 0.5) @ CROP[:, :2].T + CROP[:, 2] + 0.5
    np.testing.assert_allclose(whole.fit_pixels(sample.fit), moved, atol=0.01)
    low, high = moved.min(axis=0), moved.max(axis=0)
    np.testing.assert_allclose(sample.box[:2] + sample.box[2:], low + high, atol=0.02)
    np.testing.assert_allclose(sample.box[2:] - sample.box[:2], (high - low) * 1.2, rtol=1e-4)
    assert sample.image.name == f"{NAME}_person_id_0.png"


def test_the_truth_is_the_mesh(agora: tuple[Path, Any], whole: Any) -> None:
    samples = opened(agora[0], whole, "1280x720")
    truth = samples.truth(1).vertices
    assert truth is not None
    person = agora[1][4]
    wanted = whole.posed(person.pose + whole.mean, person.betas, person.expression, person.trans).vertices[0]
    np.testing.assert_allclose(truth, wanted.numpy(), atol=1e-5)


def test_what_is_missing_or_unknown_is_named(tmp_path: Path, whole: Any) -> None:
    with pytest.raises(MissingDataError, match=r"images_3840x2160: pictures; from .*agora"):
        opened(tmp_path, whole, "crops")
    with pytest.raises(ValueError, match=r"no pictures '4k'; choose one of 1280x720, crops"):
        opened(tmp_path, whole, "4k")
