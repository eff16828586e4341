"""Night scenes: lamps far brighter than white before the dark.

Out of focus a lamp becomes a disk with a crisp rim, and a moved camera draws it as a crisp
trail: narrow edges in a blurred picture, which scenes by daylight do not teach.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.prepare.degrade import LinearColor

_FINE = 4
_MAX_RADIUS_PX = 12.0
_ROUND_SHARE = 0.7
_GROUPED_SHARE = 0.5


def draw_night(scene: LinearColor, rng: np.random.Generator) -> LinearColor:
    """Darken a scene by one to six stops and put 3 to 80 lamps before it.

    Parameters
    ----------
    scene : (H, W, 3) float32
        Linear light.
    rng : Generator
        Draws everything.

    Returns
    -------
    LinearColor
        Lamps are sharp, of 0.6 to 12 px radius, half of them in groups, and mostly 3 to 60 times
        as bright as white; a little of their light is scattered around them.
    """
    height, width = scene.shape[:2]
    dark = scene * np.float32(2.0 ** -rng.uniform(1.0, 6.0))
    if rng.random() < 0.6:
        dark = dark * _pools_of_light(width, height, rng)[..., None]
    lamps = np.zeros((height, width, 3), np.float32)
    count = int(math.exp(rng.uniform(math.log(3), math.log(80))))
    least_px = rng.uniform(0.6, 2.0)
    groups = rng.uniform(0, 1, (max(1, count // int(rng.integers(4, 20))), 2))
    power = math.exp(rng.uniform(math.log(3), math.log(60)))
    for _ in range(count):
        centre = rng.uniform(0, 1, 2)
        if rng.random() < _GROUPED_SHARE:
            centre = groups[rng.integers(len(groups))] + rng.normal(0, 0.06, 2)
        radius_px = min(least_px / (1 - rng.random()) ** 0.6, _MAX_RADIUS_PX)
        light = np.clip(rng.uniform(0.3, 1.2, 3), 0, 1) * power * math.exp(rng.normal(0, 0.8))
        _add_lamp(lamps, centre * (width, height), radius_px, light.astype(np.float32), rng)
    glow = cv2.GaussianBlur(lamps, (0, 0), rng.uniform(4, 20)) * np.float32(rng.uniform(0, 0.04))
    return np.ascontiguousarray(dark + lamps + glow, np.float32)


def _pools_of_light(width: int, height: int, rng: np.random.Generator) -> NDArray[np.float32]:
    coarse = rng.uniform(0, 1, (4, 4)).astype(np.float32) ** 3
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(smooth * rng.uniform(2, 8), 0.02, None), np.float32)


def _add_lamp(
    lamps: LinearColor,
    centre_px: NDArray[np.float64],
    radius_px: float,
    light: NDArray[np.float32],
    rng: np.random.Generator,
) -> None:
    """Add a round or rectangular lamp; one that the border would cut is left out."""
    height, width = lamps.shape[:2]
    reach = int(1.6 * radius_px) + 3
    left, top = int(centre_px[0]) - reach, int(centre_px[1]) - reach
    if left < 0 or top < 0 or left + 2 * reach >= width or top + 2 * reach >= height:
        return
    fine = np.zeros((2 * reach * _FINE, 2 * reach * _FINE), np.uint8)
    x, y = int((centre_px[0] - left) * _FINE), int((centre_px[1] - top) * _FINE)
    if rng.random() < _ROUND_SHARE:
        cv2.circle(fine, (x, y), max(1, int(radius_px * _FINE)), 255, -1)
    else:
        half_x, half_y = (
            max(1, int(radius_px * _FINE * rng.uniform(0.3, most))) for most in (1.5, 1.0)
        )
        cv2.rectangle(fine, (x - half_x, y - half_y), (x + half_x, y + half_y), 255, -1)
    share = cv2.resize(fine, (2 * reach, 2 * reach), interpolation=cv2.INTER_AREA) / np.float32(255)
    lamps[top : top + 2 * reach, left : left + 2 * reach] += share[..., None] * light
