"""Take the rows of a ledger elsewhere, as a file."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from capture.errors import ConfigurationError
from capture.ledger.rows import Row
from capture.ledger.schema import assessments

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_COUNT = 10_000
_JSON_COLUMNS = ("reasons", "labels")


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
