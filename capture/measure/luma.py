"""The luma plane: what every measure reads, and the door at which it is checked.

*Luma* is gamma-encoded, as it stands in the file; *luminance* is linear light.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

LumaPlane: TypeAlias = NDArray[np.uint8]
"""(H, W) uint8, gamma-encoded luma, 0 black to 255 white, upright, x right and y down."""

REFERENCE_LONG_EDGE_PX = 1000
"""Long edge of the reference scale at which blur of different pictures is compared."""


def require_luma(luma: NDArray[Any]) -> LumaPlane:
    """Return `luma` unchanged if it is a luma plane.

    Raises
    ------
    ValueError
        If it is not (H, W) uint8 with at least one pixel.
    """
    if luma.ndim != 2 or luma.dtype != np.uint8 or luma.size == 0:
        raise ValueError(f"luma must be (H, W) uint8, got {luma.shape} {luma.dtype}")
    return luma


def halved(luma: LumaPlane) -> LumaPlane:
    """Reduce luma to half its size: each pixel is the average of 2 x 2.

    Parameters
    ----------
    luma : (H, W) uint8
        Of an odd side the last row or column is left out.

    Returns
    -------
    (H // 2, W // 2) uint8
        At least one pixel high and wide.
    """
    height, width = (max(1, side // 2) for side in luma.shape)
    cropped = luma[: 2 * height, : 2 * width]
    return np.asarray(cv2.resize(cropped, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def srgb_to_linear(encoded: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Turn gamma-encoded values in [0, 1] into linear light in [0, 1].

    References
    ----------
    IEC 61966-2-1:1999, the sRGB transfer function.
    """
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(linear: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Turn linear light in [0, 1] into gamma-encoded values in [0, 1].

    References
    ----------
    IEC 61966-2-1:1999, the sRGB transfer function.
    """
    return np.where(
        linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 0.0) ** (1 / 2.4) - 0.055
    )
