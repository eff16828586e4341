"""Pictures found again by what the ledger calls them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from capture.archive.containers import is_archive, members_of
from capture.archive.members import MEMBER
from capture.archive.pictures import FilePicture, Picture, Stamp, Unreachable
from capture.archive.remote import picture_at_url
from capture.archive.stores import is_url
from capture.archive.walk import is_picture
from capture.ledger.names import with_odd_bytes


class Finder:
    """Finds pictures by their paths, and goes on in an archive where it found the last one.

    Asked in the order of the archive, it reads a shard once, however many of its pictures
    are wanted. Calls may come from any thread.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._archive = ""
        self._members: Iterator[Picture] = iter(())

    def at(self, path: str) -> Picture:
        """Find a picture.

        Parameters
        ----------
        path : str
            A file, a URL, or ``archive!member`` of either.

        Returns
        -------
        Picture
            Where nothing is found any more, one that cannot be read.
        """
        archive = archive_of(path)
        if archive is not None:
            with self._lock:
                return self._member(archive, path)
        return picture_at_url(path) if is_url(path) else FilePicture(_on_disk(path))

    def _member(self, archive: str, path: str) -> Picture:
        if archive == self._archive:
            for member in self._members:
                if member.path == path:
                    return member
        found = picture_at_url(archive) if is_url(archive) else FilePicture(_on_disk(archive))
        if isinstance(found, Unreachable):
            return found
        self._archive, self._members = archive, members_of(found, is_picture)
        for member in self._members:
            if member.path in (path, found.path):  # or why the archive cannot be read
                return member
        return Unreachable(path, "no such picture in the archive")


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
        return Finder().at(self.path).read(max_bytes)


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
