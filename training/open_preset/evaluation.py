r"""`pose2pose-train open evaluate FOLDER`: the whole network of the preset `open`, in one table.

    pose2pose-train synthesize --held-out --people 600 --size 512x384 --poses LIBRARY.npz -o validation
    pose2pose-train open evaluate validation -o evaluation --worst docs/failures.jpg --take captured/person1.npz

Rows come from rendered people that no training saw, from resting faces, and from takes of real video. The same options
serve `calibrate`.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ...backend.body.layer import BodyLayer
from ...backend.device import pick_device
from ...backend.model.face import LandmarkFaceBranch
from ...backend.motion.body_file import BodyFile, load_body
from ...backend.weights import find_weights, identify_weights, load_network
from ..datasets.synthetic import SyntheticPeople
from ..synthetic.scenery import Scenery
from .calibration import run_calibration
from .evaluation_faces import neutral_face_rows
from .evaluation_measures import (
    Rows,
    body_rows,
    face_rows,
    hand_rows,
    presence_rows,
    shape_rows,
    wrist_rows,
)
from .evaluation_people import BATCH, People, Scores, Shown, ask_network, open_people, picture_size, read_truth
from .evaluation_takes import take_rows
from .evaluation_worst import draw_worst
from .face_head import FaceModel

Table = dict[str, Rows]


@dataclass(frozen=True)
class Answers:
    """A network's answers about a validation set, the truth, and what they were made with."""

    people: SyntheticPeople
    said: People
    scores: Scores
    truth: People
    shown: Shown
    layer: BodyLayer
    body: BodyFile
    face: LandmarkFaceBranch
    device: torch.device
    identity: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of every measurement."""
    parser.add_argument("dataset", type=Path, metavar="FOLDER", help="of `pose2pose-train synthesize --held-out`")
    parser.add_argument("--weights", type=Path, help="folder of the three weights files (default: the package's)")
    parser.add_argument("--batch", type=int, default=BATCH, help="pictures at once (%(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (%(default)s)")
    parser.add_argument("-o", "--output", type=Path, help="folder for the results")


def add_evaluation_arguments(parser: argparse.ArgumentParser) -> None:
    """What `evaluate` has besides."""
    add_arguments(parser)
    parser.add_argument("--panoramas", type=Path, help="backgrounds of the resting faces (default: procedural ones)")
    parser.add_argument("--take", type=Path, nargs="+", default=[], help="captured takes, for steadiness")
    parser.add_argument("--worst", type=Path, help="sheet of the worst pictures, .jpg")


def run_evaluate(options: argparse.Namespace) -> int:
    """`pose2pose-train open evaluate`; returns the exit code."""
    answers = answer(options)
    table = measure(answers, Scenery.load(options.panoramas, answers.device))
    for file in options.take:
        table[f"take {file.parent.name}/{file.stem}"] = take_rows(file, answers.body)
    height, width = picture_size(answers.people)
    title = f"`{options.dataset.name}`: {len(answers.people)} people of {height}x{width}, weights {answers.identity}"
    text = markdown(title, table)
    if options.output:
        results = {"dataset": str(options.dataset), "weights": answers.identity, "rows": table}
        write_results(options.output, "open", results, text)
    if options.worst:
        draw_worst(options.worst, answers.people, answers.said, answers.truth, answers.shown, answers.scores)
    print(text)
    return 0


def run_calibrate(options: argparse.Namespace) -> int:
    """`pose2pose-train open calibrate`; returns the exit code."""
    seen = answer(options)
    run_calibration(options, seen.said, seen.scores, seen.truth, seen.shown, FaceModel(seen.layer))
    return 0


def answer(options: argparse.Namespace) -> Answers:
    """Read a validation set and ask the network about it.

    Raises:
        ValidationSetError, AnnotationError: the folder holds no such set.
        WeightsError: the weights are missing or do not fit.
    """
    people = open_people(options.dataset)
    device, folder, body = pick_device(options.device), find_weights("open", options.weights), load_body()
    network, layer = load_network("open", device, folder), BodyLayer(body)
    truth, shown = read_truth(people, layer)
    said, scores = ask_network(network, people, layer, device, options.batch)
    assert isinstance(network.face, LandmarkFaceBranch)  # the preset's
    identity = identify_weights("open", folder)
    return Answers(people, said, scores, truth, shown, layer, body, network.face, device, identity)


def measure(answers: Answers, scenery: Scenery) -> Table:
    """All rows, by what they are about."""
    said, truth, shown, scores = answers.said, answers.truth, answers.shown, answers.scores
    return {
        "body": body_rows(said, truth, shown),
        "shape": shape_rows(said, truth, answers.layer),
        "hands": hand_rows(said, truth, shown, scores),
        "wrists": wrist_rows(said, truth, shown, scores),
        "face": face_rows(said, truth, shown, scores, answers.layer),
        "resting faces": neutral_face_rows(answers.face, answers.body, answers.device, scenery),
        "presence": presence_rows(shown, scores),
    }


def markdown(title: str, table: Mapping[str, Rows]) -> str:
    """The table as it is printed: millimeters and degrees unless a row says otherwise."""
    lines = [title, "", "| about | what | |", "|---|---|--:|"]
    for about, rows in table.items():
        for what, number in rows.items():
            lines.append(f"| {about} | {what} | {_number(number)} |")
            about = ""
    return "\n".join(lines) + "\n"


def write_results(folder: Path, name: str, results: Mapping[str, Any], text: str) -> None:
    """The numbers as NAME.json, and what is printed as NAME.md."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(_without_nan(results), indent=1) + "\n", encoding="utf-8")
    (folder / f"{name}.md").write_text(text, encoding="utf-8")


def _number(number: float) -> str:
    if number != number:
        return "-"
    if abs(number) < 10 and number != round(number):
        return f"{number:.3g}"
    return f"{number:.0f}" if number == round(number) else f"{number:.1f}"


def _without_nan(value: Any) -> Any:
    """JSON knows no NaN: null in its place."""
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and value != value else value
