"""What a report says of a ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capture.ledger.rows import Row
from capture.review.axes import Axis, Limit

BIN_COUNT = 60


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How often a reason was given.

    Attributes
    ----------
    code : str
        The reason.
    count : int
        Pictures that it holds for.
    alone_count : int
        Those of them that nothing else is wrong with.
    """

    code: str
    count: int
    alone_count: int


@dataclass(frozen=True, slots=True)
class Distribution:
    """How one measure is distributed, and who stands at its limits.

    Attributes
    ----------
    axis : Axis
        The measure.
    limits : tuple of Limit
        Those of the profile.
    bins : (3, BIN_COUNT) int64
        Pictures along the axis: accepted; refused for other reasons; beyond this limit.
    missing_count : int
        Pictures for which it could not be measured.
    nearest, worst : tuple of Row
        Pictures closest to a limit on either side, and farthest beyond it.
    """

    axis: Axis
    limits: tuple[Limit, ...]
    bins: NDArray[np.int64]
    missing_count: int
    nearest: tuple[Row, ...]
    worst: tuple[Row, ...]

    @property
    def beyond_count(self) -> int:
        """Pictures beyond a limit."""
        return int(self.bins[2].sum())


@dataclass(frozen=True, slots=True)
class Failure:
    """Pictures that could not be judged for one cause, with a few of them."""

    status: str
    count: int
    examples: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class FolderCount:
    """How the pictures of one folder ended."""

    folder: str
    count: int
    refused_count: int
    unjudged_count: int


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything a report says.

    Attributes
    ----------
    verdicts : mapping of str to int
        Pictures by verdict, of those that were judged.
    reasons : tuple of ReasonCount
        Most frequent first.
    distributions : tuple of Distribution
        One for each of `AXES`.
    failures : tuple of Failure
        One for each cause, most frequent first.
    folders : tuple of FolderCount
        Those with the most pictures that cannot be used, worst first.
    runs : tuple of Row
        All runs, the last first.
    root : str
        The folder that all pictures share, ending in a slash.
    profile, profile_sha256, engine_version : str
        By what most of them were judged; the limits drawn are those.
    other_profiles : tuple of Row
        By what else; they still count, but their limits are not drawn.
    """

    verdicts: Mapping[str, int]
    reasons: tuple[ReasonCount, ...]
    distributions: tuple[Distribution, ...]
    failures: tuple[Failure, ...]
    folders: tuple[FolderCount, ...]
    runs: tuple[Row, ...]
    root: str
    profile: str
    profile_sha256: str
    engine_version: str
    other_profiles: tuple[Row, ...]

    @property
    def judged_count(self) -> int:
        """Pictures with a verdict."""
        return sum(self.verdicts.values())

    @property
    def unjudged_count(self) -> int:
        """Pictures without."""
        return sum(failure.count for failure in self.failures)

    @property
    def count(self) -> int:
        """All pictures."""
        return self.judged_count + self.unjudged_count

    def pictures(self) -> Iterator[Row]:
        """Yield the pictures that are shown, some of them more than once."""
        for distribution in self.distributions:
            yield from distribution.nearest
            yield from distribution.worst
