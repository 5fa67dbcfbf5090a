"""The command: what it writes, what it says, how it ends."""

import json
import re
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import save_file

from pose2pose.backend.cli import main
from pose2pose.backend.motion.take import load_take
from pose2pose.backend.terminal import Interrupts
from pose2pose.backend.weights_folders import DATA_VARIABLE


def test_capture_writes_takes_overlay_and_summary(clip, tmp_path, capsys):
    out = tmp_path / "takes"
    assert main(["capture", str(clip), "-o", str(out), "--end", "3", "--focal", "600", "--device", "cpu"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["overlay.mp4", "person1.npz", "person2.npz", "summary.json"]
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["frames"], summary["stopped"], summary["damage"]) == (4, False, None)
    assert summary["focal"] == {"pixels": 600.0, "degrees": pytest.approx(43.6, abs=0.1), "origin": "given"}
    assert [(p["person"], p["frames"], p["take"]) for p in summary["people"]] == [
        (1, 4, "person1.npz"),
        (2, 4, "person2.npz"),
    ]
    assert set(summary["seconds"]) >= {"decode", "detect", "crop", "network", "refine"}
    assert summary["versions"]["torch"]
    assert "open_body.safetensors" in summary["weights"]
    assert load_take(out / "person2.npz").source == "person_walking.mp4"
    said = capsys.readouterr()
    assert (
        main(["capture", str(clip), "-o", str(out), "--end", "1", "--people", "2", "--no-refine", "--no-overlay"]) == 0
    )
    assert sorted(path.name for path in out.glob("*.npz")) == ["person2.npz"], "takes of the first capture are gone"
    assert "person1.npz: person 1, frames 0 to 3" in said.out
    assert re.search(r"capturing.*frame/s", said.err)


def test_a_picture_gets_a_picture_as_overlay(clip_frames, tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "still.png"), clip_frames[0][..., ::-1])
    options = ["--people", "largest", "--no-refine", "--device", "cpu"]
    assert main(["capture", str(tmp_path / "still.png"), "-o", str(tmp_path / "out"), *options]) == 0
    assert (tmp_path / "out" / "overlay.png").is_file()
    assert len(load_take(tmp_path / "out" / "person1.npz")) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["capture", "gone.mp4", "-o", "out"], "gone.mp4: no such file"),
        (["capture", "{clip}", "-o", "out", "--start", "90"], "frames 90 to the end were asked for"),
        (["capture", "{clip}", "-o", "out", "--weights", "."], "no weights file open_body.safetensors"),
        (["capture", "{clip}", "-o", "out", "--body", "gone.npz"], "gone.npz"),
        (["animate", "gone.npz", "-o", "out.blend"], "gone.npz"),
    ],
)
def test_errors_are_one_sentence_and_code_1(clip, tmp_path, monkeypatch, capsys, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    assert main([argument.format(clip=clip) for argument in arguments]) == 1
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [[], ["capture"], ["capture", "a.mp4", "-o", "b", "--focal", "1", "--fov", "2"]])
def test_wrong_usage_is_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: pose2pose" in capsys.readouterr().err


def test_parts_are_chosen_on_the_command_line(clip, tmp_path, capsys):
    options = ["--end", "1", "--people", "largest", "--no-refine", "--no-overlay", "--device", "cpu"]
    assert main(["capture", str(clip), "-o", str(tmp_path), *options, "--parts", "body,face"]) == 0
    confidence = load_take(tmp_path / "person1.npz").confidence
    assert confidence[:, 25:].max() == 0
    assert confidence[:, :22].max() > 0.5
    for parts, sentence in (("hands", "must hold 'body'"), ("body,feet", "got ['body', 'feet']")):
        with pytest.raises(SystemExit) as stop:
            main(["capture", str(clip), "-o", str(tmp_path), "--parts", parts])
        assert stop.value.code == 2
        assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--host", "0.0.0.0"], "add --allow-remote"),
        (["--token-file", "gone"], "the token file gone cannot be read"),
        (["--host", "192.0.2.1", "--allow-remote"], "cannot listen on 192.0.2.1"),
    ],
)
def test_a_service_that_cannot_start_says_why(options, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["serve", *options]) == 1
    said = capsys.readouterr()
    assert sentence in said.err
    assert "Traceback" not in said.err
    assert not said.out


@pytest.mark.parametrize(
    "options", [["--port", "65536"], ["--port", "-1"], ["--upload-limit", "0"], ["--device", "tpu"]]
)
def test_a_service_with_wrong_options_is_code_2(options):
    with pytest.raises(SystemExit) as stop:
        main(["serve", *options])
    assert stop.value.code == 2


def test_info_names_versions_weights_and_what_is_missing(capsys):
    assert main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["versions"]["torch"]
    assert any(file["file"] == "person_detector.safetensors" for file in facts["weights"])
    assert facts["body"].startswith("open, ")
    assert any(device.startswith("cpu") for device in facts["devices"])
    assert main(["info"]) == 0
    assert "missing" in capsys.readouterr().out


def test_info_lists_imported_weights(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "weights" / "studio"
    folder.mkdir(parents=True)
    header = {"preset": "hand4whole", "license": "MIT"}
    save_file({"a": torch.zeros(1)}, folder / "hand4whole_body.safetensors", metadata=header)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    assert main(["info"]) == 0
    said = capsys.readouterr().out
    assert "studio: hand4whole_body.safetensors" in said
    assert "license: MIT" in said
    (folder / "hand4whole_body.safetensors").write_bytes(b"broken")
    assert main(["info"]) == 0, "a broken file of one set keeps nobody from seeing the rest"


def test_first_interrupt_asks_second_one_ends():
    said = []
    with Interrupts(said.append) as interrupted:
        assert not interrupted()
        signal.raise_signal(signal.SIGINT)
        assert interrupted()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert "what is done is kept" in said[0]


@pytest.mark.slow
def test_control_c_keeps_what_is_done(clip, tmp_path):
    command = [sys.executable, "-m", "pose2pose.backend", "capture", str(clip), "-o", str(tmp_path / "out")]
    errors = tmp_path / "errors.txt"
    with errors.open("w") as file:
        process = subprocess.Popen([*command, "--people", "largest", "--device", "cpu"], stderr=file, cwd=tmp_path)
        while process.poll() is None and "capturing" not in errors.read_text():
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=120)
    assert code == 130, errors.read_text()
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["stopped"]
    assert 8 <= len(load_take(tmp_path / "out" / "person1.npz")) < 24


@pytest.mark.slow
def test_animate_from_the_video(clip, tmp_path):
    pytest.importorskip("bpy")
    out = tmp_path / "walk.blend"
    options = ["--end", "4", "--people", "largest", "--smoothing", "butterworth", "--device", "cpu"]
    assert main(["animate", str(clip), "-o", str(out), "-o", str(tmp_path / "walk.bvh"), *options]) == 0
    assert out.stat().st_size > 10_000
    assert (tmp_path / "walk.bvh").read_text().startswith("HIERARCHY")
    assert (tmp_path / "walk_takes" / "person1.npz").is_file()


def test_an_unknown_preset_is_named_with_the_ones_there_are(clip, tmp_path, capsys):
    assert main(["capture", str(clip), "-o", str(tmp_path), "--preset", "closed"]) == 1
    said = capsys.readouterr().err
    assert "'closed'" in said
    assert "open" in said
