"""The picture of ``make bench-serve``: goodput against offered load, for every server."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from capture.drawing import AMBER, BLUE, BOLD, GREEN, GREY, RED, Box, Canvas, Color
from tests.benchmarks.serve.bench import DEADLINE_S
from tests.benchmarks.serve.contest import FACTORS, Standing

_COLORS: tuple[Color, ...] = (BLUE, RED, GREEN, AMBER)
_WIDTH_PX, _HEIGHT_PX = 960, 600
_BOX = Box(80, 80, 560, 430)
_TOP_SHARE = 1.1


def plot(standings: Sequence[Standing]) -> Canvas:
    """Draw a line for each server that was measured, and one for the bare loop."""
    canvas = Canvas(_WIDTH_PX, _HEIGHT_PX)
    canvas.text("Answered in time against offered load", _BOX.x, 36, size=20, weight=BOLD)
    below = f"answers within {1e3 * DEADLINE_S:.0f} ms, in capacities of the bare loop"
    canvas.text(below, _BOX.x, 62, size=15)
    canvas.text(
        "offered load, in capacities of the bare loop", _BOX.x + 130, _HEIGHT_PX - 40, size=15
    )
    _axes(canvas)
    ideal = [(factor, min(factor, 1.0)) for factor in sorted({*FACTORS, 1.0})]
    _draw(canvas, ideal, GREY, "bare loop", 0)
    for row, standing in enumerate(standings):
        measured = [
            (factor, seen["rate"] / bare.rate)
            for factor, (seen, bare) in sorted(standing.goodput.items())
        ]
        name = standing.title if measured else f"{standing.title}: not measured"
        _draw(canvas, measured, _COLORS[row % len(_COLORS)], name, row + 1)
    return canvas


def _axes(canvas: Canvas) -> None:
    canvas.frame(_BOX, GREY)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        _, y = _place(FACTORS[0], share)
        canvas.text(f"{share:.2f}", _BOX.x - 44, round(y) + 5, size=14)
        canvas.fill(Box(_BOX.x, round(y), _BOX.width, 1), GREY, 0.25)
    for factor in FACTORS:
        x, _ = _place(factor, 0.0)
        canvas.text(f"{factor:g}x", round(x) - 10, _BOX.y + _BOX.height + 22, size=14)


def _draw(
    canvas: Canvas, points: Iterable[tuple[float, float]], color: Color, name: str, row: int
) -> None:
    places = [_place(*point) for point in points]
    if places:
        canvas.lines(np.array(places), color, 2)
    for x, y in places:
        canvas.fill(Box(round(x) - 4, round(y) - 4, 8, 8), color)
    left, y_px = _BOX.x + _BOX.width + 24, _BOX.y + 30 + 34 * row
    canvas.fill(Box(left, y_px - 9, 18, 4), color)
    canvas.text(name, left + 28, y_px, size=15, color=color)


def _place(factor: float, share: float) -> tuple[float, float]:
    """Return the pixel of a point; offered load on a logarithmic scale."""
    across = math.log(factor / FACTORS[0]) / math.log(FACTORS[-1] / FACTORS[0])
    margin = 24
    x = _BOX.x + margin + (_BOX.width - 2 * margin) * across
    y = _BOX.y + _BOX.height * (1 - min(share, _TOP_SHARE) / _TOP_SHARE)
    return x, y
