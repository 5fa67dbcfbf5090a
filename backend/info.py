"""`pose2pose info`: what is installed, what it can do, and how to get what is missing."""

from __future__ import annotations

from typing import Any

import torch

from .blend import BlendError, blender_program
from .detection import WEIGHTS_FILE as DETECTOR
from .device import DEVICE_NAMES, DeviceError, inference_dtype, pick_device
from .model.presets import PRESETS
from .motion.body_file import OPEN_BODY, BodyFileError, load_body
from .summary import versions
from .weights import WEIGHTS_FOLDER, has_weights, missing_files
from .weights_sets import list_sets

NEEDED = {
    "bpy": "pip install 'pose2pose[blender]', or put Blender 4.2 or newer on the PATH (only for animate)",
}
DEFAULT_PRESET = "open"


def collect() -> dict[str, Any]:
    """Versions, devices, weights, body, and a list of what is missing with the way to get it."""
    missing = []
    packages = versions()
    blender = _blender()
    if packages["bpy"] is None and blender is None:
        missing.append(f"Blender: {NEEDED['bpy']}")
    weights = [
        {"set": found.name, "file": file.path.name, "megabytes": round(file.size / 1e6, 1), **file.metadata}
        for found in list_sets()
        for file in found.files
    ]
    absent = missing_files(DEFAULT_PRESET, WEIGHTS_FOLDER)
    absent += [] if DETECTOR.is_file() else [DETECTOR]
    missing += [f"{path}: part of the package, reinstall it" for path in absent]
    body = _body(missing)
    return {
        "versions": packages,
        "blender_program": blender,
        "devices": _devices(),
        "body": body,
        "weights": weights,
        "missing": missing,
    }


def service_facts(device: str) -> dict[str, Any]:
    """What a service says about the process that computes for it: the fields of `protocol.Info` that it knows."""
    facts = collect()
    try:
        chosen = str(pick_device(device))
    except DeviceError as error:
        chosen = str(error)
        facts["missing"].append(chosen)
    return {
        "device": chosen,
        "devices": facts["devices"],
        "presets": [name for name in PRESETS if has_weights(name)],
        "weights": [{name: str(value) for name, value in file.items()} for file in facts["weights"]],
        "body": facts["body"],
        "missing": [sentence for sentence in facts["missing"] if not sentence.startswith("Blender")],
    }


def as_text(facts: dict[str, Any]) -> str:
    """The facts for people."""
    lines = [f"{name:14} {number or 'not installed'}" for name, number in facts["versions"].items()]
    lines.append(f"{'blender':14} {facts['blender_program'] or 'no program on the PATH'}")
    lines += [f"{'device':14} {device}" for device in facts["devices"]]
    lines.append(f"{'body':14} {facts['body']}")
    for file in facts["weights"]:
        lines.append(f"{'weights':14} {file['set']}: {file['file']}, {file['megabytes']} MB")
        lines += [f"{'':17}{key}: {file[key]}" for key in ("license", "training_data") if key in file]
    lines += [f"{'missing':14} {what}" for what in facts["missing"]]
    return "\n".join(lines if facts["missing"] else [*lines, f"{'missing':14} nothing"])


def _blender() -> str | None:
    try:
        return blender_program()
    except BlendError as error:
        return str(error)


def _devices() -> list[str]:
    found = []
    for name in DEVICE_NAMES[1:]:
        try:
            device = pick_device(name)
        except DeviceError:
            continue
        title = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
        found.append(f"{name} ({title if device.type != 'mps' else 'Apple GPU'}, {inference_dtype(device)})")
    return found


def _body(missing: list[str]) -> str:
    try:
        body = load_body()
    except BodyFileError as error:
        missing.append(f"the open body: {error}")
        return "none"
    return f"{body.name}, {len(body.v_template)} vertices, {OPEN_BODY}"
