"""The same scene or another: noise, a small shift and the exposure are no change."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from capture.measure.luma import LumaPlane
from capture.measure.scene import changed_fraction

PICTURES = [data.camera(), cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY), data.coins()]


def thumbnail(luma: LumaPlane, shift_px: int = 0) -> LumaPlane:
    window = luma[20:280, 20 + shift_px : 340 + shift_px]
    return cv2.resize(window, (32, 24), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


@pytest.mark.parametrize("luma", PICTURES)
def test_the_same_scene_has_not_changed(luma: LumaPlane) -> None:
    """By noise, by a fiftieth of the width, by one stop of exposure."""
    before = thumbnail(luma)
    noisy = before + np.random.default_rng(0).normal(0, 4, before.shape)
    assert changed_fraction(before, before) == 0
    assert changed_fraction(before, np.clip(noisy, 0, 255).astype(np.uint8)) < 0.05
    assert changed_fraction(before, thumbnail(luma, 6)) < 0.15
    assert changed_fraction(before, (before * 0.6).astype(np.uint8)) < 0.05


def test_another_scene_has_changed() -> None:
    """Every pair of three pictures, by more than the default profile asks for."""
    thumbnails = [thumbnail(luma) for luma in PICTURES]
    for first in range(3):
        for second in range(3):
            if first != second:
                assert changed_fraction(thumbnails[first], thumbnails[second]) > 0.25


@pytest.mark.parametrize("column_count", [4, 11, 20])
def test_what_is_covered_has_changed(column_count: int) -> None:
    """A hand before the lens counts at least with what it covers."""
    before = thumbnail(PICTURES[0])
    after = before.copy()
    after[:, :column_count] = np.where(before[:, :column_count] > 128, 0, 255)
    assert changed_fraction(before, after) > 0.8 * column_count / 32


def test_a_flat_scene_is_not_divided_by_nothing() -> None:
    """Grey to grey is no change."""
    grey = np.full((24, 32), 100, np.uint8)
    assert changed_fraction(grey, grey) == 0
    assert changed_fraction(grey, np.full((12, 16), 100, np.uint8)) == 1
