"""Groups of data sets in one epoch: with 3D labels and without, equally often (the authors' released code).

The sets of a group stand one after another. An epoch takes as many samples of each group as the longest has: a shorter
one is repeated as often as it fits, the rest is drawn from it at random; then all are shuffled.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, chain

import numpy as np
from numpy.typing import NDArray

from .sample import Sample, Samples


class EmptyGroupError(ValueError):
    """A configuration whose data sets leave nothing to train on."""


class MixedSamples:
    """All samples of several groups, and the order in which an epoch takes them.

    Args:
        groups: the data sets of each group.

    Raises:
        EmptyGroupError: there is no group, or one without samples.
    """

    def __init__(self, *, groups: Sequence[Sequence[Samples]]) -> None:
        sizes = [sum(map(len, group)) for group in groups]
        if not sizes or 0 in sizes:
            raise EmptyGroupError(f"every group needs samples. Got groups of {sizes or 'nothing'}; see data.train")
        self._sets = list(chain.from_iterable(groups))
        self._ends = list(accumulate(map(len, self._sets)))
        self._sizes = sizes

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Sample:
        """One sample, counted through all sets of all groups.

        Raises:
            IndexError: there is none at the index.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        place = bisect_right(self._ends, index)
        return self._sets[place][index - (self._ends[place - 1] if place else 0)]

    @property
    def starts(self) -> tuple[int, ...]:
        """Index at which each group begins."""
        return tuple(accumulate(self._sizes[:-1], initial=0))

    @property
    def epoch_length(self) -> int:
        """Samples of an epoch."""
        return max(self._sizes) * len(self._sizes)

    def order(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """(epoch_length,) indices; always the same for the same seed and epoch."""
        random = np.random.default_rng(np.random.SeedSequence([seed, epoch], spawn_key=(0,)))
        longest = max(self._sizes)
        taken = []
        for start, size in zip(self.starts, self._sizes, strict=True):
            whole = np.tile(np.arange(size), longest // size)
            taken.append(start + np.concatenate([whole, random.integers(0, size, longest - len(whole))]))
        return random.permutation(np.concatenate(taken))
