"""Many samples in few arrays: small in memory, shared by workers as they are forked, and cheap to index."""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from itertools import islice
from typing import Any

import numpy as np

from .sample import Fit, Sample

CHUNK = 1024
"""Samples that are stacked at a time; what is the same for all of them is kept once."""

Columns = dict[str, Any]


class SampleTable:
    """A sequence of samples; their arrays are views that cannot be written to.

    Args:
        samples: taken one after another, so they need not exist all at once.
    """

    def __init__(self, samples: Iterable[Sample]) -> None:
        iterator = iter(samples)
        self._chunks: list[tuple[Columns, Columns]] = []
        self._count = 0
        while rows := list(islice(iterator, CHUNK)):
            self._count += len(rows)
            self._chunks.append(_packed(rows))

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Sample:
        """One sample.

        Raises:
            IndexError: there is none at the index.
        """
        if not -self._count <= index < self._count:
            raise IndexError(f"sample {index} of {self._count}")
        chunk, row = divmod(index % self._count, CHUNK)
        samples, fits = self._chunks[chunk]
        place = samples["fit"][row]
        return Sample(**_row(samples, row) | {"fit": None if place is None else Fit(**_row(fits, place))})


def _packed(rows: Sequence[Sample]) -> tuple[Columns, Columns]:
    """Columns of the samples, where `fit` is a row of the columns of those fits that there are."""
    samples, fits = _columns([replace(row, fit=None) for row in rows]), [row.fit for row in rows if row.fit is not None]
    places = iter(range(len(fits)))
    samples["fit"] = [None if row.fit is None else next(places) for row in rows]
    return samples, _columns(fits) if fits else {}


def _columns(rows: Sequence[Any]) -> Columns:
    return {field.name: _column([getattr(row, field.name) for row in rows]) for field in fields(rows[0])}


def _column(values: list[Any]) -> Any:
    """Arrays stacked, or repeated where all are the same; anything else as it is."""
    if not isinstance(values[0], np.ndarray):
        return values
    stacked = np.stack(values)
    if (stacked == stacked[0]).all():
        return np.broadcast_to(values[0].copy(), stacked.shape)
    stacked.flags.writeable = False
    return stacked


def _row(columns: Columns, index: int) -> Columns:
    return {name: column[index] for name, column in columns.items()}
