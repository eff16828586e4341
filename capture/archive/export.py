"""Take a ledger elsewhere: rows as a file, pictures into folders by verdict.

Pictures are only ever read: copied or linked to, never moved, renamed or deleted.
"""

from __future__ import annotations

import csv
import errno
import json
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import file_digest, sha256
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from capture.archive.finding import Finder, archive_of
from capture.archive.members import MEMBER
from capture.archive.pictures import FilePicture, Picture, Stamp, stamp_of
from capture.errors import ConfigurationError, ImageError, UnreadableFileError
from capture.ledger.rows import Row
from capture.ledger.schema import assessments

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_COUNT = 10_000
MAX_FILE_BYTES = 1 << 30
NOT_JUDGED = "NOT_JUDGED"
_JSON_COLUMNS = ("reasons", "labels")
_OF_NAMES = frozenset(
    {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENOTDIR, errno.EEXIST, errno.EISDIR}
)
"""What a file system says of one name; the others can be laid out all the same."""


def export_rows(rows: Iterable[Row], file: Path) -> int:
    """Write rows in the format that the file's name asks for.

    Parameters
    ----------
    rows : iterable of Row
        Taken a batch at a time.
    file : Path
        Ends in ``.csv``, ``.jsonl`` or ``.parquet``; replaced when all rows are written.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    ConfigurationError
        If the name ends otherwise, the file cannot be written, or pyarrow is missing.
    """
    write = FORMATS.get(file.suffix.lower())
    if write is None:
        raise ConfigurationError(f"{file.name}: a name ends in one of {', '.join(FORMATS)}")
    unfinished = file.with_name(f"{file.name}.part")
    try:
        count = write(rows, unfinished)
        unfinished.replace(file)
    except OSError as error:
        raise ConfigurationError(f"cannot write {file}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
    return count


def _write_csv(rows: Iterable[Row], file: Path) -> int:
    names = [column.name for column in assessments.columns]
    count = 0
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(names)
        for row in rows:
            writer.writerow(_json_as_text(row)[name] for name in names)
            count += 1
    return count


def _write_jsonl(rows: Iterable[Row], file: Path) -> int:
    count = 0
    with file.open("w", encoding="utf-8") as opened:
        for row in rows:
            opened.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def _write_parquet(rows: Iterable[Row], file: Path) -> int:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise ConfigurationError(
            "Parquet needs pyarrow: pip install 'smart-capture[archive]'"
        ) from error
    schema = _arrow_schema(pa)
    count = 0
    remaining = iter(rows)
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while batch := list(islice(remaining, BATCH_COUNT)):
            texts = [_json_as_text(row) for row in batch]
            writer.write_batch(pa.RecordBatch.from_pylist(texts, schema))
            count += len(batch)
    return count


FORMATS: dict[str, Callable[[Iterable[Row], Path], int]] = {
    ".csv": _write_csv,
    ".jsonl": _write_jsonl,
    ".parquet": _write_parquet,
}


def _arrow_schema(pa: Any) -> pa.Schema:
    """Give every column its type, its unit and its meaning."""
    kinds = {int: pa.int64(), float: pa.float64()}
    fields = []
    for column in assessments.columns:
        python_type = dict if column.name in _JSON_COLUMNS else column.type.python_type
        meta = {"comment": column.comment or ""}
        if unit := column.info.get("unit"):
            meta["unit"] = unit
        fields.append(
            pa.field(
                column.name,
                kinds.get(python_type, pa.string()),
                nullable=bool(column.nullable),
                metadata=meta,
            )
        )
    return pa.schema(fields, metadata={"content": "assessments of Smart Capture"})


def _json_as_text(row: Row) -> Row:
    texts = {
        name: None if row[name] is None else json.dumps(row[name], ensure_ascii=False)
        for name in _JSON_COLUMNS
    }
    return row | texts


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
        Those that could not be read any more.
    refused_count : int
        Those whose names cannot be used there: too long, or of a folder and a file at once.
    """

    laid_count: int = 0
    present_count: int = 0
    gone_count: int = 0
    refused_count: int = 0


def sort_out(rows: Iterable[Row], folder: Path, root: str, *, link: bool) -> SortedOut:
    """Lay pictures out in one folder per verdict, keeping the tree below `root`.

    Parameters
    ----------
    rows : iterable of Row
        The pictures.
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
    done = SortedOut()
    finder = Finder()
    for row in rows:
        target = folder / (row["verdict"] or NOT_JUDGED) / _below(row["path"], root)
        try:
            _lay(finder.at(row["path"]), row, target, link, done)
        except OSError as error:
            if error.errno not in _OF_NAMES:
                raise ConfigurationError(f"cannot write {target}: {error.strerror}") from error
            done.refused_count += 1
    return done


def _lay(picture: Picture, row: Row, target: Path, link: bool, done: SortedOut) -> None:
    try:
        stamp = picture.stamp()
        data = None if isinstance(picture, FilePicture) else picture.read(MAX_FILE_BYTES)
    except (UnreadableFileError, ImageError):
        done.gone_count += 1
        return
    if target.exists() and not _is_same(target, picture, row, stamp, data):
        # Other bytes that lie under this name already are kept.
        mark = (row["sha256"] or "unread")[:12]
        target = target.with_name(f"{target.stem}.{mark}{target.suffix}")
    if target.is_symlink() or target.exists():
        done.present_count += 1
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(picture, FilePicture):
        _write_whole(target, lambda unfinished: unfinished.write_bytes(data or b""))
    elif link:
        target.symlink_to(picture.file)
    else:
        _write_whole(target, lambda unfinished: shutil.copy2(picture.file, unfinished))
    done.laid_count += 1


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


def _is_same(target: Path, picture: Picture, row: Row, stamp: Stamp, data: bytes | None) -> bool:
    """Say whether a picture lies there already; what has no hash, by its size and time."""
    if isinstance(picture, FilePicture) and target.samefile(picture.file):
        return True
    if not target.is_file():
        return False
    there = stamp_of(str(target))
    if stamp.size_bytes not in (there.size_bytes, None):
        return False
    expected = row["sha256"] if data is None else sha256(data).hexdigest()
    if expected is None:
        return there == stamp
    with target.open("rb") as opened:
        return file_digest(opened, "sha256").hexdigest() == expected


def _below(path: str, root: str) -> PurePosixPath:
    """Return where a picture lies below `root`; a member lies below its archive's name."""
    archive = archive_of(path)
    if archive is not None and len(archive) >= len(root):
        path = f"{archive}/{path[len(archive) + len(MEMBER) :]}"
    parts = PurePosixPath(path.removeprefix(root)).parts
    # A hostile archive may name its members to climb out of the folder.
    return PurePosixPath(*(part for part in parts if part not in ("/", "..", ".")))
