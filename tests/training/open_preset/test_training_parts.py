"""The hand and face training from end to end, tiny: it runs, learns, and writes weights that load."""

from dataclasses import replace

import pytest
import torch

from pose2pose.backend.body.layer import BodyLayer
from pose2pose.backend.model.hand import hand_vector
from pose2pose.backend.model.presets import preset
from pose2pose.backend.model.regions import points_to_image
from pose2pose.backend.motion.body_file import load_body
from pose2pose.backend.weights import load_part
from pose2pose.training.open_preset import face, face_head, hand, hand_head, hand_tuning, hand_views
from pose2pose.training.open_preset.parts import option_parser, remembered, written
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
    short = ["--people", "0", "--tuning-seconds", "2", "--corrector-seconds", "1"] if name == "hand" else []
    module.main(["--seconds", "2", "--renders", "24", "-o", str(tmp_path), *short])
    assert "held-out" in capsys.readouterr().out
    open_preset = preset("open")
    branch = {"hand": open_preset.build_hand, "face": open_preset.build_face}[name]()
    metadata = load_part(branch, tmp_path / f"open_{name}.safetensors", "open")
    assert metadata["seed"] == "0" and metadata["part"] == name


def test_options_can_be_typed_again(tmp_path):
    options = option_parser("hand", renders=5, seconds=60).parse_args(["--seed", "3", "-o", str(tmp_path)])
    assert written(options) == "--renders 5 --seconds 60 --seed 3"


def some_views(count: int, generator: torch.Generator) -> hand_views.HandViews:
    """Maps of noise; the published network says a third of the palm too far right."""
    points = 112 + 30 * torch.randn(count, 21, 3, generator=generator)
    points[:, 0] = torch.tensor([112.0, 200.0, 0.0])
    ones = torch.ones(count)
    maps = torch.rand(count, 112, 14, 14, generator=generator).half()
    still = torch.eye(3).expand(count, 15, 3, 3)
    return hand_views.HandViews(maps, points, still, ones.bool(), ones, points + torch.tensor([20.0, 0, 0]), ones)


def test_a_hand_turned_and_scaled_keeps_its_points_on_it():
    """A cross painted at each point is found where the moved points say."""
    generator = torch.Generator().manual_seed(0)
    images = torch.zeros(4, 3, 224, 224)
    points = torch.zeros(4, 21, 3)
    points[..., :2] = 70 + 84 * torch.rand(4, 21, 2, generator=generator)
    points[:, 1:, :2] = points[:, :1, :2]  # one place only: the picture is a single blot
    for image, place in zip(images, points[:, 0].long(), strict=True):
        image[:, place[1] - 6 : place[1] + 7, place[0] - 6 : place[0] + 7] = 1
    shape = torch.eye(3).expand(4, 15, 3, 3)
    moved = hand_views.moved(generator, hand_views.labelled(images, points, shape))
    rows = torch.arange(224).float() + 0.5
    mass = moved.images[:, 0] / moved.images[:, 0].sum((1, 2), keepdim=True)
    center = torch.stack([(mass.sum(1) * rows).sum(1), (mass.sum(2) * rows).sum(1)], dim=1)
    assert (center - moved.points[:, 0, :2]).abs().max() < 2.5
    assert (moved.points[:, 0, :2] - points[:, 0, :2]).abs().max() > 5


def test_hands_of_people_are_labelled_in_the_crops_of_the_network(layer):
    """The mirrored left hand's points lie on the crop as the right hand's do."""
    generator = torch.Generator().manual_seed(0)
    angle = torch.tensor([0.3, -0.4])
    boxes = torch.tensor([[100.0, 150, 80, 80, 0], [300, 160, 60, 60, 0]]).repeat(2, 1, 1)
    boxes[..., 4] = angle
    picture = 10 + 80 * torch.rand(2, 21, 3, generator=generator)
    crop = hand_views.points_in(boxes[:, 0], picture)
    back = points_to_image(crop[..., :2], boxes[:, 0], hand_views.SIZE)
    assert torch.allclose(back, picture[..., :2], atol=1e-3)
    assert torch.allclose(crop[..., 2], picture[..., 2] * 224 / 80)


def test_rendered_hands_teach_depth_and_footage_does_not():
    views = some_views(8, torch.Generator().manual_seed(0))
    said = preset("open").build_hand().position.backbone.late(views.maps.float())
    deeper = torch.tensor([0.0, 0.0, 25.0])
    at_truth = replace(said, points=views.points, presence=torch.ones(8))
    assert hand_tuning.rendered_loss(at_truth, views) < 1e-5
    assert hand_tuning.rendered_loss(replace(at_truth, points=views.points + deeper), views) > 0.02
    held = replace(said, points=views.said + deeper, presence=torch.ones(8))
    assert hand_tuning.held_loss(held, views) < 1e-5
    assert hand_tuning.held_loss(replace(held, points=views.points), views) > 0.02


def test_hidden_hands_teach_presence_only():
    views = some_views(8, torch.Generator().manual_seed(0))
    hidden = replace(views, known=torch.zeros(8).bool(), shown=torch.zeros(8))
    said = preset("open").build_hand().position.backbone.late(views.maps.float())
    unseen = replace(said, presence=torch.full((8,), 1e-6))
    assert hand_tuning.rendered_loss(unseen, hidden) < 1e-4
    assert hand_tuning.rendered_loss(replace(said, presence=torch.full((8,), 0.9)), hidden) > 0.3


@pytest.mark.slow
def test_tuning_changes_the_late_layers_and_the_corrector_learns_what_is_left():
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    position = preset("open").build_hand().eval().position
    rendered, real = some_views(64, generator), some_views(64, generator)
    silent = {"seed": 0, "report": lambda step, loss: None}
    early, late = position.backbone.stem.weight.clone(), position.backbone.points.weight.clone()
    assert hand_tuning.tune(position.backbone, rendered, real, seconds=2, **silent) > 0
    assert torch.equal(position.backbone.stem.weight, early)
    assert not torch.equal(position.backbone.points.weight, late)

    answers = hand_tuning.answers(position.backbone, rendered)
    shifted = answers[:, :63].view(-1, 21, 3) + torch.tensor([0.0, 0.0, 30.0])
    taught = replace(rendered, points=shifted)
    nothing = real.take(torch.zeros(64).bool())

    def left():
        return (position.corrector(answers[:, :63].view(-1, 21, 3), answers[:, 63:]) - shifted).abs().mean()

    before = left()
    assert hand_tuning.train_corrector(position, taught, nothing, seconds=4, **silent) > 0
    assert left() < 0.7 * before


def test_an_untrained_corrector_changes_nothing():
    corrector = preset("open").build_hand().position.corrector
    points = torch.rand(3, 21, 3) * 224
    assert torch.equal(corrector(points, torch.randn(3, 1152)), points)
