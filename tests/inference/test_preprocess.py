"""From a picture to the pixels that a network takes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.transform import downscale_local_mean

from inference.preprocess import Preprocessing, preprocess

WHOLE = Preprocessing(224, 224)
LITE0 = Preprocessing(224, 224, 224 / 256)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_blue_green_red_becomes_red_green_blue() -> None:
    """OpenCV's channel order is turned into the network's."""
    pixels = preprocess(np.full((300, 300, 3), (10, 20, 30), np.uint8), LITE0)
    assert pixels.shape == (1, 224, 224, 3)
    assert np.unique(pixels.reshape(-1, 3), axis=0).tolist() == [[30, 20, 10]]


def test_shrinking_averages_areas() -> None:
    """Halving a picture gives the means of 2x2 blocks, as scikit-image computes them."""
    color = noise(448, 448)
    expected = downscale_local_mean(color.astype(float), (2, 2, 1))[:, :, ::-1]
    np.testing.assert_allclose(preprocess(color, WHOLE)[0], expected, atol=0.5)


def test_only_the_centre_is_used() -> None:
    """Of a 256 px square the outer 16 px do not matter; the pixels within stay as they are."""
    color = noise(256, 256)
    framed = color.copy()
    framed[:16], framed[-16:], framed[:, :16], framed[:, -16:] = 0, 0, 0, 0
    pixels = preprocess(framed, LITE0)
    np.testing.assert_array_equal(pixels, preprocess(color, LITE0))
    np.testing.assert_array_equal(pixels[0, :, :, ::-1], color[16:-16, 16:-16])


def test_a_wide_picture_is_cut_not_squeezed() -> None:
    """The sides of a wide picture do not reach the network."""
    color = np.zeros((256, 768, 3), np.uint8)
    color[:, 256:512] = 255
    assert preprocess(color, WHOLE).min() == 255


def test_mirrored_pictures_give_mirrored_pixels() -> None:
    """The cut is centred."""
    color = noise(512, 640)
    np.testing.assert_array_equal(
        preprocess(color[:, ::-1], LITE0), preprocess(color, LITE0)[:, :, ::-1]
    )


@given(
    height=st.integers(1, 700),
    width=st.integers(1, 700),
    fraction=st.floats(0.05, 1),
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
)
@settings(max_examples=60, deadline=None)
def test_any_picture_fits(height: int, width: int, fraction: float, size: tuple[int, int]) -> None:
    """However small or elongated, a picture becomes pixels within its own range."""
    how = Preprocessing(*size, fraction)
    color = np.clip(noise(height, width), 50, 200)
    pixels = preprocess(color, how)
    assert pixels.shape == (1, how.height_px, how.width_px, 3)
    assert pixels.dtype == np.uint8
    assert pixels.min() >= 50
    assert pixels.max() <= 200


@pytest.mark.parametrize(
    "color",
    [
        np.zeros((5, 5), np.uint8),
        np.zeros((5, 5, 4), np.uint8),
        np.zeros((5, 5, 3), np.float32),
        np.zeros((0, 5, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(color: np.ndarray) -> None:
    """What is not (H, W, 3) uint8 is the caller's mistake, named with shape and dtype."""
    with pytest.raises(ValueError, match=r"color must be \(H, W, 3\) uint8, got"):
        preprocess(color, WHOLE)


@pytest.mark.parametrize("arguments", [(0, 224), (224, -1), (224, 224, 0.0), (224, 224, 1.1)])
def test_impossible_cuts_are_refused(arguments: tuple[float, ...]) -> None:
    """A size below one pixel, or a part that is none, is no preprocessing."""
    with pytest.raises(ValueError, match=r"size must|crop_fraction must"):
        Preprocessing(*arguments)  # type: ignore[arg-type]
