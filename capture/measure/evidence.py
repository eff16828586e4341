"""How many edges there are to judge sharpness by, above the noise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.measure.edge_widths import tile_noise

MIN_EDGE_RANGE = 20
"""Luma levels that an edge spans at least within 9 px."""
_NOISE_FACTOR = 2.7
_MARGIN_PX = 5


def count_edges(tiles: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count the pixels of each tile that lie on the ridge of an edge.

    A pixel counts where the smoothed gradient is a 3 x 3 maximum and the smoothed luma spans
    more than 20 levels, and more than noise can, within 9 x 9 px. Clear sky, fog and flat
    walls give next to none at any ISO; a blurred photo gives hundreds.

    Parameters
    ----------
    tiles : (n, s, s) uint8
        Gamma-encoded luma, s a multiple of 16.

    Returns
    -------
    (n,) int64
        Edge pixels of each tile, >= 0.
    """
    count, side = tiles.shape[:2]
    strip = np.ascontiguousarray(tiles).reshape(count * side, side)
    smooth = cv2.GaussianBlur(strip, (5, 5), 1.0)
    window = np.ones((9, 9), np.uint8)
    span = cv2.subtract(cv2.dilate(smooth, window), cv2.erode(smooth, window))
    dx = cv2.Sobel(smooth, cv2.CV_16S, 1, 0)
    dy = cv2.Sobel(smooth, cv2.CV_16S, 0, 1)
    gradient = cv2.addWeighted(cv2.convertScaleAbs(dx), 0.5, cv2.convertScaleAbs(dy), 0.5, 0)
    ridge = gradient >= cv2.dilate(gradient, np.ones((3, 3), np.uint8))
    limit = np.maximum(MIN_EDGE_RANGE, _NOISE_FACTOR * tile_noise(tiles))
    edges = ridge.reshape(tiles.shape) & (span.reshape(tiles.shape) > limit[:, None, None])
    # The seams of the strip are no edges of the picture.
    inner = edges[:, _MARGIN_PX:-_MARGIN_PX, _MARGIN_PX:-_MARGIN_PX]
    return np.asarray(np.count_nonzero(inner, axis=(1, 2)), np.int64)
