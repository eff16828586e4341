"""The exposure fit: what it takes for the truth, and that the shipped numbers are its answer."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from capture.measure.exposure import OFFSET_COEFFICIENTS, offset_ev_of
from capture.measure.luma import linear_to_srgb
from capture.prepare.exposure import (
    BracketFrame,
    Tones,
    bracket_of,
    cross_validate,
    fit,
    read_brackets,
    read_good_photos,
)

ROOT = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("SMART_CAPTURE_CORPUS", ROOT.parent / "shared" / "corpus"))


def tones(stops: float, seed: int = 2) -> Tones:
    """Tones of a scene of log-normal light, exposed `stops` more than well."""
    light = 2.0 ** (np.random.default_rng(seed).normal(-3.4, 1.2, 20_000) + stops)
    levels = np.round(255 * linear_to_srgb(np.clip(light, 0, 1))).astype(int)
    shares = np.bincount(levels, minlength=256) / levels.size
    return Tones(shares, float(levels.mean()) / 255)


def bracket(labels_ev: list[float], true_ev: list[float], seed: int = 2) -> list[BracketFrame]:
    pairs = zip(labels_ev, true_ev, strict=True)
    return [BracketFrame(f"scene {seed}", label, tones(true, seed)) for label, true in pairs]


def offsets(frames: list[BracketFrame]) -> NDArray[np.float64]:
    return np.array([frame.offset_ev for frame in frames])


def test_stops_count_from_the_frame_that_lost_least() -> None:
    """Whatever the labels count from."""
    frames = bracket_of(bracket([0, 1, 2, 3, 4, 5], [-3, -2, -1, 0, 1, 2]))
    np.testing.assert_array_equal(offsets(frames), [-3, -2, -1, 0, 1, 2])


def test_frames_that_do_not_follow_their_label_cut_the_bracket() -> None:
    """Three look the same: what lies above them is a stop scale of its own."""
    labels = [0.0, 1, 2, 3, 4, 5, 6, 7]
    frames = bracket_of(bracket(labels, [-3, -2, -1, 0, 0, 0, 1, 2]))
    np.testing.assert_array_equal(offsets(frames), [-3, -2, -1, 0])


def test_the_fit_finds_the_stops_again() -> None:
    """In scenes that it has not seen, to a third of a stop."""
    steps = [-3.0, -2, -1, 0, 1, 2, 3]
    frames = [frame for seed in range(6) for frame in bracket_of(bracket(steps, steps, seed=seed))]
    errors_ev = cross_validate(frames, []) - offsets(frames)
    assert np.abs(errors_ev).mean() < 0.35


def test_ordinary_photos_pull_towards_zero() -> None:
    """They are taken to be well exposed, however dark they look."""
    steps = [-2.0, -1, 0, 1, 2]
    frames = bracket_of(bracket(steps, steps))
    dark = tones(-2)
    alone, beside = (
        offset_ev_of(dark.mean_luma, dark.textured_luma, fit(frames, photos))
        for photos in ([], [dark] * 20)
    )
    assert alone < beside < 0


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus at {CORPUS}")
def test_the_shipped_coefficients_are_those_of_the_fit() -> None:
    """Refitted on the brackets, to the digits that ship; held-out error below 0.46 stops."""
    frames, good_photos = read_brackets(CORPUS), read_good_photos(CORPUS)
    assert fit(frames, good_photos) == pytest.approx(OFFSET_COEFFICIENTS, abs=0.01)
    errors_ev = np.abs(cross_validate(frames, good_photos) - offsets(frames))
    assert errors_ev[np.abs(offsets(frames)) <= 3.1].mean() < 0.46
