"""One picture at one place: what it is called, whether it changed, and its bytes."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Protocol

from capture.errors import ImageTooLargeError, UnreadableFileError
from capture.ledger.names import printable

MAX_NUMBER = (1 << 63) - 1
"""What a column of a ledger holds; a size or a time beyond it counts as this."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Tells a changed file from an unchanged one without reading it.

    Attributes
    ----------
    size_bytes : int or None
        Length of the picture; None where a server does not say.
    mtime_ns : int or None
        When the file, or the archive around it, was last changed: Unix time in ns. None
        where a server does not say: only reading it tells whether it changed.
    """

    size_bytes: int | None
    mtime_ns: int | None

    def __post_init__(self) -> None:
        # Archives and servers say what they like, and file systems go beyond the year 2262.
        for name in ("size_bytes", "mtime_ns"):
            number = getattr(self, name) or 0
            if abs(number) > MAX_NUMBER:
                object.__setattr__(self, name, MAX_NUMBER if number > 0 else -MAX_NUMBER)


class Picture(Protocol):
    """A picture that can be read. What cannot be reached is one, too, and says so."""

    @property
    def path(self) -> str:
        """Where it lies, as in the ledger."""
        ...

    def stamp(self) -> Stamp:
        """Look, without reading; raises UnreadableFileError."""
        ...

    def read(self, max_bytes: int) -> bytes:
        """Read it; raises UnreadableFileError or ImageTooLargeError."""
        ...


class ArchiveFile(Picture, Protocol):
    """A file with others in it, to be opened at one end or anywhere."""

    def open_in_passing(self) -> IO[bytes]:
        """Open it to be read once, from its beginning; raises OSError."""
        ...

    def open_to_jump(self) -> IO[bytes]:
        """Open it to be read anywhere; raises OSError."""
        ...


@dataclass(frozen=True, slots=True)
class ReadThrough:
    """A folder or an archive that was listed to its end: it does not count as unreachable.

    Attributes
    ----------
    path : str
        As a row would name it that says otherwise.
    stamp : Stamp or None
        Of an archive that has to be fetched to be listed, so that it is worth knowing that
        all of its pictures were found.
    picture_count : int
        Pictures in it.
    """

    path: str
    stamp: Stamp | None = None
    picture_count: int = 0


@dataclass(frozen=True, slots=True)
class FilePicture:
    """A file."""

    file: str

    @property
    def path(self) -> str:
        """The file's path, in text that every database takes."""
        return printable(self.file)

    def stamp(self) -> Stamp:
        """Look at the file; raises UnreadableFileError."""
        return stamp_of(self.file)

    def read(self, max_bytes: int) -> bytes:
        """Read the file; raises UnreadableFileError or ImageTooLargeError."""
        try:
            with self.open_to_jump() as opened:
                return read_at_most(opened, max_bytes)
        except OSError as error:
            raise unreadable(error) from error

    def is_still(self, stamp: Stamp) -> bool:
        """Say whether it is what a look said before; raises UnreadableFileError."""
        return self.stamp() == stamp

    def fetch_ahead(self) -> None:
        """Have it read into the system's memory, without waiting for it."""
        fetch_ahead(self.file, 0, 0)

    def open_to_jump(self) -> IO[bytes]:
        """Open the file; raises OSError."""
        return open(self.file, "rb")  # noqa: PTH123 - may hold undecodable bytes

    open_in_passing = open_to_jump


@dataclass(frozen=True, slots=True)
class Unreachable:
    """What could not be listed, so that it is a row and not a gap."""

    path: str
    why: str

    def stamp(self) -> Stamp:
        """Raise UnreadableFileError."""
        raise UnreadableFileError(self.why)

    def read(self, max_bytes: int) -> bytes:  # noqa: ARG002 - as of any picture
        """Raise UnreadableFileError."""
        raise UnreadableFileError(self.why)


def stamp_of(file: str) -> Stamp:
    """Look at a file.

    Raises
    ------
    UnreadableFileError
        If it is not there, or no regular file: reading a pipe could wait for ever.
    """
    try:
        found = os.stat(file)  # noqa: PTH116 - may hold undecodable bytes
    except OSError as error:
        raise unreadable(error) from error
    except ValueError as error:  # a NUL, from a damaged list
        raise UnreadableFileError("no file can have this name") from error
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableFileError("not a regular file")
    return Stamp(found.st_size, found.st_mtime_ns)


def fetch_ahead(file: str, offset_bytes: int, size_bytes: int) -> None:
    """Tell the system what will be read soon; a size of 0 means to the end."""
    if not hasattr(os, "posix_fadvise"):
        return
    with suppress(OSError, OverflowError):  # who reads it will say why not
        opened = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
        try:
            os.posix_fadvise(opened, offset_bytes, size_bytes, os.POSIX_FADV_WILLNEED)
        finally:
            os.close(opened)


def read_at_most(opened: IO[bytes], max_bytes: int) -> bytes:
    """Read to the end; what is longer than `max_bytes` raises ImageTooLargeError."""
    data = opened.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise too_large(None, max_bytes)
    return data


def unreadable(error: OSError) -> UnreadableFileError:
    """Say why a file could not be read, without its path."""
    return UnreadableFileError(error.strerror or type(error).__name__)


def too_large(size_bytes: int | None, max_bytes: int) -> ImageTooLargeError:
    """Say how large a picture is, and how large it may be."""
    size = "more" if size_bytes is None else f"{size_bytes / 1e6:.0f} MB, more"
    return ImageTooLargeError(f"{size} than the {max_bytes / 1e6:.0f} MB that a file may have")
