"""Recorded previews: from clips and folders, with their times, and what is unreadable."""

from __future__ import annotations

from pathlib import Path

import pytest

from capture.errors import ConfigurationError, UnreadableFileError
from capture.replay.frames import read_frames
from capture.replay.gyro_files import read_gyro_csv
from tests.replay.recordings import write_clip, write_folder, write_gyro

MAX_PIXELS = 10_000_000


def test_a_folder_has_the_times_of_its_table(tmp_path: Path) -> None:
    """In the order of the table."""
    frames = list(read_frames(write_folder(tmp_path / "burst"), fps=None, max_pixels=MAX_PIXELS))
    assert [frame.number for frame in frames] == list(range(45))
    assert frames[0].captured_at_ms == 5000
    assert frames[1].captured_at_ms == pytest.approx(5033.333)


def test_a_folder_without_times_needs_the_rate(tmp_path: Path) -> None:
    """And is read in the order of its numbers: frame-2 before frame-10."""
    folder = write_folder(tmp_path / "burst", timestamps=False)
    with pytest.raises(ConfigurationError, match="--fps"):
        list(read_frames(folder, fps=None, max_pixels=MAX_PIXELS))
    frames = list(read_frames(folder, fps=10, max_pixels=MAX_PIXELS))
    assert frames[44].captured_at_ms == pytest.approx(4400)
    (folder / "frame-3.png").write_bytes(b"not a picture")
    again = list(read_frames(folder, fps=10, max_pixels=MAX_PIXELS))
    assert [frame.number for frame in again if frame.luma is None] == [3]


def test_a_clip_has_its_own_times(tmp_path: Path) -> None:
    """From its container; --fps overrules it."""
    clip = write_clip(tmp_path / "burst.avi")
    frames = list(read_frames(clip, fps=None, max_pixels=MAX_PIXELS))
    assert len(frames) == 45
    assert frames[-1].captured_at_ms == pytest.approx(44 * 1000 / 30, abs=1)
    slow = list(read_frames(clip, fps=5, max_pixels=MAX_PIXELS))
    assert slow[-1].captured_at_ms == pytest.approx(44 * 200)


def test_what_is_no_clip_is_refused(tmp_path: Path) -> None:
    """By its name."""
    fake = tmp_path / "fake.mp4"
    fake.write_bytes(b"\0" * 100)
    for source in (fake, tmp_path / "missing.mp4"):
        with pytest.raises(UnreadableFileError, match=source.name):
            list(read_frames(source, fps=None, max_pixels=MAX_PIXELS))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnreadableFileError, match="no pictures"):
        list(read_frames(tmp_path / "empty", fps=30, max_pixels=MAX_PIXELS))


def test_a_table_without_its_columns_is_refused(tmp_path: Path) -> None:
    """By the columns it needs."""
    folder = write_folder(tmp_path / "burst")
    for table in (b"name,time\na.png,0\n", b"file,captured_at_ms\n\xff.png,0\n"):
        (folder / "timestamps.csv").write_bytes(table)
        with pytest.raises(ConfigurationError, match="file,captured_at_ms"):
            list(read_frames(folder, fps=None, max_pixels=MAX_PIXELS))


def test_gyro_tables_are_sorted_and_checked(tmp_path: Path) -> None:
    """A bad line is named by its number."""
    file = write_gyro(tmp_path / "gyro.csv", 0.1, duration_ms=50)
    assert [s.y_rad_s for s in read_gyro_csv(file)] == [0.1] * 10
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], *reversed(lines[1:])]))
    times_ms = [s.captured_at_ms for s in read_gyro_csv(file)]
    assert times_ms == sorted(times_ms)
    file.write_text("\n".join([*lines[:3], "5,x,0,0"]))
    with pytest.raises(UnreadableFileError, match="line 4: 'x'"):
        read_gyro_csv(file)
    file.write_text("t,x,y,z\n1,2,3,4\n")
    with pytest.raises(UnreadableFileError, match="timestamp_ms"):
        read_gyro_csv(file)
    with pytest.raises(UnreadableFileError, match="missing"):
        read_gyro_csv(tmp_path / "missing.csv")
