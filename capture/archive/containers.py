"""List the pictures inside zip and tar files, here or behind URLs, without unpacking them."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import weakref
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from posixpath import basename, dirname, join, normpath
from typing import IO, Any, Self

from capture.archive.members import HeldMember, TarMember, ZipMember, member_path
from capture.archive.pictures import ArchiveFile, FilePicture, Picture, Unreachable
from capture.archive.stores import is_url
from capture.errors import UnreadableFileError
from capture.ledger.names import printable

Wanted = Callable[[str], bool]
"""Says by its name whether a member is a picture."""

ZIP_SUFFIXES = (".zip",)
TAR_SUFFIXES = (".tar",)
COMPRESSED_TAR_SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
ARCHIVE_SUFFIXES = ZIP_SUFFIXES + TAR_SUFFIXES + COMPRESSED_TAR_SUFFIXES

_COUNTS_ROUND = 1 << 16  # zips that are older than ZIP64 count on from 0
MAX_HELD_MEMBER_BYTES = 256 << 20
"""Longest member of what is read in passing: it is held until it is judged."""
MAX_LINKABLE_COUNT = 1 << 15

_PASSED_BYTES = 1 << 20
_LOOKED_BEHIND_BYTES = 1 << 20  # what fills up the last record of a tar is shorter, and zero


def is_archive(name: str) -> bool:
    """Say by its name whether a file is an archive that is looked into."""
    return _bare(name).endswith(ARCHIVE_SUFFIXES)


def members_of(archive: ArchiveFile, wanted: Wanted) -> Iterator[Picture]:
    """Yield the wanted members of an archive, in the order they lie in it.

    Where the archive itself is damaged, or the connection to it breaks, the last one
    yielded is the archive, unreachable, with the reason: the members before are not lost.
    """
    if _bare(archive.path).endswith(ZIP_SUFFIXES):
        return _zip_members(archive, wanted)
    return _tar_members(archive, wanted)


def is_read_in_passing(archive: ArchiveFile) -> bool:
    """Say whether an archive has no list of its members: all of it is read to find them."""
    is_zip = _bare(archive.path).endswith(ZIP_SUFFIXES)
    return not is_zip and not _is_tar_at_hand(archive)


def _bare(name: str) -> str:
    """Return a name without the question that a URL may end in."""
    return (name.partition("?")[0] if is_url(name) else name).lower()


def _zip_members(archive: ArchiveFile, wanted: Wanted) -> Iterator[Picture]:
    with ExitStack() as stack:
        try:
            mtime_ns = archive.stamp().mtime_ns
            stream = stack.enter_context(archive.open_to_jump())
            named_count = _count_named_by(stream)
            opened = zipfile.ZipFile(stream)
        except UnreadableFileError as error:
            yield Unreachable(archive.path, str(error))
            return
        except OSError as error:
            yield Unreachable(archive.path, f"the archive breaks off: {_why(error)}")
            return
        except Exception as error:  # what its directory says may lead anywhere
            yield Unreachable(archive.path, f"no zip file that can be read: {error}")
            return
        stack.pop_all()
    # Members are read later, some perhaps never: the last one closes the archive.
    weakref.finalize(opened, stream.close)
    # Of members of one name the last counts, as whoever unpacks the file would find it.
    for info in {info.filename: info for info in opened.infolist()}.values():
        if wanted(info.filename):  # no folder: their names end in a slash
            yield ZipMember(archive.path, opened, info, mtime_ns)
        elif _is_archive_within(info.filename):
            yield _unopened(archive.path, info.filename)
    found_count = len(opened.infolist())
    if (found_count - named_count) % _COUNTS_ROUND:
        why = f"the archive is damaged: {found_count} members are found of {named_count}"
        yield Unreachable(archive.path, why)


def _count_named_by(stream: IO[bytes]) -> int:
    """Return how many members a zip says that it has; raises BadZipFile.

    Where a length in its directory is damaged, zipfile passes over what comes after it.
    """
    end: Any = zipfile._EndRecData(stream)  # type: ignore[attr-defined]
    if not end:
        raise zipfile.BadZipFile("File is not a zip file")
    return int(end[4])


def _tar_members(archive: ArchiveFile, wanted: Wanted) -> Iterator[Picture]:
    at_hand = _is_tar_at_hand(archive)
    linkable = _Linkable(archive.path)
    links: list[tarfile.TarInfo] = []
    broken: Unreachable | None = None
    try:
        mtime_ns = archive.stamp().mtime_ns
        with (
            closing(archive.open_to_jump() if at_hand else archive.open_in_passing()) as stream,
            closing(stream if at_hand else _unpacked(stream)) as unpacked,
            tarfile.open(None, "r:" if at_hand else "r|", unpacked, tarinfo=_Header) as opened,
        ):
            for info in _forward(opened, at_hand=at_hand):
                # tarfile keeps every header it has seen; a shard may hold millions.
                opened.members = []  # type: ignore[attr-defined]
                is_wanted = wanted(info.name)
                if info.issym() and is_wanted and len(links) < MAX_LINKABLE_COUNT:
                    links.append(info)  # it may lead to what comes after it
                elif (info.islnk() or info.issym()) and is_wanted:
                    yield linkable.at(info)
                elif info.isreg() and isinstance(archive, FilePicture) and at_hand:
                    member = _at_hand(archive, info, mtime_ns)
                    linkable.add(member)
                    if is_wanted:
                        yield member
                elif info.isreg() and is_wanted:
                    yield _held(opened, info, archive.path, mtime_ns)
                if info.isreg() and _is_archive_within(info.name):
                    yield _unopened(archive.path, info.name)
            if any(opened.fileobj.read(_LOOKED_BEHIND_BYTES)):
                raise tarfile.ReadError("it goes on behind the mark of its end")
    except UnreadableFileError as error:
        broken = Unreachable(archive.path, str(error))
    except OSError as error:  # also what the decompressors raise
        broken = Unreachable(archive.path, f"the archive breaks off: {_why(error)}")
    except Exception as error:  # what its headers say may lead anywhere
        broken = Unreachable(archive.path, f"the archive is damaged: {error}")
    yield from map(linkable.at, links)
    if broken is not None:
        yield broken


def _unpacked(stream: IO[bytes]) -> IO[bytes]:
    """Return what a stream holds; by these readers, since tarfile's own leaves out much.

    It ends with the first of several packed pieces, and compares no checksums.
    """
    head: bytes = stream.peek(len(_LONGEST_MARK))  # type: ignore[attr-defined]
    unpack = next((unpack for mark, unpack in _PACKED.items() if head.startswith(mark)), None)
    return stream if unpack is None else unpack(stream)


_LONGEST_MARK = b"\xfd7zXZ\0"
_PACKED: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    _LONGEST_MARK: lzma.open,
}


class _Header(tarfile.TarInfo):
    """A header that raises ReadError when it is damaged: tarfile would take it for the end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.type in _ADDITIONS and header.size > _MAX_ADDITION_BYTES:
            raise tarfile.ReadError(f"a header of {header.size / 1e6:.0f} MB")
        return header

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except _DAMAGES as error:
            raise tarfile.ReadError(str(error)) from error


_ADDITIONS = frozenset(
    [
        *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
        *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    ]
)
_MAX_ADDITION_BYTES = 16 << 20
_DAMAGES = (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError)  # type: ignore[attr-defined]


def _forward(opened: tarfile.TarFile, *, at_hand: bool) -> Iterator[tarfile.TarInfo]:
    """Yield members; raises ReadError where a header leads back, as if there were no end."""
    end = 0
    for info in opened:
        if info.size < 0 or info.offset_data < end:
            raise tarfile.ReadError("a header leads back")
        end = info.offset_data
        yield info
        if not at_hand:
            _pass_over(opened)


def _pass_over(opened: tarfile.TarFile) -> None:
    """Read to the next header; tarfile would go on behind the end, as far as a size says."""
    stream: Any = opened.fileobj
    while (left_bytes := opened.offset - stream.tell()) > 0:
        if not stream.read(min(left_bytes, _PASSED_BYTES)):
            raise tarfile.ReadError("unexpected end of data")


class _Linkable:
    """Members that a link may lead to: the last ones, since a shard may hold millions.

    Parameters
    ----------
    archive_path : str
        Of the tar.
    """

    def __init__(self, archive_path: str) -> None:
        self._archive_path = archive_path
        self._members: OrderedDict[str, TarMember] = OrderedDict()

    def add(self, member: TarMember) -> None:
        """Remember a member."""
        self._members[normpath(member.name)] = member
        if len(self._members) > MAX_LINKABLE_COUNT:
            self._members.popitem(last=False)

    def at(self, link: tarfile.TarInfo) -> Picture:
        """Return what a link leads to under its own name, or why that cannot be read."""
        # A symbolic link is read from the folder it lies in, a hard link from the top.
        folder = dirname(link.name) if link.issym() else ""
        member = self._members.get(normpath(join(folder, link.linkname)))
        if member is not None:
            return replace(member, name=link.name)
        kind = "symbolic" if link.issym() else "hard"
        why = f"{kind} link to {printable(link.linkname)}, which alone has the bytes"
        return Unreachable(member_path(self._archive_path, link.name), why)


def _at_hand(archive: FilePicture, info: tarfile.TarInfo, mtime_ns: int | None) -> TarMember:
    sparse: Any = info.sparse  # offsets and lengths, whatever the type stubs say
    pieces = None if sparse is None else tuple(sparse)
    return TarMember(archive.file, info.name, info.offset_data, info.size, mtime_ns, pieces)


def _is_tar_at_hand(archive: ArchiveFile) -> bool:
    """Say whether a tar lies on a disk and is not compressed: its members are found by seeking."""
    return isinstance(archive, FilePicture) and archive.file.lower().endswith(TAR_SUFFIXES)


def _is_archive_within(name: str) -> bool:
    return is_archive(name) and not basename(name).startswith(".")


def _unopened(archive_path: str, name: str) -> Unreachable:
    return Unreachable(
        member_path(archive_path, name), "an archive in an archive is not looked into: unpack it"
    )


def _why(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__


def _held(
    opened: tarfile.TarFile, info: tarfile.TarInfo, archive: str, mtime_ns: int | None
) -> Picture:
    path = member_path(archive, info.name)
    if info.size > MAX_HELD_MEMBER_BYTES:
        return Unreachable(path, f"{info.size / 1e6:.0f} MB is too much to hold in memory")
    member = opened.extractfile(info)
    return HeldMember(path, b"" if member is None else member.read(), mtime_ns)
