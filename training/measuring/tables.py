"""The paper's tables with what was measured here beside the printed numbers, as Markdown and JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from .paper_numbers import Column, Row, Table

Results = Mapping[str, Mapping[str, float]]
"""One evaluation: test set (or `resources`) -> metric -> number."""
Runs = Mapping[str, Sequence[Results]]
"""Configuration -> its evaluations, one for each seed."""

RESOURCES = "resources"
STAND_IN = "synthetic"
DASH = "-"


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
    """The table as printed, behind each number of the paper the one measured here; then how the order compares."""
    titles = [title for column in table.columns for title in (column.title, "here")]
    lines = [f"**Table {table.number}**: {table.caption}", "", _line([table.head, *titles]),
             _line(["---", *["--:"] * len(titles)])]  # fmt: skip
    for row in table.rows:
        cells = [row.label]
        for column, value in zip(table.columns, row.values, strict=True):
            found = measured(table, row, column, runs)
            cells += [DASH if value is None else f"{value:.{column.digits}f}",
                      DASH if found is None else found.text(column.digits)]  # fmt: skip
        lines.append(_line(cells))
    notes = [*stand_ins(table, runs), *ordering(table, runs)]
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
    notes = [*stand_ins(table, runs), *ordering(table, runs)]
    return {"table": table.number, "caption": table.caption, "rows": rows, "notes": notes}


def stand_ins(table: Table, runs: Runs) -> list[str]:
    """Which test sets stand in for the paper's."""
    found = {
        (column.dataset, cell.dataset)
        for row in table.rows
        for column in table.columns
        if (cell := measured(table, row, column, runs)) and cell.dataset != column.dataset
    }
    return [f"measured on {here}, not on the paper's {there}" for there, here in sorted(found)]


def ordering(table: Table, runs: Runs) -> list[str]:
    """For each column, how many pairs of measured rows that differ in the paper come in the paper's order here.

    A difference counts as one only if it exceeds the deviations of both means over the seeds, added in squares.
    """
    lines = []
    for k, column in enumerate(table.columns):
        cells = [(row.values[k], measured(table, row, column, runs)) for row in table.rows]
        known = [(value, found) for value, found in cells if value is not None and found is not None]
        same, against, open_ = 0, 0, 0
        for (value, found), (other_value, other) in combinations(known, 2):
            if value == other_value:
                continue
            here, margin = found.mean - other.mean, _margin(found, other)
            if abs(here) <= margin:
                open_ += 1
            elif (here > 0) == (value > other_value):
                same += 1
            else:
                against += 1
        if pairs := same + against + open_:
            lines.append(f"{column.title}: {same} of {pairs} pairs in the paper's order, {against} against it, "
                         f"{open_} within the deviation")  # fmt: skip
    return lines


def _margin(one: Measured, other: Measured) -> float:
    """Standard error of the difference of two means; 0 with single runs."""
    squares = [(m.deviation or 0.0) ** 2 / len(m.values) for m in (one, other)]
    return float(np.sqrt(sum(squares)))


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
