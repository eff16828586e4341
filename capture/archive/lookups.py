"""What a listing finds, looked at and looked up in the ledger, a list at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from capture.archive.finding import StandingMember
from capture.archive.judging import Judging
from capture.archive.members import HeldMember, ZipMember
from capture.archive.pictures import ArchiveFile, Picture, ReadThrough, Stamp
from capture.archive.remote import RemotePicture
from capture.archive.sources import Recall
from capture.errors import UnreadableFileError
from capture.ledger.archives import WholeArchive
from capture.ledger.ledger import Ledger
from capture.ledger.rejudging import Judgement, Standing

LOOKUP_COUNT = 256
MAX_LOOKUP_COUNT = 2048
"""While nothing has to be read; before that, workers would wait for the end of a long list."""

KnownBytes: TypeAlias = Mapping[int, Set[str]]
"""Hashes of bytes that stored measures answer for, by their length."""

MAX_HELD_BYTES = 32 << 20
"""Of members read in passing, in one list: beyond it the list is cut short."""
MAX_OPEN_ZIP_COUNT = 64
"""In one list: a zip stays open as long as one of its members may be read."""
LOOKS_AT_ONCE = 8
"""At pictures in stores: each is a way there and back, and most of it is waiting."""
MAX_KNOWN_COUNT = 1024
"""Rows of the same lengths whose hashes go along with a job."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A picture with what a look at it says; no stamp where it cannot be reached."""

    picture: Picture
    stamp: Stamp | None

    def is_unchanged_since(self, row: Standing) -> bool:
        """Say whether a row tells of what lies there now, as far as a look can tell."""
        stamp = self.stamp
        if stamp is None or stamp.mtime_ns is None:
            return False
        return stamp.mtime_ns == row.mtime_ns and stamp.size_bytes == row.size_bytes


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What the ledger says of some pictures.

    Attributes
    ----------
    pictures : list of Listed
        In the order they were listed.
    stored : list of Standing or None
        Their rows, where those tell of the same bytes.
    standing : list of Standing, Judgement or None
        The same as they are judged here: the very same row where it stands as it is. None
        for what must be read.
    known : KnownBytes or None
        Those that what must be read may turn out to be; None where there are too many.
    reached : list of str
        Folders and archives whose rows say that they could not be read, and that were.
    whole : list of WholeArchive
        Archives that were read to their end just now.
    """

    pictures: list[Listed]
    stored: list[Standing | None]
    standing: list[Standing | Judgement | None]
    known: KnownBytes | None
    reached: list[str]
    whole: list[WholeArchive]


def look_up(
    found: Iterable[Picture | ReadThrough], ledger: Ledger, judging: Judging
) -> Iterator[LookedUp]:
    """Look at pictures and ask the ledger for many at once, in bounded memory."""
    lookers = ThreadPoolExecutor(LOOKS_AT_ONCE, "looker")
    try:
        yield from _look_up(iter(found), ledger, judging, lookers)
    finally:
        # Whoever stops the run does not wait for a store that is silent.
        lookers.shutdown(wait=False, cancel_futures=True)


def _look_up(
    rest: Iterator[Picture | ReadThrough],
    ledger: Ledger,
    judging: Judging,
    lookers: ThreadPoolExecutor,
) -> Iterator[LookedUp]:
    count = LOOKUP_COUNT
    while any(taken := _taken(rest, count)):
        pictures, read_through = _looked_at(taken[0], lookers), taken[1]
        paths = [item.picture.path for item in pictures]
        rows = ledger.standing_at(paths + [through.path for through in read_through])
        stored = [
            row if (row := rows.get(path)) is not None and item.is_unchanged_since(row) else None
            for path, item in zip(paths, pictures, strict=True)
        ]
        judged = iter(judging.of_standing([row for row in stored if row is not None]))
        standing = [None if row is None else next(judged) for row in stored]
        to_read = [item for item, row in zip(pictures, standing, strict=True) if row is None]
        reached = [through.path for through in read_through if through.path in rows]
        whole = [
            WholeArchive(through.path, stamp.size_bytes, stamp.mtime_ns, through.picture_count)
            for through in read_through
            if (stamp := through.stamp) is not None and stamp.mtime_ns is not None
        ]
        known = _known(to_read, ledger, judging)
        count = LOOKUP_COUNT if to_read else min(2 * count, MAX_LOOKUP_COUNT)
        yield LookedUp(pictures, stored, standing, known, reached, whole)


def recalling(ledger: Ledger, judging: Judging) -> Recall:
    """Return what lists an archive from the ledger, if all of its pictures stand there."""

    def recall(archive: ArchiveFile) -> Iterator[Picture] | None:
        try:
            stamp = archive.stamp()
        except UnreadableFileError:
            return None
        if stamp.mtime_ns is None:
            return None
        if not ledger.is_whole(archive.path, stamp.size_bytes, stamp.mtime_ns):
            return None
        # Read in passing for one picture or for all: so it is for none, or for all.
        rows = ledger.standing_in(archive.path)
        while some := list(islice(rows, LOOKUP_COUNT)):
            if None in judging.of_standing(some):
                return None
        return (
            StandingMember(row.path, Stamp(row.size_bytes, row.mtime_ns))
            for row in ledger.standing_in(archive.path)
        )

    return recall


def _known(pictures: list[Listed], ledger: Ledger, judging: Judging) -> KnownBytes | None:
    sizes = {size for item in pictures if item.stamp and (size := item.stamp.size_bytes)}
    if not sizes:
        return {}
    rows = ledger.standing_of_sizes(sizes, MAX_KNOWN_COUNT + 1)
    if len(rows) > MAX_KNOWN_COUNT:
        return None
    known: dict[int, set[str]] = {}
    for row, judged in zip(rows, judging.of_standing(rows), strict=True):
        if judged is not None and row.size_bytes is not None and row.sha256 is not None:
            known.setdefault(row.size_bytes, set()).add(row.sha256)
    return known


def _taken(
    rest: Iterator[Picture | ReadThrough], count: int
) -> tuple[list[Picture], list[ReadThrough]]:
    """Take so many from a listing, or fewer where they are held in memory; none at its end."""
    pictures: list[Picture] = []
    read_through: list[ReadThrough] = []
    held_bytes = 0
    zips: set[str] = set()
    for item in islice(rest, count):
        if isinstance(item, ReadThrough):
            read_through.append(item)
        else:
            pictures.append(item)
        if isinstance(item, HeldMember):
            held_bytes += len(item.data)
        elif isinstance(item, ZipMember):
            zips.add(item.archive_path)
        if held_bytes > MAX_HELD_BYTES or len(zips) >= MAX_OPEN_ZIP_COUNT:
            break
    return pictures, read_through


def _looked_at(pictures: list[Picture], lookers: ThreadPoolExecutor) -> list[Listed]:
    looks = [
        lookers.submit(_look_at, picture) if isinstance(picture, RemotePicture) else None
        for picture in pictures
    ]
    return [
        _look_at(picture) if look is None else look.result()
        for picture, look in zip(pictures, looks, strict=True)
    ]


def _look_at(picture: Picture) -> Listed:
    try:
        return Listed(picture, picture.stamp())
    except UnreadableFileError:
        return Listed(picture, None)  # reading it will say why
