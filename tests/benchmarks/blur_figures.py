"""Figures of the blur benchmark, as functions of the captures drawn, and the table's rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capture.prepare.figures import (
    detection_threshold,
    roc_auc,
    scene_interval,
    share_at_least,
)
from tests.benchmarks.blur_scenes import Flags, Floats

Rows = NDArray[np.int64]
Figure = Callable[[Rows], float]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    ours: str
    floor: str = ""
    goal: str = ""
    beside: str = ""


def interval_of(figure: Figure, scenes: NDArray[np.str_], digits: int, factor: float = 1) -> str:
    """Print a figure and its 95 % interval over scenes."""
    numbers = (figure(np.arange(len(scenes))), *scene_interval(figure, scenes))
    value, low, high = (f"{factor * number:.{digits}f}" for number in numbers)
    return f"{value}{' %' if factor == 100 else ''} ({low} to {high})"


def auc_of(scores: Floats, blurred: Flags, clear: Flags) -> Figure:
    """Area under the ROC curve."""
    return lambda rows: roc_auc(scores[rows][blurred[rows]], scores[rows][clear[rows]])


def refused_of(scores: Floats, blurred: Flags, clear: Flags) -> Figure:
    """Share of `clear` that is refused where 95 % of `blurred` is detected."""
    return lambda rows: share_at_least(
        scores[rows][clear[rows]], detection_threshold(scores[rows][blurred[rows]])
    )


def detected_of(scores: Floats, blurred: Flags, clear: Flags) -> Figure:
    """Share of `blurred` that is detected where 5 % of `clear` is refused."""
    return lambda rows: share_at_least(
        scores[rows][blurred[rows]], float(np.quantile(scores[rows][clear[rows]], 0.95))
    )


def mean_of(values: Floats, chosen: Flags) -> Figure:
    """Mean of the chosen."""
    return lambda rows: float(np.nanmean(values[rows][chosen[rows]]))


def median_of(values: Floats, chosen: Flags) -> Figure:
    """Median of the chosen."""
    return lambda rows: float(np.nanmedian(values[rows][chosen[rows]]))
