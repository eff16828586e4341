"""How a picture was exposed: how far from well exposed, and what was lost at the ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.measure.luma import LumaPlane, require_luma, srgb_to_linear
from capture.measure.measures import Exposure
from capture.measure.status import MissingEvidence

HIGHLIGHT_LEVEL = 252
"""A pixel with any channel at or above this has lost its highlights."""

SHADOW_LEVEL = 6
"""A pixel with all channels at or below this has lost its shadows."""

MIN_PIXEL_COUNT = 64
"""Fewer pixels do not say how a scene was exposed."""

_STRIP_BYTES = 400_000
"""Colours are counted in strips that stay in the cache, which halves the time."""

_SAMPLE_COUNT = 200_000
"""Tones are read from every n-th pixel both ways, so that at least so many speak."""

_MAP_SIZE = 40_000
"""Connected clipped areas are found on every n-th pixel both ways, at least so many."""

_SMALL_EDGE_PX = 250
"""Long edge of the small version in which texture is looked for."""

DARKEST_LUMINANCE = 1 / 32
"""Five stops below white. 8 bits hold fewer than a dozen levels to the stop down there,
most of them noise: deeper shadows count as just this dark."""

OFFSET_COEFFICIENTS = (-1.629, 3.384, 0.923)
"""Weights of `offset_terms`, fitted by ``capture.prepare.exposure`` to real brackets."""

NIGHT_KEY = 0.18
"""Mid-grey: a scene whose key is lower is meant to look darker than that."""

_LINEAR = srgb_to_linear(np.arange(256) / 255)


def measure_exposure(
    luma: LumaPlane,
    color: NDArray[np.uint8] | None,
    *,
    color_luma: LumaPlane | None = None,
    exposure_value: float | None = None,
) -> Exposure:
    """Measure how a picture was exposed.

    Parameters
    ----------
    luma : (H, W) uint8
        Gamma-encoded luma.
    color : (h, w, 3) uint8 or None
        The channels to count clipping in, in any order and any orientation; None to
        count in `luma`.
    color_luma : (h, w) uint8 or None
        Luma of `color`, pixel by pixel, where it is at hand: saves time, changes nothing.
    exposure_value : float or None
        EV100 from EXIF. Where it says that the scene was as dark as a room by candlelight
        or darker, a dark picture counts as less underexposed.

    Returns
    -------
    Exposure
        The shares of clipped pixels are exact counts. The largest connected shares are
        found on every n-th pixel both ways, at least 40 000 of them.
        The dynamic range is that of linear light of the luma, at most five stops.

    Raises
    ------
    ValueError
        If `luma` is not (H, W) uint8, `color` not (H, W, 3) uint8, or `color_luma` of
        another size than `color`.

    Notes
    -----
    The offset is a curve of mean luma. Percentiles, texture in the shadows and clipped
    shares were tried on real brackets and told no more. Night, snow and low key cannot be
    told from wrong exposure by pixels.

    References
    ----------
    Krawczyk, Myszkowski and Seidel, "Lightness perception in tone reproduction for high
    dynamic range images", Computer Graphics Forum 24(3), 2005: the key of a scene from its
    luminance. doi:10.1111/j.1467-8659.2005.00888.x
    """
    require_luma(luma)
    channels = luma[:, :, np.newaxis] if color is None else color
    _require_channels(channels)
    highlights, shadows = _count_clipped(channels, luma if color is None else color_luma)
    shares = level_shares(luma)
    missing = MissingEvidence.TOO_SMALL if luma.size < MIN_PIXEL_COUNT else None
    return Exposure(
        missing=missing,
        offset_ev=None if missing else _offset_ev(luma, shares, exposure_value),
        clipped_highlight_fraction=highlights.fraction,
        clipped_shadow_fraction=shadows.fraction,
        largest_clipped_highlight_fraction=highlights.largest_fraction,
        largest_clipped_shadow_fraction=shadows.largest_fraction,
        dynamic_range_stops=_dynamic_range_stops(shares),
    )


def _require_channels(channels: NDArray[Any]) -> None:
    if channels.ndim != 3 or channels.dtype != np.uint8 or channels.size == 0:
        raise ValueError(f"color must be (H, W, 3) uint8, got {channels.shape} {channels.dtype}")


@dataclass(frozen=True, slots=True)
class _Clipped:
    """Share of clipped pixels in [0, 1], over the picture and in its largest area."""

    fraction: float
    largest_fraction: float


def _count_clipped(
    channels: NDArray[np.uint8], luma: LumaPlane | None
) -> tuple[_Clipped, _Clipped]:
    """Count highlights and shadows exactly, and find the largest area of each."""
    height_px, width_px, channel_count = channels.shape
    if luma is not None and luma.shape != (height_px, width_px):
        raise ValueError(f"luma of {width_px} x {height_px} colours is {luma.shape}")
    row_count = max(1, _STRIP_BYTES // (channel_count * width_px))
    highlight_count = shadow_count = 0
    for top in range(0, height_px, row_count):
        rows = slice(top, top + row_count)
        # Where all channels are dark, luma is: this spares taking most strips apart.
        dark = luma is None or cv2.minMaxLoc(luma[rows])[0] <= SHADOW_LEVEL
        if not dark and channels[rows].max() < HIGHLIGHT_LEVEL:
            continue
        level = _brightest_channel(channels[rows])
        darkest, brightest, _, _ = cv2.minMaxLoc(level)
        if brightest >= HIGHLIGHT_LEVEL:
            highlight_count += cv2.countNonZero(_at_least(level, HIGHLIGHT_LEVEL))
        if darkest <= SHADOW_LEVEL:
            shadow_count += cv2.countNonZero(_at_most(level, SHADOW_LEVEL))
    if highlight_count == shadow_count == 0:
        return _Clipped(0.0, 0.0), _Clipped(0.0, 0.0)
    step = max(1, int(np.sqrt(height_px * width_px / _MAP_SIZE)))
    level_map = _brightest_channel(_every_nth(channels, step))
    pixel_count = height_px * width_px
    return (
        _clipped(highlight_count / pixel_count, _at_least(level_map, HIGHLIGHT_LEVEL)),
        _clipped(shadow_count / pixel_count, _at_most(level_map, SHADOW_LEVEL)),
    )


def _every_nth(channels: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Copy every n-th pixel both ways, as whole pixels: by channels it takes twice as long."""
    pixels = np.ascontiguousarray(channels).view(f"V{channels.shape[2]}")
    return np.ascontiguousarray(pixels[::step, ::step]).view(np.uint8)


def _brightest_channel(strip: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Any channel is bright where this one is; all are dark where this one is."""
    if strip.shape[2] == 1:
        return strip[:, :, 0]
    brightest, *others = cv2.split(strip)
    for other in others:
        cv2.max(brightest, other, dst=brightest)
    return np.asarray(brightest, np.uint8)


def _at_least(level: NDArray[np.uint8], limit: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.threshold(level, limit - 1, 255, cv2.THRESH_BINARY)[1], np.uint8)


def _at_most(level: NDArray[np.uint8], limit: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.threshold(level, limit, 255, cv2.THRESH_BINARY_INV)[1], np.uint8)


def _clipped(fraction: float, mask: NDArray[np.uint8]) -> _Clipped:
    """Add the largest connected share on the map; the exact share bounds it."""
    if not mask.any():
        return _Clipped(fraction, 0.0)
    _, labels = cv2.connectedComponents(mask)
    largest = float(np.bincount(labels[mask > 0]).max()) / mask.size
    return _Clipped(fraction, min(largest, fraction))


def level_shares(luma: LumaPlane) -> NDArray[np.float64]:
    """Return how often each of the 256 levels occurs: (256,) shares that add up to 1.

    Every n-th pixel both ways is looked at, so that at least 200 000 speak if there are.
    """
    step = max(1, int(np.sqrt(luma.size / _SAMPLE_COUNT)))
    sampled = np.ascontiguousarray(luma[::step, ::step])
    counts = cv2.calcHist([sampled], [0], None, [256], [0, 256]).ravel().astype(np.float64)
    return np.asarray(counts / sampled.size, np.float64)


def mean_luma_of(shares: NDArray[np.float64]) -> float:
    """Return the mean luma, in [0, 1], of level shares."""
    return float(shares @ np.arange(256)) / 255


def textured_luma_of(luma: LumaPlane) -> float:
    """Return the mean luma, in [0, 1], of the textured parts of a picture.

    Every pixel of a small version counts by the standard deviation of its surroundings.
    """
    step = max(1, max(luma.shape) // (2 * _SMALL_EDGE_PX))
    sampled = np.ascontiguousarray(luma[::step, ::step])
    size = tuple(max(1, edge_px // 2) for edge_px in sampled.shape[::-1])
    small = cv2.resize(sampled, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    mean = cv2.blur(small, (7, 7))
    variance = np.maximum(cv2.blur(small * small, (7, 7)) - mean * mean, 0)
    # Contours of a subject would outweigh all texture within it.
    weights = np.minimum(np.sqrt(variance), 20) + 1e-3
    return float(np.average(small, weights=weights)) / 255


def offset_terms(brightness: float) -> NDArray[np.float64]:
    """Return what the offset is made of: (3,) one, a mean luma in [0, 1] and its log-odds.

    The log-odds stretch the dark and the bright end.
    """
    return np.array([1.0, brightness, np.log((brightness + 0.03) / (1.03 - brightness))])


def offset_ev_of(
    mean_luma: float, textured_luma: float, coefficients: Sequence[float] = OFFSET_COEFFICIENTS
) -> float:
    """Return the stops from well exposed, by the mean luma of a picture and of its texture.

    A bright picture is overexposed only as far as its texture is bright too: a subject
    before a white wall is not.
    """
    offset_ev = float(offset_terms(mean_luma) @ coefficients)
    if offset_ev <= 0:
        return offset_ev
    return min(offset_ev, max(0.0, float(offset_terms(textured_luma) @ coefficients)))


def _offset_ev(luma: LumaPlane, shares: NDArray[np.float64], exposure_value: float | None) -> float:
    mean_luma = mean_luma_of(shares)
    offset_ev = offset_ev_of(mean_luma, mean_luma)
    if offset_ev > 0:
        return offset_ev_of(mean_luma, textured_luma_of(luma))
    if exposure_value is None:
        return offset_ev
    return min(0.0, offset_ev + _night_allowance_ev(exposure_value))


def _night_allowance_ev(exposure_value: float) -> float:
    """Return how much darker than mid-grey a scene of this light is meant to look, in stops."""
    luminance = 0.125 * 2.0**exposure_value  # cd/m2, by a meter of constant K = 12.5
    key = 1.03 - 2 / (2 + np.log10(luminance + 1))
    return max(0.0, float(np.log2(NIGHT_KEY / key)))


def _dynamic_range_stops(shares: NDArray[np.float64]) -> float:
    """Return the stops between the 1st and the 99th percentile of linear light."""
    cumulated = np.cumsum(shares)
    dark, bright = (
        max(_LINEAR[min(int(np.searchsorted(cumulated, quantile)), 255)], DARKEST_LUMINANCE)
        for quantile in (0.01, 0.99)
    )
    return float(np.log2(bright / dark))
