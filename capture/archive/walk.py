"""What lies in folders, matches a pattern or lies behind a URL, listed file by file."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass

from capture.archive.containers import is_archive
from capture.archive.pictures import FilePicture, Picture, ReadThrough, Unreachable, unreadable
from capture.archive.remote import pictures_at
from capture.archive.stores import is_url
from capture.ledger.names import printable

PICTURE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".tif", ".tiff", ".bmp"),
    *(".gif", ".avif", ".heic", ".heif", ".hif"),
    *(".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".sr2", ".raf", ".orf", ".rw2", ".pef"),
    *(".srw", ".x3f", ".mrw", ".3fr", ".erf", ".kdc", ".dcr"),
)
"""Names taken for pictures in folders and archives; a file that is named is one as it is."""


@dataclass(slots=True)
class LeftOut:
    """What a listing of folders left out.

    Attributes
    ----------
    other_file_count : int
        Files that are no pictures by name.
    hidden_file_count, hidden_folder_count : int
        Whose names begin with a dot.
    """

    other_file_count: int = 0
    hidden_file_count: int = 0
    hidden_folder_count: int = 0

    @property
    def file_count(self) -> int:
        """Files of either kind; what hidden folders hold is not known."""
        return self.other_file_count + self.hidden_file_count


class Walk:
    """One listing of files; a folder is entered once, however many links lead to it."""

    def __init__(self) -> None:
        self.left_out = LeftOut()
        self._entered: set[tuple[int, int]] = set()
        self._names: dict[tuple[int, int], str] = {}

    def under(self, name: str) -> Iterator[Picture | ReadThrough]:
        """Yield what a file, a folder, a pattern or a URL stands for, and folders after it."""
        if is_url(name):
            yield from pictures_at(
                name, lambda found: is_picture(found) or is_archive(found), self._leave_out
            )
            return
        if os.path.lexists(name) or not first_match(name):
            yield from self.below(name)
            return
        try:
            matches = sorted(glob.iglob(name, recursive=True))  # noqa: PTH207 - absolute
        except RecursionError:
            why = "folders lie too deep within each other for a pattern: name the folder"
            yield Unreachable(printable(name), why)
            return
        for match in matches:
            # A pattern that matches a folder also matches, or leaves out, what lies in it.
            if not _is_folder_at(match) and not ("**" in name and self._is_round_about(match)):
                yield FilePicture(match)

    def below(self, name: str) -> Iterator[FilePicture | Unreachable | ReadThrough]:
        """Yield a file, or the pictures and archives below a folder, sorted by name."""
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

    def _leave_out(self, name: str, is_folder: bool) -> None:
        if not is_hidden(name):
            self.left_out.other_file_count += 1
        elif is_folder:
            self.left_out.hidden_folder_count += 1
        else:
            self.left_out.hidden_file_count += 1

    def _entries_of(self, folder: str) -> list[tuple[str, bool]]:
        found = os.stat(folder)  # noqa: PTH116 - may hold undecodable bytes
        if (found.st_dev, found.st_ino) in self._entered:
            return []
        self._entered.add((found.st_dev, found.st_ino))
        with os.scandir(folder) as listing:
            entries = sorted((entry.name, _is_folder(entry)) for entry in listing)
        wanted = []
        for name, is_folder in entries:
            if not is_hidden(name) and (is_folder or is_picture(name) or is_archive(name)):
                wanted.append((os.path.join(folder, name), is_folder))  # noqa: PTH118
            else:
                self._leave_out(name, is_folder)
        return wanted


def is_hidden(name: str) -> bool:
    """Say whether a file is one of those that programs keep: thumbnails, half-made downloads."""
    return name.rstrip("/").rpartition("/")[2].startswith(".")


def is_picture(name: str) -> bool:
    """Say by its name whether a file in a folder or an archive is taken for a picture."""
    return name.lower().endswith(PICTURE_SUFFIXES) and not is_hidden(name)


def first_match(name: str) -> str | None:
    """Return something that a pattern matches, or None if it is none or matches nothing."""
    if not glob.has_magic(name) or "\0" in name:  # which no file has in its name
        return None
    return next(glob.iglob(name, recursive=True), None)  # noqa: PTH207 - absolute


def _is_folder_at(name: str) -> bool:
    return os.path.isdir(name)  # noqa: PTH112 - Path raises where nobody may look


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself; reading it will say so
        return False
