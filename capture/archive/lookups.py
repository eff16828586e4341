"""What a listing finds, looked at and looked up in the ledger, a list at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from capture.archive.finding import StandingMember
from capture.archive.judging import Judging
from capture.archive.pictures import ArchiveFile, HeldMember, Picture, ReadThrough, Stamp
from capture.archive.sources import Recall
from capture.errors import UnreadableFileError
from capture.ledger.archives import WholeArchive
from capture.ledger.ledger import Ledger
from capture.ledger.rejudging import Judgement
from capture.ledger.rows import Row

LOOKUP_COUNT = 256
KnownBytes: TypeAlias = Mapping[int, Set[str]]
"""Hashes of bytes that stored measures answer for, by their length."""

MAX_HELD_BYTES = 32 << 20
MAX_KNOWN_COUNT = 1024


@dataclass(frozen=True, slots=True)
class Listed:
    """A picture with what a look at it says; no stamp where it cannot be reached."""

    picture: Picture
    stamp: Stamp | None

    def is_unchanged_since(self, row: Row) -> bool:
        """Say whether a row tells of what lies there now, as far as a look can tell."""
        if self.stamp is None or self.stamp.mtime_ns is None:
            return False
        return self.stamp == Stamp(row["size_bytes"], row["mtime_ns"])


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What the ledger says of some pictures.

    Attributes
    ----------
    pictures : list of Listed
        In the order they were listed.
    stored : list of Row or None
        Their rows, where those tell of the same bytes.
    standing : list of Row, Judgement or None
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
    stored: list[Row | None]
    standing: list[Row | Judgement | None]
    known: KnownBytes | None
    reached: list[str]
    whole: list[WholeArchive]


def look_up(
    found: Iterable[Picture | ReadThrough], ledger: Ledger, judging: Judging
) -> Iterator[LookedUp]:
    """Look at pictures and ask the ledger for many at once, in bounded memory."""
    for pictures, read_through in _lists(found):
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
            StandingMember(row["path"], Stamp(row["size_bytes"], row["mtime_ns"]))
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
        if judged is not None:
            known.setdefault(row["size_bytes"], set()).add(row["sha256"])
    return known


def _lists(
    found: Iterable[Picture | ReadThrough],
) -> Iterator[tuple[list[Listed], list[ReadThrough]]]:
    pictures: list[Listed] = []
    read_through: list[ReadThrough] = []
    held_bytes = 0
    for item in found:
        if isinstance(item, ReadThrough):
            read_through.append(item)
        else:
            try:
                stamp = item.stamp()
            except UnreadableFileError:
                stamp = None  # reading it will say why
            pictures.append(Listed(item, stamp))
        if isinstance(item, HeldMember):
            held_bytes += len(item.data)
        if len(pictures) + len(read_through) == LOOKUP_COUNT or held_bytes > MAX_HELD_BYTES:
            yield pictures, read_through
            pictures, read_through, held_bytes = [], [], 0
    if pictures or read_through:
        yield pictures, read_through
