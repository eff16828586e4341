"""What edge pixels say together: quantiles of their widths by scale, tile and direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_DIRECTION_COUNT = 6
_SHARES = (0.02, 0.05, 0.10, 0.25, 0.50)
_SHARES_OF_BEST = (0.05, 0.25, 0.5)
_SHARES_OF_TILES = (0.05, 0.2, 0.5)
_SHARE_OF_TILE = 0.25
_SHARE_OF_DIRECTION = 0.15
_SHARE_OF_WEAK = 0.7
"""Edges whose range exceeds that of this share are also looked at alone."""
_BEST_TILE_COUNT = 4
_RANKS_OF_NARROW = (0, 2, 5)
_NARROW_PX = 1.3
"""Width in pixels of a layer below which an edge counts as narrow."""
_MIN_EDGES = 12
_CODE_BITS = 16
_STEPS_OF_WIDTH = 8_000
"""Fixed-point steps of a natural logarithm of a width, from exp(-4) px to exp(4) px."""
_LEAST_LOG_WIDTH = -4.0
_STEPS_OF_RANGE = 64

SCALAR_NAMES = (
    "edge_count",
    *(f"width_{share:.0%}" for share in _SHARES),
    *(f"width_{share:.0%}_of_strong" for share in _SHARES),
    "width_of_widest_direction",
    "width_of_narrowest_direction",
    "edge_count_of_rarest_direction",
    *(f"width_{share:.0%}_of_tiles" for share in _SHARES_OF_TILES),
    *(f"narrow_count_of_tile_{rank + 1}" for rank in _RANKS_OF_NARROW),
    *(f"width_{share:.0%}_of_best_tiles" for share in _SHARES_OF_BEST),
    "width_of_widest_direction_of_best_tiles",
    "width_of_narrowest_direction_of_best_tiles",
)
"""Scalars of one scale in their order; those of the next scale follow."""

CLIPPED_NAMES = (
    "clipped_share_of_edges",
    "clipped_share_of_strong",
    "clipped_share_of_narrow",
)
"""Clipped shares of one scale in their order; those of the next scale follow."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class EdgePixels:
    """Edge pixels of one scale.

    Attributes
    ----------
    scale : int
        Pixels of the picture to one of the scale.
    counts : (n,) int64
        Edge pixels of each tile, those passed over included.
    tile : (e,) int64
        Which tile an edge pixel lies in.
    width_px : (e,) float64
        In pixels of the picture.
    range : (e,) float64
        Luma levels across the edge.
    clipped : (e,) bool
        Whether light above white was cut off on its bright side.
    x, y : (e,) float64
        Gradient.
    energy : (float, float, float)
        Sums of x^2, y^2 and x y over all pixels.
    """

    scale: int
    counts: Integers
    tile: Integers
    width_px: Floats
    range: Floats
    clipped: NDArray[np.bool_]
    x: Floats
    y: Floats
    energy: tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class _Edges:
    """The edge pixels of s scales together; tile and sextant are numbered through all scales."""

    scale_count: int
    tile_count: int
    scale: Integers
    tile: Integers
    sextant: Integers
    log_width: Floats
    code: Integers

    def by_scale(self, shares: Sequence[float], chosen: Integers | None = None) -> Floats:
        """Return quantiles of the log width of each scale, (s, shares), for chosen pixels."""
        return self._quantiles(self.scale, self.scale_count, shares, chosen)

    def by_tile(self, share: float) -> Floats:
        """Return one quantile of each tile, (s, n)."""
        groups = self.scale_count * self.tile_count
        return self._quantiles(self.tile, groups, (share,)).reshape(-1, self.tile_count)

    def by_direction(self, share: float, chosen: Integers | None = None) -> Floats:
        """Return one quantile of each direction, (s, 6)."""
        groups = self.scale_count * _DIRECTION_COUNT
        found = self._quantiles(self.sextant, groups, (share,), chosen)
        return found.reshape(-1, _DIRECTION_COUNT)

    def _quantiles(
        self,
        group: Integers,
        group_count: int,
        shares: Sequence[float],
        chosen: Integers | None = None,
    ) -> Floats:
        code = self.code
        if chosen is not None:
            code, group = code[chosen], group[chosen]
        return _quantiles(code, group, group_count, shares) / _STEPS_OF_WIDTH + _LEAST_LOG_WIDTH


def describe_edges(layers: Sequence[EdgePixels]) -> tuple[Floats, Floats, Floats]:
    """Return the features of all scales: scalars, (f,), clipped shares, (c,), vectors, (v, 2).

    Scalars are logarithms of widths and of counts; NaN where there are too few edges. A clipped
    share is that of the edges, of the strong and of the narrow ones whose bright side is white.
    """
    edges, range_code, turned = _join(layers)
    limit = _quantiles(range_code, edges.scale, edges.scale_count, (_SHARE_OF_WEAK,))
    strong = np.flatnonzero(range_code > np.nan_to_num(limit[:, 0])[edges.scale])
    counts = np.log1p([[pixels.counts.sum()] for pixels in layers])
    by_direction = edges.by_direction(_SHARE_OF_DIRECTION)
    ends = _widest_and_narrowest(by_direction)
    density = np.bincount(edges.sextant, minlength=by_direction.size).reshape(by_direction.shape)
    density = np.log1p(density)
    by_tile = edges.by_tile(_SHARE_OF_TILE)
    narrow = _narrow(edges, layers)
    subject = np.flatnonzero(_best_tiles(by_tile).ravel()[edges.tile])
    scalars = [
        counts,
        edges.by_scale(_SHARES),
        edges.by_scale(_SHARES, strong),
        ends,
        density.min(1, keepdims=True),
        _quantiles_of_known(by_tile, _SHARES_OF_TILES),
        _count_narrow(edges, narrow),
        edges.by_scale(_SHARES_OF_BEST, subject),
        _widest_and_narrowest(edges.by_direction(_SHARE_OF_DIRECTION, subject)),
    ]
    # Where a direction has no edges left, movement has taken them.
    filled = np.nan_to_num(np.where(np.isnan(by_direction), ends[:, :1], by_direction))
    middle = 2 * np.pi / _DIRECTION_COUNT * (np.arange(_DIRECTION_COUNT) + 0.5)
    around = np.stack([np.cos(middle), np.sin(middle)], 1)
    energy = np.array([_anisotropy(*pixels.energy) for pixels in layers])
    # Products of so few numbers are summed alike everywhere; einsum needs no threads for them.
    by_sextant = [np.einsum("sd,da->sa", values, around) for values in (filled, density)]
    vectors = [*by_sextant, _turning_of_width(edges, turned), energy]
    shares = _clipped_shares(edges, layers, (slice(None), strong, narrow))
    return np.concatenate(scalars, axis=1).ravel(), shares.ravel(), np.concatenate(vectors)


def _join(layers: Sequence[EdgePixels]) -> tuple[_Edges, Integers, Floats]:
    """Return the edges of all scales, their ranges as codes, and their doubled angles, (2, e)."""
    tile_count = len(layers[0].counts)
    scale = np.repeat(np.arange(len(layers)), [len(pixels.tile) for pixels in layers])
    tile, width_px, range_, x, y = (
        np.concatenate([getattr(pixels, name) for pixels in layers])
        for name in ("tile", "width_px", "range", "x", "y")
    )
    cosine, sine, energy = x * x - y * y, 2 * x * y, x * x + y * y
    upper = (2 * cosine <= energy).astype(np.int64) + (2 * cosine <= -energy)
    sextant = np.where(sine >= 0, upper, _DIRECTION_COUNT - 1 - upper)
    log_width = np.log(width_px)
    edges = _Edges(
        len(layers),
        tile_count,
        scale,
        tile + tile_count * scale,
        sextant + _DIRECTION_COUNT * scale,
        log_width,
        ((log_width - _LEAST_LOG_WIDTH) * _STEPS_OF_WIDTH).astype(np.int64),
    )
    range_code = (range_ * _STEPS_OF_RANGE).astype(np.int64)
    return edges, range_code, np.stack([cosine / energy, sine / energy])


def _best_tiles(by_tile: Floats) -> NDArray[np.bool_]:
    """Mark the tiles of each scale with the narrowest edges: the subject, where there is one."""
    order = np.argsort(by_tile, axis=1, kind="stable")[:, :_BEST_TILE_COUNT]
    best = np.zeros(by_tile.shape, bool)
    np.put_along_axis(best, order, True, axis=1)
    return best & np.isfinite(by_tile)


def _clipped_shares(
    edges: _Edges, layers: Sequence[EdgePixels], groups: Sequence[Integers | slice]
) -> Floats:
    """Return which share of the edges of each group is clipped, (s, groups); 0 for none.

    Light above white is cut off, and with it the upper part of a blurred edge: what is left
    looks narrower than it is. A lamp out of focus is a disk whose rim is crisp.
    """
    clipped = np.concatenate([pixels.clipped for pixels in layers])
    shares = []
    for group in groups:
        scale = edges.scale[group]
        lost = np.bincount(scale[clipped[group]], minlength=edges.scale_count)
        shares.append(lost / np.maximum(np.bincount(scale, minlength=edges.scale_count), 1))
    return np.stack(shares, axis=1)


def _narrow(edges: _Edges, layers: Sequence[EdgePixels]) -> Integers:
    limit = np.log([_NARROW_PX * pixels.scale for pixels in layers])
    return np.flatnonzero(edges.log_width < limit[edges.scale])


def _count_narrow(edges: _Edges, narrow: Integers) -> Floats:
    """Count the narrow edges of the tiles that have most of them."""
    counts = np.bincount(edges.tile[narrow], minlength=edges.scale_count * edges.tile_count)
    most = np.sort(counts.reshape(-1, edges.tile_count), axis=1)[:, ::-1]
    return np.log1p(most[:, [min(rank, edges.tile_count - 1) for rank in _RANKS_OF_NARROW]])


def _turning_of_width(edges: _Edges, turned: Floats) -> Floats:
    """Say how the log width depends on direction: its mean moments, (s, 2)."""
    moments = np.zeros((edges.scale_count, 2))
    bounds = np.searchsorted(edges.scale, np.arange(edges.scale_count + 1)).tolist()
    for scale, (start, end) in enumerate(pairwise(bounds)):
        if end > start:
            log_width = edges.log_width[start:end]
            moments[scale] = (turned[:, start:end] * (log_width - log_width.mean())).mean(1)
    return moments


def _anisotropy(xx: float, yy: float, xy: float) -> tuple[float, float]:
    total = max(xx + yy, 1.0)
    return (xx - yy) / total, 2 * xy / total


def _widest_and_narrowest(by_direction: Floats) -> Floats:
    unknown = np.isnan(by_direction)
    widest = np.where(unknown, -np.inf, by_direction).max(1)
    narrowest = np.where(unknown, np.inf, by_direction).min(1)
    ends = np.stack([widest, narrowest], 1)
    return np.where(np.isfinite(ends), ends, np.nan)


def _quantiles(
    code: Integers, group: Integers, group_count: int, shares: Sequence[float]
) -> Floats:
    """Return quantiles of the codes of each group, (g, shares); NaN where there are too few.

    One sort serves all groups: the number of its group stands above the bits of a code.
    """
    bounds = np.arange(group_count + 1, dtype=np.int32) << _CODE_BITS
    # The last bound is sorted with them, so that there always is something to read.
    ordered = np.sort(np.append((group << _CODE_BITS | code).astype(np.int32), bounds[-1]))
    starts = np.searchsorted(ordered, bounds)
    number = np.diff(starts)
    rank = np.rint(np.array(shares) * np.maximum(number - 1, 0)[:, None]).astype(np.int64)
    found = ordered[starts[:-1, None] + rank] & (2**_CODE_BITS - 1)
    return np.where(number[:, None] >= _MIN_EDGES, found, np.nan)


def _quantiles_of_known(values: Floats, shares: Sequence[float]) -> Floats:
    """Return quantiles of each row of `values` that has any; NaN are left out."""
    last = np.maximum(np.isfinite(values).sum(1, keepdims=True) - 1, 0)
    rank = np.rint(np.array(shares) * last).astype(np.int64)
    return np.take_along_axis(np.sort(values, axis=1), rank, 1)
