"""The simulated set: many captures of each scene, with the truth about their blur."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.measure.luma import LumaPlane
from capture.prepare.degrade import (
    LinearColor,
    Nuisance,
    blur,
    composite,
    develop,
    draw_nuisance,
    to_linear,
)
from capture.prepare.point_spread import Cause, PointSpread, disk, line, no_blur, shake

MIN_BLURRED_RADIUS_PX = 1.75
MIN_BLURRED_EXTENT_PX = 4.5
MASK_REDUCTION = 8
_WHOLE_SHARE = 0.4


@dataclass(frozen=True, slots=True, eq=False)
class Capture:
    """One simulated capture and the truth about it.

    Attributes
    ----------
    luma : LumaPlane
        (H, W) uint8.
    spread : PointSpread
        Blur of the whole picture; of the background only where `is_composite`.
    sharp_mask : (H // 8, W // 8) uint8
        255 where the picture is sharp, in a composite; 0 elsewhere.
    is_composite : bool
        A sharp subject before a blurred background, which passes as sharp.
    nuisance : Nuisance
        How it was captured.
    """

    luma: LumaPlane
    spread: PointSpread
    sharp_mask: NDArray[np.uint8]
    is_composite: bool
    nuisance: Nuisance

    @property
    def label(self) -> int | None:
        """1 blurred, 0 sharp, None too slight to be called either."""
        if self.is_composite or self.spread.cause is Cause.NONE:
            return 0
        if self.spread.cause is Cause.DISK:
            return 1 if self.spread.extent_px >= MIN_BLURRED_RADIUS_PX else None
        return 1 if self.spread.extent_px >= MIN_BLURRED_EXTENT_PX else None

    def truth(self) -> dict[str, object]:
        """Return everything but the pixels as plain values."""
        return {
            "cause": str(self.spread.cause),
            "extent_px": self.spread.extent_px,
            "sigma_px": 0.0 if self.is_composite else self.spread.sigma_px,
            "variance": (self.spread.variance_xx, self.spread.variance_xy, self.spread.variance_yy),
            "angle_deg": self.spread.angle_deg,
            "is_composite": self.is_composite,
            "label": self.label,
            **asdict(self.nuisance),
        }


def simulate_training(
    color: NDArray[np.uint8], rng: np.random.Generator, *, count: int, crop_px: tuple[int, int]
) -> Iterator[Capture]:
    """Draw captures of windows of one photo, most of them near where blur begins to show.

    Parameters
    ----------
    color : (H, W, 3) uint8
        A sharp photo.
    rng : Generator
        Draws everything.
    count : int
        Captures to draw.
    crop_px : (int, int)
        Width and height of the window at most; four in ten show the whole picture.

    Yields
    ------
    Capture
        25 % sharp, 20 % composites, the rest blurred; reduced to 0.55 at most, mirrored and
        turned at random.
    """
    for _ in range(count):
        scene = _draw_window(color, rng, crop_px)
        chance = rng.random()
        if chance < 0.25:
            yield _capture(scene, no_blur(), rng)
        elif chance < 0.45:
            yield _capture_composite(scene, rng)
        else:
            yield _capture(scene, _draw_spread(rng), rng)


def simulate_benchmark(color: NDArray[np.uint8], rng: np.random.Generator) -> Iterator[Capture]:
    """Yield the fixed ladder of captures of one photo by which the measure is judged.

    Five sharp, two composites, disks of radius 1 to 8 px, lines and shakes of 2 to 60 px, and
    paths that dwell; noise, exposure, sharpening and JPEG drawn independently of the blur.
    """
    scene = to_linear(color)
    for _ in range(5):
        yield _capture(scene, no_blur(), rng)
    for _ in range(2):
        yield _capture_composite(scene, rng, move_share=0.0)
    for radius in (1, 2, 3, 5, 8):
        yield _capture(scene, disk(radius), rng)
    for length in (2, 3, 5, 10, 20, 40, 60):
        yield _capture(scene, line(length, rng.uniform(0, 180)), rng)
    for extent in (2, 3, 5, 10, 20, 40, 60):
        yield _capture(scene, shake(extent, rng), rng)
    for extent in (5, 10, 20):
        yield _capture(scene, shake(extent, rng, dwell=True), rng)


def _draw_spread(rng: np.random.Generator) -> PointSpread:
    """Draw a blur: half of any size on a log scale, half near where blur begins to show."""
    near = rng.random() < 0.5
    chance = rng.random()
    if chance < 0.36:
        low, high = (1.3, 3.5) if near else (0.8, 10.0)
        return disk(math.exp(rng.uniform(math.log(low), math.log(high))))
    low, high = (3.0, 12.0) if near else (1.5, 60.0)
    extent = math.exp(rng.uniform(math.log(low), math.log(high)))
    if chance < 0.62:
        return line(extent, rng.uniform(0, 180))
    if chance < 0.82:
        return shake(extent, rng)
    return shake(max(extent, 4.5), rng, dwell=True)


def _draw_window(
    color: NDArray[np.uint8], rng: np.random.Generator, crop_px: tuple[int, int]
) -> LinearColor:
    height, width = color.shape[:2]
    scale = rng.uniform(0.55, 1.0) if rng.random() < 0.7 else 1.0
    scale = max(scale, min(1.0, 420 / min(height, width)))
    scaled = cv2.resize(
        to_linear(color),
        (round(width * scale), round(height * scale)),
        interpolation=cv2.INTER_AREA,
    )
    height, width = scaled.shape[:2]
    x = int(rng.integers(max(1, width - crop_px[0] + 1)))
    y = int(rng.integers(max(1, height - crop_px[1] + 1)))
    if rng.random() < _WHOLE_SHARE:
        x, y, crop_px = 0, 0, (width, height)
    window = scaled[y : y + crop_px[1], x : x + crop_px[0]]
    if rng.random() < 0.5:
        window = window[:, ::-1]
    if rng.random() < 0.5:
        window = window.transpose(1, 0, 2)
    return np.ascontiguousarray(np.clip(window, 0, 1), np.float32)


def _capture(scene: LinearColor, spread: PointSpread, rng: np.random.Generator) -> Capture:
    nuisance = draw_nuisance(rng)
    luma = develop(blur(scene, spread), nuisance)
    height, width = luma.shape
    mask = np.zeros((height // MASK_REDUCTION, width // MASK_REDUCTION), np.uint8)
    return Capture(luma, spread, mask, False, nuisance)


def _capture_composite(
    scene: LinearColor, rng: np.random.Generator, move_share: float = 0.2
) -> Capture:
    height, width = scene.shape[:2]
    area = rng.uniform(0.06, 0.35) * height * width
    aspect = math.exp(rng.uniform(-0.5, 0.5))
    axes = (math.sqrt(area / math.pi * aspect), math.sqrt(area / math.pi / aspect))
    mask = np.zeros((height, width), np.uint8)
    centre = (int(width * rng.uniform(0.25, 0.75)), int(height * rng.uniform(0.25, 0.75)))
    turn = rng.uniform(0, 180)
    cv2.ellipse(mask, centre, (int(axes[0]), int(axes[1])), turn, 0, 360, 255, -1)
    soft = cv2.GaussianBlur(mask, (0, 0), 3.0)
    moved = rng.random() < move_share
    spread = line(rng.uniform(8, 40), rng.uniform(0, 180)) if moved else disk(rng.uniform(3, 14))
    nuisance = draw_nuisance(rng)
    share = np.asarray(soft, np.float32) / np.float32(255)
    mixed = composite(scene, blur(scene, spread), share)
    small = cv2.resize(
        mask,
        (width // MASK_REDUCTION, height // MASK_REDUCTION),
        interpolation=cv2.INTER_AREA,
    )
    return Capture(develop(mixed, nuisance), spread, np.asarray(small, np.uint8), True, nuisance)
