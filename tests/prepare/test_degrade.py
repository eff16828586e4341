"""Pictures are degraded in linear light, in the order of a camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from capture.prepare.degrade import Nuisance, blur, composite, develop, draw_nuisance, to_linear
from capture.prepare.point_spread import disk, line

PLAIN = Nuisance(
    exposure_ev=0.0,
    iso=0,
    noise_grain_px=0.0,
    denoise_strength=0.0,
    sharpen_amount=0.0,
    sharpen_sigma_px=1.0,
    haze=0.0,
    jpeg_quality=95,
    seed=1,
)


def grey(level: int) -> np.ndarray:
    return to_linear(np.full((96, 128, 3), level, np.uint8))


@pytest.mark.parametrize("level", [20, 120, 230])
def test_nothing_done_changes_nothing(level: int) -> None:
    assert np.abs(develop(grey(level), PLAIN).astype(int) - level).max() <= 1


def test_a_point_of_light_becomes_the_kernel() -> None:
    """Blur is a convolution: the path appears as it was drawn, not mirrored."""
    scene = np.zeros((41, 41, 3), np.float32)
    scene[20, 20] = 1.0
    spread = line(9.0, 25.0)
    side = len(spread.kernel) // 2
    seen = blur(scene, spread)[20 - side : 21 + side, 20 - side : 21 + side, 0]
    assert seen == pytest.approx(spread.kernel, abs=1e-5)


def test_blur_mixes_light_and_not_code_values() -> None:
    """Between black and white lies half the light, which is encoded as 188 and not 128."""
    scene = np.zeros((64, 64, 3), np.float32)
    scene[:, 32:] = 1.0
    edge = develop(blur(scene, disk(6.0)), PLAIN)[32, 30:34].astype(float).mean()
    assert edge == pytest.approx(188, abs=8)


def test_one_stop_doubles_the_light() -> None:
    brighter = develop(grey(100), replace(PLAIN, exposure_ev=1.0))
    assert to_linear(brighter).mean() == pytest.approx(2 * grey(100).mean(), rel=0.05)


def test_higher_iso_is_noisier() -> None:
    spreads = [develop(grey(110), replace(PLAIN, iso=iso)).std() for iso in (100, 400, 1600, 6400)]
    assert spreads == sorted(spreads)
    assert spreads[-1] > 4


def test_a_composite_is_sharp_where_its_mask_is() -> None:
    subject, background = np.ones((8, 8, 3), np.float32), np.zeros((8, 8, 3), np.float32)
    mask = np.zeros((8, 8), np.float32)
    mask[:, :4] = 1.0
    assert composite(subject, background, mask)[0, :, 0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]


def test_one_seed_draws_one_nuisance() -> None:
    drawn = [draw_nuisance(np.random.default_rng(9)) for _ in range(2)]
    assert drawn[0] == drawn[1]
    scene = grey(90)
    assert np.array_equal(develop(scene, drawn[0]), develop(scene, drawn[1]))
