"""Members of zip and tar files as pictures."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import IO

from capture.archive.pictures import (
    Stamp,
    fetch_ahead,
    read_at_most,
    stamp_of,
    too_large,
    unreadable,
)
from capture.errors import ImageTooLargeError, UnreadableFileError
from capture.ledger.names import MEMBER, printable

_ENCRYPTED = 1  # bit of the flags of a zip's member


@dataclass(frozen=True, slots=True)
class ZipMember:
    """A member of a zip file; the open archive lives as long as one of its members."""

    archive_path: str
    archive: zipfile.ZipFile
    info: zipfile.ZipInfo
    mtime_ns: int | None

    @property
    def path(self) -> str:
        """The archive's path and the member's name."""
        return member_path(self.archive_path, self.info.filename)

    def stamp(self) -> Stamp:
        """Take the size as the archive's directory says."""
        return Stamp(self.info.file_size, self.mtime_ns)

    def read(self, max_bytes: int) -> bytes:
        """Unpack it; raises UnreadableFileError or ImageTooLargeError."""
        if self.info.flag_bits & _ENCRYPTED:
            raise UnreadableFileError("encrypted in the archive")
        try:
            with self.archive.open(self.info) as opened:
                return read_at_most(opened, max_bytes)
        except OSError as error:
            raise unreadable(error) from error
        except (RuntimeError, NotImplementedError) as error:  # unknown compression
            raise UnreadableFileError(str(error)) from error
        except ImageTooLargeError:
            raise
        except Exception as error:  # every decompressor raises classes of its own
            raise UnreadableFileError(f"damaged in the archive: {error}") from error


@dataclass(frozen=True, slots=True)
class TarMember:
    """A member of a tar file that is not compressed: read where it lies.

    Of a sparse one only `pieces` were stored, one after the other: where each begins in the
    picture, and its length in bytes. What lies between them is zero.
    """

    archive_path: str
    name: str
    offset_bytes: int
    size_bytes: int
    mtime_ns: int | None
    pieces: tuple[tuple[int, int], ...] | None = None

    @property
    def path(self) -> str:
        """The archive's path and the member's name."""
        return member_path(self.archive_path, self.name)

    def stamp(self) -> Stamp:
        """Take the size as the header says."""
        return Stamp(self.size_bytes, self.mtime_ns)

    def is_still(self, stamp: Stamp) -> bool:
        """Say whether the archive was not changed since; raises UnreadableFileError."""
        return stamp_of(self.archive_path).mtime_ns == stamp.mtime_ns

    def fetch_ahead(self) -> None:
        """Have it read into the system's memory, without waiting for it."""
        fetch_ahead(self.archive_path, self.offset_bytes, self.size_bytes)

    def read(self, max_bytes: int) -> bytes:
        """Read it; raises UnreadableFileError or ImageTooLargeError."""
        if self.size_bytes > max_bytes:
            raise too_large(self.size_bytes, max_bytes)
        try:
            with open(self.archive_path, "rb") as opened:  # noqa: PTH123
                opened.seek(self.offset_bytes)
                if self.pieces is None:
                    return _exactly(opened, self.size_bytes)
                return _spread(opened, self.pieces, self.size_bytes)
        except OSError as error:
            raise unreadable(error) from error


@dataclass(frozen=True, slots=True)
class HeldMember:
    """A member of a compressed tar, which can be read only once, in passing."""

    path: str
    data: bytes
    mtime_ns: int | None

    def stamp(self) -> Stamp:
        """Take the size of what was read."""
        return Stamp(len(self.data), self.mtime_ns)

    def read(self, max_bytes: int) -> bytes:
        """Return what was read; raises ImageTooLargeError."""
        if len(self.data) > max_bytes:
            raise too_large(len(self.data), max_bytes)
        return self.data


def member_path(archive_path: str, name: str) -> str:
    """Name a member of an archive as the ledger does."""
    return printable(f"{archive_path}{MEMBER}{name}")


def _exactly(opened: IO[bytes], size_bytes: int) -> bytes:
    data = opened.read(size_bytes)
    if len(data) < size_bytes:
        raise UnreadableFileError("the archive ends early")
    return data


def _spread(opened: IO[bytes], pieces: tuple[tuple[int, int], ...], size_bytes: int) -> bytes:
    data = bytearray(size_bytes)
    for start, length in pieces:
        if not 0 <= start <= start + length <= size_bytes:
            raise UnreadableFileError("damaged in the archive: a piece lies outside of its file")
        data[start : start + length] = _exactly(opened, length)
    return bytes(data)
