"""How fast the picture will move while the shutter is open, by the gyroscope."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from capture.measure.gyro import GyroTrack, image_velocities
from capture.measure.prediction import GYRO_ORDER, expected_squares

_SHARE_BEFORE = 0.15
_BIN_MS = 5.0
_HISTORY_MS = 300.0
_MAX_AHEAD_COUNT = 40
_SHORTEST_EXPOSURE_MS = 1e-3


@dataclass(frozen=True, slots=True)
class Optics:
    """What turns angles into widths.

    Attributes
    ----------
    focal_widths : float
        Focal length in widths of the picture; 0 means unknown: the gyroscope is not used.
    rolling_shutter_ms : float
        First row to last. The middle row stands for the frame: half of this after its time.
    aspect : float
        Height of the picture in widths.
    """

    focal_widths: float
    rolling_shutter_ms: float
    aspect: float

    @property
    def roll_radius(self) -> float:
        """Root mean square distance of the pixels from the centre, in widths."""
        return math.sqrt((1 + self.aspect**2) / 12)


def predict_by_gyro(
    gyro: GyroTrack,
    span: tuple[float, float],
    at_ms: float,
    exposure_time_s: float,
    optics: Optics,
) -> float:
    """Predict the root mean square speed while the shutter is open around a frame's time.

    Parameters
    ----------
    gyro : GyroTrack
        What the gyroscope said.
    span : tuple of float
        Since when and until when it said so without a hole, of `GyroTrack.span_at`.
    at_ms : float
        Time of the frame at which the shutter is released.
    exposure_time_s : float
        For how long it is open.
    optics : Optics
        What turns angles into widths.

    Returns
    -------
    float
        In widths per second, >= 0.

    Notes
    -----
    A seventh of the exposure is taken to lie before the frame's time: cameras stamp a frame
    at its start, its middle or its end. What lies beyond the samples is foretold.
    """
    since_ms, until_ms = span
    exposure_ms = max(1000 * exposure_time_s, _SHORTEST_EXPOSURE_MS)
    # From here on times count from the end of the samples.
    opens_ms = (at_ms - until_ms) - _SHARE_BEFORE * exposure_ms
    closes_ms = opens_ms + exposure_ms
    bin_count = max(1, int(min(until_ms - since_ms, _HISTORY_MS) / _BIN_MS))
    edges = until_ms - _BIN_MS * np.arange(bin_count, -1.0, -1.0)
    past = image_velocities(gyro.mean_rates(edges), optics.focal_widths, optics.roll_radius)
    # Nobody foretells far; of a long exposure the rest goes on like the last bin.
    ahead_count = min(max(1, math.ceil(closes_ms / _BIN_MS)), _MAX_AHEAD_COUNT)
    ahead_edges = _BIN_MS * np.arange(ahead_count + 1.0)
    ahead_edges[-1] = max(ahead_edges[-1], closes_ms)
    lengths = np.diff(np.clip(ahead_edges, opens_ms, closes_ms))
    total = float(expected_squares(past, GYRO_ORDER, ahead_count) @ lengths)
    if opens_ms < -_SHORTEST_EXPOSURE_MS:
        rate = gyro.mean_rates(np.array([until_ms + opens_ms, until_ms]))[0]
        seen = image_velocities(rate, optics.focal_widths, optics.roll_radius)
        total -= float(seen @ seen) * opens_ms
    return math.sqrt(total / exposure_ms)
