"""`summary.json`: what a capture found and how, for people and programs that come after it."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .motion.presence import SEEN
from .motion.take import Take
from .version import VERSION

if TYPE_CHECKING:
    from .capture import CaptureResult
    from .tracking import Track

PACKAGES = ("numpy", "scipy", "opencv-python", "av", "torch", "torchvision", "safetensors", "bpy")


def take_name(person: int) -> str:
    """File name of a person's take."""
    return f"person{person}.npz"


def thumbnail_name(person: int) -> str:
    """File name of a person's thumbnail."""
    return f"person{person}.png"


def summarize(result: CaptureResult, *, overlay: str | None = None) -> dict[str, Any]:
    """Everything about a capture that is no array.

    Args:
        result: the capture.
        overlay: file name of the overlay, if there is one.
    """
    source, takes = result.source, {take.person: take for take in result.takes}
    return {
        "source": str(source.path.resolve()),
        "image_size": [source.width, source.height],
        "frame_rate": round(source.frame_rate, 4),
        "start": source.selected.start,
        "step": source.selected.step,
        "frames": result.frames,
        "stopped": result.stopped,
        "damage": source.damage,
        "focal": {
            "pixels": round(result.lens.focal, 2),
            "degrees": round(result.lens.field_of_view, 2),
            "origin": result.lens.origin,
        },
        "people": [_person(track, takes.get(track.person)) for track in result.people],
        "overlay": overlay,
        "frames_per_second": round(result.frames_per_second, 3),
        "seconds": {stage: round(spent, 3) for stage, spent in result.seconds.items()},
        "device": result.device,
        "preset": result.preset,
        "body": result.body.name,
        "weights": result.weights,
        "versions": versions(),
        "warnings": result.notes,
    }


def write_summary(summary: dict[str, Any], folder: Path) -> Path:
    """Write `summary.json` into a folder."""
    path = folder / "summary.json"
    path.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def versions() -> dict[str, str | None]:
    """Python's version and those of the packages that matter; None for what is not installed."""
    found: dict[str, str | None] = {"pose2pose": VERSION, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def _person(track: Track, take: Take | None) -> dict[str, Any]:
    person: dict[str, Any] = {
        "person": track.person,
        "first_frame": int(track.frames[0]),
        "last_frame": int(track.frames[-1]),
        "frames": len(track),
        "frames_bridged": int((~track.seen).sum()),
        "box_first": np.round(track.boxes[0], 1).tolist(),
        "box_last": np.round(track.boxes[-1], 1).tolist(),
        "take": None,
    }
    if take is None:
        return person
    unseen = int((~take.confidence.any(axis=1)).sum())
    return person | {
        "take": take_name(take.person),
        "frames": len(take),
        "frames_bridged": unseen,
        "confidence": round(float(take.confidence[:, :22].mean()), 3),
        "hands_seen": [_share(take, name) for name in (slice(25, 40), slice(40, 55))],
        "face_seen": _share(take, slice(22, 23)),
    }


def _share(take: Take, joints: slice) -> float:
    """Of the frames, those in which a part was seen."""
    return round(float((take.confidence[:, joints].mean(axis=1) >= SEEN).mean()), 3)
