"""Drawings of the report as inline SVG: no script, no library, sharp at any size."""

from __future__ import annotations

from html import escape

import numpy as np

from capture.review.axes import Bound, Limit
from capture.review.findings import BIN_COUNT, Distribution

WIDTH, HEIGHT = 720, 150
TOP, BASE = 26, 122
CLASSES = ("accept", "other", "beyond")
CLASS_WORDS = ("accepted", "refused for another reason", "beyond this limit")


def histogram(distribution: Distribution) -> str:
    """Draw a measure's distribution with its limits.

    The height of a bar is the square root of its count, so that a few pictures stay
    visible beside many; its colours share the height as the counts do.
    """
    axis = distribution.axis
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(_in_words(distribution))}">'
        + _refused_sides(distribution)
        + _bars(distribution)
        + f'<line class="axis" x1="0" y1="{BASE}" x2="{WIDTH}" y2="{BASE}"/>'
        + "".join(_tick(distribution, tick) for tick in axis.ticks)
        + "".join(_limit(distribution, limit) for limit in distribution.limits)
        + "</svg>"
    )


def _in_words(distribution: Distribution) -> str:
    counts = distribution.bins.sum(axis=1)
    parts = [f"{count:,} {words}" for count, words in zip(counts, CLASS_WORDS, strict=True)]
    return f"{distribution.axis.title}: {', '.join(parts)}"


def _x(distribution: Distribution, value: float) -> float:
    return float(distribution.axis.position(np.array([value]))[0]) * WIDTH


def _refused_sides(distribution: Distribution) -> str:
    shades = []
    for limit in distribution.limits:
        x = _x(distribution, limit.value)
        left, width = (x, WIDTH - x) if limit.bound is Bound.AT_MOST else (0.0, x)
        shades.append(
            f'<rect class="refused" x="{left:.1f}" y="{TOP}" width="{width:.1f}" '
            f'height="{BASE - TOP}"/>'
        )
    return "".join(shades)


def _bars(distribution: Distribution) -> str:
    heights = np.sqrt(distribution.bins.sum(axis=0))
    tallest = heights.max() or 1.0
    step = WIDTH / BIN_COUNT
    bars = []
    for index in np.flatnonzero(heights):
        counts = distribution.bins[:, index]
        height = max(2.0, (BASE - TOP) * heights[index] / tallest)
        title = ", ".join(
            f"{count:,} {words}" for count, words in zip(counts, CLASS_WORDS, strict=True) if count
        )
        y = float(BASE)
        parts = []
        for name, count in zip(CLASSES, counts, strict=True):
            part = height * count / counts.sum()
            y -= part
            if count:
                parts.append(
                    f'<rect class="{name}" x="{index * step:.1f}" y="{y:.1f}" '
                    f'width="{step - 1:.1f}" height="{part:.1f}"/>'
                )
        bars.append(f"<g><title>{title}</title>{''.join(parts)}</g>")
    return "".join(bars)


def _tick(distribution: Distribution, value: float) -> str:
    axis = distribution.axis
    x = _x(distribution, value)
    anchor = "start" if x < 1 else "end" if x > WIDTH - 1 else "middle"
    words = f"{100 * value:.3g}" if axis.unit == "%" else f"{value:g}"
    if value == axis.ticks[-1]:
        words = f"{words} {axis.unit}".rstrip()
    return (
        f'<line class="axis" x1="{x:.1f}" y1="{BASE}" x2="{x:.1f}" y2="{BASE + 4}"/>'
        f'<text class="tick" x="{x:.1f}" y="{BASE + 18}" text-anchor="{anchor}">{words}</text>'
    )


def _limit(distribution: Distribution, limit: Limit) -> str:
    x = _x(distribution, limit.value)
    toward_left = x > WIDTH / 2
    anchor, offset = ("end", -6) if toward_left else ("start", 6)
    words = f"{limit.bound.value} {distribution.axis.words(limit.value)}"
    return (
        f'<line class="limit" x1="{x:.1f}" y1="8" x2="{x:.1f}" y2="{BASE}"/>'
        f'<text class="limit-words" x="{x + offset:.1f}" y="17" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )
