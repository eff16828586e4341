"""``smart-capture replay``: what it prints, draws and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import pytest
from typer.testing import CliRunner, Result

from capture.cli.app import app
from capture.errors import ConfigurationError, UnreadableFileError
from tests.replay.recordings import shaking, write_clip, write_folder, write_gyro

WANTED = {
    "frame",
    "captured_at_ms",
    "dx_px",
    "dy_px",
    "inlier_count",
    "speed_px_s",
    "predicted_blur_px",
    "source",
    "state",
    "ready",
    "hint",
}


def replay(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["replay", *map(str, arguments)])


def lines_of(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_folder_becomes_a_line_a_frame(tmp_path: Path) -> None:
    """Shaking, settling, ready; the movement is that of the content since the frame before."""
    lines = lines_of(replay(write_folder(tmp_path / "burst"), "--jsonl", "--still-width", "4000"))
    assert len(lines) == 45
    assert all(set(line) >= WANTED for line in lines)
    assert (lines[0]["state"], lines[0]["dx_px"], lines[0]["source"]) == ("UNKNOWN", None, None)
    assert lines[5]["state"] == "MOVING"
    assert lines[-1]["ready"]
    truth = shaking()
    for number in (3, 7, 20):
        (_, x, y), (_, x_before, y_before) = truth[number], truth[number - 1]
        assert lines[number]["dx_px"] == pytest.approx(x - x_before, abs=0.15)
        assert lines[number]["dy_px"] == pytest.approx(y - y_before, abs=0.15)


def test_a_clip_says_the_same_as_its_frames(tmp_path: Path) -> None:
    """Within what its compression costs."""
    clip = lines_of(replay(write_clip(tmp_path / "burst.avi"), "--jsonl", "--still-width", 4000))
    folder = lines_of(replay(write_folder(tmp_path / "burst"), "--jsonl", "--still-width", 4000))
    assert [line["dx_px"] for line in clip[1:]] == pytest.approx(
        [line["dx_px"] for line in folder[1:]], abs=0.1
    )
    assert clip[-1]["ready"]


def test_a_gyroscope_is_heard(tmp_path: Path) -> None:
    """0.1 rad/s at 3000 px and 1/100 s: 3 px, though the frames end up still."""
    gyro = write_gyro(tmp_path / "gyro.csv", 0.1)
    lines = lines_of(
        replay(
            write_folder(tmp_path / "burst"),
            *("--jsonl", "--gyro", gyro, "--focal-px", 3000, "--exposure-s", "1/100"),
            *("--still-width", 4000),
        )
    )
    assert lines[-1]["source"] == "FUSED"
    assert lines[-1]["predicted_blur_px"] == pytest.approx(3.0, rel=0.02)
    assert not lines[-1]["ready"]


def test_the_table_ends_with_the_shares(tmp_path: Path) -> None:
    """And the plot is a picture."""
    plot = tmp_path / "plot.png"
    result = replay(write_folder(tmp_path / "burst"), "--plot", plot)
    assert result.exit_code == 0, result.output
    assert "45 frames: UNKNOWN 2 %, MOVING" in result.stdout
    picture = cv2.imread(str(plot))
    assert picture is not None
    assert picture.shape == (800, 1280, 3)


def test_a_picture_that_cannot_be_read_is_a_line_too(tmp_path: Path) -> None:
    """The others are judged, and the exit code says that one was not."""
    folder = write_folder(tmp_path / "burst")
    (folder / "frame-30.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    result = replay(folder, "--jsonl")
    assert result.exit_code == 1
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert lines[30]["frame"] == 30
    assert lines[30]["error"]["code"]
    assert lines[31]["state"] == "READY"


def test_what_cannot_be_replayed_is_refused(tmp_path: Path) -> None:
    """`run` turns these into one line on stderr and exit code 2."""
    fake = tmp_path / "fake.mp4"
    fake.write_bytes(b"\0" * 64)
    assert isinstance(replay(fake, "--jsonl").exception, UnreadableFileError)
    missing = replay(tmp_path / "missing")
    assert isinstance(missing.exception, UnreadableFileError)
    assert missing.output == ""
    folder = write_folder(tmp_path / "burst")
    gyro = write_gyro(tmp_path / "gyro.csv", 0.1)
    assert isinstance(replay(folder, "--gyro", gyro).exception, ConfigurationError)
    for plot in (tmp_path / "plot.xyz", tmp_path / "missing" / "plot.png"):
        assert isinstance(replay(folder, "--plot", plot).exception, ConfigurationError)
    assert replay(folder, "--exposure-s", "fast").exit_code == 2
