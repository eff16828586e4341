"""Where recorded previews come from: a clip, or a folder of pictures."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from capture.errors import ConfigurationError, ImageError, UnreadableFileError
from capture.images import EncodedImage, decode_image
from capture.measure.luma import LumaPlane

TIMESTAMPS = "timestamps.csv"
_PICTURES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"))


@dataclass(frozen=True, slots=True, eq=False)
class RecordedFrame:
    """One recorded preview.

    Attributes
    ----------
    number : int
        From 0.
    captured_at_ms : float
        Time on the clock of the recording.
    luma : LumaPlane or None
        None where it could not be read.
    error : ImageError or None
        Why not.
    """

    number: int
    captured_at_ms: float
    luma: LumaPlane | None
    error: ImageError | None = None


def read_frames(source: Path, *, fps: float | None, max_pixels: int) -> Iterator[RecordedFrame]:
    """Read the previews of a clip or of a folder, one at a time.

    Parameters
    ----------
    source : Path
        A clip, or a folder of pictures.
    fps : float or None
        Frames a second. A clip says so itself; a folder may hold a `timestamps.csv`
        (`file,captured_at_ms`) instead.
    max_pixels : int
        Pixels a picture of a folder may declare.

    Raises
    ------
    UnreadableFileError
        If there is no such clip, or nothing in it can be decoded.
    ConfigurationError
        If a folder says nothing of its times.
    """
    if source.is_dir():
        yield from _read_folder(source, fps, max_pixels)
    else:
        yield from _read_clip(source, fps)


def _read_clip(clip: Path, fps: float | None) -> Iterator[RecordedFrame]:
    if not clip.is_file():
        raise UnreadableFileError(f"{clip}: no such file")
    # FFmpeg writes of every odd packet to stderr, between the lines of the table.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    capture = cv2.VideoCapture(str(clip))
    try:
        step_ms = 1000 / (fps or capture.get(cv2.CAP_PROP_FPS) or 30.0)
        number, at_ms = 0, -step_ms
        while True:
            is_there, color = capture.read()
            if not is_there:
                break
            told_ms = capture.get(cv2.CAP_PROP_POS_MSEC)
            # Some containers have no times: they tell the same one for every frame.
            at_ms = told_ms if fps is None and told_ms > at_ms else at_ms + step_ms
            luma = color if color.ndim == 2 else cv2.cvtColor(color, cv2.COLOR_BGR2GRAY)
            yield RecordedFrame(number, at_ms, luma.astype(np.uint8, copy=False))
            number += 1
    finally:
        capture.release()
    if number == 0:
        raise UnreadableFileError(f"{clip}: no clip that can be decoded")


def _read_folder(folder: Path, fps: float | None, max_pixels: int) -> Iterator[RecordedFrame]:
    for number, (file, at_ms) in enumerate(_times_of(folder, fps)):
        try:
            luma = decode_image(EncodedImage(file.read_bytes()), max_pixels).luma
        except ImageError as error:
            yield RecordedFrame(number, at_ms, None, error)
        except OSError as error:
            raise UnreadableFileError(f"{file}: {error.strerror}") from error
        else:
            yield RecordedFrame(number, at_ms, luma)


def _times_of(folder: Path, fps: float | None) -> list[tuple[Path, float]]:
    table = folder / TIMESTAMPS
    if fps is None and table.is_file():
        try:
            with table.open(newline="", encoding="utf-8-sig") as lines:
                rows = list(csv.DictReader(lines))
            return [(folder / row["file"], float(row["captured_at_ms"])) for row in rows]
        except (KeyError, TypeError, ValueError, csv.Error) as error:
            raise ConfigurationError(f"{table}: needs the columns file,captured_at_ms") from error
    files = sorted(
        (file for file in folder.iterdir() if file.suffix.lower() in _PICTURES), key=_by_number
    )
    if not files:
        raise UnreadableFileError(f"{folder}: no pictures there")
    if fps is None:
        raise ConfigurationError(f"{folder}: give --fps, or put a {TIMESTAMPS} into the folder")
    return [(file, number * 1000 / fps) for number, file in enumerate(files)]


def _by_number(file: Path) -> list[tuple[int, str]]:
    """Sort frame-2 before frame-10."""
    parts = re.split(r"(\d+)", file.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
