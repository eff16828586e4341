"""Movement that differs over the picture: a camera that turns or comes nearer while it exposes."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.prepare.degrade import LinearColor
from capture.prepare.point_spread import Cause, PointSpread

_STEP_PX = 1.5
_MAX_STEP_COUNT = 32
_LEAST_SHARE = 0.15


def draw_turned(
    scene: LinearColor, rng: np.random.Generator, *, least_px: float
) -> tuple[LinearColor, PointSpread]:
    """Blur a scene by a turn about a point in or near the picture, or by a zoom towards it.

    Parameters
    ----------
    scene : (H, W, 3) float32
        Linear light.
    rng : Generator
        Draws the point, and whether the camera turns, comes nearer, or does both.
    least_px : float
        Movement that six pixels in seven exceed: what is left of sharpness is too little to
        be the subject.

    Returns
    -------
    scene : (H, W, 3) float32
        Mean of the scene along the movement.
    spread : PointSpread
        Its extent is `least_px`; it has no direction, since that differs over the picture.
    """
    height, width = scene.shape[:2]
    centre = (width * rng.uniform(-0.3, 1.3), height * rng.uniform(-0.3, 1.3))
    distance = _distances(centre, width, height)
    rate = least_px / float(np.quantile(distance, _LEAST_SHARE))
    farthest_px = rate * float(distance.max())
    mix = rng.uniform(0, 2 * math.pi) if rng.random() < 0.5 else math.pi / 2
    turn, growth = rate * math.sin(mix), rate * math.cos(mix)
    count = int(np.clip(math.ceil(farthest_px / _STEP_PX), 4, _MAX_STEP_COUNT))
    mean = np.zeros_like(scene)
    for time in np.linspace(-0.5, 0.5, count):
        move = cv2.getRotationMatrix2D(centre, math.degrees(turn * time), 1 + growth * time)
        mean += cv2.warpAffine(scene, move, (width, height), borderMode=cv2.BORDER_REFLECT)
    variance = least_px**2 / 24
    kernel = np.ones((1, 1), np.float32)
    return mean / np.float32(count), PointSpread(
        Cause.TURN, least_px, kernel, variance, 0.0, variance
    )


def _distances(centre: tuple[float, float], width: int, height: int) -> NDArray[np.float64]:
    x, y = np.arange(0, width, 8) - centre[0], np.arange(0, height, 8) - centre[1]
    return np.asarray(np.hypot(x[None, :], y[:, None]), np.float64)
