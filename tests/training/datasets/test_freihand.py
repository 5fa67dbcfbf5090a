"""FreiHAND as the authors parsed it: hands written in its layout are read back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose2pose.training.body_models.joint_sets import HAND
from pose2pose.training.checkpoint import load_checkpoint
from pose2pose.training.config import load_config
from pose2pose.training.datasets.freihand import FreiHandEvaluation, FreiHandTraining
from pose2pose.training.datasets.report import MissingDataError
from pose2pose.training.learning.hand_first import hand_training
from pose2pose.training.network.build import build_network
from pose2pose.training.pictures import crop_affine, to_crop
from pose2pose.training.train import train

Write = Callable[[Path, Any], None]
SIDE = 224
HANDS = 3
LENS = {"focal": [480.0, 482.0], "princpt": [112.0, 110.0]}


def image(number: int, split: str) -> dict[str, Any]:
    name = f"{split}/rgb/{number:08d}.jpg"
    return {"id": number, "file_name": name, "width": SIDE, "height": SIDE, "db_idx": number % HANDS}


@pytest.fixture()
def root(tmp_path: Path, hand: Any, write_json: Write, write_picture: Callable[[Path, int, int], None]) -> Path:
    """Two versions (backgrounds) of three hands, and three more to evaluate on."""
    data, people = tmp_path / "data", [hand.person(place=(0.02 * k, 0.01, 0.6)) for k in range(HANDS)]
    images = [image(number, "training") for number in range(2 * HANDS)]
    annotations = [
        {"id": 100 + i["id"], "image_id": i["id"], "bbox": [20, 30, 150, 140] if i["id"] != 5 else [300, 30, 50, 50]}
        for i in images
    ]
    write_json(data / "freihand_train_coco.json", {"images": images, "annotations": annotations})
    fits = [
        {"mano_param": {"pose": p.pose.ravel(), "shape": p.betas, "trans": p.trans}, "cam_param": LENS} for p in people
    ]
    write_json(data / "freihand_train_data.json", {str(k): fit for k, fit in enumerate(fits)})
    for i in images:
        write_picture(data / i["file_name"], SIDE, SIDE)

    images = [image(number, "evaluation") for number in reversed(range(HANDS))]
    annotations = [{"id": i["id"], "image_id": i["id"], "bbox": [0, 0, 10, 10]} for i in images]
    write_json(data / "freihand_eval_coco.json", {"images": images, "annotations": annotations})
    write_json(data / "freihand_eval_data.json", {str(k): {"cam_param": LENS} for k in range(HANDS)})
    write_json(data / "evaluation_xyz.json", [p.points for p in people])
    write_json(data / "evaluation_verts.json", [np.full((778, 3), float(k)) for k in range(HANDS)])
    boxes = [{"image_id": k, "bbox": [-10, 20, 200, 200], "root_cam": [0, 0, 1]} for k in (2, 1)]
    write_json(tmp_path / "rootnet_output" / "bbox_root_freihand_output.json", boxes)
    for i in images:
        write_picture(data / i["file_name"], SIDE, SIDE)
    return tmp_path


def test_fits_are_those_of_the_hands_in_every_version(root: Path, hand: Any) -> None:
    samples = FreiHandTraining(root=root, joint_set=HAND, mean_pose=hand.mean)
    assert len(samples) == 5
    assert samples.skipped == {"empty box": 1}
    for index, db in enumerate((0, 1, 2, 0, 1)):
        fit = samples[index].fit
        assert fit is not None and samples[index].image.exists()
        place = hand.fit_points(fit)[0]
        np.testing.assert_allclose(place, (0.02 * db, 0.01, 0.6), atol=1e-5)
        assert fit.rotations_valid.all() and fit.points_valid.all() and fit.betas_valid and not fit.expression_valid
        assert np.abs(fit.rotations[1:].mean()) > 0 and not np.allclose(fit.rotations[1:], 0)
        assert not samples[index].points_valid.any()  # only the fit supervises
    first, other = samples[0].fit, samples[3].fit
    assert first is not None and other is not None
    np.testing.assert_array_equal(first.rotations, other.rotations)


def test_the_mean_hand_is_added_to_the_fingers(root: Path, hand: Any) -> None:
    with_mean = FreiHandTraining(root=root, joint_set=HAND, mean_pose=hand.mean)[0].fit
    without = FreiHandTraining(root=root, joint_set=HAND, mean_pose=np.zeros((16, 3), np.float32))[0].fit
    assert with_mean is not None and without is not None
    np.testing.assert_allclose(with_mean.rotations - without.rotations, hand.mean, atol=1e-6)
    assert np.abs(hand.mean[1:]).max() > 0.1


def test_boxes_of_the_detector_are_neither_clipped_nor_grown_again(root: Path) -> None:
    samples = FreiHandEvaluation(root=root, joint_set=HAND)
    assert len(samples) == 2
    assert samples.skipped == {"no box of the detector": 1}
    affine = crop_affine(samples[0].box, (256, 256))
    np.testing.assert_allclose(
        to_crop(np.array([[-9.5, 20.5], [190.5, 220.5]]), affine), [[0, 0], [256, 256]], atol=1e-3
    )


def test_truth_belongs_to_the_picture(root: Path) -> None:
    samples = FreiHandEvaluation(root=root, joint_set=HAND)
    for index, db in enumerate((1, 2)):
        truth = samples.truth(index)
        assert truth.points is not None and truth.vertices is not None
        assert truth.points.shape == (21, 3)
        np.testing.assert_allclose(truth.points[0], (0.02 * db, 0.01, 0.6), atol=1e-5)
        assert (truth.vertices == db).all()
        assert samples[index].image.name == f"{db:08d}.jpg"


def test_what_is_missing_is_listed(root: Path) -> None:
    (root / "data" / "evaluation_xyz.json").unlink()
    with pytest.raises(MissingDataError, match=r"evaluation_xyz.json: joints; from the FreiHAND page"):
        FreiHandEvaluation(root=root, joint_set=HAND)


@pytest.mark.slow
def test_a_hand_network_learns_from_it_and_is_the_start_of_a_hand_branch(root: Path, model_folder: Path) -> None:
    small = ["+reduced", "network.hand_size=[32, 32]", "network.width=0.125"]
    data = [f"data.root={root.parent}", f'data.train=[{{name="freihand", folder="{root.name}"}}]', "data.workers=0"]
    changes = [*small, *data, f"models.folder={model_folder}", "schedule.batch=5", "schedule.epochs=2"]
    network = load_config("paper", small).network
    first = hand_training("hand_pretraining", network, changes, 0, root / "runs")
    assert first is not None
    assert train(load_config(first.name, first.changes), first.run) == 0

    whole = build_network(load_config("paper", [*small, f"network.hand_start={first.weights}"]).network)
    learnt = load_checkpoint(first.run / "checkpoints" / "step_00000002.pt")["network"]
    branch = whole.hand.state_dict()
    shared = [name for name in branch if name in learnt and branch[name].shape == learnt[name].shape]
    assert len(shared) > len(branch) / 2
    for name in shared:
        np.testing.assert_allclose(branch[name], learnt[name], atol=2e-3, err_msg=name)
    np.testing.assert_allclose(
        branch["rotation.linear.bias"], learnt["rotation.linear.bias"][6:], atol=2e-3, err_msg="the wrist is left out"
    )
