"""The paper's tables with what was measured here beside the printed numbers, as Markdown and JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy.special import stdtr

from .paper_numbers import Column, Row, Table

Results = Mapping[str, Mapping[str, float]]
"""One evaluation: test set (or `resources`) -> metric -> number."""
Runs = Mapping[str, Sequence[Results]]
"""Configuration -> its evaluations, one for each seed."""

RESOURCES = "resources"
STAND_IN = "synthetic"
DASH = "-"
CHANCE = 0.05
"""Two means differ beyond chance if less than this share of equal ones would differ as much."""


@dataclass(frozen=True)
class Measured:
    """A number over the seeds: one value each, and the test set that it comes from."""

    values: tuple[float, ...]
    dataset: str

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return float(np.mean(self.values))

    @property
    def deviation(self) -> float | None:
        """Standard deviation of a sample of the seeds; None of a single one."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else None

    def text(self, digits: int) -> str:
        """Such as 50.7 or, of several seeds, 50.7 ± 0.3."""
        deviation = "" if self.deviation is None else f" ± {self.deviation:.{digits}f}"
        return f"{self.mean:.{digits}f}{deviation}"


def measured(table: Table, row: Row, column: Column, runs: Runs) -> Measured | None:
    """What was measured for a cell.

    Where the paper's test set was not evaluated, rendered people stand in, as in reduced runs; a note says so.
    """
    evaluations = runs.get(row.config or "", ())
    if not evaluations:
        return None
    names = [column.dataset] if column.dataset == RESOURCES else [column.dataset, STAND_IN]
    for name in names:
        values = [evaluation[name][column.metric] for evaluation in evaluations
                  if column.metric in evaluation.get(name, {})]  # fmt: skip
        if values:
            return Measured(tuple(values), name)
    return None


def markdown(table: Table, runs: Runs) -> str:
    """The table as printed, behind each number of the paper the one measured here; then what is to be known of both.

    Where the paper has a dash so has ours: a network without hands, such as Table 2's first, has no error of hands.
    """
    titles = [title for column in table.columns for title in (column.title, "here")]
    lines = [f"**Table {table.number}**: {table.caption}", "", _line([table.head, *titles]),
             _line(["---", *["--:"] * len(titles)])]  # fmt: skip
    for row in table.rows:
        cells = [row.label]
        for column, value in zip(table.columns, row.values, strict=True):
            found = measured(table, row, column, runs)
            cells += [DASH if value is None else f"{value:.{column.digits}f}",
                      DASH if value is None or found is None else found.text(column.digits)]  # fmt: skip
        lines.append(_line(cells))
    notes = _notes(table, runs)
    return "\n".join([*lines, *([""] if notes else []), *(f"- {note}" for note in notes)]) + "\n"


def as_json(table: Table, runs: Runs) -> dict[str, Any]:
    """The same for programs: every cell with the paper's number, and mean, deviation and values of ours."""
    rows = []
    for row in table.rows:
        cells = {}
        for column, value in zip(table.columns, row.values, strict=True):
            cell: dict[str, Any] = {"paper": value}
            if found := measured(table, row, column, runs):
                cell |= {"mean": found.mean, "deviation": found.deviation, "values": list(found.values),
                         "dataset": found.dataset, "metric": column.metric}  # fmt: skip
            cells[column.title] = cell
        rows.append({"label": row.label, "config": row.config, "cells": cells})
    return {"table": table.number, "caption": table.caption, "rows": rows, "notes": _notes(table, runs)}


def _notes(table: Table, runs: Runs) -> list[str]:
    return [*stand_ins(table, runs), *repetitions(table, runs), *machines(table, runs), *ordering(table, runs)]


def stand_ins(table: Table, runs: Runs) -> list[str]:
    """Which test sets stand in for the paper's."""
    found = {
        (column.dataset, cell.dataset)
        for row in table.rows
        for column in table.columns
        if (cell := measured(table, row, column, runs)) and cell.dataset != column.dataset
    }
    return [f"measured on {here}, not on the paper's {there}" for there, here in sorted(found)]


def repetitions(table: Table, runs: Runs) -> list[str]:
    """Over how many runs the means are, row by row where they differ: a table is written before its last run ends."""
    counts = {row.label: len(runs[row.config]) for row in table.rows if row.config and runs.get(row.config)}
    if not counts:
        return []
    if max(counts.values()) == 1:
        return ["single runs: how much the seed alone changes a number is not known"]
    known = set(counts.values())
    each = f"{known.pop()} runs each" if len(known) == 1 else "; ".join(f"{label}: {n}" for label, n in counts.items())
    return [f"mean ± standard deviation over the seeds, {each}"]


def machines(table: Table, runs: Runs) -> list[str]:
    """That memory and time are of other batches and another machine than the paper's, where they were measured."""
    found = (evaluation.get(RESOURCES, {}) for config in table.configs for evaluation in runs.get(config, ()))
    batches = sorted({int(cost["batch"]) for cost in found if cost})
    if not batches or not any(column.dataset == RESOURCES for column in table.columns):
        return []
    return [f"memory and time here: {' and '.join(map(str, batches))} samples on the machine of these runs; the paper "
            "trained on RTX 2080 Ti GPUs and does not say how many samples its numbers are of"]  # fmt: skip


def ordering(table: Table, runs: Runs) -> list[str]:
    """For each column of errors, how many pairs of measured rows that differ in the paper come in its order here.

    Memory and time have no line: on another machine their order is no question to the paper. Only what was measured on
    one test set is compared, and equal means have no order.
    """
    lines = []
    for k, column in enumerate(table.columns):
        if column.dataset == RESOURCES:
            continue
        cells = [(row.values[k], measured(table, row, column, runs)) for row in table.rows]
        known = [(value, found) for value, found in cells if value is not None and found is not None]
        same: list[bool] = []
        against: list[bool] = []
        for (value, found), (other_value, other) in combinations(known, 2):
            if value == other_value or found.mean == other.mean or found.dataset != other.dataset:
                continue
            side = same if (found.mean > other.mean) == (value > other_value) else against
            side.append(beyond_chance(found, other))
        if pairs := len(same) + len(against):
            lines.append(f"{column.title}: {len(same)} of {pairs} pairs in the paper's order ({sum(same)} beyond "
                         f"chance), {len(against)} against it ({sum(against)} beyond chance)")  # fmt: skip
    if lines:
        lines.append(f"beyond chance: by Welch's t-test over the seeds at {CHANCE:.0%}, each pair for itself, so that "
                     "one of 20 pairs without any difference passes; pairs: rows that differ in the paper")  # fmt: skip
    return lines


def beyond_chance(one: Measured, other: Measured) -> bool:
    """Whether two means over seeds differ more than seeds alone explain (Welch 1947, two-sided); never of single runs.

    The deviations of few seeds are themselves uncertain: of three each, means have to lie about 2.8 to 4.3 standard
    errors apart.
    """
    if min(len(one.values), len(other.values)) < 2:
        return False
    counts = np.array([len(one.values), len(other.values)])
    squares = np.array([np.var(m.values, ddof=1) for m in (one, other)]) / counts
    difference = abs(one.mean - other.mean)
    if squares.sum() == 0:
        return difference > 0
    freedom = squares.sum() ** 2 / (squares**2 / (counts - 1)).sum()
    return bool(2 * stdtr(freedom, -difference / np.sqrt(squares.sum())) < CHANCE)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
