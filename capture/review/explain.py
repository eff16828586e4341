"""Why one picture got its verdict, drawn on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.drawing import (
    AMBER,
    BOLD,
    GREY,
    INK,
    RED,
    VERDICT_COLORS,
    Box,
    Canvas,
    Color,
)
from capture.measure.exposure import HIGHLIGHT_LEVEL, SHADOW_LEVEL
from capture.measure.luma import REFERENCE_LONG_EDGE_PX

if TYPE_CHECKING:
    from capture.assessment import Assessment
    from capture.images import DecodedImage
    from capture.measure.measures import Blur, Exposure

WIDTH, HEIGHT, MARGIN = 1280, 860, 24
PICTURE = Box(MARGIN, 72, 820, 640)
COLUMN_X = PICTURE.x + PICTURE.width + MARGIN
COLUMN_WIDTH = WIDTH - COLUMN_X - MARGIN
HISTOGRAM = Box(MARGIN, HEIGHT - 116, PICTURE.width, 92)
TILE_REMARK = (
    "In the tiles: blur of each, judged alone, in px. The picture is judged by all of them "
    "together."
)
SOFT_PX = 3.0  # tiles at this blur, in pixels at the reference scale, are drawn fully red


def draw_explanation(name: str, decoded: DecodedImage, assessment: Assessment) -> Canvas:
    """Draw the picture with its tile map, its histogram, and the reasons in words.

    Parameters
    ----------
    name : str
        What to call the picture.
    decoded : DecodedImage
        Its pixels.
    assessment : Assessment
        Made with ``explain=True``, so that the tiles are there.

    Returns
    -------
    Canvas
        A page of 1280 x 860 pixels.
    """
    page = Canvas(WIDTH, HEIGHT)
    verdict = assessment.verdict.value
    page.text(verdict, MARGIN, 48, size=32, color=VERDICT_COLORS[verdict], weight=BOLD)
    page.text(name, MARGIN + 20 + page.width_of(verdict, 32, BOLD), 48, size=20, color=GREY)
    where = page.paste(decoded.upright_color(short_edge_px=640), PICTURE)
    _draw_tiles(page, where, assessment)
    _draw_histogram(page, decoded.luma, assessment.measures.exposure)
    y = _write_reasons(page, assessment)
    y = _write_measures(page, y + 12, assessment)
    if assessment.measures.blur.tiles:
        page.paragraph(TILE_REMARK, COLUMN_X, y + 12, COLUMN_WIDTH, size=15, color=GREY)
    return page


def _draw_tiles(page: Canvas, where: Box, assessment: Assessment) -> None:
    measures = assessment.measures
    scale = where.width / measures.width_px
    to_reference = REFERENCE_LONG_EDGE_PX / max(measures.width_px, measures.height_px)
    for tile in measures.blur.tiles:
        box = Box(
            where.x + round(tile.x_px * scale),
            where.y + round(tile.y_px * scale),
            max(1, round(tile.width_px * scale)),
            max(1, round(tile.height_px * scale)),
        )
        if tile.blur_px is None:
            page.frame(box, GREY)
            continue
        color = _heat(tile.blur_px * to_reference / SOFT_PX)
        page.fill(box, color, opacity=0.25)
        page.frame(box, color, thickness=2)
        if box.width > 40:
            page.text(f"{tile.blur_px:.1f}", box.x + 5, box.y + 18, size=14, color=(255, 255, 255))


def _heat(fraction: float) -> Color:
    """Blend from green (sharp) over amber to red (soft)."""
    fraction = min(max(fraction, 0.0), 1.0)
    low, high = ((26, 160, 70), AMBER) if fraction < 0.5 else (AMBER, RED)
    weight = 2 * fraction if fraction < 0.5 else 2 * fraction - 1
    red, green, blue = (
        round((1 - weight) * a + weight * b) for a, b in zip(low, high, strict=True)
    )
    return red, green, blue


def _draw_histogram(page: Canvas, luma: NDArray[np.uint8], exposure: Exposure) -> None:
    counts = cv2.calcHist([luma], [0], None, [256], [0, 256]).ravel()
    heights = np.sqrt(counts / max(float(counts[1:-1].max(initial=1.0)), 1.0)).clip(0, 1)
    box, step = HISTOGRAM, HISTOGRAM.width / 256
    for level, height in enumerate(heights):
        tall = round(float(height) * box.height)
        color = RED if level <= SHADOW_LEVEL or level >= HIGHLIGHT_LEVEL else INK
        bar = Box(box.x + int(level * step), box.y + box.height - tall, int(step) + 1, tall)
        if tall:
            page.fill(bar, color)
    page.text(
        f"clipped black {100 * exposure.clipped_shadow_fraction:.1f} %",
        box.x,
        box.y - 8,
        size=14,
        color=RED,
    )
    white = f"clipped white {100 * exposure.clipped_highlight_fraction:.1f} %"
    right = box.x + box.width - page.width_of(white, 14)
    page.text(white, right, box.y - 8, size=14, color=RED)


def _write_reasons(page: Canvas, assessment: Assessment) -> int:
    y = PICTURE.y + 16
    if not assessment.reasons:
        return page.paragraph("nothing speaks against it", COLUMN_X, y, COLUMN_WIDTH, size=18)
    for reason in assessment.reasons:
        page.text(reason.code.value, COLUMN_X, y, size=18, weight=BOLD)
        facts = f"{reason.measure} {reason.value:.3g}, limit {reason.limit:.3g}"
        y = page.paragraph(facts, COLUMN_X, y + 24, COLUMN_WIDTH, size=15, color=GREY)
        y = page.paragraph(reason.hint, COLUMN_X, y, COLUMN_WIDTH, size=16) + 12
    return y


def _write_measures(page: Canvas, y: int, assessment: Assessment) -> int:
    measures = assessment.measures
    exposure = measures.exposure
    rows = [
        ("size", f"{measures.width_px} x {measures.height_px} px"),
        *_blur_rows(measures.blur),
        ("exposure", _number(exposure.offset_ev, "+.1f", "EV")),
        ("dynamic range", f"{exposure.dynamic_range_stops:.1f} stops"),
        ("noise", _number(measures.noise_sigma, ".1f", "levels")),
    ]
    if assessment.prediction is not None:
        rows += [
            (label.label, f"{label.probability:.2f}") for label in assessment.prediction.labels[:3]
        ]
    for name, value in rows:
        page.text(name, COLUMN_X, y, size=15, color=GREY)
        page.text(value, COLUMN_X + 170, y, size=15)
        y += 22
    return y


def _blur_rows(blur: Blur) -> list[tuple[str, str]]:
    if blur.missing is not None:
        return [("blur", f"cannot tell: {blur.missing.value.lower().replace('_', ' ')}")]
    rows = [
        ("blur", _number(blur.blur_px, ".1f", "px")),
        ("probability", _number(blur.probability, ".2f", "")),
        ("likelier kind", blur.kind.value if blur.kind else ""),
    ]
    if blur.motion_extent_px:
        angle_deg = blur.motion_angle_deg
        direction = "in no one direction" if angle_deg is None else f"at {angle_deg:.0f} deg"
        rows.append(("movement", f"{blur.motion_extent_px:.0f} px {direction}"))
    return rows


def _number(value: float | None, form: str, unit: str) -> str:
    return "unknown" if value is None else f"{value:{form}} {unit}".strip()
