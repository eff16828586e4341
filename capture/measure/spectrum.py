"""Power spectrum and cepstrum of tiles: movement leaves stripes, a ghost leaves an echo."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

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
    pixels = tiles.astype(np.float32)
    pixels -= pixels.mean((1, 2), keepdims=True)
    transform = np.fft.rfft2(pixels * plan.window)
    power = (transform.real**2 + transform.imag**2) / np.float32(plan.window_energy)
    floor = (noise**2 + _POWER_FLOOR).astype(np.float32)
    tile_log_power = np.log(power + floor[:, None, None])
    log_power = tile_log_power.mean(0, dtype=np.float64)
    bands = np.bincount(plan.band, (log_power * plan.weight).ravel(), len(_BAND_EDGES))
    means = bands[1:] / plan.band_weight[1:]
    scalars = [*np.diff(means), means[-1] - float(np.log(floor).mean())]
    falls = tile_log_power.reshape(len(tiles), -1) @ plan.falls
    ordered = np.sort(falls, axis=0)
    for share in _TILE_SHARES:
        scalars += ordered[round(share * (len(tiles) - 1))].tolist()
    vectors = []
    for basis_0, basis_45, weight in plan.turns:
        vectors.append(
            (
                float((log_power * basis_0).sum() / weight),
                float((log_power * basis_45).sum() / weight),
            )
        )
    trend = np.concatenate([[means[0]], means])
    flat = (log_power - trend[plan.band].reshape(log_power.shape)) * plan.inside
    cepstrum = np.fft.irfft2(flat, s=tiles.shape[1:]).ravel()
    scale = float(np.sqrt((cepstrum[plan.rings[0]] ** 2).mean())) + 1e-9
    for ring in plan.rings:
        values = cepstrum[ring]
        for extreme, sign in ((int(values.argmax()), 1.0), (int(values.argmin()), -1.0)):
            strength = sign * float(values[extreme])
            scalars += [float(np.log(abs(strength) / scale + 1e-3))]
            angle = plan.angle[ring[extreme]]
            vectors.append(
                (strength / scale * float(np.cos(angle)), strength / scale * float(np.sin(angle)))
            )
    deepest = plan.reach[cepstrum[plan.reach].argmin()]
    highest = plan.reach[cepstrum[plan.reach].argmax()]
    scalars += [
        float(plan.distance[deepest]),
        float(plan.distance[highest]),
        float(np.log(1e-3 + max(-cepstrum[deepest], 0.0) / scale)),
        float(np.log(1e-3 + max(cepstrum[highest], 0.0) / scale)),
    ]
    return SpectrumFeatures(np.array(scalars, np.float32), np.array(vectors, np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What depends on the tile size only."""

    window: NDArray[np.float32]
    window_energy: float
    weight: NDArray[np.float64]
    inside: NDArray[np.float64]
    band: NDArray[np.int64]
    band_weight: NDArray[np.float64]
    falls: NDArray[np.float64]
    turns: tuple[tuple[NDArray[np.float64], NDArray[np.float64], float], ...]
    rings: tuple[NDArray[np.int64], ...]
    reach: NDArray[np.int64]
    angle: NDArray[np.float64]
    distance: NDArray[np.float64]


@cache
def _plan(side: int) -> _Plan:
    hann = np.hanning(side + 1)[:side]
    window = np.outer(hann, hann).astype(np.float32)
    fy, fx = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :]
    radius = np.hypot(fx, fy)
    # Columns other than the first and the last stand for their mirror image too.
    weight = np.full(radius.shape, 2.0)
    weight[:, [0, -1]] = 1.0
    inside = (radius >= _BAND_EDGES[0]) & (radius < _BAND_EDGES[-1])
    band = np.where(inside, np.searchsorted(_BAND_EDGES, radius, side="right"), 0)
    # Axes are left out of the anisotropies: JPEG blocks and tile edges live there.
    doubled = 2 * np.arctan2(fy, fx)
    usable = inside & (np.abs(fx) > 1.5 / side) & (np.abs(fy) > 1.5 / side)
    turns = []
    for low, high in ((0.02, 0.06), (0.06, 0.125), (0.125, 0.25), (0.25, 0.45)):
        own = weight * (usable & (radius >= low) & (radius < high))
        turns.append((own * np.cos(doubled), own * np.sin(doubled), float(own.sum())))
    # From one band to a finer one: how much a tile's log power falls.
    middle = _mean_of(weight * (inside & (radius >= 0.04) & (radius < 0.10)))
    falls = [
        _mean_of(weight * (usable & (radius >= low) & (radius < high))) - middle
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
        window,
        float((window.astype(np.float64) ** 2).sum()),
        weight,
        inside.astype(np.float64),
        band.ravel(),
        np.bincount(band.ravel(), weight.ravel(), len(_BAND_EDGES)).astype(np.float64),
        np.stack(falls, 1),
        tuple(turns),
        rings,
        reach,
        angle,
        distance,
    )


def _mean_of(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(weight / weight.sum(), np.float64).ravel()
