"""List the pictures inside zip and tar files, without unpacking to disk."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from capture.archive.pictures import (
    MEMBER,
    FilePicture,
    HeldMember,
    Picture,
    TarMember,
    Unreachable,
    ZipMember,
    member_path,
    stamp_of,
    unreadable,
)
from capture.archive.remote import is_url, picture_at_url
from capture.errors import UnreadableFileError
from capture.ledger.names import printable

Wanted = Callable[[str], bool]
"""Says by its name whether a member is a picture."""

ZIP_SUFFIXES = (".zip",)
TAR_SUFFIXES = (".tar",)
COMPRESSED_TAR_SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
ARCHIVE_SUFFIXES = ZIP_SUFFIXES + TAR_SUFFIXES + COMPRESSED_TAR_SUFFIXES

MAX_HELD_BYTES = 256 << 20


def is_archive(name: str) -> bool:
    """Say by its name whether a file is an archive that is looked into."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def members_of(archive: str, wanted: Wanted) -> Iterator[Picture]:
    """Yield the wanted members of an archive, in the order they lie in it.

    Where the archive itself is damaged, the last one yielded is the archive, unreachable,
    with the reason: the members before it are not lost.
    """
    if archive.lower().endswith(ZIP_SUFFIXES):
        return _zip_members(archive, wanted)
    return _tar_members(archive, wanted, compressed=not archive.lower().endswith(TAR_SUFFIXES))


def picture_at(path: str) -> Picture:
    """Find a picture again by its path in the ledger.

    Parameters
    ----------
    path : str
        A file, ``archive!member``, or a URL.

    Returns
    -------
    Picture
        Where nothing is found any more, one that cannot be read.
    """
    if is_url(path):
        return picture_at_url(path)
    cut = path.find(MEMBER)
    while cut >= 0 and not Path(path).is_file():
        archive = path[:cut]
        if is_archive(archive) and Path(archive).is_file():
            for member in members_of(archive, path[cut + 1 :].__eq__):
                return member
        cut = path.find(MEMBER, cut + 1)
    return FilePicture(path)


def _zip_members(archive: str, wanted: Wanted) -> Iterator[Picture]:
    try:
        mtime_ns = stamp_of(archive).mtime_ns
        opened = zipfile.ZipFile(archive)
    except UnreadableFileError as error:
        yield Unreachable(printable(archive), str(error))
        return
    except OSError as error:
        yield Unreachable(printable(archive), str(unreadable(error)))
        return
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        yield Unreachable(printable(archive), f"no zip file that can be read: {error}")
        return
    for info in opened.infolist():
        if not info.is_dir() and wanted(info.filename):
            yield ZipMember(archive, opened, info, mtime_ns)


def _tar_members(archive: str, wanted: Wanted, *, compressed: bool) -> Iterator[Picture]:
    try:
        mtime_ns = stamp_of(archive).mtime_ns
        with tarfile.open(archive, "r|*" if compressed else "r:") as opened:
            for info in opened:
                # tarfile keeps every header it has seen; a shard may hold millions.
                opened.members = []  # type: ignore[attr-defined]
                if not (info.isreg() and wanted(info.name)):
                    continue
                if compressed:
                    yield _held(opened, info, archive, mtime_ns)
                else:
                    yield TarMember(archive, info.name, info.offset_data, info.size, mtime_ns)
    except UnreadableFileError as error:
        yield Unreachable(printable(archive), str(error))
    except (tarfile.TarError, EOFError) as error:
        yield Unreachable(printable(archive), f"the archive is damaged: {error}")
    except OSError as error:  # also what the decompressors raise
        why = error.strerror or str(error) or type(error).__name__
        yield Unreachable(printable(archive), f"the archive is damaged: {why}")


def _held(
    opened: tarfile.TarFile, info: tarfile.TarInfo, archive: str, mtime_ns: int | None
) -> Picture:
    path = member_path(archive, info.name)
    if info.size > MAX_HELD_BYTES:
        return Unreachable(path, f"{info.size / 1e6:.0f} MB is too much to hold in memory")
    member = opened.extractfile(info)
    return HeldMember(path, b"" if member is None else member.read(), mtime_ns)
