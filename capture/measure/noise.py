"""Noise of a picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.measure.luma import LumaPlane, require_luma

TILE_PX = 16
"""Edge of the squares of which the flattest speak."""

MIN_TILE_COUNT = 16
"""Fewer squares hold no flat one to rely on."""

MAX_TILE_COUNT = 1500
"""Squares that are looked at, in whole strips: enough, however large the picture."""

FLAT_QUANTILE = 0.1
"""Share of the squares that is taken to be free of texture."""

FLAT_QUANTILE_BIAS = 0.9
"""What the flattest tenth of the squares reads where all is noise of 1 level."""

_BLACK, _WHITE = 8, 247


def measure_noise(luma: LumaPlane) -> float | None:
    """Measure the standard deviation of the noise; lower is cleaner.

    Parameters
    ----------
    luma : (H, W) uint8
        Gamma-encoded luma.

    Returns
    -------
    float or None
        Standard deviation in 8-bit luma levels, >= 0; None when fewer than
        `MIN_TILE_COUNT` squares of 16 pixels hold unclipped luma.

    Notes
    -----
    Immerkaer's mask takes away everything that is locally linear; what is left in the
    flattest tenth of the squares is noise. Noise that the camera or JPEG has smoothed
    away is not seen, and a picture that is texture all over reads too high.

    References
    ----------
    Immerkaer, "Fast Noise Variance Estimation", CVIU 64(2), 1996.
    doi:10.1006/cviu.1996.0060
    """
    require_luma(luma)
    levels = _tile_sigmas(luma)
    if levels.size < MIN_TILE_COUNT:
        return None
    return float(np.quantile(levels, FLAT_QUANTILE) / FLAT_QUANTILE_BIAS)


def _tile_sigmas(luma: LumaPlane) -> NDArray[np.float64]:
    """Return the noise of every square that is looked at and not clipped, in levels."""
    row_count, column_count = (luma.shape[0] - 2) // TILE_PX, (luma.shape[1] - 2) // TILE_PX
    if row_count < 1 or column_count < 1:
        return np.empty(0)
    strip_count = min(row_count, max(1, MAX_TILE_COUNT // column_count))
    tops = np.linspace(0, row_count - 1, strip_count).astype(int) * TILE_PX
    # A strip has one more row above and below, which only the mask looks at.
    rows = (tops[:, np.newaxis] + np.arange(TILE_PX + 2)).ravel()
    strips = luma[rows, : column_count * TILE_PX + 2]
    # The second derivative both ways is Immerkaer's mask.
    residual = cv2.Sobel(strips, cv2.CV_16S, 2, 2, ksize=3)
    np.abs(residual, out=residual)
    clipped = (strips < _BLACK) | (strips > _WHITE)
    shape = (strip_count, TILE_PX + 2, -1)
    inner, lost = (plane.reshape(shape)[:, 1:-1, 1:-1] for plane in (residual, clipped))
    tiles = (strip_count, column_count, TILE_PX)
    # 16 bits hold a column of 16: the mask gives at most 8 x 255.
    sums = inner.sum(axis=1, dtype=np.int16).reshape(tiles).sum(axis=2)
    unclipped = ~np.any(np.any(lost, axis=1).reshape(tiles), axis=2)
    mean = sums[unclipped] / TILE_PX**2
    # The mean of |x| of a normal x is sigma sqrt(2 / pi); the mask has a gain of 6.
    return np.asarray(mean * np.sqrt(np.pi / 2) / 6, np.float64)
