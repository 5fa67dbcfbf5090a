"""The hand and face training from end to end, tiny: it runs, learns, and writes weights that load."""

import pytest
import torch

from pose2pose.backend.body.layer import BodyLayer
from pose2pose.backend.model.hand import hand_vector
from pose2pose.backend.model.presets import preset
from pose2pose.backend.motion.body_file import load_body
from pose2pose.backend.weights import load_part
from pose2pose.training.open_preset import face, face_head, hand, hand_head
from pose2pose.training.open_preset.parts import remembered
from pose2pose.training.synthetic.hand_poses import hand_axes, sample_hand_poses


@pytest.fixture(scope="module")
def layer():
    return BodyLayer(load_body())


def test_mean_of_rotations_is_a_rotation_between_them():
    angle = torch.tensor(0.6)
    turn = torch.tensor([[angle.cos(), -angle.sin(), 0], [angle.sin(), angle.cos(), 0], [0, 0, 1]])
    mean = hand_head.mean_rotations(torch.stack([torch.eye(3), turn])[:, None].repeat(1, 15, 1, 1))
    half = torch.atan2(mean[0, 1, 0], mean[0, 0, 0])
    assert half.item() == pytest.approx(0.3, abs=1e-4)


def test_finger_model_moves_only_below_the_bent_joint(layer):
    model = hand_head.FingerModel(layer)
    rotations = torch.eye(3).repeat(1, 15, 1, 1)
    bent = rotations.clone()
    bent[0, 1] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))  # the index's middle joint
    moved = (model.points(bent) - model.points(rotations)).norm(dim=2)[0] > 1e-6
    assert not moved[[0, 1, 2, 3, 4, 5, 6]].any() and not moved[9:].any()


def test_imagined_hands_need_no_picture(layer):
    generator = torch.Generator().manual_seed(0)
    axes = hand_axes(load_body())
    vectors, rotations = hand_head.imagine(generator, axes, hand_head.FingerModel(layer), torch.zeros(3, 63), 32)
    assert vectors.shape == (32, 63) and rotations.shape == (32, 15, 3, 3)
    assert vectors.view(32, 21, 3)[:, 0].abs().max() < 1e-6


@pytest.mark.slow
def test_head_learns_rotations_from_points_alone(layer):
    torch.manual_seed(0)
    axes, model = hand_axes(load_body()), hand_head.FingerModel(layer)
    branch = preset("open").build_hand().eval()
    rotations = sample_hand_poses(torch.Generator().manual_seed(1), axes, 300)
    points = model.points(rotations) * 1000
    seen = hand_head.Observations(points, torch.randn(300, 21, 112).half(), torch.ones(300), rotations, points)
    before = hand_head.evaluate(branch, seen, hand_head.mean_rotations(rotations), model)
    assert hand_head.train_head(branch, seen, axes, model, seconds=4, seed=0, report=lambda step, loss: None) > 0
    after = hand_head.evaluate(branch, seen, hand_head.mean_rotations(rotations), model)
    assert after["true_points_wrist_mm"] < 0.75 * before["true_points_wrist_mm"]
    assert hand_vector(points).shape == (300, 63)


def test_face_model_equals_the_body(layer):
    model = face_head.FaceModel(layer, count=50)
    angle = torch.tensor(0.4)
    jaw = torch.eye(3)[None]
    jaw[0, 1:, 1:] = torch.tensor([[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]])
    expression = torch.zeros(1, 10)
    expression[0, 0] = 1
    moved = model.vertices(jaw, expression) - model.vertices(torch.eye(3)[None], torch.zeros(1, 10))
    assert 0.005 < moved.norm(dim=2).max() < 0.08
    assert face_head.jaw_degrees(jaw).item() == pytest.approx(22.9, abs=0.1)
    assert model.unit_weights().max() == 1


def test_dropped_features_change_nothing_any_more():
    branch = preset("open").build_hand().eval()
    torch.nn.init.normal_(branch.rotation.mlp.injection.linear.weight)
    vectors, features = torch.randn(2, 63), torch.randn(2, 21, 112)
    plain = hand_head.predict(branch, vectors, torch.zeros_like(features))
    assert not torch.allclose(hand_head.predict(branch, vectors, features), plain)
    hand_head.drop_features(branch)
    assert torch.equal(hand_head.predict(branch, vectors, features), plain)


def test_observations_are_made_once_for_the_same_key(tmp_path):
    made = []

    def make():
        made.append(1)
        return hand_head.Observations(*(torch.full((2, 3), float(len(made))) for _ in range(5)))

    path = tmp_path / "observations.safetensors"
    first, again, other = (remembered(path, key, hand_head.Observations, make) for key in ("a", "a", "b"))
    assert torch.equal(first.points, again.points) and len(made) == 2
    assert other.points.max() == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hand", "face"])
def test_training_command_writes_weights_that_load(name, tmp_path, capsys):
    module = {"hand": hand, "face": face}[name]
    module.main(["--seconds", "2", "--renders", "24", "-o", str(tmp_path)])
    assert "held-out" in capsys.readouterr().out
    open_preset = preset("open")
    branch = {"hand": open_preset.build_hand, "face": open_preset.build_face}[name]()
    metadata = load_part(branch, tmp_path / f"open_{name}.safetensors", "open")
    assert metadata["seed"] == "0" and metadata["part"] == name
