"""3DPW in the authors' layout and as released, written from people of two genders and read back."""

import pickle  # noqa: TID251 - writes what the data set is released as
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose2pose.backend.motion.rotations import matrix_from_axis_angle
from pose2pose.training.body_models.joint_sets import BODY, PW3D_LABELS
from pose2pose.training.datasets.pw3d import PW3D
from pose2pose.training.datasets.pw3d_sequences import PW3DSequences
from pose2pose.training.datasets.report import MissingDataError

Write = Callable[[Path, Any], None]
FRAMES = 4
WIDTH, HEIGHT = 1080, 1920
FOCAL = (1962.0, 1969.0)


@pytest.fixture(scope="module")
def actors(model_folder: Path, body: Any) -> dict[str, Any]:
    """A studio of each gender's SMPL."""
    from pose2pose.training.body_models.human_models import build_human_model

    return {
        gender: type(body)(build_human_model("body", model_folder, gender=gender), seed)
        for seed, gender in enumerate(("male", "female"))
    }


@pytest.fixture(scope="module")
def mesh(actors: dict[str, Any]) -> Callable[[Any], Any]:
    return lambda fit: actors[fit.gender].mesh(fit)


def whole_pose(person: Any) -> Any:
    """72 numbers; the hands of SMPL stay at rest."""
    return np.concatenate([person.pose, np.zeros((2, 3))]).ravel()


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory, actors: Any, lens: Any, write_json: Write) -> tuple[Path, Any]:
    """A man, a woman, and one whose box is empty; R and t beside a fit that is in camera axes already."""
    root, people, annotations = tmp_path_factory.mktemp("PW3D"), {}, []
    for number, gender in ((10, "male"), (11, "female"), (12, "male")):
        people[number] = person = actors[gender].person()
        box = person.box(lens) if number != 12 else [5.0, 5.0, 0.0, 90.0]
        parameters = {"pose": whole_pose(person), "shape": person.betas, "trans": person.trans, "gender": gender}
        annotations.append({"id": number, "image_id": 3, "bbox": box, "smpl_param": parameters})
    camera = {**lens.as_json(), "R": np.diag([1, -1, -1]), "t": [1.0, 2.0, 3.0]}
    image = {"id": 3, "file_name": "image_00017.jpg", "sequence": "downtown_bar_00", "width": lens.width,
             "height": lens.height, "cam_param": camera, "frame_idx": 17}  # fmt: skip
    write_json(root / "data" / "3DPW_test.json", {"images": [image], "annotations": annotations})
    (root / "data" / "imageFiles").mkdir()
    return root, people


def test_fits_are_in_camera_axes(parsed: tuple[Path, Any], actors: Any, mesh: Any) -> None:
    root, people = parsed
    samples = PW3D(root=root, split="test", mesh=mesh)
    assert len(samples) == 2
    assert samples.skipped == {"empty box": 1}
    for index, (number, gender) in enumerate(((10, "male"), (11, "female"))):
        sample = samples[index]
        assert sample.fit is not None
        assert sample.fit.gender == gender
        np.testing.assert_allclose(actors[gender].fit_points(sample.fit), people[number].points, atol=1e-5)
        assert sample.fit.rotations_valid.all()
        assert not sample.points_valid.any()
        assert sample.image == root / "data" / "imageFiles" / "downtown_bar_00" / "image_00017.jpg"


def test_the_truth_is_the_mesh_of_the_gender(parsed: tuple[Path, Any], body: Any, mesh: Any) -> None:
    samples = PW3D(root=parsed[0], split="test", mesh=mesh)
    fit = samples[1].fit
    truth = samples.truth(1).vertices
    assert fit is not None
    assert truth is not None
    assert truth.shape == (6890, 3)
    heights = [np.ptp(vertices[:, 1]) for vertices in (truth, body.mesh(fit))]
    assert heights[0] < heights[1], "the woman's model is smaller than the neutral one"


def outside(person: Any, world: Any) -> Any:
    """(P, 3) points of the world -> of the camera."""
    return person.points @ world[:3, :3].T + world[:3, 3]


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory, actors: Any) -> tuple[Path, Any]:
    """Two actors, one with 300 betas; an invalid camera in the second frame of the first actor."""
    root = tmp_path_factory.mktemp("3DPW")
    cameras = np.tile(np.eye(4), (FRAMES, 1, 1))
    for frame, camera in enumerate(cameras):  # the world's y points up
        camera[:3, :3] = matrix_from_axis_angle(np.array([np.pi, 0.05 * frame, 0]))
        camera[:3, 3] = (0.1 * frame, 1.0, 5.0)
    matrix = np.array([[FOCAL[0], 0, WIDTH / 2], [0, FOCAL[1], HEIGHT / 2], [0, 0, 1]])
    people = {gender: [] for gender in actors}
    for gender, betas in (("male", np.full(10, 0.3)), ("female", np.full(10, -0.4))):
        for frame in range(FRAMES):
            place = (0.4, 0.9, 0.1 * frame) if (gender, frame) != ("female", 3) else (90.0, 0.0, 0.0)
            people[gender].append(actors[gender].person(place=place, root=(0.0, 0.2, 0.0), betas=betas))
    rows = [BODY.points.index(name) if name in BODY.points else None for name in PW3D_LABELS]

    def detected(person: Any, camera: Any) -> Any:
        seen = outside(person, camera) @ matrix.T
        pixels = seen[:, :2] / seen[:, 2:]
        return np.array([(0, 0, 0) if row is None else (*pixels[row], 0.8) for row in rows]).T  # 3 x 18

    sequence = {
        "sequence": "outdoors_fencing_01",
        "genders": ["m", "f"],
        "poses": [np.array([whole_pose(person) for person in people[gender]]) for gender in people],
        "trans": [np.array([person.trans for person in people[gender]]) for gender in people],
        "betas": [np.full(10, 0.3), np.concatenate([np.full(10, -0.4), np.full(290, 9.0)])],
        "poses2d": [np.array([detected(*pair) for pair in zip(people[g], cameras, strict=True)]) for g in people],
        "jointPositions": [np.array([np.resize(p.points, (24, 3)).ravel() for p in people[g]]) for g in people],
        "cam_poses": cameras,
        "cam_intrinsics": matrix,
        "campose_valid": [np.array([1, 0, 1, 1]), np.ones(FRAMES, int)],
        "img_frame_ids": np.arange(FRAMES),
    }
    file = root / "sequenceFiles" / "validation" / "outdoors_fencing_01.pkl"
    file.parent.mkdir(parents=True)
    file.write_bytes(pickle.dumps(sequence, protocol=2))
    (root / "imageFiles").mkdir()
    return root, people


def sequences(root: Path, actors: Any, mesh: Any, split: str = "validation") -> PW3DSequences:
    joints = {gender: studio.root_joint for gender, studio in actors.items()}
    return PW3DSequences(root=root, split=split, mesh=mesh, root_joints=joints)


def test_released_sequences_land_on_their_labels(released: tuple[Path, Any], actors: Any, mesh: Any) -> None:
    samples = sequences(released[0], actors, mesh)
    assert len(samples) == 2 * FRAMES - 2
    assert samples.skipped == {"no valid camera": 1, "empty box": 1}
    for index in range(len(samples)):
        sample = samples[index]
        assert sample.fit is not None
        actors[sample.fit.gender].check_labels(sample, tolerance=0.1)
        assert sample.points_valid.sum() == 17
    last = samples[len(samples) - 1]
    assert last.name == "3DPW outdoors_fencing_01/image_00002.jpg, person 1"
    assert last.image == released[0] / "imageFiles" / "outdoors_fencing_01" / "image_00002.jpg"
    np.testing.assert_allclose(last.fit.betas, -0.4, atol=1e-6)


def test_boxes_hold_the_joints(released: tuple[Path, Any], actors: Any, mesh: Any) -> None:
    sample = sequences(released[0], actors, mesh)[0]
    points = sample.points[sample.points_valid]
    assert (points > sample.box[:2]).all()
    assert (points < sample.box[2:]).all()
    assert np.ptp(points[:, 1]) < sample.box[3] - sample.box[1] < 1.6 * np.ptp(points[:, 1])


def test_the_truth_moves_with_the_camera(released: tuple[Path, Any], actors: Any, mesh: Any) -> None:
    samples = sequences(released[0], actors, mesh)
    vertices = samples.truth(0).vertices
    assert vertices is not None
    person = released[1]["male"][0]
    world = actors["male"].posed(person.pose, person.betas, np.zeros(10), person.trans).vertices[0].numpy()
    turn = matrix_from_axis_angle(np.array([np.pi, 0, 0]))
    np.testing.assert_allclose(vertices, world @ turn.T + (0.0, 1.0, 5.0), atol=1e-4)


def test_missing_files_say_where_they_are_from(tmp_path: Path, actors: Any, mesh: Any) -> None:
    with pytest.raises(MissingDataError, match=r"3DPW_test\.json: annotations; from .*authors"):
        PW3D(root=tmp_path, split="test", mesh=mesh)
    with pytest.raises(MissingDataError, match=r"sequences; from https"):
        sequences(tmp_path, actors, mesh, "test")
