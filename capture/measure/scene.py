"""Whether the camera still looks at the same scene."""

from __future__ import annotations

import cv2
import numpy as np

from capture.measure.luma import LumaPlane

_TOLERANCE = 10.0
_GAIN_RANGE = (0.5, 2.0)


def changed_fraction(before: LumaPlane, after: LumaPlane) -> float:
    """Measure how much of one thumbnail is not to be found in another; 0 is the same scene.

    Parameters
    ----------
    before, after : LumaPlane
        Thumbnails of one size.

    Returns
    -------
    float
        Share of cells in [0, 1] that differ by more than noise, a shift by one cell, and a
        change of exposure can explain; 1 where the sizes differ.
    """
    if before.shape != after.shape:
        return 1.0
    reference = before.astype(np.float32)
    current = after.astype(np.float32)
    spread = float(reference.std())
    gain = float(np.clip(current.std() / spread, *_GAIN_RANGE)) if spread > 0 else 1.0
    expected = (reference - reference.mean()) * gain + current.mean()
    neighbours = np.ones((3, 3), np.uint8)
    above = current - cv2.dilate(expected, neighbours)
    below = cv2.erode(expected, neighbours) - current
    return float((np.maximum(above, below) > _TOLERANCE).mean())
