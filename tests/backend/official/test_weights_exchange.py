"""Weights in, out and merged, and the sets they are kept in; mostly through the command."""

import shutil
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from pose2pose.backend.official.checkpoints import read_checkpoint, write_checkpoint
from pose2pose.backend.official.released_models import RELEASED
from pose2pose.backend.weights import WeightsError, find_weights, has_weights, load_network, save_tensors
from pose2pose.backend.weights_cli import add_weights_commands
from pose2pose.backend.weights_folders import DATA_VARIABLE, set_folder, user_folder
from pose2pose.backend.weights_sets import add_set, find_set, list_sets, remove_set, set_tensors, verify_set

SaveCheckpoint = Callable[..., Path]


def run(*arguments: object) -> int:
    """`pose2pose weights ...`; errors as they are."""
    parser = ArgumentParser(prog="pose2pose")
    add_weights_commands(parser.add_subparsers(required=True))
    options = parser.parse_args(["weights", *map(str, arguments)])
    return int(options.run(options))


@pytest.fixture
def face(user_data: Path, save_checkpoint: SaveCheckpoint) -> str:
    """The smallest model, imported under the name `face`."""
    assert run("import", save_checkpoint("pose2pose_face"), "--name", "face") == 0
    return "face"


def test_import_list_show_verify_remove(
    user_data: Path, save_checkpoint: SaveCheckpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save_checkpoint("pose2pose_face")
    run("import", path)
    assert str(user_data / "weights" / "pose2pose_face") in capsys.readouterr().out
    run("list")
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == ["open", "pose2pose_face"]
    run("show", "pose2pose_face")
    shown = capsys.readouterr().out
    for words in (
        "preset: pose2pose_face",
        "body: flame",
        "flat_hand_mean: false",
        "license: MIT",
        "body model, FLAME, has a license of its own",
        f"source_sha256: {read_checkpoint(path).sha256}",
    ):
        assert words in shown
    assert run("verify", "pose2pose_face") == 0
    assert run("verify", "open") == 0
    run("remove", "pose2pose_face")
    assert [weights.name for weights in list_sets()] == ["open"]
    assert list((user_data / "weights").iterdir()) == []


def test_names_are_taken_once_and_are_names(face: str, save_checkpoint: SaveCheckpoint) -> None:
    path = save_checkpoint("pose2pose_face")
    with pytest.raises(WeightsError, match=r"already are weights called 'face'.*weights remove face"):
        run("import", path, "--name", face)
    for name in ("../evil", "a/b", "", ".hidden", "a b", "trailing.", "x" * 101):
        with pytest.raises(WeightsError, match="letters, digits"):
            run("import", path, "--name", name)
    with pytest.raises(WeightsError, match="package's own weights are called 'open'; choose another --name"):
        run("import", path, "--name", "open")
    assert [entry.name for entry in user_folder().iterdir()] == [face]


def test_unknown_names_and_the_package_are_not_removed(face: str) -> None:
    with pytest.raises(WeightsError, match="no imported weights are called 'nobody'; there are: face"):
        remove_set("nobody")
    with pytest.raises(WeightsError, match="part of the package"):
        remove_set("open")
    with pytest.raises(WeightsError, match="no imported weights"):
        remove_set("../weights/face")
    with pytest.raises(WeightsError, match="no weights are called 'nobody'; there are: open, face"):
        find_set("nobody")


def test_damage_is_found(face: str, capsys: pytest.CaptureFixture[str]) -> None:
    (file,) = find_set(face).files
    content = bytearray(file.path.read_bytes())
    content[-1000] ^= 1
    file.path.write_bytes(content)
    assert run("verify", face) == 1
    assert "was changed since it was written; import it again" in capsys.readouterr().out
    file.path.write_bytes(content[:500])
    assert run("verify", face) == 1
    assert "is not a readable safetensors file" in capsys.readouterr().out
    run("list")
    file.path.unlink()
    assert verify_set(find_set(face)) == [f"{set_folder(face)} holds no weights"]


def test_values_that_are_not_finite_are_not_stored(user_data: Path) -> None:
    model = RELEASED["pose2pose_face"]
    tensors = {name: torch.zeros((), dtype=value.dtype).expand(value.shape) for name, value in model.expected().items()}
    tensors["head.expression.bias"] = torch.full((10,), torch.nan)
    with pytest.raises(WeightsError, match=r"head\.expression\.bias"):
        add_set("broken", model, tensors, {})
    assert list_sets() == [find_set("open")]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, user_data: Path, save_checkpoint) -> None:
    user_data.write_text("a file in the way")
    with pytest.raises(WeightsError, match=f"cannot write the weights to.*{DATA_VARIABLE}"):
        run("import", save_checkpoint("pose2pose_face"))


@pytest.mark.skipif(sys.platform == "win32", reason="no limit for the size of files there")
def test_a_full_disk_is_told_and_nothing_is_left(user_data: Path, save_checkpoint: SaveCheckpoint) -> None:
    import resource

    path = save_checkpoint("pose2pose_face")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, before[1]))
    try:
        with pytest.raises(WeightsError, match=r"cannot write the weights to .*make room there"):
            run("import", path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(user_folder().iterdir()) == []


def test_export_and_import_give_the_same_tensors(
    user_data: Path, tmp_path: Path, pseudo_random_network: Callable[[str], nn.Module]
) -> None:
    model, state = RELEASED["pose2pose_face"], pseudo_random_network("pose2pose_face").state_dict()
    add_set("trained", model, state, {})
    run("export", "trained", tmp_path / "out.pth.tar")
    run("import", tmp_path / "out.pth.tar", "--name", "again")
    again = set_tensors(find_set("again"), model)
    assert list(again) == list(state)
    for name, tensor in state.items():
        assert torch.equal(again[name], tensor), name
        assert again[name].dtype == tensor.dtype, name


def test_what_the_authors_code_cannot_load_is_not_exported(user_data: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"'open' have the preset open; .* has other layers"):
        run("export", "open", tmp_path / "out.pth.tar")
    model = RELEASED["pose2pose_hand"]
    tensors = {name: torch.zeros((), dtype=value.dtype).expand(value.shape) for name, value in model.expected().items()}
    add_set("flat", model, tensors, {"flat_hand_mean": "true"})
    with pytest.raises(WeightsError, match="fingers of 'flat' are relative to flat hands"):
        run("export", "flat", tmp_path / "out.pth.tar")
    assert not (tmp_path / "out.pth.tar").exists()


def test_a_set_without_one_of_its_files_is_told(user_data: Path, tmp_path: Path) -> None:
    header = {"preset": "hand4whole", "flat_hand_mean": "false"}
    for part in ("body", "face"):
        save_tensors({}, set_folder("whole") / f"hand4whole_{part}.safetensors", header, torch.float32)
    assert verify_set(find_set("whole")) == [
        f"{set_folder('whole') / 'hand4whole_hand.safetensors'} is missing; import it again"
    ]
    with pytest.raises(WeightsError, match=r"hand4whole_hand\.safetensors is missing"):
        run("export", "whole", tmp_path / "out.pth.tar")


def test_merging_needs_a_body_and_a_hand(face: str) -> None:
    with pytest.raises(
        WeightsError, match="takes weights of hand4whole here, but those of 'face' are of pose2pose_face"
    ):
        run("merge", face, face, "--name", "merged")


def test_missing_weights_say_how_to_get_them(user_data: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"Download the authors' checkpoint \(https.*pose2pose weights import"):
        load_network("hand4whole")
    with pytest.raises(WeightsError, match="neither a folder nor the name of imported weights; none are imported"):
        load_network("hand4whole", folder=Path("nobody"))
    assert find_weights("open").name == "weights"
    assert find_weights("hand4whole", tmp_path) == tmp_path


def test_imported_weights_are_found_by_preset_and_by_name(user_data: Path) -> None:
    def store(name: str) -> None:
        for part in ("body", "hand", "face"):
            path = set_folder(name) / f"hand4whole_{part}.safetensors"
            save_tensors({"bias": torch.zeros(1)}, path, {}, torch.float32)

    assert not has_weights("hand4whole")
    store("first")
    assert has_weights("hand4whole")
    assert find_weights("hand4whole") == set_folder("first")
    store("second")
    with pytest.raises(WeightsError, match="several weights fit the preset 'hand4whole': first, second; name one"):
        find_weights("hand4whole")
    assert find_weights("hand4whole", Path("second")) == set_folder("second")
    store("hand4whole")
    assert find_weights("hand4whole") == set_folder("hand4whole")


@pytest.mark.slow
@torch.inference_mode()
def test_a_whole_body_goes_all_the_way(
    user_data: Path, tmp_path: Path, pseudo_random_network: Callable[[str], nn.Module], pictures
) -> None:
    """Import, load by its preset, export, merge: the numbers are those of the checkpoint."""
    whole, hand = pseudo_random_network("hand4whole"), pseudo_random_network("pose2pose_hand")
    for name, network in (("hand4whole", whole), ("pose2pose_hand", hand)):
        write_checkpoint(RELEASED[name], network.state_dict(), tmp_path / f"{name}.pth.tar")
        run("import", tmp_path / f"{name}.pth.tar")
    assert verify_set(find_set("hand4whole")) == []
    images = pictures(1, (512, 384), 3)
    loaded = load_network("hand4whole")(images)
    expected = whole(images)
    torch.testing.assert_close(loaded.rotations, expected.rotations, atol=1e-4, rtol=0)
    torch.testing.assert_close(loaded.boxes, expected.boxes, atol=2e-3, rtol=0)
    run("merge", "hand4whole", "pose2pose_hand", "--name", "merged")
    merged = load_network("hand4whole", folder=Path("merged"))
    body = merged.body.state_dict()
    assert all(torch.equal(body[name], value) for name, value in whole.body.state_dict().items())
    run("export", "merged", tmp_path / "merged.pth.tar")
    assert read_checkpoint(tmp_path / "merged.pth.tar").model.name == "hand4whole"
    shutil.rmtree(user_folder())
