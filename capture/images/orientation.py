"""The eight orientations of EXIF."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

UPRIGHT = 1

ROTATION_TO_ORIENTATION = {0: 1, 90: 6, 180: 3, 270: 8}
"""Clockwise degrees that make a picture upright, as EXIF would say it."""


def upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn and mirror pixels as EXIF asks.

    Parameters
    ----------
    pixels : (H, W) or (H, W, 3) uint8
        As they stand in the file.
    orientation : int
        1 to 8; 5 to 8 swap width and height. Anything else counts as 1.

    References
    ----------
    CIPA DC-008-2023 (Exif 3.0), tag 0x0112.
    """
    match orientation:
        case 2:
            turned = cv2.flip(pixels, 1)
        case 3:
            turned = cv2.rotate(pixels, cv2.ROTATE_180)
        case 4:
            turned = cv2.flip(pixels, 0)
        case 5:
            turned = cv2.transpose(pixels)
        case 6:
            turned = cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE)
        case 7:
            turned = cv2.rotate(cv2.transpose(pixels), cv2.ROTATE_180)
        case 8:
            turned = cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE)
        case _:
            return pixels
    return np.asarray(turned, np.uint8)
