"""Windows of a sharp photo: what stands before the simulated camera."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.prepare.degrade import LinearColor, to_linear
from capture.prepare.invented_scenes import draw_invented

INVENTED_SHARE = 0.14
_WHOLE_SHARE = 0.35
_SMALL_SHARE = 0.08
_SMALL_LONG_EDGE_PX = (320, 520)
_LEAST_SIDE_PX = 420


def draw_window(
    color: NDArray[np.uint8], rng: np.random.Generator, crop_px: tuple[int, int]
) -> LinearColor:
    """Draw a window of a photo, reduced, mirrored, turned, and of changed contrast.

    Parameters
    ----------
    color : (H, W, 3) uint8
        A sharp photo.
    rng : Generator
        Draws everything.
    crop_px : (int, int)
        Width and height of the window at most. One capture in three shows the whole picture,
        one in twelve the whole picture at the size of those in web pages.

    Returns
    -------
    LinearColor
        In [0, 1], above 1 where highlights were restored, so that lights out of focus become
        disks. One in seven is invented (`draw_invented`).
    """
    scaled = _reduce(to_linear(color), rng)
    height, width = scaled.shape[:2]
    whole = rng.random() < _WHOLE_SHARE or max(width, height) <= _SMALL_LONG_EDGE_PX[1]
    if not whole:
        x = int(rng.integers(max(1, width - crop_px[0] + 1)))
        y = int(rng.integers(max(1, height - crop_px[1] + 1)))
        scaled = scaled[y : y + crop_px[1], x : x + crop_px[0]]
    if rng.random() < 0.5:
        scaled = scaled[:, ::-1]
    if rng.random() < 0.5:
        scaled = scaled.transpose(1, 0, 2)
    window = np.ascontiguousarray(np.clip(scaled, 0, 1), np.float32)
    if rng.random() < INVENTED_SHARE:
        window = draw_invented(window, rng)
    if rng.random() < 0.5:
        window = np.power(window, np.float32(math.exp(rng.normal(0, 0.3))))
    if rng.random() < 0.25:
        window = _restore_highlights(window, rng)
    return window


def _reduce(scene: LinearColor, rng: np.random.Generator) -> LinearColor:
    height, width = scene.shape[:2]
    if rng.random() < _SMALL_SHARE:
        scale = rng.uniform(*_SMALL_LONG_EDGE_PX) / max(width, height)
        scales = [scale, scale]
    else:
        scale = rng.uniform(0.55, 1.0) if rng.random() < 0.7 else 1.0
        # Sides reduced unlike: a scene whose edges have other directions is another scene.
        scales = [scale, scale * (rng.uniform(0.65, 1.0) if rng.random() < 0.3 else 1.0)]
        if rng.random() < 0.5:
            scales.reverse()
    least = min(1.0, _LEAST_SIDE_PX / min(height, width)) if max(scales) > 0.5 else 0.0
    size = (round(width * max(scales[0], least)), round(height * max(scales[1], least)))
    return np.asarray(cv2.resize(scene, size, interpolation=cv2.INTER_AREA), np.float32)


def _restore_highlights(scene: LinearColor, rng: np.random.Generator) -> LinearColor:
    """Brighten what was clipped: lamps and glints were far brighter than white."""
    gain = math.exp(rng.uniform(math.log(1.5), math.log(15)))
    share = np.clip((scene.min(2) - 0.85) / 0.12, 0, 1)[..., None]
    return np.asarray(scene * (1 + (gain - 1) * share * share), np.float32)
