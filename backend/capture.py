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
from .body.joints import COCO17, RIGHT_HAND21
from .body.layer import BodyLayer
from .confidence import Calibration, read_calibration
from .conventions import settle
from .crops import CropTransform, crop, crop_transform
from .equipment import Networks, load_body_file, load_detector, load_networks
from .frames import Image, Source
from .lens import FILM_WIDTH, Lens, choose_lens
from .model.pose2pose import Pose2PoseOutput
from .model.presets import PRESETS
from .motion.body_file import BodyFile
from .motion.take import Take
from .observations import Observations
from .people import CaptureError, Found, choose_people, find_people
from .progress import Meter, Report, Stopwatch
from .protocol import PARTS, check_parts
from .tracking import Track
from .video import open_source

__all__ = ["CaptureError", "CaptureResult", "capture", "observe", "scan"]

BATCH = 8

BODY_SCALE = 2
"""Pixels of the crop for each pixel of the body branch's picture."""
FACE_BOX = 2
"""Place of the face among the boxes of hands and face."""


@dataclass(frozen=True)
class CaptureResult:
    """What came out, and how."""

    takes: list[Take]
    """One for each captured person, in the order of their numbers."""
    people: list[Track]
    """Everybody who was tracked, captured or not."""
    found: Found
    """The first pass; it need not be made again for a capture of the same frames."""
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


def scan(
    path: Path | str,
    *,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
    frame_rate: float | None = None,
    device: str = "auto",
    progress: Report | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Found:
    """The first pass alone: who is in a video, an image sequence or a picture. Arguments and errors as of `capture`."""
    source = open_source(path, start=start, end=end, step=step, frame_rate=frame_rate)
    return find_people(source, load_detector(device), progress=progress, cancelled=cancelled)


def capture(
    path: Path | str,
    *,
    people: str = "all",
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
    frame_rate: float | None = None,
    parts: tuple[str, ...] = PARTS,
    focal: float | None = None,
    fov: float | None = None,
    device: str = "auto",
    preset: str = "open",
    weights: Path | None = None,
    body: Path | None = None,
    refine: bool = True,
    found: Found | None = None,
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
        parts: `body` and, if wanted, `hands` and `face`; the others stay at rest with confidence 0.
        focal: focal length in pixels, if known.
        fov: field of view over the longer side in degrees, if known.
        device: `auto`, `cpu`, `cuda` or `mps`.
        preset: of the network.
        weights: another folder of weights, or the name of imported ones; None for the preset's own.
        body: a licensed body file in place of the open body.
        refine: whether motion is fitted to the keypoints over time.
        found: what `scan` said about these frames of this source; the first pass is then not made again.
        progress: called a few times a second.
        cancelled: asked after every frame; what was captured until then is still refined and returned. To keep
            nothing, raise an exception from either of the two.

    Raises:
        VideoError: the source cannot be read, or its range lies outside.
        CaptureError: nobody is in it, or not the people asked for.
        ProtocolError: the parts cannot be captured.
        PresetError, WeightsError, BodyFileError, DeviceError: something it works with is missing.
    """
    check_parts(parts)
    clock = Stopwatch()
    source = found.source if found else open_source(path, start=start, end=end, step=step, frame_rate=frame_rate)
    lens = choose_lens(source, focal=focal, fov=fov)
    with clock("load"):
        networks = load_networks(device, preset, weights, with_face="face" in parts)
        detector, body_file = load_detector(device), load_body_file(body)
    found = found or find_people(source, detector, progress=progress, cancelled=cancelled)
    clock.add(found.seconds)
    tracks = found.tracking.tracks
    chosen = choose_people(tracks, people, source)
    seen = [Observations(track, [t for t in tracks if t is not track], lens) for track in chosen]
    frames = observe(source, seen, networks, clock, progress=progress, cancelled=cancelled)
    mismatch = settle(seen, body_file, networks.files)
    for person in seen:
        person.keep_parts(parts, body_file.hands_mean)
    with clock("refine"):
        takes = _assemble(
            seen, source, body_file, networks.identity, _calibration(networks), refined=refine, progress=progress
        )
    stopped = not all(person.filled.all() for person in seen)
    if not takes and not stopped:
        raise CaptureError(f"people were detected in {source.path}, but never clearly enough for a take")
    return CaptureResult(
        takes=takes,
        people=tracks,
        found=found,
        source=source,
        lens=lens,
        body=body_file,
        device=str(networks.device),
        preset=preset,
        weights={file.path.name: file.metadata for file in networks.files},
        frames=frames,
        seconds=dict(clock.seconds),
        frames_per_second=frames / max(sum(clock.seconds.values()) - clock.seconds["load"], 1e-9),
        stopped=stopped,
        notes=_notes(found, lens, 0 if stopped else len(seen) - len(takes)) + mismatch,
    )


def observe(
    source: Source,
    people: list[Observations],
    networks: Networks,
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
                _ask(networks, waiting[:BATCH])
            meter.advance(len(waiting[:BATCH]))
            del waiting[:BATCH]
        if frame.index >= last:
            break
    with clock("network"):
        _ask(networks, waiting)
    return frames


@torch.inference_mode()
def _ask(networks: Networks, batch: list[tuple[Observations, int, CropTransform, Image]]) -> None:
    if not batch:
        return
    crops = torch.from_numpy(np.stack([image for *_, image in batch])).to(networks.device)
    pixels = crops.permute(0, 3, 1, 2).float().div_(255).contiguous(memory_format=torch.channels_last)
    results = _arrays(networks.network(pixels), networks.preset)
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
    hands = np.zeros((len(predicted), 2, len(RIGHT_HAND21), 3), dtype=np.float32)
    known = PRESETS[preset].hand_points
    if set(RIGHT_HAND21) <= set(known):
        places = output.hand_points[:, :, [known.index(point) for point in RIGHT_HAND21], :2].float().cpu().numpy()
        hands[..., :2], hands[..., 2] = places, output.hand_scores.float().cpu().numpy()[..., None]
    named = {
        "rotations": output.rotations,
        "betas": output.betas,
        "expression": output.expression,
        "hand_scores": output.hand_scores,
        "face_scores": output.face_score,
    }
    if output.head_turn is not None:
        boxes = output.boxes[:, FACE_BOX]
        named |= {"head_turns": output.head_turn, "head_places": boxes[:, :2], "head_sizes": boxes[:, 2]}
    plain = {name: values.float().cpu().numpy() for name, values in named.items()}
    return {"keypoints": keypoints, "hands": hands} | plain


def _assemble(
    seen: list[Observations],
    source: Source,
    body: BodyFile,
    weights: str,
    calibration: Calibration,
    *,
    refined: bool,
    progress: Report | None,
) -> list[Take]:
    """The takes of those whom the network saw."""
    layer = BodyLayer(body)
    meter = Meter(progress, stage="refine", total=sum(int(p.filled.sum()) for p in seen), people=len(seen))
    takes = [
        assemble_take(
            person,
            source,
            body=body,
            layer=layer,
            weights=weights,
            refined=refined,
            calibration=calibration,
            progress=_counted(meter),
        )
        for person in seen
    ]
    return [take for take in takes if take is not None]


def _calibration(networks: Networks) -> Calibration:
    """How the scores of the weights that are used become confidence."""
    return read_calibration((file.metadata for file in networks.files), networks.preset)


def _counted(meter: Meter) -> Callable[[int, int], None]:
    """Turn one person's (frames done, frames in all) into steps of the meter, which counts everybody's frames."""
    before = meter.done

    def report(done: int, _total: int) -> None:
        meter.advance(before + done - meter.done)

    return report


def _notes(found: Found, lens: Lens, unseen: int) -> list[str]:
    notes = found.notes
    if lens.origin == "assumed":
        notes.append(
            f"the file does not record its focal length: {lens.millimeters:.0f} mm on {FILM_WIDTH:.0f} mm film is "
            f"assumed ({lens.field_of_view:.0f} degrees over the longer side); give it if you know it"
        )
    if unseen:
        notes.append(f"{unseen} of the tracked people were never seen clearly enough for a take")
    return notes
