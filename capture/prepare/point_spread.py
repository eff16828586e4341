"""Point spread functions of defocus and of movement, with the covariance they add.

x right, y down, all lengths in pixels. Kernels are drawn eight times finer and area-averaged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

_FINE = 8


class Cause(StrEnum):
    """What blurred a simulated picture."""

    NONE = "none"
    DISK = "disk"
    LINE = "line"
    SHAKE = "shake"
    DWELL = "dwell"
    TURN = "turn"


@dataclass(frozen=True, slots=True, eq=False)
class PointSpread:
    """One point spread function.

    Attributes
    ----------
    cause : Cause
        What it stands for.
    extent_px : float
        Radius of a disk; length of a line; largest distance between two points of a path.
    kernel : (k, k) float32
        Weights, sum 1, k odd.
    variance_xx, variance_xy, variance_yy : float
        Covariance in px^2, before the kernel was rasterized.
    """

    cause: Cause
    extent_px: float
    kernel: NDArray[np.float32]
    variance_xx: float
    variance_xy: float
    variance_yy: float

    @property
    def sigma_px(self) -> float:
        """Gaussian-equivalent standard deviation sqrt((l1 + l2) / 2)."""
        return math.sqrt((self.variance_xx + self.variance_yy) / 2)

    @property
    def angle_deg(self) -> float:
        """Direction of the long axis in [0, 180), from +x towards +y."""
        angle = 0.5 * math.atan2(2 * self.variance_xy, self.variance_xx - self.variance_yy)
        return math.degrees(angle) % 180.0


def no_blur() -> PointSpread:
    """Return the point spread of a sharp capture: a single pixel."""
    return PointSpread(Cause.NONE, 0.0, np.ones((1, 1), np.float32), 0.0, 0.0, 0.0)


def disk(radius_px: float) -> PointSpread:
    """Return the point spread of a defocused lens: a uniform disk.

    Parameters
    ----------
    radius_px : float
        Radius, > 0. The covariance is radius^2 / 4 on both axes.
    """
    half = math.ceil(radius_px + 0.5)
    fine = (np.arange((2 * half + 1) * _FINE) + 0.5) / _FINE - half - 0.5
    inside = (fine[:, None] ** 2 + fine[None, :] ** 2 <= radius_px**2).astype(np.float32)
    variance = radius_px**2 / 4
    return PointSpread(Cause.DISK, radius_px, _coarse(inside), variance, 0.0, variance)


def line(length_px: float, angle_deg: float) -> PointSpread:
    """Return the point spread of straight movement at constant speed.

    Parameters
    ----------
    length_px : float
        Length, > 0. The covariance along it is length^2 / 12.
    angle_deg : float
        Direction from +x towards +y.
    """
    angle = math.radians(angle_deg)
    along = (np.arange(4096) + 0.5) / 4096 - 0.5
    points = along[:, None] * length_px * np.array([math.cos(angle), math.sin(angle)])
    return _path(Cause.LINE, length_px, points)


def shake(extent_px: float, rng: np.random.Generator, *, dwell: bool = False) -> PointSpread:
    """Return the point spread of a shaking hand: drift and a few harmonics.

    Parameters
    ----------
    extent_px : float
        Largest distance between two points of the path, > 0.
    rng : Generator
        Draws the path.
    dwell : bool
        Let the hand rest at one point for 30 to 70 % of the exposure, so that a crisp ghost
        stands in the blurred picture.
    """
    time = np.linspace(0.0, 1.0, 2048)
    direction = rng.uniform(0, 2 * math.pi)
    points = np.outer(time, [math.cos(direction), math.sin(direction)])
    for harmonic in (1, 2, 3):
        amplitude = rng.normal(0, 0.35 / harmonic, 2)
        phase = rng.uniform(0, 2 * math.pi, 2)
        frequency = harmonic * rng.uniform(0.5, 1.2)
        points += amplitude * np.sin(2 * math.pi * frequency * time[:, None] + phase)
    sample = points[::32]
    distances = np.linalg.norm(sample[:, None] - sample[None], axis=2)
    points *= extent_px / max(float(distances.max()), 1e-9)
    if dwell:
        rest = points[rng.integers(len(points))] + rng.normal(0, 0.15, (2048, 2))
        share = rng.uniform(0.3, 0.7)
        points = np.concatenate([points, rest[: int(2048 * share)].repeat(2, 0)])
    return _path(Cause.DWELL if dwell else Cause.SHAKE, extent_px, points)


def _path(cause: Cause, extent_px: float, points: NDArray[np.float64]) -> PointSpread:
    points = points - points.mean(0)
    half = math.ceil(float(np.abs(points).max()) + 0.5)
    side = (2 * half + 1) * _FINE
    cells = np.floor((points + half + 0.5) * _FINE).astype(int).clip(0, side - 1)
    fine = np.zeros((side, side), np.float32)
    np.add.at(fine, (cells[:, 1], cells[:, 0]), 1.0)
    (xx, xy), (_, yy) = (points.T @ points / len(points)).tolist()
    return PointSpread(cause, extent_px, _coarse(fine), xx, xy, yy)


def _coarse(fine: NDArray[np.float32]) -> NDArray[np.float32]:
    side = len(fine) // _FINE
    coarse = fine.reshape(side, _FINE, side, _FINE).sum((1, 3))
    kernel: NDArray[np.float32] = (coarse / coarse.sum()).astype(np.float32)
    return kernel
