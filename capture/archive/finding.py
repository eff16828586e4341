"""Pictures found again by what the ledger calls them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from capture.archive.containers import is_archive, members_of
from capture.archive.pictures import FilePicture, Picture, Stamp, Unreachable
from capture.archive.remote import RemotePicture, picture_at_url
from capture.archive.stores import is_url
from capture.archive.walk import is_picture
from capture.ledger.names import MEMBER, with_odd_bytes


def find(paths: Iterable[str]) -> Iterator[tuple[str, Picture]]:
    """Find pictures by their paths; those of an archive as they lie in it, which is read once.

    Parameters
    ----------
    paths : iterable of str
        Files, URLs, or ``archive!member`` of either; those of one archive together.

    Yields
    ------
    path, picture : str, Picture
        One for each path. Where nothing is found any more, one that cannot be read.
    """
    for archive, together in groupby(paths, archive_of):
        if archive is None:
            yield from ((path, file_at(path)) for path in together)
        else:
            yield from _find_in(archive, set(together))


def picture_at(path: str) -> Picture:
    """Find one picture, as `find` does."""
    ((_, picture),) = find((path,))
    return picture


def _find_in(archive: str, wanted: set[str]) -> Iterator[tuple[str, Picture]]:
    why = "no such picture in the archive"
    for member in members_at(archive):
        if member.path in wanted:
            wanted.remove(member.path)
            yield member.path, member
            if not wanted:
                return
        elif isinstance(member, Unreachable) and member.path == archive:
            why = member.why
    yield from ((path, Unreachable(path, why)) for path in sorted(wanted))


@dataclass(frozen=True, slots=True)
class StandingMember:
    """A member known from its row: the archive is opened only if it has to be read after all."""

    path: str
    known_stamp: Stamp

    def stamp(self) -> Stamp:
        """Return what its row says."""
        return self.known_stamp

    def read(self, max_bytes: int) -> bytes:
        """Look for it in its archive; raises UnreadableFileError or ImageTooLargeError."""
        return picture_at(self.path).read(max_bytes)


def file_at(path: str) -> FilePicture | RemotePicture | Unreachable:
    """Return the file at a path or URL of the ledger; an archive is not looked into."""
    return picture_at_url(path) if is_url(path) else FilePicture(_on_disk(path))


def members_at(archive: str) -> Iterator[Picture]:
    """Yield the pictures of an archive in the order they lie in it, and why not all of them."""
    found = file_at(archive)
    if isinstance(found, Unreachable):
        return iter((found,))
    return members_of(found, is_picture)


def archive_of(path: str) -> str | None:
    """Return the archive that a picture of the ledger is a member of; None of a plain file."""
    if is_url(path):
        return next(_archives_in(path), None)
    if _is_file(path):  # whose own name holds the mark
        return None
    return next(filter(_is_file, _archives_in(path)), None)


def address_of(path: str) -> str | None:
    """Return what a browser can open to get at a picture of the ledger.

    Parameters
    ----------
    path : str
        A file, a URL, or ``archive!member`` of either: the archive, then.

    Returns
    -------
    str or None
        A ``file:`` or ``http:`` address; None where it lies in another kind of store.
    """
    place = next(_archives_in(path), path)
    if is_url(place):
        return place if place.startswith(("http://", "https://")) else None
    return Path(place).as_uri() if Path(place).is_absolute() else None


def _is_file(path: str) -> bool:
    return os.path.isfile(_on_disk(path))  # noqa: PTH113 - Path raises where a name is too long


def _on_disk(path: str) -> str:
    return path if os.path.lexists(path) else with_odd_bytes(path)


def _archives_in(path: str) -> Iterator[str]:
    """Yield what may be the archive of a member; a name may hold the mark as well."""
    cut = path.find(MEMBER)
    while cut >= 0:
        if is_archive(path[:cut]):
            yield path[:cut]
        cut = path.find(MEMBER, cut + 1)
