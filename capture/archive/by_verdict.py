"""Lay the pictures of a ledger out, in a folder for each verdict.

Pictures are only ever read: copied or linked to, never moved, renamed or deleted.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import file_digest, sha256
from itertools import groupby
from pathlib import Path, PurePosixPath

from capture.archive.finding import archive_of, file_at, members_at
from capture.archive.pictures import FilePicture, Picture, Stamp, stamp_of, unreadable
from capture.errors import ConfigurationError, ImageError, UnreadableFileError
from capture.ledger.names import MEMBER
from capture.ledger.rows import Row

MAX_FILE_BYTES = 1 << 30
"""Of what has to be read into memory: members of archives, files behind URLs."""

_BLOCK_BYTES = 1 << 20

NOT_JUDGED = "NOT_JUDGED"

_OF_NAMES = frozenset(
    {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENOTDIR, errno.EEXIST, errno.EISDIR}
)
"""What a file system says of one name; the others can be laid out all the same."""


@dataclass(slots=True)
class SortedOut:
    """What came of laying pictures out in folders.

    Attributes
    ----------
    laid_count : int
        Pictures copied or linked to.
    present_count : int
        Those that lay there already.
    gone_count : int
        Those that could not be read any more, or are other bytes than were judged.
    refused_count : int
        Those whose names cannot be used there: too long, or of a folder and a file at once.
    """

    laid_count: int = 0
    present_count: int = 0
    gone_count: int = 0
    refused_count: int = 0


@dataclass(frozen=True, slots=True)
class _Judged:
    """What is needed of a row: those of a whole archive are held at once."""

    path: str
    verdict: str
    sha256: str | None
    stamp: Stamp


def sort_out(rows: Iterable[Row], folder: Path, root: str, *, link: bool) -> SortedOut:
    """Lay pictures out in one folder per verdict, keeping the tree below `root`.

    Parameters
    ----------
    rows : iterable of Row
        The pictures, those of one archive together.
    folder : Path
        Where ``ACCEPT``, ``RETAKE``, ``CANNOT_ASSESS`` and ``NOT_JUDGED`` are made.
    root : str
        What all paths begin with and need not be repeated.
    link : bool
        Make symbolic links. Members of archives are copied all the same: there is
        nothing to link to.

    Returns
    -------
    SortedOut
        Counts.

    Raises
    ------
    ConfigurationError
        If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"cannot write {folder}: {error.strerror}") from error
    sorting = _Sorting(folder, root, link=link)
    for archive, pictures in groupby(map(_judged, rows), lambda picture: archive_of(picture.path)):
        if archive is not None:
            sorting.lay_members(archive, pictures)
        else:
            for picture in pictures:
                sorting.lay_file(picture)
    return sorting.done


class _Sorting:
    """One pass over pictures: where they go, and what came of it so far."""

    def __init__(self, folder: Path, root: str, *, link: bool) -> None:
        self.done = SortedOut()
        self._folder = folder
        self._root = root
        self._link = link

    def lay_file(self, judged: _Judged) -> None:
        """Lay out a file, or what lies behind a URL."""
        try:
            found = file_at(judged.path)
            found.stamp()
            source = found if isinstance(found, FilePicture) else found.read(MAX_FILE_BYTES)
            if _are_judged_bytes(source, judged):
                self._lay(judged, source, _below(self._root, judged.path))
            else:
                self.done.gone_count += 1
        except (UnreadableFileError, ImageError):
            self.done.gone_count += 1

    def lay_members(self, archive: str, judged: Iterable[_Judged]) -> None:
        """Lay out members of an archive, as they come: it is read once, whatever their order."""
        wanted = {member.path: member for member in judged}
        for member in members_at(archive):
            if not wanted:
                break
            this = wanted.get(member.path)
            data = None if this is None else _bytes_of(member)
            # Of several of one name, one was judged.
            if this and data is not None and _are_judged_bytes(data, this):
                self._lay(this, data, _below(self._root, this.path, archive))
                del wanted[this.path]
        self.done.gone_count += len(wanted)

    def _lay(self, judged: _Judged, source: FilePicture | bytes, place: PurePosixPath) -> None:
        target = self._folder / judged.verdict / place
        try:
            if target.exists() and not _is_same(target, source, judged.sha256):
                # Other bytes that lie under this name already are kept.
                mark = (judged.sha256 or "unread")[:12]
                target = target.with_name(f"{target.stem}.{mark}{target.suffix}")
            if target.is_symlink() or target.exists():
                self.done.present_count += 1
                return
            target.parent.mkdir(parents=True, exist_ok=True)
            self._put(source, target)
        except OSError as error:
            if error.errno not in _OF_NAMES:
                raise ConfigurationError(f"cannot write {target}: {error.strerror}") from error
            self.done.refused_count += 1
        else:
            self.done.laid_count += 1

    def _put(self, source: FilePicture | bytes, target: Path) -> None:
        if isinstance(source, bytes):
            _write_whole(target, lambda unfinished: unfinished.write_bytes(source))
        elif self._link:
            target.symlink_to(source.file)
        else:
            try:
                _write_whole(target, lambda unfinished: shutil.copy2(source.file, unfinished))
            except OSError:
                _require_readable(source)
                raise


def _judged(row: Row) -> _Judged:
    stamp = Stamp(row["size_bytes"], row["mtime_ns"])
    return _Judged(row["path"], row["verdict"] or NOT_JUDGED, row["sha256"], stamp)


def _are_judged_bytes(source: FilePicture | bytes, judged: _Judged) -> bool:
    """Say whether a verdict is of these bytes; a file is read only if it looks changed."""
    if judged.sha256 is None:
        return True
    if isinstance(source, bytes):
        return sha256(source).hexdigest() == judged.sha256
    return source.is_still(judged.stamp) or _sha256_of(source) == judged.sha256


def _sha256_of(picture: FilePicture) -> str:
    try:
        with Path(picture.file).open("rb") as opened:
            return file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(error) from error


def _bytes_of(member: Picture) -> bytes | None:
    try:
        return member.read(MAX_FILE_BYTES)
    except (UnreadableFileError, ImageError):
        return None


def _require_readable(picture: FilePicture) -> None:
    """Raise UnreadableFileError for a file that cannot be read: it is no fault of the target."""
    try:
        with picture.open_to_jump() as opened:
            while opened.read(_BLOCK_BYTES):
                pass
    except OSError as error:
        raise unreadable(error) from error


def _write_whole(target: Path, write: Callable[[Path], object]) -> None:
    """Let nobody find half a file under its name, not even after a kill."""
    # Not of the name itself: that may be as long as a name can be.
    unfinished = target.with_name(f".{sha256(target.name.encode()).hexdigest()[:16]}.part")
    try:
        write(unfinished)
        unfinished.replace(target)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _is_same(target: Path, source: FilePicture | bytes, known_sha256: str | None) -> bool:
    """Say whether a picture lies there already; what has no hash, by its size and time."""
    if isinstance(source, FilePicture):
        if target.samefile(source.file):
            return True
        expected, stamp = known_sha256, source.stamp()
    else:
        expected, stamp = sha256(source).hexdigest(), Stamp(len(source), None)
    if not target.is_file():
        return False
    there = stamp_of(str(target))
    if there.size_bytes != stamp.size_bytes:
        return False
    if expected is None:
        return there == stamp
    with target.open("rb") as opened:
        return file_digest(opened, "sha256").hexdigest() == expected


def _below(root: str, path: str, archive: str | None = None) -> PurePosixPath:
    """Return where a picture lies below `root`; a member lies below its archive's name."""
    if archive is not None and len(archive) >= len(root):
        path = f"{archive}/{path[len(archive) + len(MEMBER) :]}"
    parts = PurePosixPath(path.removeprefix(root)).parts
    # A hostile archive may name its members to climb out of the folder.
    return PurePosixPath(*(part for part in parts if part not in ("/", "..", ".")))
