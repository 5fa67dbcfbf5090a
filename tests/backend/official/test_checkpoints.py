"""Reading, recognizing and writing the checkpoints of the authors."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pose2pose.backend.official.checkpoints import read_checkpoint, with_hand, write_checkpoint
from pose2pose.backend.official.released_models import RELEASED
from pose2pose.backend.weights import WeightsError

SaveCheckpoint = Callable[..., Path]


class Payload:
    """Unpickled carelessly, it makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.target,))


@pytest.mark.parametrize("name", sorted(RELEASED))
def test_a_checkpoint_is_recognized(save_checkpoint: SaveCheckpoint, name: str) -> None:
    checkpoint = read_checkpoint(save_checkpoint(name))
    assert checkpoint.model.name == name
    assert list(checkpoint.tensors) == list(RELEASED[name].expected())
    assert len(checkpoint.sha256) == 64


def test_every_name_is_translated_once() -> None:
    for model in RELEASED.values():
        theirs = [model.theirs(name) for name in model.expected()]
        assert len(set(theirs)) == len(theirs)


def test_the_first_differing_names_are_told(save_checkpoint: SaveCheckpoint) -> None:
    def change(network: dict[str, torch.Tensor]) -> None:
        del network["module.backbone.conv1.weight"]
        network["module.rotation_net.pose_out.0.weight"] = torch.zeros(90, 7)
        network["module.extra"] = torch.zeros(1)

    with pytest.raises(WeightsError) as caught:
        read_checkpoint(save_checkpoint("pose2pose_hand", change))
    for words in (
        "none of the authors' 4 models",
        "nearest to pose2pose_hand, but 3 names differ",
        "backbone.conv1.weight is missing",
        "rotation_net.pose_out.0.weight is (90, 7), expected (90, 10815)",
        "extra is unknown",
    ):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"state_dict": {}}, r"the keys \['state_dict'\]"),
        ({"network": {"a": 1}}, r"the keys \['network'\]"),
        ({"network": {"a": torch.zeros(2, 2).to_sparse()}}, r"the keys \['network'\]"),
        ({"network": {"a": torch.zeros(2, dtype=torch.complex64)}}, r"the keys \['network'\]"),
        ([torch.zeros(1)], "no dictionary"),
        ({"network": {}}, "none of the authors' 4 models"),
    ],
)
def test_another_file_of_pytorch_is_refused(tmp_path: Path, content: object, words: str) -> None:
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=words):
        read_checkpoint(tmp_path / "other.pth")


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("place", ["alone", "optimizer", "network"])
def test_nothing_of_a_malicious_checkpoint_is_run(tmp_path: Path, place: str, legacy: bool) -> None:
    made = tmp_path / "made_by_the_checkpoint"
    payload = Payload(made)
    content: object = payload if place == "alone" else {"network": {}, "optimizer": {}, place: {"module.a": payload}}
    path = tmp_path / "snapshot_6.pth.tar"
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(WeightsError) as caught:
        read_checkpoint(path)
    assert not made.exists()
    assert "nothing of it was run" in str(caught.value)
    assert "\n" not in str(caught.value)
    torch.load(path, weights_only=False)
    assert made.exists(), "the payload works, so the test can fail"


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.99, 0.9999])
@pytest.mark.parametrize("legacy", [False, True])
def test_a_cut_off_checkpoint_is_told(tmp_path: Path, share: float, legacy: bool) -> None:
    whole = io.BytesIO()
    content = {"epoch": 6, "network": {"module.a": torch.rand(300, 300)}, "optimizer": {}}
    torch.save(content, whole, _use_new_zipfile_serialization=not legacy)
    path = tmp_path / "cut.pth.tar"
    path.write_bytes(whole.getvalue()[: int(share * len(whole.getvalue()))])
    with pytest.raises(
        WeightsError, match=r"cut\.pth\.tar is damaged or no PyTorch checkpoint \(.*download it again"
    ) as e:
        read_checkpoint(path)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("junk", "words"),
    [
        (b"hello", "it begins with b'hello'"),
        (b"", "it is empty"),
        (b"\n<!DOCTYPE html><html>Google Drive", "a web page"),
        (b"\x80\x04.", "a pickle of something else"),
        (b"PK\x03\x04" + bytes(100), "a zip file of something else"),
        (b"\x80\x02]q\x00" * 9, "a pickle of something else"),
        (bytes(5000), "it begins with"),
    ],
)
def test_junk_is_told(tmp_path: Path, junk: bytes, words: str) -> None:
    (tmp_path / "junk.pth.tar").write_bytes(junk)
    with pytest.raises(WeightsError, match=rf"junk\.pth\.tar.*{words}"):
        read_checkpoint(tmp_path / "junk.pth.tar")


def test_values_that_are_not_finite_are_told(save_checkpoint: SaveCheckpoint) -> None:
    def spoil(network: dict[str, torch.Tensor]) -> None:
        network["module.regressor.expr_out.0.bias"] = torch.full((10,), torch.nan)

    path = save_checkpoint("pose2pose_face", spoil)
    with pytest.raises(WeightsError, match=r"not finite, in regressor\.expr_out\.0\.bias; take another snapshot"):
        read_checkpoint(path)


def test_a_zip_and_a_missing_file_are_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(WeightsError, match=r"pictures\.zip is damaged or no PyTorch checkpoint"):
        read_checkpoint(tmp_path / "pictures.zip")
    with pytest.raises(WeightsError, match=r"no checkpoint .*snapshot_7\.pth\.tar; expected"):
        read_checkpoint(tmp_path / "snapshot_7.pth.tar")


def test_what_is_written_has_the_layout_of_the_authors(tmp_path: Path) -> None:
    model = RELEASED["pose2pose_face"]
    tensors = {name: torch.zeros((), dtype=value.dtype).expand(value.shape) for name, value in model.expected().items()}
    write_checkpoint(model, tensors, tmp_path / "out.pth.tar")
    content = torch.load(tmp_path / "out.pth.tar", weights_only=True)
    assert list(content) == ["epoch", "network", "optimizer"]
    assert all(name.startswith("module.") for name in content["network"])
    assert content["network"]["module.regressor.pose_out.0.weight"].shape == (12, 2048)
    assert [path.name for path in tmp_path.iterdir()] == ["out.pth.tar"]
    with pytest.raises(WeightsError, match="cannot write"):
        write_checkpoint(model, tensors, tmp_path / "nowhere" / "out.pth.tar")


@pytest.mark.slow
@torch.inference_mode()
def test_a_merged_network_sees_hands_as_the_hand_model_does(pseudo_random_network, pictures) -> None:
    """All but the wrist: where the joints are; and features, which are the convolutions' alone."""
    whole, hand = pseudo_random_network("hand4whole"), pseudo_random_network("pose2pose_hand")
    merged = RELEASED["hand4whole"].build().eval()
    merged.load_state_dict(with_hand(whole.state_dict(), hand.state_dict()))
    crops = pictures(2, (256, 256), 3)
    alone = hand(crops)
    positions, features, _ = merged.hand.right_hands(crops)
    torch.testing.assert_close(positions.points, alone.positions.points[:, 1:], atol=1e-4, rtol=0)
    torch.testing.assert_close(positions.scores, alone.positions.scores[:, 1:])
    expected = hand.pooling(alone.positions.maps, alone.positions.points)[:, 1:]
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=1e-4)
    changed = {name for name, value in merged.state_dict().items() if not torch.equal(value, whole.state_dict()[name])}
    assert changed
    assert all(name.startswith("hand.") and not name.startswith("hand.palms.") for name in changed)


@torch.inference_mode()
def test_merged_fingers_miss_only_what_the_wrist_said() -> None:
    model, hand_model = RELEASED["hand4whole"], RELEASED["pose2pose_hand"]
    hand = {name: torch.zeros(()).expand(value.shape) for name, value in hand_model.expected().items()}
    weight = torch.randn(90, 21 * 515)
    weight[:, :515] = 0  # the wrist says nothing
    hand["rotation.linears.1.weight"], hand["rotation.linears.1.bias"] = weight, torch.randn(90)
    whole = {name: torch.zeros(()).expand(value.shape) for name, value in model.expected().items()}
    merged = with_hand(whole, hand)
    vector = torch.randn(3, 21 * 515)
    expected = torch.nn.functional.linear(vector, weight, hand["rotation.linears.1.bias"])
    found = torch.nn.functional.linear(
        vector[:, 515:], merged["hand.rotation.linears.0.weight"], merged["hand.rotation.linears.0.bias"]
    )
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert {name: value.shape for name, value in merged.items()} == {
        name: value.shape for name, value in model.expected().items()
    }
