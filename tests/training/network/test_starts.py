"""First weights from files in the published layouts, written here."""

import pickle  # noqa: TID251 - a file that must not be run
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

from safetensors.torch import save_file  # noqa: E402

from pose2pose.backend.model.backbones import IMAGENET  # noqa: E402
from pose2pose.training.network.build import build_network  # noqa: E402
from pose2pose.training.network.settings import NetworkConfig  # noqa: E402
from pose2pose.training.network.starts import StartError  # noqa: E402

TINY: dict[str, Any] = {
    "body_resnet": 18, "hand_resnet": 18, "face_resnet": 18, "input_size": (128, 64), "body_size": (64, 32),
    "hand_size": (32, 32), "face_size": (32, 32), "width": 0.0625,
}  # fmt: skip


def build(**changes: Any) -> Any:
    return build_network(NetworkConfig(**{**TINY, **changes}))


@pytest.fixture(scope="module")
def resnet() -> Any:
    torch.manual_seed(3)
    return torchvision.models.resnet18(weights=None).eval()


def features(resnet: Any, pictures: Any) -> Any:
    """torchvision's own forward up to the last map."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in IMAGENET)
    hidden = resnet.maxpool(resnet.relu(resnet.bn1(resnet.conv1((pictures - mean) / std))))
    for stage in (resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4):
        hidden = stage(hidden)
    return hidden


def test_a_torchvision_resnet_becomes_the_backbone_of_every_branch(tmp_path: Path, resnet: Any) -> None:
    file = tmp_path / "resnet18-f37072fd.pth"
    torch.save(resnet.state_dict(), file)
    network = build(body_start=str(file), hand_start=str(file), face_start=str(file)).eval()
    pictures = torch.rand(1, 3, 64, 32)
    for backbone in (network.body.position.backbone, network.hand.position.backbone, network.face.backbone):
        torch.testing.assert_close(backbone(pictures), features(resnet, pictures))


@pytest.mark.slow
@pytest.mark.parametrize("nested", [False, True])
def test_a_2d_pose_resnet_is_read_without_its_head(tmp_path: Path, resnet: Any, nested: bool) -> None:
    """Xiao et al.'s layout: a plain state dictionary, or what a training on several GPUs wraps."""
    state = {name: value for name, value in resnet.state_dict().items() if not name.startswith("fc.")}
    state |= {"deconv_layers.0.weight": torch.rand(512, 256, 4, 4), "final_layer.bias": torch.rand(17)}
    if nested:
        state = {"state_dict": {f"module.{name}": value for name, value in state.items()}}
    file = tmp_path / "pose_resnet_50_256x192.pth.tar"
    torch.save(state, file)
    pictures = torch.rand(1, 3, 64, 32)
    for changes in ({}, {"part": "body"}, {"initial": "upsampled"}):
        network = build(body_start=str(file), **changes).eval()
        network = getattr(network, "network", network)
        position = network.position if changes.get("part") else network.body.position
        backbone = getattr(position.backbone, "backbone", position.backbone)
        torch.testing.assert_close(backbone(pictures), features(resnet, pictures))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["weights", "checkpoint", "averaged"])
def test_a_hand_trained_alone_starts_the_hand_branch(tmp_path: Path, kind: str) -> None:
    torch.manual_seed(4)
    alone = build(part="hand")
    file = tmp_path / ("hand.safetensors" if kind == "weights" else "step_00000012.pt")
    if kind == "weights":
        save_file(alone.state_dict(), file)
    elif kind == "checkpoint":
        torch.save({"network": alone.state_dict(), "step": 12, "average": None}, file)
    else:
        average = torch.optim.swa_utils.AveragedModel(alone).state_dict()
        torch.save({"network": build(part="hand").state_dict(), "step": 12, "average": average}, file)
    pictures = torch.rand(2, 3, 32, 32)
    branch = build(hand_start=str(file)).hand.eval()
    alone.eval()
    wanted = alone(pictures)
    positions, _, rotations = branch.right_hands(pictures)
    torch.testing.assert_close(positions.points, wanted.positions.points)
    torch.testing.assert_close(rotations, wanted.rotations[:, 1:])  # the wrist is the body's business
    again = build(part="hand", hand_start=str(file)).eval()
    torch.testing.assert_close(again(pictures).betas, wanted.betas)


@pytest.mark.slow
def test_a_hand_of_another_configuration_or_for_another_branch_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "hand.safetensors"
    save_file(build(part="hand").state_dict(), file)
    with pytest.raises(StartError, match="another configuration"):
        build(hand_start=str(file), rotation_inputs=("positions-3d",))
    with pytest.raises(StartError, match="only be the start of a hand"):
        build(face_start=str(file))
    with pytest.raises(StartError, match="hand_start is given"):
        build(part="face", hand_start=str(file))


def test_a_resnet_of_another_depth_is_refused(tmp_path: Path, resnet: Any) -> None:
    file = tmp_path / "resnet18.pth"
    torch.save(resnet.state_dict(), file)
    with pytest.raises(StartError, match=r"resnet18\.pth.*another ResNet"):
        build(part="face", face_resnet=50, face_start=str(file))
    with pytest.raises(StartError, match="another ResNet"):
        build(part="face", face_resnet=10, face_start=str(file))


def test_files_that_are_no_weights_are_refused(tmp_path: Path) -> None:
    other, words, missing = (tmp_path / name for name in ("other.pth", "words.pth", "missing.pth"))
    torch.save({"encoder.weight": torch.rand(3)}, other)
    words.write_text("no weights")
    with pytest.raises(StartError, match=r"other\.pth is no ResNet.*'encoder\.weight'"):
        build(part="face", face_start=str(other))
    for file in (words, missing):
        with pytest.raises(StartError, match=file.stem):
            build(part="face", face_start=str(file))


class Surprise:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("ran"),)


def test_nothing_in_a_file_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"conv1.weight": Surprise()}, tmp_path / "zip.pth")
    (tmp_path / "old.pth").write_bytes(pickle.dumps({"conv1.weight": Surprise()}, protocol=2))
    for name in ("zip.pth", "old.pth"):
        with pytest.raises(StartError, match=name):
            build(part="face", face_start=name)
    assert not (tmp_path / "ran").exists()
