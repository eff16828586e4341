"""Which parts of a picture the blur measure looks at: a fixed budget of textured tiles."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.measure.luma import LumaPlane

TILE_PX = 128
MAX_TILE_COUNT = 16
_SEARCH_REDUCTION = 4


@dataclass(frozen=True, slots=True, eq=False)
class Tiles:
    """Square cut-outs of a picture.

    Attributes
    ----------
    x_px, y_px : (n,) int64
        Upper left corners.
    luma : (n, 128, 128) uint8
        The pixels, most textured tile first.
    """

    x_px: NDArray[np.int64]
    y_px: NDArray[np.int64]
    luma: NDArray[np.uint8]


def choose_tiles(luma: LumaPlane, max_count: int = MAX_TILE_COUNT) -> Tiles:
    """Cut out the tiles with the strongest gradients, so that the cost is bounded.

    The picture is covered by an even grid of tiles that overlap as little as they can; the
    gradient is taken at a quarter of the size, where noise counts for little. A picture
    smaller than a tile is mirrored at its edges.

    Parameters
    ----------
    luma : (H, W) uint8
        Gamma-encoded luma.
    max_count : int
        Tiles to return at most.

    Returns
    -------
    Tiles
        Between 1 and `max_count` tiles.
    """
    height, width = luma.shape
    if height < TILE_PX or width < TILE_PX:
        luma = np.pad(
            luma, ((0, max(0, TILE_PX - height)), (0, max(0, TILE_PX - width))), mode="symmetric"
        )
        height, width = luma.shape
    size = (width // _SEARCH_REDUCTION, height // _SEARCH_REDUCTION)
    small = np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)
    columns = _even_starts(width)
    rows = _even_starts(height)
    energy = cv2.integral(_gradient(small).astype(np.float32))
    side = TILE_PX // _SEARCH_REDUCTION
    x, y = (axis.ravel() for axis in np.meshgrid(columns, rows))
    left, top = x // _SEARCH_REDUCTION, y // _SEARCH_REDUCTION
    sums = (
        energy[top + side, left + side]
        - energy[top, left + side]
        - energy[top + side, left]
        + energy[top, left]
    )
    best = np.argsort(-sums, kind="stable")[:max_count]
    cut = [luma[y[i] : y[i] + TILE_PX, x[i] : x[i] + TILE_PX] for i in best]
    return Tiles(x[best], y[best], np.stack(cut))


def _even_starts(length_px: int) -> NDArray[np.int64]:
    count = -(-length_px // TILE_PX)
    return np.linspace(0, length_px - TILE_PX, count).astype(np.int64)


def _gradient(luma: LumaPlane) -> NDArray[np.int32]:
    dx = cv2.Sobel(luma, cv2.CV_16S, 1, 0)
    dy = cv2.Sobel(luma, cv2.CV_16S, 0, 1)
    return np.abs(dx).astype(np.int32) + np.abs(dy)
