"""A GoPro's gyroscope: scaled, in time, and in the camera's axes."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from capture.errors import UnreadableFileError
from capture.replay.gpmf import read_gopro_gyro
from tests.replay.mp4 import gopro_clip, payload

CORPUS = Path(os.environ.get("SMART_CAPTURE_CORPUS", "../shared/corpus"))
CLIP = CORPUS / "video_gpmf_gopro" / "max-heromode.mp4"


def write(folder: Path, data: bytes) -> Path:
    clip = folder / "clip.mp4"
    clip.write_bytes(data)
    return clip


def test_samples_are_scaled_and_spread_over_their_payload(tmp_path: Path) -> None:
    """Two payloads of 1001 ms with ten and with twenty samples."""
    ten = np.tile(np.array([100, 0, 0], np.int16), (10, 1))
    twenty = np.tile(np.array([200, 0, 0], np.int16), (20, 1))
    clip = write(tmp_path, gopro_clip([payload(ten, 1000, b"XYZ"), payload(twenty, 1000, b"XYZ")]))
    samples = read_gopro_gyro(clip)
    assert len(samples) == 30
    assert [s.x_rad_s for s in samples] == [0.1] * 10 + [0.2] * 20
    assert samples[10].captured_at_ms == 1001
    assert samples[11].captured_at_ms == pytest.approx(1001 + 1001 / 20)


@pytest.mark.parametrize("axes", [b"XYZ", b"ZXY", b"XzY", b"yXz"])
def test_axes_follow_the_letters_of_the_stream(tmp_path: Path, axes: bytes) -> None:
    """X to the side, Z up, Y forward become x right, y down, z forward; small is reversed."""
    gopro = {"X": 10, "Y": 20, "Z": 30}
    letters = axes.decode()
    row = [gopro[a.upper()] * (1 if a.isupper() else -1) for a in letters]
    clip = write(tmp_path, gopro_clip([payload(np.array([row], np.int16), 10, axes)]))
    (sample,) = read_gopro_gyro(clip)
    assert (sample.x_rad_s, sample.y_rad_s, sample.z_rad_s) == (1, -3, 2)


def test_other_files_have_no_such_track(tmp_path: Path) -> None:
    """No error: most clips have none."""
    assert read_gopro_gyro(write(tmp_path, b"RIFF....AVI ")) == []
    assert read_gopro_gyro(write(tmp_path, gopro_clip([])[:40])) == []
    assert read_gopro_gyro(write(tmp_path, b"")) == []


def test_a_track_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    """By a typed error, whichever byte is wrong."""
    whole = gopro_clip([payload(np.ones((4, 3), np.int16), 10, b"XYZ")], sample_count=9)
    with pytest.raises(UnreadableFileError, match="GPMF"):
        read_gopro_gyro(write(tmp_path, whole))
    nothing = gopro_clip([payload(np.ones((4, 3), np.int16), 0, b"XYZ")])
    with pytest.raises(UnreadableFileError, match="scale of 0"):
        read_gopro_gyro(write(tmp_path, nothing))


def test_damaged_bytes_never_raise_anything_else(tmp_path: Path) -> None:
    """300 clips with one byte changed: samples, or the one error."""
    whole = gopro_clip([payload(np.ones((4, 3), np.int16), 10, b"XYZ")] * 2)
    rng = np.random.default_rng(8)
    for _ in range(300):
        broken = bytearray(whole)
        broken[int(rng.integers(len(whole)))] = int(rng.integers(256))
        with suppress(UnreadableFileError):
            assert len(read_gopro_gyro(write(tmp_path, bytes(broken)))) <= 8


@pytest.mark.corpus
@pytest.mark.skipif(not CLIP.is_file(), reason=f"no corpus at {CORPUS}")
def test_a_real_camera_walks_at_200_hz() -> None:
    """Ten seconds of a walk: about 2,000 samples, and turns of some tenths of a radian."""
    samples = read_gopro_gyro(CLIP)
    assert 1900 < len(samples) < 2200
    assert samples[-1].captured_at_ms == pytest.approx(10_500, abs=200)
    rates = np.array([(s.x_rad_s, s.y_rad_s, s.z_rad_s) for s in samples])
    assert 0.05 < np.sqrt(np.square(rates).mean()) < 1.0
