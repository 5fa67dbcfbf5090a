"""The pipeline: a video becomes one take for each person in it.

The source is read twice. First people are detected and tracked, so that it is known who is who before anything
expensive happens. Then the chosen people are cut out, shown to the network in batches, and what it says is kept as
small arrays; frames are never kept, so memory does not grow with the length of the video.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from .assembly import assemble_take
from .body.joints import COCO17
from .body.layer import BodyLayer
from .crops import CropTransform, crop, crop_transform
from .detection import PersonDetector
from .device import pick_device
from .frames import Image, Source
from .lens import Lens, choose_lens
from .model.pose2pose import Pose2Pose, Pose2PoseOutput
from .model.presets import PRESETS
from .motion.body_file import BodyFile, load_body
from .motion.take import Take
from .observations import Observations
from .people import WEAK_DETECTION, CaptureError, choose_people, find_people
from .progress import Meter, Report, Stopwatch
from .tracking import Track, Tracking
from .video import open_source
from .weights import WeightsFile, describe_weights, load_network

BATCH = 8
__all__ = ["CaptureError", "CaptureResult", "capture", "observe"]

BODY_SCALE = 2
"""Pixels of the crop for each pixel of the body branch's picture."""


@dataclass(frozen=True)
class CaptureResult:
    """What came out, and how."""

    takes: list[Take]
    """One for each captured person, in the order of their numbers."""
    people: list[Track]
    """Everybody who was tracked, captured or not."""
    source: Source
    """Read to the end by now: knows its damage."""
    lens: Lens
    body: BodyFile
    device: str
    preset: str
    weights: dict[str, dict[str, str]]
    """Metadata of the weights files by their names."""
    frames: int
    """Source frames read in the second pass."""
    seconds: dict[str, float]
    """Time spent by stage: load, decode, detect, crop, network, refine."""
    frames_per_second: float
    """Of the whole capture, loading of the weights left out."""
    stopped: bool
    """Whether it was cancelled; the takes then end where it stopped."""
    notes: list[str]
    """Sentences a user should read."""


def capture(
    path: Path | str,
    *,
    people: str = "all",
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
    frame_rate: float | None = None,
    focal: float | None = None,
    fov: float | None = None,
    device: str = "auto",
    preset: str = "open",
    weights: Path | None = None,
    body: Path | None = None,
    refine: bool = True,
    progress: Report | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> CaptureResult:
    """Capture the people in a video, an image sequence or a picture.

    Args:
        path: see `video.open_source`, as for `start`, `end`, `step` and `frame_rate`.
        people: `all`, `largest`, or numbers as in `1,3`; 1 is the largest and longest seen.
        start: first source frame.
        end: last source frame, included.
        step: take every step-th frame.
        frame_rate: of an image sequence.
        focal: focal length in pixels, if known.
        fov: field of view over the longer side in degrees, if known.
        device: `auto`, `cpu`, `cuda` or `mps`.
        preset: of the network.
        weights: folder of other weights than the ones that come with the package.
        body: a licensed body file in place of the open body.
        refine: whether motion is fitted to the keypoints over time.
        progress: called a few times a second.
        cancelled: asked after every frame; what was captured until then is still refined and returned.

    Raises:
        VideoError: the source cannot be read, or its range lies outside.
        CaptureError: nobody is in it, or not the people asked for.
        WeightsError, BodyFileError, DeviceError: a part is missing.
    """
    clock = Stopwatch()
    source = open_source(path, start=start, end=end, step=step, frame_rate=frame_rate)
    lens = choose_lens(source, focal=focal, fov=fov)
    with clock("load"):
        chip, body_file = pick_device(device), load_body(body)
        network = load_network(preset, chip, weights)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        detector = PersonDetector(chip, min_score=WEAK_DETECTION)
    tracking = find_people(source, detector, clock, progress=progress, cancelled=cancelled)
    chosen = choose_people(tracking.tracks, people, source)
    seen = [Observations(track, [t for t in tracking.tracks if t is not track], lens) for track in chosen]
    frames = observe(source, seen, network, preset, clock, progress=progress, cancelled=cancelled)
    files = describe_weights(weights)
    mismatch = _drop_foreign_shape(seen, body_file, files)
    with clock("refine"):
        takes = _assemble(seen, source, body_file, preset, refined=refine, progress=progress)
    stopped = not all(person.filled.all() for person in seen)
    if not takes and not stopped:
        raise CaptureError(f"people were detected in {source.path}, but never clearly enough for a take")
    return CaptureResult(
        takes=takes,
        people=tracking.tracks,
        source=source,
        lens=lens,
        body=body_file,
        device=str(chip),
        preset=preset,
        weights={file.path.name: file.metadata for file in files},
        frames=frames,
        seconds=dict(clock.seconds),
        frames_per_second=frames / max(sum(clock.seconds.values()) - clock.seconds["load"], 1e-9),
        stopped=stopped,
        notes=_notes(source, lens, tracking, 0 if stopped else len(seen) - len(takes)) + mismatch,
    )


def observe(
    source: Source,
    people: list[Observations],
    network: Pose2Pose,
    preset: str,
    clock: Stopwatch,
    *,
    progress: Report | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> int:
    """Second pass: cut people out, ask the network, store what it says. Returns how many frames were read."""
    last = max(int(person.track.frames[-1]) for person in people)
    meter = Meter(progress, stage="capture", total=sum(len(person.track) for person in people), people=len(people))
    waiting: list[tuple[Observations, int, CropTransform, Image]] = []
    frames = 0
    for frame in clock.each(source, "decode"):
        if cancelled():
            break
        frames += 1
        with clock("crop"):
            for person in people:
                row = person.row(frame.index)
                if row is not None:
                    transform = crop_transform(person.boxes[row])
                    waiting.append((person, row, transform, crop(frame.image, transform)))
        while len(waiting) >= BATCH or (waiting and frame.index >= last):
            with clock("network"):
                _ask(network, preset, waiting[:BATCH])
            meter.advance(len(waiting[:BATCH]))
            del waiting[:BATCH]
        if frame.index >= last:
            break
    with clock("network"):
        _ask(network, preset, waiting)
    return frames


@torch.inference_mode()
def _ask(network: Pose2Pose, preset: str, batch: list[tuple[Observations, int, CropTransform, Image]]) -> None:
    if not batch:
        return
    device = next(network.parameters()).device
    crops = torch.from_numpy(np.stack([image for *_, image in batch])).to(device)
    pixels = crops.permute(0, 3, 1, 2).float().div_(255).contiguous(memory_format=torch.channels_last)
    results = _arrays(network(pixels), preset)
    for index, (person, row, transform, _) in enumerate(batch):
        person.fill(row, transform, {name: values[index] for name, values in results.items()})


def _arrays(output: Pose2PoseOutput, preset: str) -> dict[str, NDArray[np.float32]]:
    """What `Observations.fill` wants, each with the batch in front."""
    points = output.body_points[..., :2] * BODY_SCALE
    predicted = torch.cat([points, output.body_scores[..., None]], dim=-1).float().cpu().numpy()
    keypoints = np.zeros((len(predicted), len(COCO17), 3), dtype=np.float32)
    for column, point in enumerate(COCO17):
        if point in PRESETS[preset].body_points:
            keypoints[:, column] = predicted[:, PRESETS[preset].body_points.index(point)]
    named = {
        "rotations": output.rotations,
        "betas": output.betas,
        "expression": output.expression,
        "hand_scores": output.hand_scores,
        "face_scores": output.face_score,
    }
    return {"keypoints": keypoints} | {name: values.float().cpu().numpy() for name, values in named.items()}


def _assemble(
    seen: list[Observations],
    source: Source,
    body: BodyFile,
    preset: str,
    *,
    refined: bool,
    progress: Report | None,
) -> list[Take]:
    """The takes of those whom the network saw."""
    layer = BodyLayer(body)
    meter = Meter(progress, stage="refine", total=sum(int(p.filled.sum()) for p in seen), people=len(seen))
    takes = [
        assemble_take(person, source, body=body, layer=layer, weights=preset, refined=refined, progress=_counted(meter))
        for person in seen
    ]
    return [take for take in takes if take is not None]


def _counted(meter: Meter) -> Callable[[int, int], None]:
    """Turn one person's (frames done, frames in all) into steps of the meter, which counts everybody's frames."""
    before = meter.done

    def report(done: int, _total: int) -> None:
        meter.advance(before + done - meter.done)

    return report


def _drop_foreign_shape(people: list[Observations], body: BodyFile, files: list[WeightsFile]) -> list[str]:
    """Forget betas and expression if the weights were trained on another body; returns what to say about it."""
    if body.name in {file.metadata.get("body") for file in files}:
        return []
    for person in people:
        person.drop_shape()
    return [f"the weights were not trained on the body '{body.name}': betas and expression are left at zero"]


def _notes(source: Source, lens: Lens, tracking: Tracking, unseen: int) -> list[str]:
    notes = list(source.notes)
    if source.damage is not None:
        notes.append(f"{source.damage}; the frames before are kept")
    if lens.origin == "assumed":
        notes.append(f"the file does not record its focal length: {lens}")
    if tracking.dropped:
        notes.append(f"{tracking.dropped} short detections were left out as false")
    if unseen:
        notes.append(f"{unseen} of the tracked people were never seen clearly enough for a take")
    return notes
