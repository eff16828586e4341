"""List the pictures inside zip and tar files, here or behind URLs, without unpacking them."""

from __future__ import annotations

import tarfile
import weakref
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

from capture.archive.pictures import (
    MEMBER,
    ArchiveFile,
    FilePicture,
    HeldMember,
    Picture,
    TarMember,
    Unreachable,
    ZipMember,
    member_path,
)
from capture.archive.remote import is_url, picture_at_url
from capture.errors import UnreadableFileError

Wanted = Callable[[str], bool]
"""Says by its name whether a member is a picture."""

ZIP_SUFFIXES = (".zip",)
TAR_SUFFIXES = (".tar",)
COMPRESSED_TAR_SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
ARCHIVE_SUFFIXES = ZIP_SUFFIXES + TAR_SUFFIXES + COMPRESSED_TAR_SUFFIXES

MAX_HELD_BYTES = 256 << 20


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


def picture_at(path: str) -> Picture:
    """Find a picture again by its path in the ledger.

    Parameters
    ----------
    path : str
        A file, a URL, or ``archive!member`` of either.

    Returns
    -------
    Picture
        Where nothing is found any more, one that cannot be read.
    """
    is_remote = is_url(path)
    cut = path.find(MEMBER)
    while cut >= 0 and (is_remote or not Path(path).is_file()):
        archive = path[:cut]
        if is_archive(archive) and (is_remote or Path(archive).is_file()):
            found = picture_at_url(archive) if is_remote else FilePicture(archive)
            if isinstance(found, Unreachable):
                return found
            for member in members_of(found, path[cut + 1 :].__eq__):
                return member
        cut = path.find(MEMBER, cut + 1)
    return picture_at_url(path) if is_remote else FilePicture(path)


def _bare(name: str) -> str:
    """Return a name without the question that a URL may end in."""
    return (name.partition("?")[0] if is_url(name) else name).lower()


def _zip_members(archive: ArchiveFile, wanted: Wanted) -> Iterator[Picture]:
    with ExitStack() as stack:
        try:
            mtime_ns = archive.stamp().mtime_ns
            stream = stack.enter_context(archive.open_to_jump())
            opened = zipfile.ZipFile(stream)
        except UnreadableFileError as error:
            yield Unreachable(archive.path, str(error))
            return
        except OSError as error:
            yield Unreachable(archive.path, f"the archive breaks off: {_why(error)}")
            return
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            yield Unreachable(archive.path, f"no zip file that can be read: {error}")
            return
        stack.pop_all()
    # Members are read later, some perhaps never: the last one closes the archive.
    weakref.finalize(opened, stream.close)
    for info in opened.infolist():
        if not info.is_dir() and wanted(info.filename):
            yield ZipMember(archive.path, opened, info, mtime_ns)


def _tar_members(archive: ArchiveFile, wanted: Wanted) -> Iterator[Picture]:
    file = archive.file if isinstance(archive, FilePicture) else None
    at_hand = file is not None and file.lower().endswith(TAR_SUFFIXES)
    try:
        mtime_ns = archive.stamp().mtime_ns
        with (
            closing(archive.open_to_jump() if at_hand else archive.open_in_passing()) as stream,
            tarfile.open(fileobj=stream, mode="r:" if at_hand else "r|*") as opened,
        ):
            for info in opened:
                # tarfile keeps every header it has seen; a shard may hold millions.
                opened.members = []  # type: ignore[attr-defined]
                if not (info.isreg() and wanted(info.name)):
                    continue
                if file is not None and at_hand:
                    yield TarMember(file, info.name, info.offset_data, info.size, mtime_ns)
                else:
                    yield _held(opened, info, archive.path, mtime_ns)
    except UnreadableFileError as error:
        yield Unreachable(archive.path, str(error))
    except (tarfile.TarError, EOFError) as error:
        yield Unreachable(archive.path, f"the archive is damaged: {error}")
    except OSError as error:  # also what the decompressors raise
        yield Unreachable(archive.path, f"the archive breaks off: {_why(error)}")


def _why(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__


def _held(
    opened: tarfile.TarFile, info: tarfile.TarInfo, archive: str, mtime_ns: int | None
) -> Picture:
    path = member_path(archive, info.name)
    if info.size > MAX_HELD_BYTES:
        return Unreachable(path, f"{info.size / 1e6:.0f} MB is too much to hold in memory")
    member = opened.extractfile(info)
    return HeldMember(path, b"" if member is None else member.read(), mtime_ns)
