"""What a run reads: files, folders, globs, archives, URLs, and lists of them on stdin."""

from __future__ import annotations

import glob
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
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
    unreadable,
)
from capture.archive.remote import RemotePicture, check_url, pictures_at
from capture.archive.stores import LOCAL_SCHEME, is_url
from capture.errors import ConfigurationError, UnreadableFileError
from capture.ledger.names import printable

PICTURE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".tif", ".tiff", ".bmp"),
    *(".gif", ".avif", ".heic", ".heif", ".hif"),
    *(".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".sr2", ".raf", ".orf", ".rw2", ".pef"),
    *(".srw", ".x3f", ".mrw", ".3fr", ".erf", ".kdc", ".dcr"),
)
"""Names taken for pictures in folders and archives; a file that is named is one as it is."""

STDIN = "-"

Recall = Callable[[ArchiveFile], Iterator[Picture] | None]
"""Finds the pictures of an archive without reading it, or says that it cannot."""


class Sources:
    """Pictures in a fixed order: sources as given, folders sorted by name.

    Iterating lists them anew each time, so nothing is held in memory but one folder's
    names and the identities of the folders, against links that lead in circles.

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
        self._walk = _Walk()
        for name in self.names:
            if is_url(name):
                check_url(name)
            elif not os.path.lexists(name) and not _first_match(name):
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
        self._walk = _Walk()
        for found in self._walk.files(self.names, self._listed):
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
    def skipped_count(self) -> int:
        """Files that the last listing left out because they are no pictures by name."""
        return self._walk.skipped_count

    def count(self, given_up: Event) -> int | None:
        """Count the pictures, or return None where that would mean reading whole archives.

        Parameters
        ----------
        given_up : Event
            Once set, counting ends with None.
        """
        count = 0
        for found in _Walk().files(self.names, self._listed):
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


class _Walk:
    """One listing of files; a folder is entered once, however many links lead to it."""

    def __init__(self) -> None:
        self.skipped_count = 0
        self._entered: set[tuple[int, int]] = set()
        self._names: dict[tuple[int, int], str] = {}

    def files(self, names: Sequence[str], listed: Path | None) -> Iterator[Picture | ReadThrough]:
        for name in names:
            yield from self._expanded(name)
        if listed is not None:
            with listed.open("rb") as lines:
                for name in _names_in(lines):
                    yield from self._expanded(name)

    def _expanded(self, name: str) -> Iterator[Picture | ReadThrough]:
        if is_url(name):
            yield from pictures_at(
                name, lambda found: is_picture(found) or is_archive(found), self._skip
            )
            return
        if os.path.lexists(name) or not _first_match(name):
            yield from self.below(name)
            return
        for match in sorted(glob.iglob(name, recursive=True)):  # noqa: PTH207 - absolute
            # A pattern that matches a folder also matches, or leaves out, what lies in it.
            if not _is_folder_at(match) and not ("**" in name and self._is_round_about(match)):
                yield FilePicture(match)

    def below(self, name: str) -> Iterator[FilePicture | Unreachable | ReadThrough]:
        pending = [(name, _is_folder_at(name))]
        while pending:
            path, is_folder = pending.pop()
            if not is_folder:
                yield FilePicture(path)
                continue
            try:
                pending.extend(reversed(self._entries_of(path)))
            except OSError as error:
                yield Unreachable(printable(path), f"folder: {unreadable(error)}")
            else:
                yield ReadThrough(printable(path))

    def _is_round_about(self, match: str) -> bool:
        """Say whether links led to a folder that was come to by another name already."""
        folder = os.path.dirname(match)  # noqa: PTH120 - may hold undecodable bytes
        try:
            found = os.stat(folder)  # noqa: PTH116
        except OSError:  # reading it will say so
            return False
        return self._names.setdefault((found.st_dev, found.st_ino), folder) != folder

    def _skip(self) -> None:
        self.skipped_count += 1

    def _entries_of(self, folder: str) -> list[tuple[str, bool]]:
        found = os.stat(folder)  # noqa: PTH116 - may hold undecodable bytes
        if (found.st_dev, found.st_ino) in self._entered:
            return []
        self._entered.add((found.st_dev, found.st_ino))
        with os.scandir(folder) as listing:
            entries = sorted((entry.name, _is_folder(entry)) for entry in listing)
        wanted = [
            (name, is_folder)
            for name, is_folder in entries
            # Dot files: thumbnails, resource forks, half-made downloads.
            if not name.startswith(".") and (is_folder or is_picture(name) or is_archive(name))
        ]
        files = sum(1 for _, is_folder in entries if not is_folder)
        self.skipped_count += files - sum(1 for _, is_folder in wanted if not is_folder)
        return [(os.path.join(folder, name), is_folder) for name, is_folder in wanted]  # noqa: PTH118


def _is_folder_at(name: str) -> bool:
    return os.path.isdir(name)  # noqa: PTH112 - Path raises where nobody may look


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself; reading it will say so
        return False


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


def is_picture(name: str) -> bool:
    """Say by its name whether a file in a folder or an archive is taken for a picture."""
    base = name.rsplit("/", 1)[-1]
    return base.lower().endswith(PICTURE_SUFFIXES) and not base.startswith(".")


def files_at(names: Iterable[str]) -> Iterator[FilePicture | Unreachable]:
    """Yield files under the names given, and the pictures below folders sorted by name.

    Archives are not looked into. What is not there is yielded too: reading it says so.
    """
    walk = _Walk()
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


def _first_match(name: str) -> str | None:
    if not glob.has_magic(name):
        return None
    return next(glob.iglob(name, recursive=True), None)  # noqa: PTH207 - absolute


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
    path = url2pathname(urlsplit(name).path) if name.startswith(LOCAL_SCHEME) else name
    return os.path.abspath(path)  # noqa: PTH100 - keeps links as they are
