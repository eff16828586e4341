"""Group 100,000 pictures: ``python -m tests.benchmarks.groups``.

Two archives: one of many scenes, with bursts, copies and re-encoded pictures; and one of a
camera that never moves, whose pictures nearly all look alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from time import perf_counter

from capture.archive.best import Candidate
from capture.archive.groups import GroupedPicture, groups_of
from capture.gates.profile import load_profile

COUNT = 100_000
START = datetime(2026, 1, 1)


def picture(rng: Random, number: int, bits: int, moment: datetime) -> GroupedPicture:
    """A picture of four megapixels with measures of its own."""
    found = Candidate(
        f"/{number:06d}.jpg", "ACCEPT", rng.random(), rng.gauss(0, 1), 2.0, 2400, 1600
    )
    return GroupedPicture(found, f"{number:064d}", bits, moment, 0.01, 4.0, 200.0)


def flipped(rng: Random, bits: int, count: int) -> int:
    """Another hash, `count` bits away."""
    for bit in rng.sample(range(64), count):
        bits ^= 1 << bit
    return bits


def many_scenes(rng: Random) -> Iterator[GroupedPicture]:
    """Of each scene one to five pictures a second apart; every tenth is a copy."""
    number = 0
    moment = START
    while number < COUNT:
        bits = rng.getrandbits(64)
        moment += timedelta(minutes=3)
        for n in range(rng.randint(1, 5)):
            last = picture(
                rng, number, flipped(rng, bits, 2 * n % 6), moment + timedelta(seconds=n)
            )
            yield last
            number += 1
        if rng.random() < 0.1:
            copied = replace(last.candidate, path=f"/copies/{number:06d}.jpg")
            yield replace(last, candidate=copied)
            number += 1


def one_view(rng: Random) -> Iterator[GroupedPicture]:
    """A picture a minute, each a few bits from the usual."""
    bits = rng.getrandbits(64)
    for number in range(COUNT):
        moment = START + timedelta(minutes=number)
        yield picture(rng, number, flipped(rng, bits, rng.randint(0, 8)), moment)


def durations() -> Iterator[tuple[str, float, str]]:
    """Yield of each archive its name, the seconds it takes, and what was found."""
    limits = load_profile("default").groups
    for name, archive in (("many scenes", many_scenes), ("one view", one_view)):
        pictures = list(archive(Random(7)))
        started = perf_counter()
        groups = list(groups_of(pictures, limits))
        duration_s = perf_counter() - started
        kinds = Counter(group.kind.value for group in groups)
        found = ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items()))
        yield name, duration_s, found


def main() -> None:
    """Print how long each archive takes, and what was found."""
    for name, duration_s, found in durations():
        print(f"{name}: {COUNT:,} pictures in {duration_s:.1f} s: {found}")


if __name__ == "__main__":
    main()
