"""Every published network is built at a small size: shapes, weights that differ from the paper's, gradients."""

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from pose2pose.backend.model.parts import PartOutput  # noqa: E402
from pose2pose.backend.model.presets import build, preset  # noqa: E402
from pose2pose.training.config import load_config  # noqa: E402
from pose2pose.training.config_files import CONFIGS_FOLDER  # noqa: E402
from pose2pose.training.datasets.catalog import loader_of  # noqa: E402
from pose2pose.training.network.build import build_network  # noqa: E402
from pose2pose.training.network.initial import TwoStageOutput  # noqa: E402
from pose2pose.training.network.settings import NetworkConfig  # noqa: E402

TINY = {
    "body_resnet": 10, "hand_resnet": 10, "face_resnet": 10, "input_size": (128, 96), "body_size": (64, 48),
    "hand_size": (32, 32), "face_size": (32, 32), "body_stride": 8, "hand_stride": 8, "width": 0.0625,
}  # fmt: skip
NAMES = sorted(path.stem for path in CONFIGS_FOLDER.glob("*.toml"))
SCALES = ("reduced", "ablation")
"""Files that are merged over experiments."""
WHOLE = [name for name in NAMES if load_config(name).network.part == "whole"]

BODY_MAPS, HAND_MAPS = "body.position.heatmaps", "hand.position.heatmaps"
REDUCTIONS = {"body.features.pooling.reduce", "hand.pooling.reduce"}
ROTATIONS = {"body.rotation.linear", "hand.rotation.linear"}
DIFFERENT: dict[str, tuple[set[str], set[str]]] = {
    "paper": (set(), set()),
    "reduced": (set(), set()),
    "ablation": (set(), set()),
    "hand4whole_detached": (set(), set()),
    "table10_body_crops": (set(), set()),
    "table1_gap": ({BODY_MAPS, HAND_MAPS, *REDUCTIONS}, {*ROTATIONS, "body.boxes.reduce"}),
    "table1_gap_ppp": (set(), ROTATIONS),
    "table3_pose2d": (REDUCTIONS, {*ROTATIONS, BODY_MAPS, HAND_MAPS}),
    "table3_pose3d": (REDUCTIONS, ROTATIONS),
    "table3_features": (set(), ROTATIONS),
    "table3_pose2d_features": (set(), {*ROTATIONS, BODY_MAPS, HAND_MAPS}),
    "table4_without_mcp": (set(), {"body.rotation.linear"}),
    "table6_without_pooling": (set(), ROTATIONS),
}
"""Modules of the paper's network that a variant lacks, and those whose weights have another shape in it."""


def settings(name: str, **changes: Any) -> NetworkConfig:
    """A published network at a size that runs in milliseconds."""
    network = load_config(name).network
    return NetworkConfig(**{**vars(network), **TINY, **changes})


def network_of(name: str, **changes: Any) -> Any:
    torch.manual_seed(0)
    return build_network(settings(name, **changes))


def pictures(config: NetworkConfig, batch: int = 2) -> Any:
    return torch.rand(batch, 3, *config.picture_size, generator=torch.Generator().manual_seed(0))


def modules(name: str) -> dict[str, Any]:
    """Shapes of the weights by their module's name."""
    shapes: dict[str, Any] = {}
    with torch.device("meta"):  # shapes without numbers
        state = network_of(name).state_dict()
    for key, value in state.items():
        shapes.setdefault(key.rpartition(".")[0], []).append(value.shape)
    return shapes


def gradient(module: Any) -> float:
    return sum(float(p.grad.abs().sum()) for p in module.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_network_says_everything_about_a_person(name: str) -> None:
    config = settings(name)
    out = network_of(name)(pictures(config))
    assert isinstance(out, TwoStageOutput) is (config.initial != "none")
    stages = [out.final, out.initial] if isinstance(out, TwoStageOutput) else [out]
    axes = 2 if "positions-2d" in config.rotation_inputs else 3
    placed = config.pooling != "gap"
    for stage in stages:
        assert stage.rotations.shape == (2, 55, 3, 3)
        torch.testing.assert_close(torch.linalg.det(stage.rotations), torch.ones(2, 55), atol=1e-4, rtol=0)
        assert stage.betas.shape == stage.expression.shape == (2, 10)
        assert stage.translation is not None and stage.translation.shape == (2, 3)
        assert stage.body_points.shape == (2, 25 if placed else 0, axes)
        hand_points = 21 if placed and "hand" in config.trained else 0
        assert stage.hand_points.shape[:3] == (2, 2, hand_points)
        assert stage.boxes.shape == (2, 3, 5)
        said = {name: value for name, value in vars(stage).items() if value is not None}
        assert set(vars(stage)) - set(said) == {"head_turn"}, "the paper's face branch says no rotation of the head"
        assert all(torch.isfinite(value).all() for value in said.values())


@pytest.mark.parametrize(
    ("name", "rotations", "joints"),
    [
        ("table7_body_smpl", 22, 25),
        ("table8_hand_mano", 16, 21),
        ("table8_hand_mano_resnet18", 16, 21),
        ("hand_pretraining", 16, 21),
        ("table9_face_flame", 2, None),
    ],
)
def test_a_part_alone_has_rotation_shape_and_translation_of_its_own(
    name: str, rotations: int, joints: int | None
) -> None:
    config = settings(name)
    out = network_of(name)(pictures(config))
    assert isinstance(out, PartOutput)
    assert out.rotations.shape == (2, rotations, 3, 3)
    assert out.betas.shape == (2, 10)
    assert (out.translation[:, 2] > 0.5).all()
    assert (out.expression is not None) is (config.part == "face")
    if out.positions is None:
        assert joints is None
    else:
        assert out.positions.points.shape == (2, joints, 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_weight_learns(name: str) -> None:
    """No branch is built that nothing trains: several processes would wait for its gradients."""
    network = network_of(name)
    out = network(pictures(settings(name)))
    stages = [out.final, out.initial] if isinstance(out, TwoStageOutput) else [out]
    values = [value for stage in stages for value in vars(stage).values() if isinstance(value, torch.Tensor)]
    if isinstance(out, PartOutput) and out.positions is not None:
        values.append(out.positions.points)
    sum(value.square().sum() for value in values if value.requires_grad).backward()  # type: ignore[union-attr]
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize("name", sorted(DIFFERENT))
def test_a_variant_differs_from_the_paper_in_the_named_modules_alone(name: str) -> None:
    paper, variant = modules("paper"), modules(name)
    without, changed = DIFFERENT[name]
    assert paper.keys() - variant.keys() == without
    assert not variant.keys() - paper.keys()
    assert {key for key in variant if variant[key] != paper[key]} == changed


def test_the_paper_has_the_weights_of_the_preset_and_of_the_architecture_in_the_paper() -> None:
    """ResNet-50 and -18 without classifiers; every other layer is counted from sections 3.1 to 3.3."""
    with torch.device("meta"):
        network, wanted = build_network(NetworkConfig()), build(preset("paper"))
    ours = {name: value.shape for name, value in network.state_dict().items()}
    assert ours == {name: value.shape for name, value in wanted.state_dict().items()}
    resnet50, resnet18, feature, pooled = 25_557_032 - 2_049_000, 11_689_512 - 513_000, 2048, 512
    reduce = feature * pooled + pooled
    body = resnet50 + (feature + 1) * 25 * 8 + reduce + ((25 + 8) * (3 + pooled) + 1) * 22 * 6 + (feature + 1) * 13
    boxes = ((feature + 25) * 9 + 1) * 256 + (256 * 9 + 1) * 3 + 3 * (feature + 1) * 2
    hand = resnet50 + (feature + 1) * 21 * 8 + reduce + (21 * (3 + pooled) + 1) * 15 * 6
    face = resnet18 + (512 + 1) * 16
    assert sum(parameter.numel() for parameter in network.parameters()) == body + boxes + hand + face


@pytest.mark.slow
def test_with_equal_weights_it_computes_what_the_preset_computes() -> None:
    torch.manual_seed(1)
    network, wanted = build_network(NetworkConfig()).eval(), build(preset("paper")).eval()
    wanted.load_state_dict(network.state_dict())
    picture = pictures(NetworkConfig(), batch=1)
    with torch.inference_mode():
        one, other = network(picture), wanted(picture)
    for name, value in vars(one).items():
        torch.testing.assert_close(value, getattr(other, name))


def test_rotations_train_the_positional_pose_as_the_paper_says_end_to_end() -> None:
    network = network_of("paper")
    network(pictures(settings("paper"))).rotations[:, :22, 0, 1].sum().backward()
    assert gradient(network.body.position.heatmaps) > 0
    assert gradient(network.hand.position.heatmaps) > 0  # through the MCP joints
    assert gradient(network.hand.position.backbone) > 0
    assert gradient(network.face) == 0
    assert gradient(network.body.boxes) == 0


def test_detached_positions_learn_from_their_own_loss_alone() -> None:
    network = network_of("hand4whole_detached")
    out = network(pictures(settings("hand4whole_detached")))
    (out.rotations[:, :, 0, 1].sum() + out.boxes.sum()).backward(retain_graph=True)
    assert gradient(network.body.position.heatmaps) == gradient(network.hand.position.heatmaps) == 0
    assert gradient(network.body.position.backbone) > 0  # features still learn
    assert gradient(network.hand.position.backbone) > 0
    (out.body_points.sum() + out.hand_points.sum()).backward()
    assert gradient(network.body.position.heatmaps) > 0
    assert gradient(network.hand.position.heatmaps) > 0


def test_boxes_learn_from_their_own_loss_alone() -> None:
    network = network_of("paper")
    out = network(pictures(settings("paper")))
    values = (out.rotations[..., 0, 1], out.betas, out.expression, out.translation, out.body_points, out.hand_points)
    sum(value.sum() for value in values).backward(retain_graph=True)
    assert gradient(network.body.boxes) == 0
    out.boxes.sum().backward()
    assert gradient(network.body.boxes.centers) > 0
    assert gradient(network.body.boxes.sizes) > 0


@pytest.mark.slow
def test_without_mcp_features_the_hands_say_nothing_about_the_wrists() -> None:
    for name, told in (("paper", True), ("table1_gap", True), ("table6_without_pooling", True),
                       ("table4_without_mcp", False), ("table2_body_only", False)):  # fmt: skip
        network = network_of(name)
        network(pictures(settings(name))).rotations[:, 20:22, 0, 1].sum().backward()
        assert (gradient(network.hand) > 0) is told, name


def test_a_body_alone_leaves_hands_and_face_at_rest() -> None:
    out = network_of("table2_body_only")(pictures(settings("table2_body_only")))
    assert torch.equal(out.rotations[:, 22:], torch.eye(3).expand(2, 33, 3, 3))
    assert not out.expression.any()
    assert not out.boxes.requires_grad
    assert not out.hand_scores.any()


@pytest.mark.slow
def test_refinement_starts_from_the_initial_parts_and_trains_them() -> None:
    """Only its last layer's small first weights stand between the two; a branch that starts anew is far away."""
    differences = {}
    for name in ("table2_initial", "table2_initial_refine"):
        network = network_of(name)
        out = network(pictures(settings(name)))
        differences[name] = float((out.final.rotations[:, 25:] - out.initial.rotations[:, 25:]).abs().mean().detach())
        torch.testing.assert_close(out.final.rotations[:, :22], out.initial.rotations[:, :22])
        out.final.rotations[:, 25:, 0, 1].sum().backward()
        assert (gradient(network.head) > 0) is (name == "table2_initial_refine")
    assert differences["table2_initial_refine"] < 0.3 * differences["table2_initial"]


def test_a_refined_left_hand_is_mirrored_on_the_way_in_and_back() -> None:
    network = network_of("table2_initial_refine")
    for parameter in network.network.hand.rotation.parameters():
        parameter.data.zero_()  # refines nothing
    out = network(pictures(settings("table2_initial_refine")))
    torch.testing.assert_close(out.final.rotations[:, 25:], out.initial.rotations[:, 25:])


def test_initial_hands_are_in_the_input_and_start_at_their_wrists() -> None:
    config = settings("table2_initial")
    out = network_of("table2_initial")(pictures(config))
    hands = out.initial.hand_points
    assert hands.shape == (2, 2, 21, 3)
    assert not hands[:, :, 0, 2].any()
    torch.testing.assert_close(hands[:, 0, 0, :2], 2 * out.final.body_points[:, 12, :2])
    torch.testing.assert_close(hands[:, 1, 0, :2], 2 * out.final.body_points[:, 13, :2])
    assert (hands[..., :2] >= 0).all() and (hands[..., 0] <= 96).all() and (hands[..., 1] <= 128).all()


def test_initial_parts_come_from_a_map_at_a_quarter_of_the_pictures_size() -> None:
    config = settings("table2_initial", body_stride=32, input_size=(256, 192), body_size=(128, 96))
    network = build_network(config)
    sighting = network.network.sight(pictures(config))
    assert sighting.positions.maps[0].shape[2:] == (32, 24)


def test_crops_of_the_downsampled_picture_have_lost_the_detail() -> None:
    """A checkerboard of single pixels is plain gray at half the size."""
    boxes = torch.tensor([[[48.0, 64.0, 32.0, 32.0, 0.0]]])
    board = ((torch.arange(128)[:, None] + torch.arange(96)) % 2).float().expand(1, 3, 128, 96)
    detail = {}
    for name in ("paper", "table10_body_crops"):
        detail[name] = float(network_of(name).cut(board, boxes, (32, 32)).std())
    assert detail["paper"] > 0.4
    assert detail["table10_body_crops"] < 1e-6


def test_both_kinds_of_crops_show_the_same_place() -> None:
    ramp = torch.arange(96).float().expand(1, 3, 128, 96) / 96
    boxes = torch.tensor([[[40.0, 64.0, 24.0, 48.0, 0.3]]])
    crops = [network_of(name).cut(ramp, boxes, (16, 16)) for name in ("paper", "table10_body_crops")]
    torch.testing.assert_close(crops[0], crops[1], atol=2e-3, rtol=0)


def test_two_dimensional_positions_have_no_depth_and_three_dimensional_ones_do() -> None:
    for name, axes in (("table3_pose2d", 2), ("table3_pose3d", 3)):
        network = network_of(name)
        assert network.body.encoding(torch.rand(2, 25, axes), torch.rand(2, 25)).shape == (2, 25 * axes)
        assert network.body.rotation.linear.in_features == (25 + 8) * axes


def test_another_size_of_pictures_is_refused_with_both_sizes() -> None:
    with pytest.raises(ValueError, match=r"\(B, 3, 128, 96\).*\(1, 3, 96, 128\)"):
        network_of("paper")(torch.rand(1, 3, 96, 128))


def test_every_config_names_its_command_in_its_first_line() -> None:
    for name in NAMES:
        first = Path(CONFIGS_FOLDER / f"{name}.toml").read_text(encoding="utf-8").splitlines()[0]
        assert (f" +{name}" if name in SCALES else f"# pose2pose-train train {name}") in first


def test_every_config_names_data_sets_that_have_labels_for_its_part() -> None:
    for name in NAMES:
        config = load_config(name)
        assert config.data.train and config.data.test
        for source in (*config.data.train, *config.data.test):
            assert config.network.part in loader_of(source, config.network.part).parts


def test_the_reduced_run_keeps_what_another_configuration_changes() -> None:
    for name in NAMES:
        full, small = load_config(name).network, load_config(name, ["+reduced"]).network
        for key in ("part", "pooling", "rotation_inputs", "mcp", "initial", "crops", "detach", "trained"):
            assert getattr(full, key) == getattr(small, key), (name, key)
        body, hand = small.branch_size, small.hand_size
        assert (body[0] // small.body_stride, body[1] // small.body_stride) == (8, 6)
        assert (hand[0] // small.hand_stride, hand[1] // small.hand_stride) == (8, 8)
