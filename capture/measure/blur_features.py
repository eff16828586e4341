"""Everything the model of the blur measure is told of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capture.measure.edge_widths import EDGE_CLIPPED_NAMES, edge_features, tile_noise
from capture.measure.spectrum import spectrum_features

MAX_SPECTRUM_TILES = 12
CLIPPED_COUNT = len(EDGE_CLIPPED_NAMES)


@dataclass(frozen=True, slots=True, eq=False)
class BlurFeatures:
    """Features of the chosen tiles of one picture.

    Attributes
    ----------
    scalars : (f,) float32
        They do not change when the picture turns; NaN where there was nothing to measure. The
        last `CLIPPED_COUNT` say which shares of the edges are clipped.
    vectors : (v, 2) float32
        Anisotropies along 0 and 45 degrees of doubled angles; they turn with the picture.
    edge_counts : (n,) int64
        Edge pixels of each tile.
    """

    scalars: NDArray[np.float32]
    vectors: NDArray[np.float32]
    edge_counts: NDArray[np.int64]


def blur_features(tiles: NDArray[np.uint8]) -> BlurFeatures:
    """Measure edge widths in all tiles and the spectrum of the most textured.

    Parameters
    ----------
    tiles : (n, s, s) uint8
        Gamma-encoded luma, most textured first, s a multiple of 16.
    """
    noise = tile_noise(tiles)
    edges = edge_features(tiles, noise)
    spectrum = spectrum_features(tiles[:MAX_SPECTRUM_TILES], noise[:MAX_SPECTRUM_TILES])
    vectors = np.concatenate([edges.vectors, spectrum.vectors])
    lengths = np.hypot(vectors[:, 0], vectors[:, 1])
    scalars = np.concatenate([edges.scalars, spectrum.scalars, lengths, edges.clipped])
    return BlurFeatures(scalars, vectors, edges.counts)
