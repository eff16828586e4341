"""Boosted regression trees as arrays, evaluated without the library that grew them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_LEAF_COUNT = 16
"""Leaves of a tree at most: each is one bit of a word."""


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """Sums of trees, several of them evaluated at once.

    All questions of all trees are asked at once. Each that is answered no rules out the leaves
    on its left; the first leaf that is left is the one that the tree gives.

    Attributes
    ----------
    feature : (k, t) int64
        Feature f that a question compares; f + the number of features where a missing one
        (NaN) is to be answered no.
    threshold : (k, t) float32
        The answer is yes where the feature is at most this; infinite where there is no question.
    left : (k, t) uint16
        Bits of the leaves on the left of a question; leaves are numbered from the left.
    value : (t, 16) float32
        What a leaf adds.
    starts : (s,) int64
        First tree of each sum.
    baseline : (s,) float64
        Added to each sum.

    References
    ----------
    Lucchese et al., "QuickScorer: a fast algorithm to rank documents with additive ensembles of
    regression trees", SIGIR 2015. doi:10.1145/2766462.2767733
    """

    feature: NDArray[np.int64]
    threshold: NDArray[np.float32]
    left: NDArray[np.uint16]
    value: NDArray[np.float32]
    starts: NDArray[np.int64]
    baseline: NDArray[np.float64]

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return every sum, (s,), for one row of features, (f,)."""
        missing = np.isnan(features)
        least = np.where(missing, np.float32(-np.inf), features)
        most = np.where(missing, np.float32(np.inf), features)
        asked = np.concatenate([least, most]).take(self.feature)
        ruled_out = np.bitwise_or.reduce(self.left * (asked > self.threshold), axis=0)
        # Adding one carries through the ruled-out leaves at the left up to the first that stands.
        first = np.bitwise_count(ruled_out & ~(ruled_out + np.uint16(1)))
        reached = self.value[np.arange(len(first)), first]
        return self.baseline + np.add.reduceat(reached, self.starts, dtype=np.float64)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name, for an ``.npz`` file."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def stack(cls, sums: Sequence[Trees]) -> Trees:
        """Return sums that are evaluated at once."""
        depth = max(trees.feature.shape[0] for trees in sums)
        counts = [trees.feature.shape[1] for trees in sums]
        return cls(
            np.concatenate([_deepened(trees.feature, depth, 0) for trees in sums], axis=1),
            np.concatenate([_deepened(trees.threshold, depth, np.inf) for trees in sums], axis=1),
            np.concatenate([_deepened(trees.left, depth, 0) for trees in sums], axis=1),
            np.concatenate([trees.value for trees in sums]),
            np.concatenate([[0], np.cumsum(counts)[:-1]]),
            np.concatenate([trees.baseline for trees in sums]),
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Trees:
        """Read what `arrays` wrote."""
        return cls(*(arrays[name] for name in cls.__slots__))


def mean_of(sums: Sequence[Trees]) -> Trees:
    """Return the mean of single sums as one sum of all their trees."""
    together = Trees.stack(sums)
    return replace(
        together,
        value=together.value / np.float32(len(sums)),
        starts=together.starts[:1],
        baseline=together.baseline.mean(keepdims=True),
    )


def _deepened(questions: NDArray[Any], depth: int, filling: float) -> NDArray[Any]:
    rows = ((0, depth - len(questions)), (0, 0))
    return np.pad(questions, rows, constant_values=filling)
