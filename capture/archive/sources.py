"""What a run reads: files, folders, globs, archives, URLs, and lists of them on stdin."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import copyfileobj
from threading import Event
from typing import BinaryIO
from urllib.parse import urlsplit
from urllib.request import url2pathname

from capture.archive.containers import is_archive, is_read_in_passing, members_of
from capture.archive.pictures import (
    ArchiveFile,
    FilePicture,
    Picture,
    ReadThrough,
    Stamp,
    Unreachable,
)
from capture.archive.remote import RemotePicture, check_url
from capture.archive.stores import LOCAL_SCHEME, is_url
from capture.archive.walk import LeftOut, Walk, first_match, is_picture
from capture.errors import ConfigurationError, UnreadableFileError
from capture.ledger.names import printable

STDIN = "-"

Recall = Callable[[ArchiveFile], Iterator[Picture] | None]
"""Finds the pictures of an archive without reading it, or says that it cannot."""


class Sources:
    """Pictures in a fixed order: sources as given, folders sorted by name.

    Iterating lists them anew each time, so nothing is held in memory but one folder's
    names, what one pattern matches, one zip's directory, and the identities of the folders,
    against links that lead in circles.

    Parameters
    ----------
    names : sequence of str
        Files, folders, archives and glob patterns, kept as absolute paths; and URLs.
    listed : Path or None
        A file of further names, one a line or separated by NUL.

    Raises
    ------
    ConfigurationError
        If a name leads nowhere, or nothing can read its kind of URL. What a list names and
        is not there becomes a row instead, as does what a URL names.
    """

    def __init__(self, names: Sequence[str], listed: Path | None = None) -> None:
        self.names = [_absolute(name) for name in names]
        self._listed = listed
        self._walk = Walk()
        for name in self.names:
            if is_url(name):
                check_url(name)
            elif not os.path.lexists(name) and not first_match(name):
                raise ConfigurationError(f"nothing there: {printable(name)}")

    def __iter__(self) -> Iterator[Picture]:
        return (found for found in self.listing() if not isinstance(found, ReadThrough))

    def listing(self, recall: Recall = lambda _: None) -> Iterator[Picture | ReadThrough]:
        """Yield the pictures, and after them the folders and archives they were listed in.

        Parameters
        ----------
        recall : callable
            Asked for the pictures of an archive that can be read in passing only, or lies
            behind a URL; None where it has to be read.
        """
        self._walk = Walk()
        for found in self._found_by(self._walk):
            archive = _archive_of(found)
            if archive is None:
                yield found
                continue
            if isinstance(archive, FilePicture) and not is_read_in_passing(archive):
                yield from _read_through(archive, None)
            elif (recalled := recall(archive)) is not None:
                yield from recalled
            else:
                yield from _read_through(archive, _stamp_of(archive))

    @property
    def left_out(self) -> LeftOut:
        """What the last listing left out."""
        return self._walk.left_out

    def count(self, given_up: Event) -> int | None:
        """Count the pictures, or return None where that would mean reading whole archives.

        Parameters
        ----------
        given_up : Event
            Once set, counting ends with None.
        """
        count = 0
        for found in self._found_by(Walk()):
            if isinstance(found, ReadThrough):
                continue
            members: Iterable[object] = (found,)
            if archive := _archive_of(found):
                if is_read_in_passing(archive) or not isinstance(archive, FilePicture):
                    return None
                members = members_of(archive, is_picture)
            for _ in members:
                count += 1
                if given_up.is_set():
                    return None
        return count

    def _found_by(self, walk: Walk) -> Iterator[Picture | ReadThrough]:
        for name in self.names:
            yield from walk.under(name)
        if self._listed is not None:
            with self._listed.open("rb") as lines:
                for name in _names_in(lines):
                    yield from walk.under(name)


def _archive_of(found: Picture | ReadThrough) -> ArchiveFile | None:
    """Return a file that is looked into, of what a listing found."""
    if isinstance(found, FilePicture | RemotePicture) and is_archive(found.path):
        return found
    return None


def _read_through(archive: ArchiveFile, stamp: Stamp | None) -> Iterator[Picture | ReadThrough]:
    count = 0
    for member in members_of(archive, is_picture):
        yield member
        if member.path == archive.path:
            return  # it says why it could not be read to its end
        count += 1
    yield ReadThrough(archive.path, stamp, count)


def _stamp_of(archive: ArchiveFile) -> Stamp | None:
    try:
        return archive.stamp()
    except UnreadableFileError:
        return None


def files_at(names: Iterable[str]) -> Iterator[FilePicture | Unreachable]:
    """Yield files under the names given, and the pictures below folders sorted by name.

    Archives are not looked into. What is not there is yielded too: reading it says so.
    """
    walk = Walk()
    for name in names:
        for found in walk.below(name):
            if isinstance(found, FilePicture):
                wanted = found.file == name or is_picture(found.file)
            else:
                wanted = isinstance(found, Unreachable)
            if wanted and not isinstance(found, ReadThrough):
                yield found


@contextmanager
def spooled(stream: BinaryIO) -> Iterator[Path]:
    """Keep a list that can be read only once in a temporary file while it is needed."""
    with tempfile.NamedTemporaryFile(prefix="smart-capture-list-") as spool:
        copyfileobj(stream, spool)
        spool.flush()
        yield Path(spool.name)


def _names_in(lines: BinaryIO) -> Iterator[str]:
    separator = b"\0" if b"\0" in lines.peek(1 << 16) else b"\n"  # type: ignore[attr-defined]
    rest = b""
    while block := lines.read(1 << 16):
        *names, rest = (rest + block).split(separator)
        for name in names:
            yield from _named(name)
    yield from _named(rest)


def _named(name: bytes) -> Iterator[str]:
    if stripped := name.rstrip(b"\r\n"):
        yield _absolute(os.fsdecode(stripped))


def _absolute(name: str) -> str:
    if is_url(name):
        return name
    path = name
    if name.startswith(LOCAL_SCHEME):
        with suppress(ValueError):  # what is no URL leads nowhere, and a row says so
            path = url2pathname(urlsplit(name).path)
    return os.path.abspath(path)  # noqa: PTH100 - keeps links as they are
