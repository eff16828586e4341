"""Noise that was put in is found again, in texture and out of it."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from capture.measure.noise import MAX_TILE_COUNT, measure_noise


def noisy(luma: NDArray[np.uint8], sigma: float, seed: int = 5) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).normal(0, sigma, luma.shape)
    return np.clip(np.round(luma + noise), 0, 255).astype(np.uint8)


def haar_sigma(luma: NDArray[np.uint8]) -> float:
    """The oracle: median absolute diagonal detail of the Haar wavelet (Donoho 1995).

    It is what skimage's `estimate_sigma` computes, of its db2 wavelet, by PyWavelets.
    """
    rows, columns = (edge // 2 * 2 for edge in luma.shape)
    even = luma[:rows, :columns].astype(float)
    detail = (even[::2, ::2] - even[1::2, ::2] - even[::2, 1::2] + even[1::2, 1::2]) / 2
    return float(np.median(np.abs(detail)) / 0.6745)


@pytest.mark.parametrize("sigma", [1.0, 2.0, 4.0, 8.0, 16.0])
def test_noise_on_a_grey_card_is_found(sigma: float) -> None:
    """Within a tenth, and as the oracle says: whole levels make that coarse."""
    luma = noisy(np.full((400, 400), 128, np.uint8), sigma)
    assert measure_noise(luma) == pytest.approx(sigma, rel=0.1)
    assert haar_sigma(luma) == pytest.approx(sigma, rel=0.05, abs=0.3)


@pytest.mark.parametrize("name", ["camera", "coins", "brick", "grass"])
@pytest.mark.parametrize("sigma", [4.0, 8.0])
def test_texture_is_not_taken_for_noise(name: str, sigma: float) -> None:
    """Real pictures with noise added read near it, where the oracle reads too much."""
    clean = getattr(skimage.data, name)()
    estimate = measure_noise(noisy(clean, sigma))
    assert estimate is not None
    own = measure_noise(clean)
    assert own is not None
    expected = float(np.hypot(own, sigma))
    assert estimate == pytest.approx(expected, rel=0.25)
    assert abs(estimate - expected) <= abs(haar_sigma(noisy(clean, sigma)) - sigma) + 0.5


def test_more_noise_reads_higher() -> None:
    clean = skimage.data.camera()
    readings = [measure_noise(noisy(clean, sigma)) for sigma in (0, 1, 2, 4, 8, 16)]
    assert None not in readings
    assert np.all(np.diff(np.array(readings, float)) > 0)


def test_a_flat_picture_has_no_noise() -> None:
    assert measure_noise(np.full((200, 300), 90, np.uint8)) == 0


def test_a_ramp_has_no_noise() -> None:
    """What is locally linear is taken away."""
    ramp = np.tile(np.arange(20, 220, dtype=np.uint8), (200, 1))
    assert measure_noise(ramp) == 0


def test_orientation_does_not_matter() -> None:
    luma = noisy(skimage.data.camera(), 6)
    upright = measure_noise(luma)
    for turned in (luma.T, luma[::-1], luma[:, ::-1]):
        assert measure_noise(np.ascontiguousarray(turned)) == pytest.approx(upright, rel=0.05)


def test_clipped_parts_are_left_out() -> None:
    """White sky has no noise, the picture has."""
    luma = noisy(np.full((400, 400), 128, np.uint8), 6)
    luma[:300] = 255
    assert measure_noise(luma) == pytest.approx(6, rel=0.15)


@pytest.mark.parametrize("shape", [(1, 1), (17, 400), (60, 60), (400, 17)])
def test_too_small_a_picture_gives_none(shape: tuple[int, int]) -> None:
    assert measure_noise(np.full(shape, 100, np.uint8)) is None


@pytest.mark.parametrize("level", [0, 255])
def test_nothing_but_black_or_white_gives_none(level: int) -> None:
    assert measure_noise(np.full((400, 400), level, np.uint8)) is None


def test_large_pictures_are_sampled_all_over() -> None:
    """Quiet above, noisy below: a tenth of the squares is flat, and found."""
    luma = noisy(np.full((3000, 4000), 128, np.uint8), 8)
    luma[:600] = noisy(np.full((600, 4000), 128, np.uint8), 2)
    tile_count = (3000 // 16) * (4000 // 16)
    assert tile_count > MAX_TILE_COUNT
    assert measure_noise(luma) == pytest.approx(2, rel=0.25)


def test_the_door_is_checked_in_words() -> None:
    with pytest.raises(ValueError, match="luma must be"):
        measure_noise(np.zeros((100, 100, 3), np.uint8))
