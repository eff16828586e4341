"""Which parts of a picture the blur measure looks at: a fixed budget of tiles."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.measure.luma import LumaPlane, halved

TILE_PX = 128
MAX_TILE_COUNT = 16
_EDGE_REDUCTION = 4
"""Pixels to one of the size at which strong edges are sought: noise counts for little there."""
_DETAIL_REDUCTION = 2
"""The same of the size at which fine detail is sought."""


@dataclass(frozen=True, slots=True, eq=False)
class Tiles:
    """Square cut-outs of a picture.

    Attributes
    ----------
    x_px, y_px : (n,) int64
        Upper left corners.
    luma : (n, 128, 128) uint8
        The pixels, strongest edges and finest detail first.
    """

    x_px: NDArray[np.int64]
    y_px: NDArray[np.int64]
    luma: NDArray[np.uint8]


def choose_tiles(luma: LumaPlane, max_count: int = MAX_TILE_COUNT) -> Tiles:
    """Cut out the tiles with the strongest edges and the finest detail by turns.

    The picture is covered by an even grid of tiles that overlap as little as they can. Strong
    edges tell of blur in any picture; fine detail finds a sharp subject before a soft
    background, however faint it is. A picture smaller than a tile is mirrored at its edges.

    Parameters
    ----------
    luma : (H, W) uint8
        Gamma-encoded luma.
    max_count : int
        Tiles to return at most, so that the cost is bounded.

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
    grid = np.meshgrid(_even_starts(width), _even_starts(height))
    x, y = (axis.ravel() for axis in grid)
    half = halved(luma)
    by_detail = _order(_laplacian(half), x, y, _DETAIL_REDUCTION)
    by_edges = _order(_gradient(halved(half)), x, y, _EDGE_REDUCTION)
    by_turns = np.stack([by_edges, by_detail], 1).ravel().tolist()
    best = np.array(list(dict.fromkeys(by_turns))[:max_count])
    row = np.empty((TILE_PX, len(best), TILE_PX), np.uint8)
    for place, index in enumerate(best):
        row[:, place] = luma[y[index] : y[index] + TILE_PX, x[index] : x[index] + TILE_PX]
    return Tiles(x[best], y[best], row.transpose(1, 0, 2))


def _even_starts(length_px: int) -> NDArray[np.int64]:
    count = -(-length_px // TILE_PX)
    return np.linspace(0, length_px - TILE_PX, count).astype(np.int64)


def _order(
    energy: NDArray[np.int16], x: NDArray[np.int64], y: NDArray[np.int64], reduction: int
) -> NDArray[np.int64]:
    """Order the tiles at (x, y) by their sum of `energy`, taken at a reduced size."""
    # Sums of whole numbers: exact in float64, and equal everywhere.
    sums = cv2.integral(energy.astype(np.float32))
    side = TILE_PX // reduction
    left, top = x // reduction, y // reduction
    inside = (
        sums[top + side, left + side]
        - sums[top, left + side]
        - sums[top + side, left]
        + sums[top, left]
    )
    return np.argsort(-inside, kind="stable")


def _gradient(luma: LumaPlane) -> NDArray[np.int16]:
    across = np.abs(cv2.Sobel(luma, cv2.CV_16S, 1, 0))
    return np.asarray(across + np.abs(cv2.Sobel(luma, cv2.CV_16S, 0, 1)), np.int16)


def _laplacian(luma: LumaPlane) -> NDArray[np.int16]:
    return np.asarray(np.abs(cv2.Laplacian(luma, cv2.CV_16S)), np.int16)
