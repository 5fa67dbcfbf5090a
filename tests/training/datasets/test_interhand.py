"""InterHand2.6M: both hands before several cameras, written in its layout (world, millimeters), are read back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pose2pose.backend.motion.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from pose2pose.training.body_models.joint_sets import HAND, INTERHAND_LABELS
from pose2pose.training.datasets.fitted_meshes import root_joint_of
from pose2pose.training.datasets.interhand import InterHand
from pose2pose.training.transforms import Draw, Prepare

Write = Callable[[Path, Any], None]
CAMERAS = [f"4002{k:02d}" for k in range(24)]
TO_CAMERA = matrix_from_axis_angle(np.array([0.3, -0.5, 0.2]))
PLACE = np.array([-0.02, 0.01, 0.12]) - TO_CAMERA.T @ (0, 0, 0.7)
"""Of the camera in the world, meters: it looks at the hands."""
MIRROR = np.array([-1, 1, 1])


@pytest.fixture()
def root(tmp_path: Path, hand: Any, lens: Any, write_json: Write) -> Path:
    """Frame 7 shows both hands, frame 9 a right hand alone; the left hand is the mirror image of a right one."""
    right, other = hand.person(place=(0.05, 0.02, 0.1)), hand.person(place=(0.09, 0.0, 0.15))
    order = [HAND.points.index(name) for name in INTERHAND_LABELS]
    both = np.concatenate([right.points[order], other.points[order] * MIRROR])
    left = {"pose": (other.pose * -MIRROR).ravel(), "shape": other.betas, "trans": other.trans * MIRROR}
    fits = {"right": {"pose": right.pose.ravel(), "shape": right.betas, "trans": right.trans}, "left": left}
    images = [
        {"id": f * 100 + c, "file_name": f"Capture0/pose/cam{CAMERAS[c]}/image{f}.jpg", "width": 640, "height": 480,
         "capture": 0, "subject": 1, "seq_name": "pose", "camera": CAMERAS[c], "frame_idx": f}
        for f in (7, 9) for c in range(24)
    ]  # fmt: skip
    valid = {7: [1] * 42, 9: [1] * 21 + [0] * 21}
    valid[7][3] = 0
    annotations = [
        {"id": i["id"], "image_id": i["id"], "bbox": [0, 0, 100, 100],
         "joint_valid": [[v] for v in valid[i["frame_idx"]]],
         "hand_type": "interacting" if i["frame_idx"] == 7 else "right"}
        for i in images
    ]  # fmt: skip
    folder, start = tmp_path / "annotations" / "train", "InterHand2.6M_train"
    write_json(folder / f"{start}_data.json", {"images": images, "annotations": annotations})
    cameras = {key: dict.fromkeys(CAMERAS, value) for key, value in
               {"campos": PLACE * 1000, "camrot": TO_CAMERA, **lens.as_json()}.items()}  # fmt: skip
    write_json(folder / f"{start}_camera.json", {"0": cameras})
    write_json(folder / f"{start}_joint_3d.json", {"0": {str(f): {"world_coord": both * 1000} for f in (7, 9)}})
    write_json(folder / f"{start}_MANO_NeuralAnnot.json", {"0": {"7": fits, "9": {"right": None, "left": None}}})
    for i in images:
        path = tmp_path / "images" / "train" / i["file_name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros((480, 640, 3), np.uint8))
    return tmp_path


@pytest.fixture()
def samples(root: Path, hand: Any) -> InterHand:
    return InterHand(
        root=root, split="train", joint_set=HAND, mean_pose=hand.mean, root_joint=root_joint_of(hand.model)
    )


def test_every_second_of_24_cameras_is_trained_on(samples: InterHand) -> None:
    assert len(samples) == 12 * (2 + 1)
    assert [sample.mirrored for sample in (samples[0], samples[1])] == [False, True]
    assert not samples.skipped


def test_labels_and_fit_of_the_right_hand_agree(samples: InterHand, hand: Any) -> None:
    sample = samples[0]
    assert sample.fit is not None
    hand.check_labels(sample)
    np.testing.assert_allclose(
        hand.fit_points(sample.fit)[sample.points_3d_valid], sample.points_3d[sample.points_3d_valid], atol=1e-5
    )
    assert np.flatnonzero(~sample.points_valid).tolist() == [HAND.points.index("Thumb_1")]
    assert samples[24].fit is None


def test_the_mirrored_left_hand_is_a_right_one(samples: InterHand, hand: Any) -> None:
    """The example of a left hand: its parameters, posed by the right model, fall onto its labels."""
    example = Prepare(joint_set=HAND, size=(256, 256), augmentation=None).changed(samples[1], Draw())
    rows = (example[key].numpy() for key in ("fit_rotations", "betas", "expression", "fit_trans"))
    points = hand.posed(*rows).points[0].numpy()
    pixels = points[:, :2] / points[:, 2:] * example["focal"].numpy() + example["principal_point"].numpy()
    affine = example["affine"].numpy()
    valid = example["points_valid"].numpy()
    assert valid.all()
    np.testing.assert_allclose(pixels @ affine[:, :2].T + affine[:, 2], example["points"], atol=0.05)
    np.testing.assert_allclose(points, example["points_3d"], atol=1e-5)


def test_the_box_surrounds_the_valid_joints(samples: InterHand) -> None:
    sample = samples[0]
    points = sample.points[sample.points_valid]
    low, high = points.min(axis=0), points.max(axis=0)
    middle, size = (sample.box[:2] + sample.box[2:]) / 2, sample.box[2:] - sample.box[:2]
    np.testing.assert_allclose(middle, (low + high) / 2, atol=1)
    np.testing.assert_allclose(size, 1.5 * (high - low), atol=2)


def test_the_wrist_of_the_hand_is_where_the_camera_sees_it(samples: InterHand) -> None:
    world = np.array([0.05, 0.02, 0.1])
    np.testing.assert_allclose(samples[0].points_3d[0], TO_CAMERA @ (world - PLACE), atol=1e-5)
    assert np.allclose(axis_angle_from_matrix(TO_CAMERA), [0.3, -0.5, 0.2])
