"""The rows of a ledger leave as a file."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from capture.archive.export import export_rows
from capture.errors import ConfigurationError
from capture.ledger.rows import Row
from capture.ledger.schema import assessments
from tests.review.ledgers import filled


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    with filled(tmp_path_factory.mktemp("ledger") / "run.db", 50, broken=5) as ledger:
        return list(ledger.rows())


def test_lines_of_json_are_the_rows(rows: list[Row], tmp_path: Path) -> None:
    """Every column, to the bit."""
    assert export_rows(rows, tmp_path / "rows.jsonl") == 55
    lines = (tmp_path / "rows.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == rows


def test_csv_holds_numbers_to_the_bit(rows: list[Row], tmp_path: Path) -> None:
    """What is missing is empty; reasons are JSON in one cell."""
    export_rows(rows, tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(newline="") as opened:
        read = list(csv.DictReader(opened))
    for line, row in zip(read, rows, strict=True):
        assert json.loads(line["reasons"]) == row["reasons"]
        assert line["blur_px"] == ("" if row["blur_px"] is None else repr(row["blur_px"]))


def test_parquet_has_types_units_and_meanings(rows: list[Row], tmp_path: Path) -> None:
    """The columns explain themselves to whoever opens the file."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pyarrow: [archive]")
    export_rows(rows, tmp_path / "rows.parquet")
    table = parquet.read_table(tmp_path / "rows.parquet")
    assert table.column_names == [column.name for column in assessments.columns]
    assert table.column("noise_sigma").to_pylist() == [row["noise_sigma"] for row in rows]
    assert table.column("width_px").to_pylist() == [row["width_px"] for row in rows]
    assert [json.loads(cell) for cell in table.column("reasons").to_pylist()] == [
        row["reasons"] for row in rows
    ]
    assert table.schema.field("blur_px").metadata[b"unit"] == b"px"
    assert table.schema.field("exposure_offset_ev").metadata[b"unit"] == b"stop"
    assert all(field.metadata[b"comment"] for field in table.schema)


def test_an_unknown_format_is_wrong_use(rows: list[Row], tmp_path: Path) -> None:
    """The name says the format, or nothing is written."""
    with pytest.raises(ConfigurationError, match=r"\.parquet"):
        export_rows(rows, tmp_path / "rows.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_fails_leaves_the_one_before(rows: list[Row], tmp_path: Path) -> None:
    """The file is replaced whole or not at all."""

    def interrupted() -> object:
        yield rows[0]
        raise OSError(28, "No space left on device")

    (tmp_path / "rows.csv").write_text("before")
    with pytest.raises(ConfigurationError, match="No space"):
        export_rows(interrupted(), tmp_path / "rows.csv")  # type: ignore[arg-type]
    assert [file.name for file in tmp_path.iterdir()] == ["rows.csv"]
    assert (tmp_path / "rows.csv").read_text() == "before"
