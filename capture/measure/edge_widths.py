"""Noise-aware widths of edges: the features of the blur measure.

Pixels are handled as whole numbers up to the last step, so that no answer depends on the
order of a sum or on how memory happens to be aligned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.measure.edge_statistics import (
    CLIPPED_NAMES,
    SCALAR_NAMES,
    EdgePixels,
    describe_edges,
)

_MAX_EDGE_COUNT = 6_000
"""Edge pixels of a layer that are looked at, at most; others are passed over evenly."""
_MIN_RANGE = 20.0
_MARGIN_PX = 5
_NARROWEST_PX, _WIDEST_PX = 0.05, 50.0
_STEPS_PER_LEVEL = 32
"""Fixed-point steps of one luma level: the most for which a Sobel sum fits 16 bits."""
_SOBEL_GAIN = 8
"""A Sobel sum is so many times the slope per pixel."""
_CLIPPED_LUMA = 250
"""Luma of the bright side of an edge from which light above white may have been cut off."""
_BLOCK_PX = 16
_BINOMIAL = np.array([1, 4, 6, 4, 1], np.float32)
_RIDGE_WINDOW = np.ones((3, 3), np.uint8)
_SPAN_WINDOW = np.ones((9, 9), np.uint8)
_REDUCTIONS = ((2, 0.4), (4, 0.2), (8, 0.1))
"""Pixels of the picture to one of a reduced layer, and what is left of white noise there."""
_NOISE_SHARE_SMOOTHED = 0.3
_LAYER_COUNT = 2 + len(_REDUCTIONS)
_SMOOTH = 1
"""Index of the smoothed layer."""
_SHARES_OF_NOISE = (0.1, 0.5, 0.9)

EDGE_SCALAR_NAMES = (
    *(f"noise_{share:.0%}" for share in _SHARES_OF_NOISE),
    *(f"{name}_at_{index}" for index in range(_LAYER_COUNT) for name in SCALAR_NAMES),
)
"""What the scalars of `EdgeFeatures` are; widths and their quantiles are logarithms."""

EDGE_CLIPPED_NAMES = tuple(
    f"{name}_at_{index}" for index in range(_LAYER_COUNT) for name in CLIPPED_NAMES
)
"""What the clipped shares of `EdgeFeatures` are, each in [0, 1]."""

Plane: TypeAlias = NDArray[np.uint8] | NDArray[np.int16]
"""Luma, or fixed-point luma, of tiles side by side."""


@dataclass(frozen=True, slots=True, eq=False)
class EdgeFeatures:
    """What the edges of one picture say.

    Attributes
    ----------
    scalars : (f,) float32
        Width percentiles, densities and noise; they do not change when the picture turns.
    clipped : (c,) float32
        Shares of edges whose bright side is white; they do not change when it turns.
    vectors : (v, 2) float32
        Anisotropies along 0 and 45 degrees of doubled angles; they turn with the picture.
    counts : (n,) int64
        Edge pixels of each tile, after smoothing: what the features rest on. Clear sky, fog
        and flat walls have next to none at any ISO, a blurred photo has hundreds.
    """

    scalars: NDArray[np.float32]
    clipped: NDArray[np.float32]
    vectors: NDArray[np.float32]
    counts: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """The tiles of a picture side by side, at one scale.

    Attributes
    ----------
    dx, dy : (s, n * s) int16
        Gradient.
    highest, span : (s, n * s) uint8 or int16
        Local maximum and range.
    scale : int
        Pixels of the tiles to one of the layer.
    slope_gain, span_gain : int
        Gradient, and maximum and range, of one luma level and pixel.
    noise_share : float
        What is left of white noise.
    """

    dx: NDArray[np.int16]
    dy: NDArray[np.int16]
    highest: Plane
    span: Plane
    scale: int
    slope_gain: int
    span_gain: int
    noise_share: float


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
    layers = [_find_edges(layer, noise) for layer in _layers(side_by_side(tiles))]
    scalars, clipped, vectors = describe_edges(layers)
    ordered = np.sort(noise)
    levels = [ordered[round(share * (len(noise) - 1))] for share in _SHARES_OF_NOISE]
    return EdgeFeatures(
        np.concatenate([levels, scalars]).astype(np.float32),
        clipped.astype(np.float32),
        vectors.astype(np.float32),
        layers[_SMOOTH].counts,
    )


def side_by_side(tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay tiles, (n, s, s), in one row, (s, n * s): long rows are filtered fastest."""
    count, side = tiles.shape[:2]
    return np.ascontiguousarray(tiles.transpose(1, 0, 2)).reshape(side, count * side)


def _layers(row: NDArray[np.uint8]) -> Iterator[_Layer]:
    """Yield the tiles as they are, smoothed, and reduced."""
    yield _Layer(*_gradient(row), *_extremes(row), 1, _SOBEL_GAIN, 1, 1.0)
    gain = _SOBEL_GAIN * _STEPS_PER_LEVEL
    across = _BINOMIAL * np.float32(_STEPS_PER_LEVEL / _BINOMIAL.sum() ** 2)
    smooth = np.asarray(cv2.sepFilter2D(row, cv2.CV_16S, across, _BINOMIAL), np.int16)
    yield _Layer(
        *_gradient(smooth), *_extremes(smooth), 1, gain, _STEPS_PER_LEVEL, _NOISE_SHARE_SMOOTHED
    )
    reduced = row.astype(np.int16) * np.int16(_STEPS_PER_LEVEL)
    for scale, noise_share in _REDUCTIONS:
        reduced = np.asarray(cv2.pyrDown(reduced), np.int16)
        yield _Layer(
            *_gradient(reduced), *_extremes(reduced), scale, gain, _STEPS_PER_LEVEL, noise_share
        )


def _gradient(plane: Plane) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    dx, dy = (cv2.Sobel(plane, cv2.CV_16S, across, 1 - across) for across in (1, 0))
    return np.asarray(dx, np.int16), np.asarray(dy, np.int16)


def _extremes(plane: Plane) -> tuple[Plane, Plane]:
    """Return the local maximum, and how far the local minimum lies below it."""
    highest, lowest = cv2.dilate(plane, _SPAN_WINDOW), cv2.erode(plane, _SPAN_WINDOW)
    return cast(Plane, highest), cast(Plane, cv2.subtract(highest, lowest))


def _find_edges(layer: _Layer, noise: NDArray[np.float64]) -> EdgePixels:
    """Find the ridges of the gradient whose range stands out of the noise."""
    side = layer.dx.shape[0]
    noise = noise * layer.noise_share
    ridge = _ridges(layer) & (layer.span > _least_spans(layer, noise))
    margin = min(_MARGIN_PX, side // 8)
    ridge[:margin] = ridge[-margin:] = False
    by_tile = ridge.reshape(side, len(noise), side)
    by_tile[:, :, :margin] = by_tile[:, :, -margin:] = False
    by_column = np.add.reduce(ridge.view(np.uint8), axis=0, dtype=np.uint8)
    counts = by_column.reshape(len(noise), side).sum(1, dtype=np.int64)
    found = np.flatnonzero(ridge)[:: 1 + int(counts.sum()) // _MAX_EDGE_COUNT]
    tile = found % ridge.shape[1] // side
    x, y, span = (
        plane.ravel()[found].astype(np.float64) for plane in (layer.dx, layer.dy, layer.span)
    )
    range_ = span / layer.span_gain - 2.5 * noise[tile]
    slope = np.sqrt(x * x + y * y) / layer.slope_gain
    width_px = layer.scale * range_ / (slope * np.sqrt(2 * np.pi))
    return EdgePixels(
        layer.scale,
        counts,
        tile,
        np.clip(width_px, _NARROWEST_PX, _WIDEST_PX),
        range_,
        layer.highest.ravel()[found] >= _CLIPPED_LUMA * layer.span_gain,
        x,
        y,
        _energy(layer, len(noise), margin),
    )


def _ridges(layer: _Layer) -> NDArray[np.bool_]:
    """Mark where the gradient is steepest among its neighbours; not where nothing changes."""
    # In place: what stays small stays in the processor's cache.
    steepness, other = layer.dx.astype(np.float32), layer.dy.astype(np.float32)
    steepness *= steepness
    other *= other
    steepness += other
    steepest = np.asarray(cv2.dilate(steepness, _RIDGE_WINDOW), np.float32)
    return (steepness >= steepest) & (steepness > 0)


def _least_spans(layer: _Layer, noise: NDArray[np.float64]) -> Plane:
    """Return the span that an edge exceeds, for each column, in steps of the layer."""
    least = np.maximum(_MIN_RANGE, 9 * noise) * layer.span_gain
    kind = layer.span.dtype
    return np.repeat(np.minimum(least, np.iinfo(kind).max).astype(kind), layer.dx.shape[0])


def _energy(layer: _Layer, count: int, margin: int) -> tuple[float, float, float]:
    """Sum dx^2, dy^2 and dx dy inside the tiles; exact, as whole numbers below 2^53."""
    side = layer.dx.shape[0]
    inside = slice(margin, -margin, max(1, side // 32))
    x, y = (
        plane.reshape(side, count, side)[inside, :, inside].astype(np.float64)
        for plane in (layer.dx, layer.dy)
    )
    return float((x * x).sum()), float((y * y).sum()), float((x * y).sum())


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
    # The second derivative both ways is Immerkaer's mask.
    response = np.abs(cv2.Sobel(side_by_side(tiles), cv2.CV_16S, 2, 2, ksize=3)).view(np.uint16)
    # 16 bits hold a column of 16: the mask gives at most 8 x 255.
    columns = response.reshape(-1, _BLOCK_PX, count * side).sum(1, dtype=np.uint16)
    blocks = columns.reshape(side // _BLOCK_PX, count, -1, _BLOCK_PX).sum(3, dtype=np.int64)
    blocks = blocks.transpose(1, 0, 2).reshape(count, -1)
    lowest = np.sort(blocks, axis=1)[:, blocks.shape[1] // 10]
    mean = lowest / _BLOCK_PX**2
    return np.asarray(mean * np.sqrt(np.pi / 2) / 6, np.float64)
