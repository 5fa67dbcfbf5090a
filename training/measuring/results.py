"""What an evaluation writes: `results.json`, `results.md` as the paper's tables are laid out, errors by sample."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .evaluation import Evaluation
from .paper_numbers import TABLES
from .resources import Resources
from .tables import RESOURCES, markdown

RESULTS = "results.json"
REPORT = "results.md"


def numbers_of(results: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """`results.json` as tables take it: test set, or `resources` -> metric -> number."""
    found: dict[str, dict[str, float]] = {key: value["numbers"] for key, value in results["datasets"].items()}
    if RESOURCES in results:
        found[RESOURCES] = Resources(**results[RESOURCES]).numbers
    return found


def write_results(folder: Path, results: Mapping[str, Any]) -> None:
    """`results.json` and `results.md`."""
    (folder / RESULTS).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    numbers, name = numbers_of(results), results["config"]
    lines = [f"# {name}", "", f"Weights: `{results['weights']}`", ""]
    lines += [markdown(table, {name: [numbers]}) for table in TABLES.values() if name in table.configs]
    for key, value in results["datasets"].items():
        left_out = "".join(f"; left out: {count} ({why})" for why, count in value["skipped"].items() if count)
        lines += [f"## {key} ({value['samples']} samples{left_out})", "", "| | |", "|---|--:|"]
        lines += [f"| {metric} | {number:.3f} |" for metric, number in value["numbers"].items()] + [""]
    if RESOURCES in results:
        lines += ["## Resources of a training iteration", "", "| | |", "|---|--:|"]
        lines += [f"| {what} | {number:.3g} |" if isinstance(number, float) else f"| {what} | {number} |"
                  for what, number in results[RESOURCES].items()]  # fmt: skip
    (folder / REPORT).write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def write_errors(file: Path, evaluation: Evaluation) -> None:
    """One line for each sample: name and errors; empty where it has none."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["sample", *evaluation.errors])
        for k, name in enumerate(evaluation.names):
            values = [float(error[k]) for error in evaluation.errors.values()]
            writer.writerow([name, *("" if np.isnan(value) else f"{value:.4f}" for value in values)])
