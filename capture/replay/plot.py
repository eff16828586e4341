"""One plot of a replay: speed, predicted blur and state over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from capture.drawing import AMBER, BLUE, BOLD, GREEN, GREY, INK, RED, Box, Canvas, Color
from capture.gates.stability import Stability, StabilityState

STATE_COLORS: dict[StabilityState, Color] = {
    StabilityState.UNKNOWN: (176, 176, 176),
    StabilityState.MOVING: RED,
    StabilityState.SETTLING: AMBER,
    StabilityState.STEADY: BLUE,
    StabilityState.READY: GREEN,
}

_WIDTH, _HEIGHT = 1280, 800
_SPEED = Box(90, 60, 1160, 270)
_BLUR = Box(90, 380, 1160, 270)
_STATE = Box(90, 700, 1160, 30)
_LEGEND_Y = 782
_TICK_COUNT = 4
_CEILING_OF_LIMITS = 6.0


def draw_replay(title: str, said: Sequence[Stability]) -> Canvas:
    """Draw what was said of a recording.

    Parameters
    ----------
    title : str
        Stands above.
    said : sequence of Stability
        In the order of the frames.

    Returns
    -------
    Canvas
        1280 x 800 pixels. Blur is cut at six times the limit, so that the limit is seen.
    """
    canvas = Canvas(_WIDTH, _HEIGHT)
    canvas.text(title, _SPEED.x, 34, size=20, weight=BOLD)
    if not said:
        canvas.text("no frame could be read", _SPEED.x, 100, color=GREY)
        return canvas
    times_s = np.array([s.captured_at_ms for s in said]) / 1000
    start_s = float(times_s.min())
    span_s = max(float(times_s.max()) - start_s, 1e-3)
    x = _SPEED.x + (times_s - start_s) / span_s * _SPEED.width
    speeds = _numbers([s.speed_px_s for s in said])
    blurs = _numbers([s.predicted_blur_px for s in said])
    limit_px = said[-1].max_predicted_blur_px
    _curve(canvas, _SPEED, "speed, px/s of the still", x, speeds, _ceiling(speeds))
    top = min(_ceiling(blurs), _CEILING_OF_LIMITS * limit_px)
    _curve(canvas, _BLUR, "predicted blur, px of the still", x, blurs, max(top, 1.5 * limit_px))
    y = _BLUR.y + _BLUR.height * (1 - limit_px / max(top, 1.5 * limit_px))
    canvas.lines(np.array([(_BLUR.x, y), (_BLUR.x + _BLUR.width, y)]), RED)
    canvas.text(f"limit {limit_px:.1f}", _BLUR.x + _BLUR.width - 80, int(y) - 6, size=14, color=RED)
    _states(canvas, x, said)
    _time_axis(canvas, start_s, span_s)
    return canvas


def _numbers(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], float)


def _ceiling(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return 1.1 * float(known.max()) if len(known) and known.max() > 0 else 1.0


def _curve(
    canvas: Canvas,
    box: Box,
    title: str,
    x: NDArray[np.float64],
    values: NDArray[np.float64],
    top: float,
) -> None:
    canvas.text(title, box.x, box.y - 8, size=15, color=INK)
    for tick in range(_TICK_COUNT + 1):
        y = box.y + box.height * (1 - tick / _TICK_COUNT)
        canvas.lines(np.array([(box.x, y), (box.x + box.width, y)]), (228, 228, 228))
        label = f"{top * tick / _TICK_COUNT:.3g}"
        canvas.text(label, box.x - 12 - canvas.width_of(label, 13), int(y) + 5, size=13, color=GREY)
    heights = box.y + box.height * (1 - np.minimum(values, top) / top)
    # A gap in what is known is a gap in the line.
    for run in np.split(np.arange(len(values)), np.flatnonzero(~np.isfinite(values))):
        known = run[np.isfinite(values[run])]
        if len(known):
            canvas.lines(np.stack([x[known], heights[known]], axis=1), BLUE, 2)


def _states(canvas: Canvas, x: NDArray[np.float64], said: Sequence[Stability]) -> None:
    ends = np.append(x[1:], _STATE.x + _STATE.width)
    for stability, left, right in zip(said, x, ends, strict=True):
        box = Box(int(left), _STATE.y, max(1, int(right) - int(left)), _STATE.height)
        canvas.fill(box, STATE_COLORS[stability.state])
    left = _STATE.x
    for state, color in STATE_COLORS.items():
        canvas.fill(Box(left, _LEGEND_Y - 13, 16, 16), color)
        canvas.text(state.value, left + 24, _LEGEND_Y, size=14)
        left += 140


def _time_axis(canvas: Canvas, start_s: float, span_s: float) -> None:
    for tick in range(9):
        x = _STATE.x + _STATE.width * tick // 8
        label = f"{start_s + span_s * tick / 8:.1f} s"
        canvas.text(label, x - canvas.width_of(label, 13) // 2, 750, size=13, color=GREY)
