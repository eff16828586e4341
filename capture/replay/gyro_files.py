"""Samples of a gyroscope beside a clip: a CSV table, or a GoPro's own track."""

from __future__ import annotations

import csv
from pathlib import Path

from capture.errors import UnreadableFileError
from capture.measure.gyro import GyroSample

COLUMNS = ("timestamp_ms", "x_rad_s", "y_rad_s", "z_rad_s")


def read_gyro_csv(file: Path) -> list[GyroSample]:
    """Read samples in the camera's axes: x right, y down, z into the scene, right-handed.

    Parameters
    ----------
    file : Path
        With the columns ``timestamp_ms,x_rad_s,y_rad_s,z_rad_s``; more are passed over.

    Returns
    -------
    list of GyroSample
        In time order.

    Raises
    ------
    UnreadableFileError
        If the file or one of its rows cannot be read.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            table = csv.DictReader(lines, skipinitialspace=True)
            missing = [name for name in COLUMNS if name not in (table.fieldnames or ())]
            if missing:
                raise UnreadableFileError(f"{file}: no column {', '.join(missing)}")
            samples = [
                GyroSample(*(_number(row[name], file, table.line_num) for name in COLUMNS))
                for row in table
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFileError(f"{file}: {error}") from error
    return sorted(samples, key=lambda sample: sample.captured_at_ms)


def _number(text: str | None, file: Path, line: int) -> float:
    try:
        return float(text or "")
    except ValueError:
        raise UnreadableFileError(f"{file}: line {line}: {text!r} is no number") from None
