"""The index finds what comparing all pairs would, and does not compare all pairs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from capture.archive.lookalikes import DisjointSets, linked


def clustered(count: int, seed: int, max_flips: int) -> list[int]:
    """Hashes of which some are others with a few bits flipped."""
    rng = np.random.default_rng(seed)
    hashes = [int(value) for value in rng.integers(0, 1 << 63, count // 2, np.uint64)]
    while len(hashes) < count:
        value = hashes[rng.integers(len(hashes))]
        for bit in rng.choice(64, rng.integers(0, max_flips + 1), replace=False):
            value ^= 1 << int(bit)
        hashes.append(value)
    return hashes


def by_all_pairs(hashes: list[int], max_distance: int) -> DisjointSets:
    sets = DisjointSets(len(hashes))
    for one, other in itertools.combinations(range(len(hashes)), 2):
        if (hashes[one] ^ hashes[other]).bit_count() <= max_distance:
            sets.join(one, other)
    return sets


@pytest.mark.parametrize("max_distance", [0, 1, 6, 16])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_index_joins_what_all_pairs_join(max_distance: int, seed: int) -> None:
    """Neither more nor less, at any distance."""
    hashes = clustered(300, seed, 2 * max_distance + 2)
    found, truth = linked(hashes, max_distance), by_all_pairs(hashes, max_distance)
    assert [found.first_of(n) for n in range(300)] == [truth.first_of(n) for n in range(300)]


def test_a_distance_at_the_limit_is_near_and_one_more_is_not() -> None:
    """The limit belongs to what is near."""
    at_limit, beyond = linked([0, 0b111111], 6), linked([0, 0b1111111], 6)
    assert at_limit.first_of(1) == 0
    assert beyond.first_of(1) == 1


def test_a_camera_that_never_moves_is_one_set() -> None:
    """Tens of thousands of hashes around one value: all pairs would be a billion."""
    rng = np.random.default_rng(4)
    bits = 1 << rng.integers(0, 64, (40_000, 3)).astype(object)
    hashes = [int(a ^ b ^ c) for a, b, c in bits]
    sets = linked(hashes, 6)
    assert {sets.first_of(n) for n in range(len(hashes))} == {0}


def test_nothing_is_nothing() -> None:
    """An empty archive has no sets."""
    linked([], 6)
