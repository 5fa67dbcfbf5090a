"""Human3.6M written in the authors' layout and read back: worlds in millimeters, four cameras, frames off the grids."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose2pose.backend.motion.rotations import matrix_from_axis_angle
from pose2pose.training.body_models.joint_sets import BODY, H36M_LABELS, WHOLE
from pose2pose.training.datasets.human36m import Human36M
from pose2pose.training.datasets.report import MissingDataError, missing

FRAMES = (0, 3, 5, 64, 128)
SUBJECTS = (1, 5, 6, 7, 8, 9, 11)
STANDING = (np.pi / 2, 0.0, 0.0)
"""Root rotation in a world whose z points up."""
WIDTH, HEIGHT = 1000, 1002


def camera(number: int) -> dict[str, Any]:
    """One of four around the room, looking at its middle: R, t in millimeters, f, c."""
    facing = matrix_from_axis_angle(np.array([np.pi / 2, 0, 0]))  # y down, z to the front
    around = matrix_from_axis_angle(np.array([0, 0, np.pi / 2 * number]))
    return {
        "R": facing.T @ around,
        "t": np.array([40.0 * number, 900.0, 5000.0 + 100 * number]),
        "f": np.array([1145.0, 1143.0 + number]),
        "c": np.array([512.5, 515.0 - number]),
    }


def mocap(studio: Any, person: Any, places: dict[str, int]) -> Any:
    """17 joints in millimeters; those that no model has lie at the pelvis."""
    return np.stack([person.points[places.get(name, 0)] for name in H36M_LABELS]) * 1000


def parameters(person: Any, model: str) -> dict[str, Any]:
    if model == "SMPL":
        pose = np.concatenate([person.pose, np.zeros((2, 3))]).ravel()
        return {"pose": pose, "shape": person.betas, "trans": person.trans}
    pose = {"root_pose": person.pose[0], "body_pose": person.pose[1:22].ravel()}
    return {**pose, "shape": person.betas, "trans": person.trans}


def write_subject(root: Path, subject: int, studio: Any, write: Callable[[Path, Any], None], model: str) -> Any:
    """Its four files; the people by frame."""
    joint_set = studio.model.joint_set
    places = {name: joint_set.points.index(name) for name in H36M_LABELS if name in joint_set.points}
    people = {}
    for frame in FRAMES:
        person = studio.person(place=(0.3, 0.1 * subject, 0.9), root=STANDING)
        pose = person.pose.copy()
        pose[22:] = 0
        people[frame] = studio.remade(pose, person.betas, np.zeros(10), person.trans)
    images, annotations = [], []
    for number in (1, 2, 3, 4):
        for frame in FRAMES:
            folder = f"s_{subject:02d}_act_02_subact_01_ca_{number:02d}"
            place = {"subject": subject, "action_idx": 2, "subaction_idx": 1, "cam_idx": number, "frame_idx": frame}
            file = {"file_name": f"{folder}/{folder}_{frame + 1:06d}.jpg", "width": WIDTH, "height": HEIGHT}
            images.append({"id": len(images), **file, **place, "action_name": "Directions"})
            box = [1200.0, 10.0, 50.0, 80.0] if (subject, number, frame) == (5, 2, 0) else [300.0, 200.0, 400.0, 600.0]
            annotations.append({"id": 7000 + len(annotations), "image_id": len(annotations), "bbox": box,
                                "keypoints_vis": [True] * 17})  # fmt: skip
    joints = {str(frame): mocap(studio, person, places) for frame, person in people.items()}
    fits = {str(f): parameters(person, model) for f, person in people.items() if (subject, f) != (6, 5)}
    start = root / "annotations" / f"Human36M_subject{subject}"
    write(Path(f"{start}_data.json"), {"images": images, "annotations": annotations})
    write(Path(f"{start}_camera.json"), {str(number): camera(number) for number in (1, 2, 3, 4)})
    write(Path(f"{start}_joint_3d.json"), {"2": {"1": joints}})
    if subject not in (9, 11):
        write(Path(f"{start}_{model}_NeuralAnnot.json"), {"2": {"1": fits}})
    return people


def written(root: Path, studio: Any, write: Callable[[Path, Any], None], model: str) -> tuple[Path, Any]:
    (root / "images").mkdir()
    return root, {subject: write_subject(root, subject, studio, write, model) for subject in SUBJECTS}


@pytest.fixture(scope="module")
def of_smplx(tmp_path_factory: pytest.TempPathFactory, whole: Any, write_json: Any) -> tuple[Path, Any]:
    return written(tmp_path_factory.mktemp("Human36M"), whole, write_json, "SMPLX")


@pytest.fixture(scope="module")
def train(of_smplx: tuple[Path, Any], whole: Any) -> Human36M:
    return opened(of_smplx[0], whole, "train")


def opened(root: Path, studio: Any, split: str) -> Human36M:
    return Human36M(
        root=root,
        split=split,
        joint_set=studio.model.joint_set,
        mean_pose=studio.mean,
        root_joint=studio.root_joint,
    )


def of(samples: Human36M, *parts: str) -> Any:
    return next(s for s in (samples[i] for i in range(len(samples))) if all(part in s.name for part in parts))


def test_every_fifth_frame_of_all_cameras_is_trained_on(train: Human36M, of_smplx: tuple[Path, Any]) -> None:
    assert len(train) == 5 * 4 * 2 - 1
    assert train.skipped == {"empty box": 1}
    folder = "s_01_act_02_subact_01_ca_03"
    sample = of(train, f"{folder}_000006.jpg")  # frame 5
    assert sample.image == of_smplx[0] / "images" / folder / f"{folder}_000006.jpg"
    assert not any("000004" in train[i].name for i in range(len(train)))


def test_labels_are_motion_capture_in_meters_before_the_camera(train: Human36M, of_smplx: tuple[Path, Any]) -> None:
    for number in (1, 2, 3, 4):
        sample, lens = of(train, f"s_07_act_02_subact_01_ca_{number:02d}_000006"), camera(number)
        person = of_smplx[1][7][5]
        seen = person.points @ lens["R"].T + lens["t"] / 1000
        known = sample.points_3d_valid
        assert [name for name, valid in zip(WHOLE.points, known, strict=True) if valid] == [
            name for name in WHOLE.points if name in H36M_LABELS
        ]
        np.testing.assert_allclose(sample.points_3d[known], seen[known], atol=1e-5)
        pixels = seen[:, :2] / seen[:, 2:] * lens["f"] + lens["c"] + 0.5
        np.testing.assert_allclose(sample.points[known], pixels[known], atol=1e-3)
        assert not sample.points_3d[~known].any()


def test_fits_of_the_world_land_on_the_labels_of_each_camera(train: Human36M, whole: Any) -> None:
    for number in (1, 2, 3, 4):
        sample = of(train, f"s_08_act_02_subact_01_ca_{number:02d}_000006")
        known = sample.points_3d_valid
        np.testing.assert_allclose(whole.fit_points(sample.fit)[known], sample.points_3d[known], atol=1e-4)
        whole.check_labels(sample)


def test_masks_of_a_body_alone(train: Human36M, whole: Any) -> None:
    fit = of(train, "s_01", "ca_01_000006").fit
    off = [name for name, valid in zip(WHOLE.rotations[:22], fit.rotations_valid[:22], strict=True) if not valid]
    assert off == ["left_ankle", "right_ankle", "left_wrist", "right_wrist"]
    assert not fit.rotations_valid[22:].any()
    feet = {f"{side}_{name}" for side in "LR" for name in ("Big_toe", "Small_toe", "Heel")}
    expected = [name in WHOLE.points[:25] and name not in feet for name in WHOLE.points]
    np.testing.assert_array_equal(fit.points_valid, expected)
    assert fit.betas_valid
    assert not fit.expression_valid
    np.testing.assert_array_equal(fit.rotations[25:], whole.mean[25:])


def test_a_frame_without_a_fit_keeps_its_labels(train: Human36M) -> None:
    sample = of(train, "s_06", "ca_01_000006")
    assert sample.fit is None
    assert sample.points_3d_valid.sum() == sample.points_valid.sum() == 14
    assert not sample.regions_valid.any()


def test_the_test_is_every_64th_frame_of_camera_4_against_motion_capture(
    of_smplx: tuple[Path, Any], whole: Any
) -> None:
    test = opened(of_smplx[0], whole, "test")
    assert len(test) == 2 * 3
    assert all("ca_04" in test[i].name for i in range(len(test)))
    index = next(i for i in range(len(test)) if "s_11" in test[i].name and "000065" in test[i].name)
    lens, person = camera(4), of_smplx[1][11][64]
    truth = test.truth(index).points
    assert truth is not None
    hip = WHOLE.points.index("R_Hip")
    np.testing.assert_allclose(truth[1], person.points[hip] @ lens["R"].T + lens["t"] / 1000, atol=1e-5)
    assert truth.shape == (17, 3)


def test_fits_of_smpl_land_on_the_labels(tmp_path: Path, body: Any, write_json: Any) -> None:
    root, _ = written(tmp_path, body, write_json, "SMPL")
    train = opened(root, body, "train")
    sample = of(train, "s_05", "ca_04_000006")
    body.check_labels(sample)
    assert [name for name, valid in zip(BODY.points, sample.fit.points_valid, strict=True) if valid] == [
        name for name in BODY.points if name in WHOLE.points[:25] and "toe" not in name and "Heel" not in name
    ]


def test_missing_files_are_listed_with_their_origin(tmp_path: Path, whole: Any) -> None:
    absent = missing(Human36M.sources(root=tmp_path, split="train", joint_set=WHOLE))
    assert len(absent) == 1 + 5 * 4
    with pytest.raises(MissingDataError, match=r"subject8_SMPLX_NeuralAnnot\.json: fits of SMPLX.*authors"):
        opened(tmp_path, whole, "train")
