"""Exposure: clipping is counted, the range is that of light, the offset follows the light."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from capture.measure.exposure import HIGHLIGHT_LEVEL, SHADOW_LEVEL, level_shares, measure_exposure
from capture.measure.luma import linear_to_srgb, srgb_to_linear
from capture.measure.measures import Exposure
from capture.measure.status import MissingEvidence


def exposure_of(color: NDArray[np.uint8], **options: float) -> Exposure:
    luma = cv2.cvtColor(color, cv2.COLOR_BGR2GRAY)
    return measure_exposure(luma, color, color_luma=luma, **options)


def scene(stops: float = 0.0) -> NDArray[np.uint8]:
    """A linear-light scene of many tones, exposed `stops` more; (200, 300, 3)."""
    random = np.random.default_rng(8)
    coarse = cv2.resize(random.normal(-2.5, 1.5, (20, 30, 3)), (300, 200))
    light = np.clip(2.0 ** (coarse + stops), 0, 1)
    return np.round(255 * linear_to_srgb(light)).astype(np.uint8)


@settings(max_examples=100, deadline=None)
@given(
    arrays.arrays(
        np.uint8,
        st.tuples(st.integers(1, 70), st.integers(1, 70), st.just(3)),
        elements=st.sampled_from([0, 5, 6, 7, 120, 251, 252, 253, 255]),
    )
)
def test_clipped_shares_are_exact_counts(color: NDArray[np.uint8]) -> None:
    """A highlight is lost in any channel, a shadow only in all three."""
    exposure = exposure_of(color)
    highlights = (color >= HIGHLIGHT_LEVEL).any(axis=2).mean()
    shadows = (color <= SHADOW_LEVEL).all(axis=2).mean()
    assert exposure.clipped_highlight_fraction == pytest.approx(highlights, abs=1e-12)
    assert exposure.clipped_shadow_fraction == pytest.approx(shadows, abs=1e-12)
    assert exposure.largest_clipped_highlight_fraction <= exposure.clipped_highlight_fraction
    assert exposure.largest_clipped_shadow_fraction <= exposure.clipped_shadow_fraction


def test_counts_stay_exact_over_many_strips() -> None:
    """A large picture is counted strip by strip; none is forgotten."""
    color = np.random.default_rng(4).integers(0, 256, (1201, 1607, 3)).astype(np.uint8)
    color[500:900, 300:800] = 255
    color[1000:, 1200:] = 3
    exposure = exposure_of(color)
    assert exposure.clipped_highlight_fraction == (color >= 252).any(axis=2).mean()
    assert exposure.clipped_shadow_fraction == (color <= 6).all(axis=2).mean()
    assert exposure.largest_clipped_highlight_fraction == pytest.approx(
        400 * 500 / (1201 * 1607), rel=0.05
    )
    assert exposure.largest_clipped_shadow_fraction == pytest.approx(
        201 * 407 / (1201 * 1607), rel=0.05
    )


def test_grey_pictures_are_counted_in_their_plane() -> None:
    luma = np.full((10, 10), 100, np.uint8)
    luma[0] = 255
    luma[1:3] = 0
    exposure = measure_exposure(luma, None)
    assert exposure.clipped_highlight_fraction == 0.1
    assert exposure.clipped_shadow_fraction == 0.2
    assert exposure.largest_clipped_shadow_fraction == 0.2


def test_two_white_spots_are_not_one() -> None:
    """The largest connected share is that of the larger spot."""
    luma = np.full((100, 100), 100, np.uint8)
    luma[10:20, 10:20] = 255
    luma[50:70, 50:70] = 255
    exposure = measure_exposure(luma, None)
    assert exposure.clipped_highlight_fraction == pytest.approx(0.05)
    assert exposure.largest_clipped_highlight_fraction == pytest.approx(0.04)


def test_colours_may_lie_on_their_side() -> None:
    """Counting needs no orientation."""
    color = scene(1.5)
    luma = cv2.cvtColor(color, cv2.COLOR_BGR2GRAY)
    expected = exposure_of(color).clipped_highlight_fraction
    view = np.rot90(color)
    for turned in (view, np.ascontiguousarray(view)):
        assert measure_exposure(luma, turned).clipped_highlight_fraction == expected > 0


def test_the_luma_of_the_colours_only_saves_time() -> None:
    """Shadows in some strips, highlights in others, and colours too dark for their channels."""
    color = np.full((1200, 1600, 3), 100, np.uint8)
    color[100:110] = 3
    color[300:320, :700] = (255, 0, 0)
    color[600:605] = (20, 1, 0)  # luma 3, blue not lost
    luma = cv2.cvtColor(color, cv2.COLOR_BGR2GRAY)
    turned, turned_luma = (np.ascontiguousarray(np.rot90(plane)) for plane in (color, luma))
    plain = measure_exposure(luma, color)
    assert (plain.clipped_highlight_fraction, plain.clipped_shadow_fraction) == (
        20 * 700 / luma.size,
        10 * 1600 / luma.size,
    )
    assert measure_exposure(luma, color, color_luma=luma) == plain
    on_its_side = measure_exposure(luma, turned, color_luma=turned_luma)
    assert on_its_side.clipped_shadow_fraction == plain.clipped_shadow_fraction
    with pytest.raises(ValueError, match="luma of 1200 x 1600 colours is"):
        measure_exposure(luma, turned, color_luma=luma)


def test_dynamic_range_counts_stops_of_light() -> None:
    """Half of the pixels three stops above the others."""
    light = np.where(np.arange(100)[:, np.newaxis] < 50, 0.08, 0.64) * np.ones((100, 100))
    luma = np.round(255 * linear_to_srgb(light)).astype(np.uint8)
    assert measure_exposure(luma, None).dynamic_range_stops == pytest.approx(3.0, abs=0.05)


def test_a_flat_picture_has_no_dynamic_range() -> None:
    luma = np.full((100, 100), 128, np.uint8)
    assert measure_exposure(luma, None).dynamic_range_stops == 0


def test_shadows_deeper_than_five_stops_do_not_widen_the_range() -> None:
    """There 8 bits hold noise: a frame four stops too dark has hardly any range left."""
    assert exposure_of(scene()).dynamic_range_stops > 3
    assert exposure_of(scene(-4)).dynamic_range_stops < 1.5


def test_more_light_raises_the_offset() -> None:
    """Stop by stop, from far too dark to far too bright."""
    offsets = [exposure_of(scene(stops)).offset_ev for stops in range(-5, 6)]
    assert None not in offsets
    assert np.all(np.diff(np.array(offsets, float)) > 0.1)


def test_a_stop_of_light_is_about_a_stop_of_offset() -> None:
    """Around well exposed, where it matters; a finished picture has a curve of its own."""
    darker, brighter = (exposure_of(scene(stops)).offset_ev for stops in (-1, 1))
    assert darker is not None
    assert brighter is not None
    assert 1.2 < brighter - darker < 3


def test_a_grey_card_is_well_exposed() -> None:
    """Luminance 0.18 within half a stop."""
    luma = np.full((100, 100), round(255 * float(linear_to_srgb(np.array(0.18)))), np.uint8)
    offset_ev = measure_exposure(luma, None).offset_ev
    assert offset_ev is not None
    assert abs(offset_ev) < 0.5


def test_a_subject_before_a_white_wall_is_not_overexposed() -> None:
    """The wall is bright and flat; the texture is not bright."""
    subject = scene()
    wall = np.full((600, 900, 3), 250, np.uint8)
    wall[200:400, 300:600] = subject
    everything, alone = exposure_of(wall).offset_ev, exposure_of(subject).offset_ev
    assert everything is not None
    assert alone is not None
    assert everything < max(alone, 0) + 0.8
    bright = exposure_of(np.full((600, 900, 3), 250, np.uint8)).offset_ev
    assert bright is not None
    assert bright > 3


def test_night_may_look_dark() -> None:
    """EXIF of a moonless street (EV100 -2) takes the edge off a dark picture, daylight not."""
    dark = scene(-2.5)
    unknown, day, night = (
        exposure_of(dark, **({} if value is None else {"exposure_value": value})).offset_ev
        for value in (None, 12.0, -2.0)
    )
    assert unknown is not None
    assert night is not None
    assert day == unknown < -1
    assert unknown < night <= 0


def test_night_does_not_excuse_a_bright_picture() -> None:
    bright = scene(2.5)
    assert exposure_of(bright, exposure_value=-2.0) == exposure_of(bright)


def test_a_handful_of_pixels_has_no_offset() -> None:
    """The shares are there all the same."""
    exposure = measure_exposure(np.full((7, 9), 255, np.uint8), None)
    assert exposure.missing is MissingEvidence.TOO_SMALL
    assert exposure.offset_ev is None
    assert exposure.clipped_highlight_fraction == 1


def test_level_shares_add_up_to_one() -> None:
    luma = np.random.default_rng(1).integers(0, 256, (777, 1003)).astype(np.uint8)
    shares = level_shares(luma)
    assert shares.shape == (256,)
    assert shares.sum() == pytest.approx(1)
    everything = np.bincount(luma.ravel(), minlength=256) / luma.size
    assert np.abs(shares - everything).max() < 0.001


@pytest.mark.parametrize(
    "color", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)]
)
def test_the_door_is_checked_in_words(color: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="color must be"):
        measure_exposure(np.zeros((4, 4), np.uint8), color)


def test_the_srgb_curve_of_the_range_is_that_of_the_standard() -> None:
    """IEC 61966-2-1: level 119 of 255 is a luminance of 0.184."""
    assert float(srgb_to_linear(np.array(119 / 255))) == pytest.approx(0.184, abs=0.001)
