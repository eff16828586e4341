"""Pictures that belong together: copies, bursts, exposure brackets, look-alikes.

Groups nest: copies lie within bursts, bursts within look-alikes. A picture is in at most
one group of each kind, and a group that would only repeat the one inside it is left out.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import TypeVar

from sqlalchemy import select

from capture.archive.best import Candidate, best_of
from capture.archive.lookalikes import linked
from capture.gates.profile import GroupLimits
from capture.ledger.ledger import Ledger
from capture.ledger.rows import OK
from capture.ledger.schema import assessments

Key = TypeVar("Key", bound=Hashable)


class GroupKind(StrEnum):
    """Why pictures belong together."""

    EXACT = "exact"
    """The same bytes at several places."""
    BURST = "burst"
    """Alike, and taken one right after the other."""
    BRACKET = "bracket"
    """A burst on purpose at several exposures, to be merged: not alternatives."""
    NEAR = "near"
    """Alike: resized, encoded again, or the same scene at another time."""


@dataclass(frozen=True, slots=True)
class GroupedPicture:
    """What groups are told by.

    Attributes
    ----------
    candidate : Candidate
        Where it lies, and what the best is chosen by.
    sha256 : str
        Of its bytes.
    perceptual_hash : int or None
        64 bits; None where it shows nothing to tell it by.
    captured_at : datetime or None
        By the camera's own clock.
    exposure_time_s, f_number, iso : float or None
        As EXIF says.
    """

    candidate: Candidate
    sha256: str
    perceptual_hash: int | None
    captured_at: datetime | None
    exposure_time_s: float | None
    f_number: float | None
    iso: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """Two or more pictures that belong together.

    Attributes
    ----------
    kind : GroupKind
        Why.
    best : str
        Path of the one to keep, were only one kept.
    reason : str
        Why that one, in words.
    paths : tuple of str
        All of them, the best included: bursts and brackets in the order they were taken,
        others by path.
    """

    kind: GroupKind
    best: str
    reason: str
    paths: tuple[str, ...]


def pictures_of(ledger: Ledger) -> Iterator[GroupedPicture]:
    """Yield the judged pictures of a ledger by path, without decoding anything."""
    column = assessments.c
    query = (
        select(
            *(column.path, column.verdict, column.blur_probability, column.exposure_offset_ev),
            *(column.noise_sigma, column.width_px, column.height_px, column.sha256),
            *(column.perceptual_hash, column.captured_at),
            *(column.exposure_time_s, column.f_number, column.iso),
        )
        .where(column.status == OK)
        .order_by(column.path)
    )
    for row in ledger.select(query):
        *judged, sha256, bits, moment, exposure_time_s, f_number, iso = row
        yield GroupedPicture(
            Candidate(*judged),
            sha256,
            None if bits is None else int(bits, 16),
            None if moment is None else datetime.fromisoformat(moment),
            *(exposure_time_s, f_number, iso),
        )


def groups_of(pictures: Iterable[GroupedPicture], limits: GroupLimits) -> Iterator[Group]:
    """Yield the groups of pictures, in the order of their first paths, larger ones first.

    Parameters
    ----------
    pictures : iterable of GroupedPicture
        In any order; the groups are the same.
    limits : GroupLimits
        Of the profile.
    """
    ordered = sorted(pictures, key=lambda picture: picture.candidate.path)
    found: list[tuple[GroupKind, list[GroupedPicture]]] = []
    by_bytes = _by(ordered, lambda picture: picture.sha256)
    found += [(GroupKind.EXACT, copies) for copies in by_bytes]
    for alike in _alike(by_bytes, limits.near_max_distance):
        bursts = [burst for burst in _bursts(alike, limits) if _is_several(burst)]
        found += [(_kind_of(burst, limits), burst) for burst in bursts]
        if _is_several(alike) and not any(len(burst) == len(alike) for burst in bursts):
            found.append((GroupKind.NEAR, alike))
    groups = [_group(kind, members) for kind, members in found if len(members) > 1]
    yield from sorted(groups, key=lambda group: (min(group.paths), -len(group.paths), group.kind))


def _alike(
    by_bytes: Sequence[list[GroupedPicture]], max_distance: int
) -> list[list[GroupedPicture]]:
    """Put those together whose hashes are linked; without a hash there are only copies."""
    hashed = [
        (copies, bits) for copies in by_bytes if (bits := copies[0].perceptual_hash) is not None
    ]
    sets = linked([bits for _, bits in hashed], max_distance)
    joined: defaultdict[int, list[GroupedPicture]] = defaultdict(list)
    for n, (copies, _) in enumerate(hashed):
        joined[sets.first_of(n)] += copies
    return [sorted(members, key=lambda p: p.candidate.path) for members in joined.values()]


def _bursts(alike: list[GroupedPicture], limits: GroupLimits) -> Iterator[list[GroupedPicture]]:
    """Cut pictures that look alike where the camera rested; of one size, as bursts are."""
    max_gap = timedelta(seconds=limits.burst_max_gap_s)
    timed = [picture for picture in alike if picture.captured_at is not None]
    for of_size in _by(timed, lambda p: (p.candidate.width_px, p.candidate.height_px)):
        in_time = sorted(of_size, key=_moment)
        burst = in_time[:1]
        for before, after in pairwise(in_time):
            if _moment(after) - _moment(before) > max_gap:
                yield burst
                burst = []
            burst.append(after)
        yield burst


def _is_several(members: list[GroupedPicture]) -> bool:
    """Say whether they are more than copies of one file."""
    return len({picture.sha256 for picture in members}) > 1


def _kind_of(burst: list[GroupedPicture], limits: GroupLimits) -> GroupKind:
    moments = {_moment(picture) for picture in burst}
    if len(moments) == 1 and any(moment.microsecond for moment in moments):
        return GroupKind.NEAR  # one shot, encoded again: nothing is shot twice in a millisecond
    exposures = [_exposure_stops(picture) for picture in burst]
    known = [stops for stops in exposures if stops is not None]
    if len(known) > 1 and max(known) - min(known) >= limits.bracket_min_ev:
        return GroupKind.BRACKET
    return GroupKind.BURST


def _exposure_stops(picture: GroupedPicture) -> float | None:
    """Return how much exposure a picture got, in stops: time, aperture and sensitivity.

    An aperture or a sensitivity that is not said, as of lenses without contacts, counts
    as one that stays.
    """
    if picture.exposure_time_s is None:
        return None
    return math.log2(picture.exposure_time_s * (picture.iso or 100) / (picture.f_number or 1) ** 2)


def _group(kind: GroupKind, members: list[GroupedPicture]) -> Group:
    choice = best_of([picture.candidate for picture in members])
    paths = tuple(picture.candidate.path for picture in members)
    return Group(kind, choice.path, choice.reason, paths)


def _moment(picture: GroupedPicture) -> datetime:
    return picture.captured_at or datetime.min


def _by(
    pictures: Iterable[GroupedPicture], key: Callable[[GroupedPicture], Key]
) -> list[list[GroupedPicture]]:
    found: defaultdict[Key, list[GroupedPicture]] = defaultdict(list)
    for picture in pictures:
        found[key(picture)].append(picture)
    return list(found.values())
