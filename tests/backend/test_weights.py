"""Weights files: saving, loading, and what is said when they do not fit."""

import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from pose2pose.backend.model.presets import build, preset
from pose2pose.backend.weights import (
    PARTS,
    TRUNK,
    WeightsError,
    describe_weights,
    find_weights,
    identify_weights,
    load_network,
    load_part,
    missing_files,
    part_path,
    read_metadata,
    save_part,
    save_tensors,
)


def _part() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))


def test_a_network_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build(preset("open"))
    for part in PARTS:
        save_part(network.get_submodule(part), part_path("open", part, tmp_path), {"preset": "open"}, torch.float32)
    loaded = load_network("open", "cpu", tmp_path)
    assert not loaded.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


def test_weights_are_told_apart_by_their_hash_and_name(tmp_path: Path) -> None:
    assert re.fullmatch("open [0-9a-f]{12}", identify_weights("open", find_weights("open")))
    copy = shutil.copytree(find_weights("open"), tmp_path / "studio")
    same = identify_weights("open", find_weights("open")) + " (studio)"
    assert identify_weights("open", copy) == same
    path = part_path("open", "face", copy)
    tensors = load_file(path)
    save_file(tensors, path, metadata={"source": "imported from another place"})
    assert identify_weights("open", copy) == same
    next(iter(tensors.values())).view(-1)[0] += 1
    save_file(tensors, path)
    assert identify_weights("open", copy) != same


def test_a_trunk_in_a_file_of_its_own_belongs_to_the_weights(tmp_path: Path) -> None:
    copy = shutil.copytree(find_weights("open"), tmp_path / "copy")
    before = identify_weights("open", copy)
    trunk = copy / read_metadata(part_path("open", "body", copy))[TRUNK]
    assert missing_files("open", copy) == []
    tensors = load_file(trunk)
    next(iter(tensors.values())).view(-1)[0] += 1
    save_file(tensors, trunk)
    assert identify_weights("open", copy) != before
    trunk.unlink()
    assert missing_files("open", copy) == [trunk]
    with pytest.raises(WeightsError, match=f"no weights file .*{trunk.name}"):
        load_network("open", "cpu", copy)


def test_a_branch_is_filled_from_both_its_files(tmp_path: Path) -> None:
    saved, loaded = _part(), _part()
    tensors = saved.state_dict()
    first = {name: tensors[name] for name in ("0.weight", "0.bias")}
    save_tensors(first, tmp_path / "pretrained.safetensors", {}, torch.float32)
    rest = {name: tensor for name, tensor in tensors.items() if name not in first}
    save_tensors(rest, tmp_path / "part.safetensors", {TRUNK: "pretrained.safetensors"}, torch.float32)
    load_part(loaded, tmp_path / "part.safetensors")
    assert all(torch.equal(loaded.state_dict()[name], tensor) for name, tensor in tensors.items())


def test_half_precision_on_disk_full_precision_in_memory(tmp_path: Path) -> None:
    saved, loaded = _part(), _part()
    save_part(saved, tmp_path / "part.safetensors", {"license": "CC0"})
    stored = load_file(tmp_path / "part.safetensors")
    assert stored["0.weight"].dtype == torch.float16
    assert stored["1.running_var"].dtype == torch.float32
    assert load_part(loaded, tmp_path / "part.safetensors") == {"license": "CC0"}
    assert {tensor.dtype for tensor in loaded.parameters()} == {torch.float32}
    torch.testing.assert_close(loaded.state_dict()["0.weight"], saved.state_dict()["0.weight"], atol=1e-3, rtol=1e-3)


def test_missing_weights_say_where_they_should_be(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"paper_body\.safetensors.*no weights; give a --preset and --weights"):
        load_network("paper", "cpu", tmp_path)


def test_differences_are_named(tmp_path: Path) -> None:
    path = tmp_path / "part.safetensors"
    tensors = _part().state_dict()
    del tensors["0.bias"]
    tensors["2.weight"] = torch.zeros(5, 4)
    tensors["extra"] = torch.zeros(1)
    save_file(tensors, path)
    with pytest.raises(WeightsError) as caught:
        load_part(_part(), path)
    for words in ("3 of 9", "0.bias is missing", "2.weight is (5, 4), expected (2, 4)", "extra is unknown", str(path)):
        assert words in str(caught.value)


def test_weights_of_another_preset_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "part.safetensors"
    save_part(_part(), path, {"preset": "paper"})
    with pytest.raises(WeightsError, match="made for the preset 'paper', not for 'open'"):
        load_part(_part(), path, "open")


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "part.safetensors"
    path.write_bytes(b"\x80\x04 not safetensors")
    with pytest.raises(WeightsError, match=r"part\.safetensors is not a readable"):
        load_part(_part(), path)


def test_values_that_would_overflow_are_not_saved(tmp_path: Path) -> None:
    part = _part()
    nn.init.constant_(part[0].weight, 1e6)
    with pytest.raises(WeightsError, match=r"0\.weight"):
        save_part(part, tmp_path / "part.safetensors", {})
    assert not list(tmp_path.iterdir())


def test_listing(tmp_path: Path) -> None:
    save_part(_part(), tmp_path / "b_hand.safetensors", {"preset": "b", "license": "CC0"})
    save_part(_part(), tmp_path / "a_body.safetensors", {"preset": "a"})
    listed = describe_weights(tmp_path)
    assert [file.path.name for file in listed] == ["a_body.safetensors", "b_hand.safetensors"]
    assert listed[1].metadata == {"preset": "b", "license": "CC0"}
    assert listed[1].size == (tmp_path / "b_hand.safetensors").stat().st_size
