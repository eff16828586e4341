"""The contact sheet: how the camera came to rest, and what was said of each shot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.demo.play import Shot
from capture.demo.samples import DemoSamples
from capture.drawing import (
    AMBER,
    BOLD,
    GREEN,
    GREY,
    INK,
    PAPER,
    RED,
    VERDICT_COLORS,
    Box,
    Canvas,
    Color,
)
from capture.gates.stability import Stability, StabilityState

WIDTH_PX = 1600

_MARGIN, _GAP = 40, 24
_COLUMNS = 3
_CARD_WIDTH = (WIDTH_PX - 2 * _MARGIN - (_COLUMNS - 1) * _GAP) // _COLUMNS
_PICTURE_HEIGHT, _CARD_HEIGHT = 310, 590
_THUMBNAIL_COUNT = 8
_PLOT = Box(_MARGIN + 84, 300, WIDTH_PX - 2 * _MARGIN - 84, 190)
_CARDS_TOP = 560

_BACKDROP: Color = (244, 245, 247)
_STATE_COLORS: dict[StabilityState, Color] = {
    StabilityState.UNKNOWN: GREY,
    StabilityState.MOVING: RED,
    StabilityState.SETTLING: AMBER,
    StabilityState.STEADY: AMBER,
    StabilityState.READY: GREEN,
}


def contact_sheet(
    samples: DemoSamples, guidance: Sequence[Stability], shots: Sequence[Shot]
) -> Canvas:
    """Draw everything that was judged, on one page.

    Parameters
    ----------
    samples : DemoSamples
        What was played.
    guidance : sequence of Stability
        What was said of the previews, in order; empty when nothing was.
    shots : sequence of Shot
        The stills, at least one, with their verdicts.
    """
    rows = -(-len(shots) // _COLUMNS)
    height = _CARDS_TOP + rows * (_CARD_HEIGHT + _GAP) + _MARGIN - _GAP
    canvas = Canvas(WIDTH_PX, height, _BACKDROP)
    _draw_heading(canvas, shots)
    if guidance:
        _draw_burst(canvas, samples, guidance)
        _draw_plot(canvas, guidance)
    for index, shot in enumerate(shots):
        column, row = index % _COLUMNS, index // _COLUMNS
        x = _MARGIN + column * (_CARD_WIDTH + _GAP)
        y = _CARDS_TOP + row * (_CARD_HEIGHT + _GAP)
        _draw_card(canvas, Box(x, y, _CARD_WIDTH, _CARD_HEIGHT), shot)
    return canvas


def _draw_heading(canvas: Canvas, shots: Sequence[Shot]) -> None:
    made = shots[0].judged.assessment.provenance
    canvas.text("Is the camera steady? Is the shot usable?", _MARGIN, 66, size=34, weight=BOLD)
    line = (
        f"smart-capture {made.engine_version} judged {len(shots)} shots by the profile "
        f"'{made.profile}'"
    )
    canvas.text(line, _MARGIN, 100, size=18, color=GREY)


def _draw_burst(canvas: Canvas, samples: DemoSamples, guidance: Sequence[Stability]) -> None:
    """Draw previews above the moments of the plot at which they were taken."""
    width = _PLOT.width // _THUMBNAIL_COUNT - 8
    files = {frame.captured_at_ms: frame.file for frame in samples.frames}
    for index in range(_THUMBNAIL_COUNT):
        middle = (index + 0.5) / _THUMBNAIL_COUNT
        said = guidance[int(middle * len(guidance))]
        picture = cv2.imread(str(files[said.captured_at_ms]))
        if picture is None:
            continue
        x = _PLOT.x + round(middle * _PLOT.width - width / 2)
        place = canvas.paste(picture, Box(x, 126, width, 140))
        canvas.frame(place, _STATE_COLORS[said.state], thickness=3)


def _draw_plot(canvas: Canvas, guidance: Sequence[Stability]) -> None:
    canvas.fill(_PLOT, PAPER)
    times = np.array([said.captured_at_ms for said in guidance])
    # A little longer than the burst, so that its last state can be seen.
    start_ms, span_ms = float(times[0]), max(1.06 * float(times[-1] - times[0]), 1.0)
    known = [said for said in guidance if said.predicted_blur_px is not None]
    limit = guidance[-1].max_predicted_blur_px
    top = 1.15 * max([limit, *(said.predicted_blur_px or 0.0 for said in known)])

    def x_of(at_ms: float) -> float:
        return _PLOT.x + (at_ms - start_ms) / span_ms * _PLOT.width

    def y_of(blur_px: float) -> float:
        return _PLOT.y + _PLOT.height * (1 - blur_px / top)

    ends_ms = [*times[1:].tolist(), start_ms + span_ms]
    for said, end_ms in zip(guidance, ends_ms, strict=True):
        left, right = round(x_of(said.captured_at_ms)), round(x_of(end_ms))
        band = Box(left, _PLOT.y, right - left, _PLOT.height)
        if band.width:
            canvas.fill(band, _STATE_COLORS[said.state], opacity=0.16)
    _draw_state_names(canvas, guidance, x_of, start_ms + span_ms)
    limit_line = np.array([[_PLOT.x, y_of(limit)], [_PLOT.x + _PLOT.width, y_of(limit)]])
    canvas.lines(limit_line, GREEN, thickness=2)
    canvas.text(f"limit {limit:.2f} px", _PLOT.x + 8, round(y_of(limit)) - 8, color=GREEN)
    curve = [(x_of(said.captured_at_ms), y_of(said.predicted_blur_px or 0.0)) for said in known]
    if curve:
        canvas.lines(np.array(curve), INK, thickness=3)
    canvas.paragraph("predicted blur, px", _MARGIN, _PLOT.y + 24, 76, color=GREY)
    for second in np.arange(0.0, span_ms / 1000 + 1e-9, 0.5):
        x = round(x_of(start_ms + 1000 * second))
        canvas.text(f"{second:.1f} s", x, _PLOT.y + _PLOT.height + 22, color=GREY)


def _draw_state_names(
    canvas: Canvas, guidance: Sequence[Stability], x_of: Callable[[float], float], end_ms: float
) -> None:
    """Write each state where it begins, if it lasts long enough for its name."""
    starts = [
        index
        for index, said in enumerate(guidance)
        if index == 0 or said.state is not guidance[index - 1].state
    ]
    ends_ms = [*(guidance[index].captured_at_ms for index in starts[1:]), end_ms]
    for index, until_ms in zip(starts, ends_ms, strict=True):
        said = guidance[index]
        x = round(x_of(said.captured_at_ms)) + 8
        if x + canvas.width_of(said.state, 16, BOLD) < x_of(until_ms):
            color = _STATE_COLORS[said.state]
            canvas.text(said.state, x, _PLOT.y + 24, color=color, weight=BOLD)


def _draw_card(canvas: Canvas, box: Box, shot: Shot) -> None:
    assessment = shot.judged.assessment
    color = VERDICT_COLORS[assessment.verdict]
    canvas.fill(box, PAPER)
    canvas.fill(Box(box.x, box.y, box.width, _PICTURE_HEIGHT), INK)
    canvas.paste(_picture(shot), Box(box.x, box.y, box.width, _PICTURE_HEIGHT))
    ribbon = Box(box.x, box.y + _PICTURE_HEIGHT, box.width, 46)
    canvas.fill(ribbon, color)
    verdict = assessment.verdict.value.replace("_", " ")
    canvas.text(verdict, box.x + 16, ribbon.y + 32, size=24, color=PAPER, weight=BOLD)
    name = shot.expected.file.name
    right = box.x + box.width - 16 - canvas.width_of(name, 18)
    canvas.text(name, right, ribbon.y + 30, size=18, color=PAPER)
    _draw_words(canvas, box, shot, ribbon.y + ribbon.height + 32)
    canvas.frame(box, color)


def _draw_words(canvas: Canvas, box: Box, shot: Shot, y: int) -> None:
    assessment = shot.judged.assessment
    x, width = box.x + 16, box.width - 32
    for number, reason in enumerate(assessment.reasons):
        if y > box.y + box.height - 40:
            rest = len(assessment.reasons) - number
            canvas.text(f"and {rest} more", x, y, color=GREY)
            break
        sense = "below" if reason.value < reason.limit else "above"
        numbers = f"{reason.value:.2f}, {sense} {reason.limit:.2f}"
        canvas.text(reason.code.value, x, y, size=17, weight=BOLD)
        canvas.text(numbers, x + width - canvas.width_of(numbers, 16), y, color=GREY)
        y = canvas.paragraph(reason.hint, x, y + 22, width, size=16) + 8
    prediction = assessment.prediction
    if prediction is None:
        return
    for label in prediction.labels[:4]:
        share = f"{100 * label.probability:.1f} %"
        canvas.text(
            label.label, x, y, size=17, weight=BOLD if label is prediction.labels[0] else 400
        )
        canvas.text(share, x + width - canvas.width_of(share, 17), y, size=17)
        y += 26
    canvas.paragraph(
        f"{prediction.model}, {prediction.tier}: {prediction.tier_reason}",
        x, y + 6, width, size=15, color=GREY,
    )  # fmt: skip


def _picture(shot: Shot) -> NDArray[Any]:
    picture = cv2.imread(str(shot.expected.file))
    return np.zeros((9, 16, 3), np.uint8) if picture is None else picture
