"""The samples that ship: complete, true to their physics, and made by the script beside them."""

from __future__ import annotations

import math
import shutil

import cv2
import numpy as np
import pytest

from capture.demo.samples import DemoSamples, load_samples, samples_folder
from capture.errors import UnreadableFileError
from capture.measure.motion import PreviewPlane, measure_preview


@pytest.fixture(scope="module")
def samples() -> DemoSamples:
    return load_samples()


def test_the_samples_are_found_and_complete(samples):
    """Every file that is named is there; the six kinds of shots are among them."""
    assert len(samples.frames) == 90
    assert all(frame.file.is_file() for frame in samples.frames)
    assert [still.file.stem for still in samples.stills] == [
        "good", "defocused", "shaken", "dark", "overexposed", "flat",
    ]  # fmt: skip
    assert all(still.file.is_file() for still in samples.stills)


def test_the_samples_are_small_and_credited():
    """They ship with every installation, with the names of who took the photographs."""
    files = [file for file in samples_folder().rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 8_000_000
    credited = (samples_folder() / "CREDITS.txt").read_text()
    for file in samples_folder().glob("*.jpg"):
        assert file.name in credited


def test_the_clock_of_the_burst_rises_and_the_gyroscope_covers_it(samples):
    """Frames and samples are in time order, and no frame lies outside the samples."""
    frames = [frame.captured_at_ms for frame in samples.frames]
    gyro = [sample.captured_at_ms for sample in samples.gyro]
    assert frames == sorted(set(frames))
    assert gyro == sorted(set(gyro))
    assert gyro[0] <= frames[0]
    assert gyro[-1] >= frames[-1]


def test_the_gyroscope_tells_how_the_frames_moved(samples):
    """The turn between two frames, times the focal length, is the shift that is seen."""
    previous: PreviewPlane | None = None
    errors_px = []
    for before, after in zip(samples.frames, samples.frames[1:], strict=False):
        luma = cv2.imread(str(after.file), cv2.IMREAD_GRAYSCALE)
        measures = measure_preview(luma, previous)
        previous = measures.plane
        if measures.motion is None:
            continue
        focal_px = samples.focal_length_px * luma.shape[1] / samples.still_width_px
        turn = turned(samples, before.captured_at_ms, after.captured_at_ms)
        # A camera that turns right moves the picture left; one that tilts up moves it down.
        expected = (-focal_px * turn[1], focal_px * turn[0])
        errors_px.append(math.dist(expected, (measures.motion.dx_px, measures.motion.dy_px)))
    assert len(errors_px) >= 80
    assert np.median(errors_px) < 0.15


def test_the_hand_at_rest_still_trembles(samples):
    """The steady part is a hand that holds still, not a frozen picture."""
    at_rest = [sample for sample in samples.gyro if sample.captured_at_ms > 1700]
    speed_deg_s = np.degrees([math.hypot(sample.x_rad_s, sample.y_rad_s) for sample in at_rest])
    assert 0.05 < np.mean(speed_deg_s) < 0.6
    pictures = {frame.file.read_bytes() for frame in samples.frames}
    assert len(pictures) == len(samples.frames)


def test_the_script_makes_the_same_clock_and_gyroscope(maker, samples, tmp_path):
    """The seeded hand turns the camera the same way each time, to the last digit."""
    columns = ["timestamp_ms", "x_rad_s", "y_rad_s", "z_rad_s"]
    made = tmp_path / "gyro.csv"
    maker.write_csv(made, columns, maker.gyro_samples(maker.HandShake(maker.SEED)))
    shipped = samples_folder() / "burst" / "gyro.csv"
    assert made.read_text() == shipped.read_text()
    assert [frame.captured_at_ms for frame in samples.frames] == maker.frame_times_ms().tolist()


@pytest.mark.corpus
def test_the_script_makes_the_same_pictures(maker, tmp_path):
    """Made anew from the photographs, every still is the one that ships."""
    if not maker.CORPUS.is_dir():
        pytest.skip(f"NO CORPUS at {maker.CORPUS}: the photographs are not there")
    for name, picture in maker.stills(maker.CORPUS):
        maker.write_jpeg(tmp_path / "made.jpg", picture, quality=88)
        made = cv2.imread(str(tmp_path / "made.jpg")).astype(int)
        shipped = cv2.imread(str(samples_folder() / f"{name}.jpg")).astype(int)
        # Another processor may round the last bit otherwise.
        assert np.abs(made - shipped).mean() < 0.1


def test_samples_that_are_not_there_are_a_clear_error(tmp_path):
    """A broken installation is named, not stumbled over."""
    with pytest.raises(UnreadableFileError, match="samples"):
        load_samples(tmp_path)
    shutil.copy(samples_folder() / "expected.json", tmp_path)
    with pytest.raises(UnreadableFileError, match=r"camera\.json"):
        load_samples(tmp_path)


def turned(samples: DemoSamples, from_ms: float, to_ms: float) -> np.ndarray:
    """Return the turn around x, y and z between two moments, in radians."""
    times = np.array([sample.captured_at_ms for sample in samples.gyro])
    rates = np.array([(one.x_rad_s, one.y_rad_s, one.z_rad_s) for one in samples.gyro])
    grid = np.linspace(from_ms, to_ms, 33)
    sampled = np.column_stack([np.interp(grid, times, rate) for rate in rates.T])
    return np.trapezoid(sampled, grid / 1000, axis=0)
