"""A fingerprint of what a picture shows, that pictures which look alike share."""

from __future__ import annotations

import cv2
import numpy as np

from capture.measure.luma import LumaPlane

BIT_COUNT = 64
GRID_CELLS = 32
_SAMPLES_PER_CELL_EDGE = 8
_MIN_STRENGTH = 0.5
"""In 8-bit luma levels: a picture whose coarse structure is weaker shows nothing."""


def _lowest_frequencies() -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of the 64 lowest frequencies, without the mean."""
    rows, columns = np.indices((GRID_CELLS, GRID_CELLS))
    order = np.argsort((rows + columns).ravel(), kind="stable")[1 : BIT_COUNT + 1]
    return np.unravel_index(order, rows.shape)  # type: ignore[return-value]


_ROWS, _COLUMNS = _lowest_frequencies()


def measure_perceptual_hash(luma: LumaPlane) -> str | None:
    """Take the fingerprint of a picture from its coarse structure.

    The luma is averaged on a grid of 32 x 32 cells and transformed (DCT-II); a bit is set
    where one of the 64 lowest frequencies, the mean left out, is above their median. Size,
    encoding, brightness and contrast hardly change it; mirroring and turning do.

    Parameters
    ----------
    luma : (H, W) uint8
        Gamma-encoded luma, upright.

    Returns
    -------
    str or None
        64 bits as 16 hexadecimal digits, the lowest frequency first; None where there is
        no structure to tell pictures apart by, such as a bare wall.

    Notes
    -----
    Two pictures look alike when few bits differ. Unrelated pictures differ in about 32; as
    half of the bits are set in each, distances are even numbers.

    References
    ----------
    Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010,
    section 3.2.1; the choice of frequencies along anti-diagonals is ours.
    """
    spectrum = cv2.dct(_cell_means(luma)) / GRID_CELLS
    strengths = spectrum[_ROWS, _COLUMNS]
    if float(np.sqrt(np.sum(strengths**2))) < _MIN_STRENGTH:
        return None
    bits = strengths > np.median(strengths)
    return np.packbits(bits).tobytes().hex()


def _cell_means(luma: LumaPlane) -> np.ndarray:
    # Averaging every pixel of 12 MP would take as long as a good part of the decode;
    # 64 samples or more in a cell say the same.
    steps = [max(1, edge_px // (GRID_CELLS * _SAMPLES_PER_CELL_EDGE)) for edge_px in luma.shape]
    sampled = np.ascontiguousarray(luma[:: steps[0], :: steps[1]])
    cells = cv2.resize(sampled, (GRID_CELLS, GRID_CELLS), interpolation=cv2.INTER_AREA)
    return cells.astype(np.float32)
