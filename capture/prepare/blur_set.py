"""The simulated set: many captures of each scene, with the truth about their blur."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

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
    draw_ordinary_nuisance,
    to_linear,
)
from capture.prepare.night_scenes import draw_night
from capture.prepare.point_spread import Cause, PointSpread, disk, line, no_blur, shake
from capture.prepare.turning import draw_turned
from capture.prepare.windows import draw_window

MIN_BLURRED_RADIUS_PX = 1.75
MIN_BLURRED_EXTENT_PX = 4.5
MASK_REDUCTION = 8
_SUBJECT_TRIES = 6
MIN_SUBJECT_DETAIL = 0.6
"""Detail of a subject over that of the whole scene: empty sky is no subject."""


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
    subject_detail : float or None
        Mean detail of the sharp part over that of the whole scene; None unless a composite.
    is_night : bool
        Whether lamps stood before the dark.
    """

    luma: LumaPlane
    spread: PointSpread
    sharp_mask: NDArray[np.uint8]
    is_composite: bool
    nuisance: Nuisance
    subject_detail: float | None = None
    is_night: bool = False

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
            "subject_detail": self.subject_detail,
            "is_night": self.is_night,
            "label": self.label,
            **asdict(self.nuisance),
        }


def simulate_training(
    color: NDArray[np.uint8],
    rng: np.random.Generator,
    *,
    count: int,
    night_count: int,
    crop_px: tuple[int, int],
) -> Iterator[Capture]:
    """Draw captures of windows of one photo, most of them near where blur begins to show.

    Parameters
    ----------
    color : (H, W, 3) uint8
        A sharp photo.
    rng : Generator
        Draws everything.
    count, night_count : int
        Captures to draw by daylight, and of the same photo as a night scene.
    crop_px : (int, int)
        Width and height of the window at most; many show the whole picture.

    Yields
    ------
    Capture
        27 % sharp, 19 % composites, the rest blurred, in one of ten by a turn or at two depths.
    """
    (night_rng,) = rng.spawn(1)
    for _ in range(count):
        yield _draw_capture(draw_window(color, rng, crop_px), rng)
    for _ in range(night_count):
        night = draw_night(draw_window(color, night_rng, crop_px), night_rng)
        yield replace(_draw_capture(night, night_rng), is_night=True)


def simulate_benchmark(color: NDArray[np.uint8], rng: np.random.Generator) -> Iterator[Capture]:
    """Yield the fixed ladder of captures of one photo by which the measure is judged.

    Five sharp, two composites, disks of radius 1 to 8 px, lines and shakes of 2 to 60 px, and
    paths that dwell; noise, exposure, sharpening and JPEG drawn independently of the blur.
    """
    scene = to_linear(color)
    for _ in range(5):
        yield _capture(scene, no_blur(), draw_nuisance(rng))
    for _ in range(2):
        yield _capture_composite(scene, rng)
    for radius in (1, 2, 3, 5, 8):
        yield _capture(scene, disk(radius), draw_nuisance(rng))
    for length in (2, 3, 5, 10, 20, 40, 60):
        yield _capture(scene, line(length, rng.uniform(0, 180)), draw_nuisance(rng))
    for extent in (2, 3, 5, 10, 20, 40, 60):
        yield _capture(scene, shake(extent, rng), draw_nuisance(rng))
    for extent in (5, 10, 20):
        yield _capture(scene, shake(extent, rng, dwell=True), draw_nuisance(rng))


def _draw_capture(scene: LinearColor, rng: np.random.Generator) -> Capture:
    chance = rng.random()
    if chance < 0.27:
        return _capture(scene, no_blur(), draw_ordinary_nuisance(rng))
    if chance < 0.46:
        return _capture_subject(scene, rng)
    if chance < 0.51:
        return _capture_turned(scene, rng)
    if chance < 0.55:
        return _capture_deep(scene, rng)
    return _capture(scene, _draw_spread(rng), draw_ordinary_nuisance(rng))


def _draw_spread(rng: np.random.Generator) -> PointSpread:
    """Draw a blur: half of any size on a log scale, half near where blur begins to show."""
    near = rng.random() < 0.5
    chance = rng.random()
    if chance < 0.36:
        low, high = (1.3, 3.5) if near else (0.8, 20.0)
        return disk(math.exp(rng.uniform(math.log(low), math.log(high))))
    low, high = (3.0, 12.0) if near else (1.5, 80.0)
    extent = math.exp(rng.uniform(math.log(low), math.log(high)))
    if chance < 0.62:
        return line(extent, rng.uniform(0, 180))
    if chance < 0.82:
        return shake(extent, rng)
    return shake(min(max(extent, 4.5), 40.0), rng, dwell=True)


def _capture(scene: LinearColor, spread: PointSpread, nuisance: Nuisance) -> Capture:
    return _whole(blur(scene, spread), spread, nuisance)


def _whole(blurred: LinearColor, spread: PointSpread, nuisance: Nuisance) -> Capture:
    luma = develop(blurred, nuisance)
    height, width = luma.shape
    mask = np.zeros((height // MASK_REDUCTION, width // MASK_REDUCTION), np.uint8)
    return Capture(luma, spread, mask, False, nuisance)


def _capture_turned(scene: LinearColor, rng: np.random.Generator) -> Capture:
    least_px = math.exp(rng.uniform(math.log(3.0), math.log(20.0)))
    blurred, spread = draw_turned(scene, rng, least_px=least_px)
    return _whole(blurred, spread, draw_ordinary_nuisance(rng))


def _capture_deep(scene: LinearColor, rng: np.random.Generator) -> Capture:
    """Draw a soft subject before a background that is softer still."""
    radius = math.exp(rng.uniform(math.log(1.5), math.log(8.0)))
    near, far = disk(radius), disk(radius * rng.uniform(1.3, 3.0))
    share = _soften(_blob(scene.shape[:2], rng, rng.uniform(0.2, 0.7)))
    mixed = composite(blur(scene, near), blur(scene, far), share)
    return _whole(mixed, near, draw_ordinary_nuisance(rng))


def _capture_composite(scene: LinearColor, rng: np.random.Generator) -> Capture:
    mask = _ellipse(scene.shape[:2], rng)
    # One number unused, so that the ladder stays what earlier models were judged on.
    rng.random()
    return _compose(scene, mask, disk(rng.uniform(3, 14)), draw_nuisance(rng))


def _capture_subject(scene: LinearColor, rng: np.random.Generator) -> Capture:
    """Draw a sharp subject of any outline, with detail in it, before what is soft or moves."""
    detail = _detail(scene)
    shape = scene.shape[:2]
    best, most = np.zeros(shape, np.uint8), -1.0
    for _ in range(_SUBJECT_TRIES):
        mask = _blob(shape, rng, rng.uniform(0.08, 0.5)) if rng.random() < 0.4 else None
        mask = _ellipse(shape, rng) if mask is None else mask
        share = _share_of_detail(detail, mask)
        if share > most:
            best, most = mask, share
        if share >= MIN_SUBJECT_DETAIL:
            break
    spread = disk(rng.uniform(3, 14))
    if rng.random() < 0.2:
        spread = line(rng.uniform(8, 40), rng.uniform(0, 180))
    return _compose(scene, best, spread, draw_ordinary_nuisance(rng))


def _compose(
    scene: LinearColor, mask: NDArray[np.uint8], spread: PointSpread, nuisance: Nuisance
) -> Capture:
    height, width = mask.shape
    mixed = composite(scene, blur(scene, spread), _soften(mask))
    size = (width // MASK_REDUCTION, height // MASK_REDUCTION)
    small = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.uint8)
    share = _share_of_detail(_detail(scene), mask)
    return Capture(develop(mixed, nuisance), spread, small, True, nuisance, share)


def _detail(scene: LinearColor) -> NDArray[np.float32]:
    encoded = np.sqrt(np.clip(scene[..., 1], 0, 1))
    return np.asarray(np.abs(cv2.Laplacian(encoded, cv2.CV_32F, ksize=3)), np.float32)


def _share_of_detail(detail: NDArray[np.float32], mask: NDArray[np.uint8]) -> float:
    return float(detail[mask > 0].mean()) / max(float(detail.mean()), 1e-9)


def _ellipse(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.uint8]:
    height, width = shape
    area = rng.uniform(0.06, 0.35) * height * width
    aspect = math.exp(rng.uniform(-0.5, 0.5))
    axes = (math.sqrt(area / math.pi * aspect), math.sqrt(area / math.pi / aspect))
    mask = np.zeros((height, width), np.uint8)
    centre = (int(width * rng.uniform(0.25, 0.75)), int(height * rng.uniform(0.25, 0.75)))
    turn = rng.uniform(0, 180)
    cv2.ellipse(mask, centre, (int(axes[0]), int(axes[1])), turn, 0, 360, 255, -1)
    return mask


def _blob(shape: tuple[int, ...], rng: np.random.Generator, share: float) -> NDArray[np.uint8]:
    """Draw islands of any outline that cover a share of the picture."""
    height, width = shape
    field = rng.standard_normal((6, 6)).astype(np.float32)
    smooth = cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.where(smooth > np.quantile(smooth[::8, ::8], 1 - share), 255, 0).astype(np.uint8)


def _soften(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    soft = cv2.GaussianBlur(mask, (0, 0), 3.0)
    return np.asarray(soft, np.float32) / np.float32(255)
