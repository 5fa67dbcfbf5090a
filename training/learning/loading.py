"""Batches in an order that follows from the seed, the epoch and the step alone, so that a run can go on anywhere."""

import signal
from collections import Counter
from collections.abc import Iterator, Sequence

import cv2
import torch
from torch.utils.data import DataLoader, Dataset, default_collate

from ..engine import Part
from ..pictures import SampleError
from ..transforms import Example, PreparedSamples

Item = tuple[int, int, int]
"""Index, epoch, and how often the sample came before in it."""


def shares(
    order: Sequence[int], *, epoch: int, batch: int, start: int, rank: int, processes: int, parts: int
) -> list[list[Item]]:
    """What one process loads in an epoch: its parts of every batch, one after the other.

    A batch is cut into one piece for each process, and a piece into parts. Samples that do not fill a last batch are
    left out; the next epoch has another order.

    Args:
        order: indices of the samples.
        epoch: their epoch.
        batch: samples of a batch; `processes * parts` must divide it.
        start: batches at the beginning that are left out.
        rank: of the process.
        processes: how many share a batch.
        parts: how many parts a process makes of its piece.
    """
    piece, part = batch // processes, batch // (processes * parts)
    items, seen = [], Counter[int]()
    for index in order:
        items.append((index, epoch, seen[index]))
        seen[index] += 1
    found = []
    for first in range(start * batch, len(order) - batch + 1, batch):
        mine = items[first + rank * piece : first + (rank + 1) * piece]
        found += [mine[i : i + part] for i in range(0, piece, part)]
    return found


def load_batches(
    examples: PreparedSamples, items: Sequence[list[Item]], *, parts: int, workers: int, pinned: bool
) -> Iterator[list[Part]]:
    """Load what `shares` gave, in its order.

    Args:
        examples: the samples.
        items: of each part.
        parts: of each batch.
        workers: processes that load ahead; 0 for none.
        pinned: whether batches wait in memory from which a GPU fetches faster.
    """
    loader = DataLoader(
        _Guarded(examples),
        batch_sampler=items,
        num_workers=workers,
        collate_fn=_collate,
        worker_init_fn=_begin_worker,
        pin_memory=pinned,
    )
    waiting: list[Part] = []
    for part in loader:
        waiting.append(part)
        if len(waiting) == parts:
            yield waiting
            waiting = []


class _Guarded(Dataset[Example | SampleError]):
    """Gives the error of a sample in its place: from another process an exception would arrive as a traceback."""

    def __init__(self, examples: PreparedSamples) -> None:
        self._examples = examples

    def __getitem__(self, item: Item) -> Example | SampleError:
        try:
            return self._examples[item]
        except SampleError as error:
            return error


def _collate(examples: list[Example | SampleError]) -> Part:
    errors = [example for example in examples if isinstance(example, SampleError)]
    if errors:
        return errors[0]
    batch: Example = default_collate(examples)
    return batch


def _begin_worker(_number: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the training, which still wants its batch
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
