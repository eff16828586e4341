"""Power spectrum and cepstrum of tiles: movement leaves stripes, a ghost leaves an echo."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

_BAND_EDGES = (0.02, 0.04, 0.08, 0.125, 0.18, 0.25, 0.35, 0.5)
"""Cycles per pixel between which power is averaged."""
_ECHO_EDGES_PX = (3.0, 6.0, 12.0, 24.0, 48.0)
"""Distances between which the strongest echo and the deepest trough are sought."""
_POWER_FLOOR = 0.05
_TILE_SHARES = (0.5, 0.8, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class SpectrumFeatures:
    """What the mean log power spectrum of the tiles says.

    Attributes
    ----------
    scalars : (f,) float32
        Band powers, echoes and troughs; they do not change when the picture turns.
    vectors : (v, 2) float32
        Anisotropies along 0 and 45 degrees of doubled angles; they turn with the picture.
    """

    scalars: NDArray[np.float32]
    vectors: NDArray[np.float32]


def spectrum_features(tiles: NDArray[np.uint8], noise: NDArray[np.float64]) -> SpectrumFeatures:
    """Measure the mean log power spectrum of tiles, and its cepstrum.

    Straight movement of length L multiplies the spectrum by a squared sinc across stripes, so
    that its cepstrum has a trough at L along the movement; a hand that dwells leaves the sum of
    two pictures, whose cepstrum has a peak at their distance.

    Parameters
    ----------
    tiles : (n, s, s) uint8
        Gamma-encoded luma.
    noise : (n,) float64
        Standard deviation of the noise of each tile in luma levels.

    References
    ----------
    Cannon, "Blind deconvolution of spatially invariant image blurs with phase", IEEE TASSP
    24(1), 1976. doi:10.1109/TASSP.1976.1162770
    """
    plan = _plan(tiles.shape[1])
    floor = (noise**2 + _POWER_FLOOR).astype(np.float32)
    tile_log_power = np.log(_power(tiles, plan) + floor[:, None, None]).reshape(len(tiles), -1)
    log_power = tile_log_power.mean(0).astype(np.float64)
    bands = np.bincount(plan.band, log_power, len(_BAND_EDGES))[1:] / plan.band_size
    # Unlike a product of matrices, einsum adds in the same order whatever the threads.
    falls = np.sort(np.einsum("np,fp->nf", tile_log_power, plan.falls), axis=0)
    turns = np.einsum("p,fp->f", log_power, plan.turns).reshape(-1, 2)
    trend = np.concatenate([[bands[0]], bands])
    echoes, directions = _echoes((log_power - trend[plan.band]) * plan.inside, plan)
    scalars = [
        *np.diff(bands),
        bands[-1] - np.log(floor).mean(),
        *(falls[round(share * (len(tiles) - 1))] for share in _TILE_SHARES),
        echoes,
    ]
    return SpectrumFeatures(
        np.hstack(scalars).astype(np.float32),
        np.concatenate([turns, directions]).astype(np.float32),
    )


def _power(tiles: NDArray[np.uint8], plan: _Plan) -> NDArray[np.float32]:
    """Return the power of the frequencies with 0 < fx < 1/2, (n, s, s / 2 - 1)."""
    # Sums of whole numbers: the mean is the same in any order.
    mean = tiles.mean((1, 2), dtype=np.float64, keepdims=True)
    pixels = np.subtract(tiles, mean, dtype=np.float32, order="C")
    pixels *= plan.window
    # OpenCV packs real and imaginary parts side by side, but for the first and last column.
    packed = np.empty_like(pixels)
    for tile, transform in zip(pixels, packed, strict=True):
        cv2.dft(tile, dst=transform)
    packed *= packed
    return np.asarray(packed[:, :, 1:-1:2] + packed[:, :, 2:-1:2])


def _echoes(log_power: NDArray[np.float64], plan: _Plan) -> tuple[list[float], NDArray[np.float64]]:
    """Find peaks and troughs of the cepstrum: their scalars, and their directions, (e, 2)."""
    cepstrum = _cepstrum(log_power, len(plan.window))
    scale = float(np.sqrt((cepstrum[plan.rings[0]] ** 2).mean())) + 1e-9
    scalars, directions = [], []
    for ring in plan.rings:
        values = cepstrum[ring]
        for extreme, sign in ((values.argmax(), 1.0), (values.argmin(), -1.0)):
            strength = sign * float(values[extreme]) / scale
            angle = plan.angle[ring[extreme]]
            scalars.append(float(np.log(abs(strength) + 1e-3)))
            directions.append(strength * np.array([np.cos(angle), np.sin(angle)]))
    deepest = plan.reach[cepstrum[plan.reach].argmin()]
    highest = plan.reach[cepstrum[plan.reach].argmax()]
    scalars += [
        float(plan.distance[deepest]),
        float(plan.distance[highest]),
        float(np.log(1e-3 + max(-cepstrum[deepest], 0.0) / scale)),
        float(np.log(1e-3 + max(cepstrum[highest], 0.0) / scale)),
    ]
    return scalars, np.array(directions)


def _cepstrum(log_power: NDArray[np.float64], side: int) -> NDArray[np.float32]:
    packed = np.zeros((side, side), np.float32)
    packed[:, 1:-1:2] = log_power.reshape(side, -1)
    return np.asarray(cv2.idft(packed, flags=cv2.DFT_SCALE), np.float32).ravel()


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What depends on the tile size only."""

    window: NDArray[np.float32]
    inside: NDArray[np.float64]
    band: NDArray[np.int64]
    band_size: NDArray[np.int64]
    falls: NDArray[np.float32]
    turns: NDArray[np.float64]
    rings: tuple[NDArray[np.int64], ...]
    reach: NDArray[np.int64]
    angle: NDArray[np.float64]
    distance: NDArray[np.float64]


@cache
def _plan(side: int) -> _Plan:
    hann = np.hanning(side + 1)[:side]
    window = np.outer(hann, hann)
    window /= np.sqrt((window**2).sum())
    fy, fx = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, 1:-1]
    radius = np.hypot(fx, fy).ravel()
    inside = (radius >= _BAND_EDGES[0]) & (radius < _BAND_EDGES[-1])
    band = np.where(inside, np.searchsorted(_BAND_EDGES, radius, side="right"), 0)
    # Axes are left out of the anisotropies: JPEG blocks and tile edges live there.
    doubled = 2 * np.arctan2(fy, fx).ravel()
    usable = inside & ((np.abs(fx) > 1.5 / side) & (np.abs(fy) > 1.5 / side)).ravel()
    turns = []
    for low, high in ((0.02, 0.06), (0.06, 0.125), (0.125, 0.25), (0.25, 0.45)):
        own = _mean_of(usable & (radius >= low) & (radius < high))
        turns += [own * np.cos(doubled), own * np.sin(doubled)]
    # From one band to a finer one: how much a tile's log power falls.
    middle = _mean_of(inside & (radius >= 0.04) & (radius < 0.10))
    falls = [
        _mean_of(usable & (radius >= low) & (radius < high)) - middle
        for low, high in ((0.10, 0.18), (0.18, 0.28), (0.28, 0.42))
    ]
    shift = np.fft.fftfreq(side, 1 / side)
    distance = np.hypot(shift[None, :], shift[:, None]).ravel()
    angle = (
        2
        * np.arctan2(
            np.broadcast_to(shift[:, None], (side, side)),
            np.broadcast_to(shift[None, :], (side, side)),
        ).ravel()
    )
    half = (shift[:, None] > 0) | ((shift[:, None] == 0) & (shift[None, :] > 0))
    rings = tuple(
        np.flatnonzero((distance >= low) & (distance < high) & half.ravel())
        for low, high in pairwise(_ECHO_EDGES_PX)
    )
    reach = np.flatnonzero((distance >= 4) & (distance < min(62, side / 2)) & half.ravel())
    return _Plan(
        window.astype(np.float32),
        inside.astype(np.float64),
        band,
        np.bincount(band, minlength=len(_BAND_EDGES))[1:],
        np.stack(falls).astype(np.float32),
        np.stack(turns),
        rings,
        reach,
        angle,
        distance,
    )


def _mean_of(chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.asarray(chosen / chosen.sum(), np.float64)
