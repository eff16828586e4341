"""Which of many pictures look alike, without comparing all pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

BIT_COUNT = 64


class DisjointSets:
    """Items that are joined step by step; the first of a set stands for it.

    Parameters
    ----------
    count : int
        Items, each in a set of its own to begin with.
    """

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def first_of(self, item: int) -> int:
        """Return the lowest item that `item` is joined with."""
        parents = self._parents
        while parents[item] != item:
            parents[item] = parents[parents[item]]
            item = parents[item]
        return item

    def join(self, one: int, other: int) -> None:
        """Put two items, and all that they are joined with, into one set."""
        one, other = self.first_of(one), self.first_of(other)
        self._parents[max(one, other)] = min(one, other)


def linked(hashes: Sequence[int], max_distance: int) -> DisjointSets:
    """Join hashes that differ in few bits, directly or by others between them.

    Two hashes that differ in at most d bits agree in one of d + 1 bands of their bits, so
    only those that share a band are compared. Where many do, as from a camera that never
    moves, each comparison takes out of the rest whatever it finds.

    Parameters
    ----------
    hashes : sequence of int
        64 bits each.
    max_distance : int
        Differing bits that two linked hashes may have, 0 to 63.

    Returns
    -------
    DisjointSets
        Of indices into `hashes`.

    References
    ----------
    Manku, Jain and Das Sarma, "Detecting near-duplicates for web crawling", WWW 2007,
    for the bands. doi:10.1145/1242572.1242592
    """
    sets = DisjointSets(len(hashes))
    values, firsts, owners = np.unique(
        np.array(hashes, np.uint64), return_index=True, return_inverse=True
    )
    for item, owner in enumerate(owners):
        sets.join(item, int(firsts[owner]))
    for band in _bands(max_distance + 1):
        keys = values & band
        order = np.argsort(keys, kind="stable")
        cuts = np.flatnonzero(np.diff(keys[order])) + 1
        for bucket in np.split(order, cuts):
            if len(bucket) > 1:
                for one, other in _near_pairs(values, bucket, max_distance):
                    sets.join(int(firsts[one]), int(firsts[other]))
    return sets


def _bands(count: int) -> Iterator[np.uint64]:
    """Cut the 64 bits into masks of nearly one width."""
    edges = [BIT_COUNT * n // count for n in range(count + 1)]
    for low, high in pairwise(edges):
        yield np.uint64((1 << high) - (1 << low))


def _near_pairs(
    values: NDArray[np.uint64], bucket: NDArray[np.intp], max_distance: int
) -> Iterator[tuple[int, int]]:
    """Yield pairs that link all of a bucket that is linked within it."""
    rest = bucket
    frontier: list[int] = []
    while len(rest):
        if not frontier:
            frontier, rest = [int(rest[0])], rest[1:]
        one = frontier.pop()
        is_near = np.bitwise_count(values[rest] ^ values[one]) <= max_distance
        if is_near.any():
            found = rest[is_near].tolist()
            rest = rest[~is_near]
            frontier += found
            for other in found:
                yield one, other
