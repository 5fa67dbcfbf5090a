"""What every loader says about its files: what it needs and where to get it, and what it left out.

A loader is a class with a static method `sources`, which takes the arguments of the constructor that choose files and
lists what will be read, and with an attribute `skipped`. Its constructor begins with `require(sources(...))`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .sample import Samples


class MissingDataError(FileNotFoundError):
    """Files of a data set are missing; the text lists each with what it is and where to get it."""


@dataclass(frozen=True)
class Source:
    """A file or a folder that a loader reads.

    Attributes:
        path: where it is expected.
        what: it is, in a few words.
        origin: where to get it.
    """

    path: Path
    what: str
    origin: str


class CheckedSamples(Samples, Protocol):
    """A loader, as `pose2pose-train check-data` reports on it.

    Attributes:
        skipped: how many annotations were left out, for each reason.
    """

    skipped: Mapping[str, int]


def missing(sources: Iterable[Source]) -> list[Source]:
    """Those that are not there."""
    return [source for source in sources if not source.path.exists()]


def require(sources: Iterable[Source]) -> None:
    """Go on if all are there.

    Raises:
        MissingDataError: some are not.
    """
    absent = missing(sources)
    if absent:
        lines = "".join(f"\n  {source.path}: {source.what}; from {source.origin}" for source in absent)
        raise MissingDataError(f"missing files:{lines}\nput them there, or name another folder by data.root")
