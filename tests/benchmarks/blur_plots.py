"""Four pictures of the blur measure: ROC, reliability, size, and detection against size."""

from __future__ import annotations

import numpy as np

from capture.drawing import AMBER, BLUE, GREEN, GREY, RED, Box, Canvas, Color
from tests.benchmarks.blur_scenes import Floats, Judged

_PANEL_PX = 420
_GAP_PX = 90
_MAX_SIGMA_PX = 4.5
_SIZES_PX = (1, 2, 3, 5, 8, 10, 20, 40, 60)


def plot(judged: Judged) -> Canvas:
    """Draw the four panels on one page."""
    side = 2 * _PANEL_PX + 3 * _GAP_PX
    canvas = Canvas(side, side)
    near, far = _GAP_PX, 2 * _GAP_PX + _PANEL_PX
    _roc(canvas, _panel(canvas, near, near, "ROC: blurred against sharp", "false rejects"), judged)
    _reliability(
        canvas, _panel(canvas, far, near, "Reliability", "stated probability of blur"), judged
    )
    _size(canvas, _panel(canvas, near, far, "blur_px, estimated", "true blur, px"), judged)
    _detection(
        canvas, _panel(canvas, far, far, "Detected at 5 % false rejects", "extent, px"), judged
    )
    return canvas


def _panel(canvas: Canvas, x: int, y: int, title: str, below: str) -> Box:
    box = Box(x, y, _PANEL_PX, _PANEL_PX)
    canvas.frame(box, GREY)
    canvas.text(title, x, y - 14, size=18, weight=700)
    canvas.text(below, x + 120, y + _PANEL_PX + 44, size=14)
    return box


def _to_pixels(box: Box, x: Floats, y: Floats) -> Floats:
    """Turn shares in [0, 1], y upwards, into pixels."""
    return np.stack([box.x + box.width * x, box.y + box.height * (1 - y)], 1)


def _ticks(canvas: Canvas, box: Box, at: Floats, labels: list[str]) -> None:
    for share, label in zip(at.tolist(), labels, strict=True):
        x = round(box.x + box.width * share)
        canvas.text(label, x - 8, box.y + box.height + 20, size=13)


def _shares(canvas: Canvas, box: Box, across: bool = True) -> None:
    for share in (0.0, 0.5, 1.0):
        y = round(box.y + box.height * (1 - share))
        canvas.text(f"{share:.1f}", box.x - 30, y + 5, size=13)
    if across:
        _ticks(canvas, box, np.array([0, 0.5, 1.0]), ["0.0", "0.5", "1.0"])


def _roc(canvas: Canvas, box: Box, judged: Judged) -> None:
    _shares(canvas, box)
    clear = judged.sharp | judged.bokeh
    methods: tuple[tuple[str, Floats, Color], ...] = (
        ("Smart Capture", judged.score, BLUE),
        ("variance of Laplacian", judged.laplacian, RED),
        ("blur_effect", judged.blur_effect, AMBER),
    )
    for row, (name, scores, color) in enumerate(methods):
        thresholds = np.sort(scores)[::-1]
        found = np.searchsorted(np.sort(scores[judged.pooled]), thresholds, side="left")
        false = np.searchsorted(np.sort(scores[clear]), thresholds, side="left")
        x = 1 - false / max(int(clear.sum()), 1)
        y = 1 - found / max(int(judged.pooled.sum()), 1)
        canvas.lines(_to_pixels(box, x, y), color, 2)
        canvas.text(name, box.x + 200, box.y + 320 + 24 * row, size=15, color=color)


def _reliability(canvas: Canvas, box: Box, judged: Judged) -> None:
    _shares(canvas, box)
    known = judged.pooled | judged.sharp | judged.bokeh
    score, blurred = judged.score[known], judged.pooled[known]
    canvas.lines(_to_pixels(box, np.array([0.0, 1]), np.array([0.0, 1])), GREY)
    bins = np.minimum((score * 10).astype(int), 9)
    used = np.unique(bins)
    stated = np.array([score[bins == index].mean() for index in used])
    right = np.array([blurred[bins == index].mean() for index in used])
    points = _to_pixels(box, stated, right)
    canvas.lines(points, BLUE, 2)
    for (x, y), index in zip(points.tolist(), used.tolist(), strict=True):
        canvas.fill(Box(round(x) - 4, round(y) - 4, 8, 8), BLUE)
        canvas.text(str(int((bins == index).sum())), round(x) + 8, round(y) - 6, size=12)


def _size(canvas: Canvas, box: Box, judged: Judged) -> None:
    labels = ["0", "1", "2", "3", "4"]
    at = np.arange(5) / _MAX_SIGMA_PX
    _ticks(canvas, box, at, labels)
    for share, label in zip(at.tolist(), labels, strict=True):
        canvas.text(label, box.x - 18, round(box.y + box.height * (1 - share)) + 5, size=13)
    canvas.lines(_to_pixels(box, np.array([0.0, 1]), np.array([0.0, 1])), GREY)
    for causes, color in ((("disk",), BLUE), (("line", "shake"), RED), (("none",), GREEN)):
        chosen = judged.caused(*causes) & (judged.truth["sigma_px"] <= _MAX_SIGMA_PX)
        chosen &= ~np.isnan(judged.sigma_px)
        x = judged.truth["sigma_px"][chosen] / _MAX_SIGMA_PX
        y = np.clip(judged.sigma_px[chosen] / _MAX_SIGMA_PX, 0, 1)
        for px, py in _to_pixels(box, x, y).tolist():
            canvas.fill(Box(round(px) - 2, round(py) - 2, 4, 4), color, 0.5)
    canvas.text("defocus", box.x + 16, box.y + 28, size=15, color=BLUE)
    canvas.text("motion", box.x + 16, box.y + 50, size=15, color=RED)


def _detection(canvas: Canvas, box: Box, judged: Judged) -> None:
    _shares(canvas, box, across=False)
    places = np.log(np.array(_SIZES_PX, float)) / np.log(_SIZES_PX[-1])
    _ticks(canvas, box, places, [str(size) for size in _SIZES_PX])
    threshold = float(np.quantile(judged.score[judged.sharp | judged.bokeh], 0.95))
    causes: tuple[tuple[str, str, Color], ...] = (
        ("disk", "defocus, by radius", BLUE),
        ("line", "straight motion", RED),
        ("shake", "shake", AMBER),
        ("dwell", "shake that dwells", GREEN),
    )
    for row, (cause, name, color) in enumerate(causes):
        x, y = [], []
        for size, place in zip(_SIZES_PX, places.tolist(), strict=True):
            chosen = judged.caused(cause, low=size - 0.01, high=size + 0.01)
            if chosen.any():
                x.append(place)
                y.append(float((judged.score[chosen] >= threshold).mean()))
        canvas.lines(_to_pixels(box, np.array(x), np.array(y)), color, 2)
        canvas.text(name, box.x + 200, box.y + 320 + 24 * row, size=15, color=color)
