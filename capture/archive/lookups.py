"""What a listing finds, looked at and looked up in the ledger, a list at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from capture.archive.judging import Judging
from capture.archive.pictures import HeldMember, Picture, ReadThrough, Stamp
from capture.errors import UnreadableFileError
from capture.ledger.ledger import Ledger
from capture.ledger.rows import Row

LOOKUP_COUNT = 256
MAX_HELD_BYTES = 32 << 20


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
    standing : list of Row or None
        The same as they are judged here: the very same row where it stands as it is. None
        for what must be read.
    reached : list of str
        Folders and archives whose rows say that they could not be read, and that were.
    """

    pictures: list[Listed]
    stored: list[Row | None]
    standing: list[Row | None]
    reached: list[str]


def look_up(
    found: Iterable[Picture | ReadThrough], ledger: Ledger, judging: Judging
) -> Iterator[LookedUp]:
    """Look at pictures and ask the ledger for many at once, in bounded memory."""
    for pictures, read_through in _lists(found):
        paths = [item.picture.path for item in pictures]
        rows = ledger.standing_at(paths + read_through)
        stored = [
            row if (row := rows.get(path)) is not None and item.is_unchanged_since(row) else None
            for path, item in zip(paths, pictures, strict=True)
        ]
        judged = iter(judging.of_standing([row for row in stored if row is not None]))
        standing = [None if row is None else next(judged) for row in stored]
        reached = [path for path in read_through if path in rows]
        yield LookedUp(pictures, stored, standing, reached)


def _lists(found: Iterable[Picture | ReadThrough]) -> Iterator[tuple[list[Listed], list[str]]]:
    pictures: list[Listed] = []
    read_through: list[str] = []
    held_bytes = 0
    for item in found:
        if isinstance(item, ReadThrough):
            read_through.append(item.path)
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
