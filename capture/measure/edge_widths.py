"""Noise-aware widths of edges: the features of the blur measure.

Pixels are handled as whole numbers up to the last step, so that no answer depends on the
order of a sum or on how memory happens to be aligned.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

_DIRECTION_COUNT = 6
_MAX_EDGE_COUNT = 6_000
_SHARES = (0.02, 0.05, 0.10, 0.25, 0.50)
_SHARES_OF_BEST = (0.05, 0.25, 0.5)
_BEST_TILE_COUNT = 4
_NARROW = 1.3
"""Width in pixels of a layer below which an edge counts as narrow."""
_MIN_EDGES = 12
_MIN_RANGE = 20.0
_MARGIN_PX = 5
_WIDEST_PX = 64.0
_STEPS_PER_LEVEL = 64
"""Fixed-point steps of one luma level."""
_BLOCK_PX = 16
_IMMERKAER = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
_BINOMIAL = np.array([1, 4, 6, 4, 1], np.float32) / np.float32(16)
_SHARE_OF_NOISE = (1.0, 0.3, 0.4, 0.2, 0.1)
"""What is left of white noise at full size, smoothed, and at 1/2, 1/4 and 1/8."""
_SMOOTH = 1

Scalars = list[float]
Vectors = list[tuple[float, float]]


@dataclass(frozen=True, slots=True, eq=False)
class EdgeFeatures:
    """What the edges of one picture say.

    Attributes
    ----------
    scalars : (f,) float32
        Width percentiles, densities and noise; they do not change when the picture turns.
    vectors : (v, 2) float32
        Anisotropies along 0 and 45 degrees of doubled angles; they turn with the picture.
    counts : (n,) int64
        Edge pixels of each tile, after smoothing: what the features rest on. Clear sky, fog
        and flat walls have next to none at any ISO, a blurred photo has hundreds.
    """

    scalars: NDArray[np.float32]
    vectors: NDArray[np.float32]
    counts: NDArray[np.int64]


def edge_features(tiles: NDArray[np.uint8], noise: NDArray[np.float64]) -> EdgeFeatures:
    """Measure the widths of edges in the tiles of a picture at five scales.

    The width of an edge is its local range, less the noise, over its steepest gradient: the
    standard deviation of the Gaussian step of that slope.

    Parameters
    ----------
    tiles : (n, s, s) uint8
        Gamma-encoded luma, s a multiple of 16.
    noise : (n,) float64
        Standard deviation of the noise of each tile in luma levels.

    References
    ----------
    Marziliano et al., "A no-reference perceptual blur metric", ICIP 2002, from which it
    differs by not tracing the edge. doi:10.1109/ICIP.2002.1038902
    """
    count, side = tiles.shape[:2]
    strip = tiles.reshape(count * side, side).astype(np.uint16) * _STEPS_PER_LEVEL
    scalars: Scalars = _quantiles(np.sort(noise), (0.1, 0.5, 0.9), enough=1)
    vectors: Vectors = []
    layers = [(strip, 1), (_smoothed(strip), 1), (cv2.pyrDown(strip), 2)]
    layers += [(cv2.pyrDown(layers[2][0]), 4)]
    layers += [(cv2.pyrDown(layers[3][0]), 8)]
    found = []
    for (layer, scale), share in zip(layers, _SHARE_OF_NOISE, strict=True):
        found.append(_find_edges(np.asarray(layer, np.uint16), count, scale, noise * share))
        _describe(found[-1], scalars, vectors)
    return EdgeFeatures(
        np.array(scalars, np.float32), np.array(vectors, np.float32), found[_SMOOTH].counts
    )


def _smoothed(strip: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Smooth by the binomial of variance 1; all its products are exact in float32."""
    smooth = cv2.sepFilter2D(strip.astype(np.float32), cv2.CV_32F, _BINOMIAL, _BINOMIAL)
    return (np.asarray(smooth, np.float32) + np.float32(0.5)).astype(np.uint16)


def tile_noise(tiles: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Estimate the noise of each tile as that of its quietest blocks.

    Parameters
    ----------
    tiles : (n, s, s) uint8
        Gamma-encoded luma, s a multiple of 16.

    Returns
    -------
    (n,) float64
        Standard deviation in luma levels, >= 0; the 10th percentile over blocks of 16 px.
        Since a tile has its own luma, this follows the noise's dependence on it.

    References
    ----------
    Immerkaer, "Fast noise variance estimation", CVIU 64(2), 1996.
    doi:10.1006/cviu.1996.0060
    """
    count, side = tiles.shape[:2]
    strip = np.ascontiguousarray(tiles).reshape(count * side, side)
    response = np.abs(cv2.filter2D(strip, cv2.CV_16S, _IMMERKAER))
    rows = np.add.reduceat(response, np.arange(0, side, _BLOCK_PX), axis=1, dtype=np.int32)
    sums = rows.reshape(-1, _BLOCK_PX, side // _BLOCK_PX).sum(1).reshape(count, -1)
    lowest = np.sort(sums, axis=1)[:, sums.shape[1] // 10]
    mean = lowest / _BLOCK_PX**2
    return np.asarray(mean * np.sqrt(np.pi / 2) / 6, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class _Edges:
    """Edge pixels of one scale: widths in px of the picture, doubled angle, tile."""

    scale: int
    counts: NDArray[np.int64]
    width: NDArray[np.float64]
    range: NDArray[np.float64]
    cosine: NDArray[np.float64]
    sine: NDArray[np.float64]
    tile: NDArray[np.int64]
    energy: tuple[float, float, float]


def _find_edges(
    strip: NDArray[np.uint16], count: int, scale: int, noise: NDArray[np.float64]
) -> _Edges:
    height, side = strip.shape
    # Whole numbers below 2^24: float32 adds them exactly in any order.
    plane = strip.astype(np.float32)
    dx = np.asarray(cv2.Sobel(plane, cv2.CV_32F, 1, 0), np.float32)
    dy = np.asarray(cv2.Sobel(plane, cv2.CV_32F, 0, 1), np.float32)
    squared = dx * dx + dy * dy
    # Where nothing changes there is no ridge.
    highest = np.maximum(cv2.dilate(squared, np.ones((3, 3), np.uint8)), np.float32(1))
    window = np.ones((9, 9), np.uint8)
    span = cv2.subtract(cv2.dilate(strip, window), cv2.erode(strip, window))
    ridge = (squared >= highest).reshape(count, -1, side)
    margin = min(_MARGIN_PX, side // 8)
    for outside in (slice(margin), slice(-margin, None)):
        ridge[:, outside] = False
        ridge[:, :, outside] = False
    found = np.flatnonzero(ridge)
    tile = found // (height // count * side)
    limit = np.maximum(_MIN_RANGE, 9 * noise) * _STEPS_PER_LEVEL
    strong = span.ravel()[found] > limit[tile]
    found, tile = found[strong], tile[strong]
    counts = np.bincount(tile, minlength=count)
    step = 1 + len(found) // _MAX_EDGE_COUNT
    found, tile = found[::step], tile[::step]
    x, y = dx.ravel()[found].astype(np.float64), dy.ravel()[found].astype(np.float64)
    energy = x * x + y * y
    # A Sobel sum is eight times the slope per pixel.
    slope = np.sqrt(energy) / (8 * _STEPS_PER_LEVEL)
    range_ = span.ravel()[found] / _STEPS_PER_LEVEL - 2.5 * noise[tile]
    width = np.clip(scale * range_ / (slope * np.sqrt(2 * np.pi)), 0.05, _WIDEST_PX)
    cosine, sine = (x * x - y * y) / energy, 2 * x * y / energy
    return _Edges(scale, counts, width, range_, cosine, sine, tile, _energy(dx, dy, count, margin))


def _energy(
    dx: NDArray[np.float32], dy: NDArray[np.float32], count: int, margin: int
) -> tuple[float, float, float]:
    """Sum dx^2, dy^2 and dx dy inside the tiles; exact, as whole numbers below 2^53."""
    side = dx.shape[1]
    step = 2 if side > 64 else 1
    window = (slice(None), slice(margin, -margin, step), slice(margin, -margin, step))
    x = dx.reshape(count, -1, side)[window].astype(np.float64)
    y = dy.reshape(count, -1, side)[window].astype(np.float64)
    return float((x * x).sum()), float((y * y).sum()), float((x * y).sum())


def _describe(edges: _Edges, scalars: Scalars, vectors: Vectors) -> None:
    """Append the features of one scale."""
    width = edges.width
    scalars.append(float(np.log1p(edges.counts.sum())))
    scalars += _quantiles(np.sort(width), _SHARES)
    if len(width) >= _MIN_EDGES:
        limit = np.partition(edges.range, int(0.7 * len(width)))[int(0.7 * len(width))]
        scalars += _quantiles(np.sort(width[edges.range > limit]), _SHARES)
    else:
        scalars += [np.nan] * len(_SHARES)
    _describe_directions(edges, scalars, vectors)
    xx, yy, xy = edges.energy
    total = max(xx + yy, 1.0)
    vectors.append(((xx - yy) / total, 2 * xy / total))
    # Pixels are in the order of their tiles, so that each tile is one slice.
    ends = np.searchsorted(edges.tile, np.arange(len(edges.counts) + 1))
    slices = [(start, end) for start, end in pairwise(ends.tolist()) if end - start >= _MIN_EDGES]
    quarters = np.array([_quantile(width[start:end], 0.25) for start, end in slices])
    scalars += _quantiles(np.sort(quarters), (0.05, 0.2, 0.5), enough=1)
    narrow = np.bincount(edges.tile[width < _NARROW * edges.scale], minlength=len(edges.counts))
    most = np.sort(narrow)[::-1]
    scalars += [float(np.log1p(most[min(rank, len(most) - 1)])) for rank in (0, 2, 5)]
    best = [slices[index] for index in np.argsort(quarters, kind="stable")[:_BEST_TILE_COUNT]]
    _describe_best(edges, best, scalars)


def _describe_best(edges: _Edges, best: list[tuple[int, int]], scalars: Scalars) -> None:
    """Append what the tiles with the narrowest edges say: the subject, where there is one."""
    if not best:
        scalars += [np.nan] * (len(_SHARES_OF_BEST) + 2)
        return
    chosen = np.concatenate([np.arange(start, end) for start, end in best])
    width = edges.width[chosen]
    scalars += _quantiles(np.sort(width), _SHARES_OF_BEST)
    bins = _sextant(edges.cosine[chosen], edges.sine[chosen])
    narrow = [
        _quantile(own, 0.15)
        for own in (width[bins == index] for index in range(_DIRECTION_COUNT))
        if len(own) >= _MIN_EDGES
    ]
    scalars += [max(narrow), min(narrow)] if narrow else [np.nan, np.nan]


def _describe_directions(edges: _Edges, scalars: Scalars, vectors: Vectors) -> None:
    """Append how width and count of the edges depend on their direction."""
    turn = 2 * np.pi / _DIRECTION_COUNT
    bins = _sextant(edges.cosine, edges.sine)
    log_width = np.log(edges.width)
    narrow = np.full(_DIRECTION_COUNT, np.nan)
    density = np.log1p(np.bincount(bins, minlength=_DIRECTION_COUNT).astype(np.float64))
    for index in range(_DIRECTION_COUNT):
        own = log_width[bins == index]
        if len(own) >= _MIN_EDGES:
            narrow[index] = _quantile(own, 0.15)
    known = ~np.isnan(narrow)
    worst = float(narrow[known].max()) if known.any() else np.nan
    best = float(narrow[known].min()) if known.any() else np.nan
    scalars += [worst, best, float(density.min())]
    # Where a direction has no edges left, movement has taken them.
    filled = np.where(known, narrow, worst) if known.any() else np.zeros(_DIRECTION_COUNT)
    for values in (filled, density):
        middle = turn * (np.arange(_DIRECTION_COUNT) + 0.5)
        vectors.append(
            (float((values * np.cos(middle)).sum()), float((values * np.sin(middle)).sum()))
        )
    if len(edges.width) == 0:
        vectors.append((0.0, 0.0))
        return
    log_width -= log_width.mean()
    vectors.append(
        (float((log_width * edges.cosine).mean()), float((log_width * edges.sine).mean()))
    )


def _sextant(cosine: NDArray[np.float64], sine: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return which sixth of a turn each angle lies in."""
    upper = np.where(cosine > 0.5, 0, np.where(cosine > -0.5, 1, 2))
    lower = np.where(cosine > 0.5, 5, np.where(cosine > -0.5, 4, 3))
    return np.where(sine >= 0, upper, lower)


def _quantile(values: NDArray[np.float64], share: float) -> float:
    """Read one quantile off values in any order."""
    index = round(share * (len(values) - 1))
    return float(np.partition(values, index)[index])


def _quantiles(
    ordered: NDArray[np.float64], shares: tuple[float, ...], enough: int = _MIN_EDGES
) -> list[float]:
    """Read quantiles off sorted values; NaN where there are not enough of them."""
    if len(ordered) < enough:
        return [np.nan] * len(shares)
    return [float(ordered[round(share * (len(ordered) - 1))]) for share in shares]
