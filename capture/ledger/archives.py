"""Archives that were read to their end: listed from their rows, they need not be fetched again.

What is remembered is no promise: a run may have been killed before it committed the last
pictures. So the rows are counted before they are believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import ColumnElement, Connection, func, select

from capture.ledger.database import upsert
from capture.ledger.names import MEMBER
from capture.ledger.schema import archives, assessments


@dataclass(frozen=True, slots=True)
class WholeArchive:
    """What an archive was when it was read to its end.

    Attributes
    ----------
    path : str
        As in the rows of its members, before the mark.
    size_bytes : int or None
        Its length; None where a server does not say.
    mtime_ns : int
        When it was changed: Unix time in ns.
    picture_count : int
        Pictures in it.
    """

    path: str
    size_bytes: int | None
    mtime_ns: int
    picture_count: int


def remember(connection: Connection, read: Sequence[WholeArchive]) -> None:
    """Write down archives that were read to their end."""
    rows = [asdict(archive) for archive in sorted(read, key=lambda archive: archive.path)]
    connection.execute(upsert(archives, "path", connection.dialect), rows)


def is_whole(connection: Connection, path: str, size_bytes: int | None, mtime_ns: int) -> bool:
    """Say whether all pictures of an archive have rows, and it was not changed since."""
    known = connection.execute(select(archives).where(archives.c.path == path)).one_or_none()
    if known is None or (known.size_bytes, known.mtime_ns) != (size_bytes, mtime_ns):
        return False
    of_it = select(func.count()).where(is_in(path), assessments.c.mtime_ns == mtime_ns)
    return bool(connection.scalar(of_it) == known.picture_count)


def is_in(path: str) -> ColumnElement[bool]:
    """Return the condition that a row is of a picture in an archive."""
    # Between the mark and the character after it: a range of the index, in byte order.
    return assessments.c.path.between(f"{path}{MEMBER}", f"{path}{chr(ord(MEMBER) + 1)}")
