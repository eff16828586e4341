"""Figures by which a blur measure is judged, with intervals over scenes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def roc_auc(blurred: Floats, sharp: Floats) -> float:
    """Return the chance that a blurred picture scores above a sharp one; ties count half.

    Returns
    -------
    float
        In [0, 1]; 0.5 says nothing; NaN where a side is empty.
    """
    if len(blurred) == 0 or len(sharp) == 0:
        return float("nan")
    ordered = np.sort(sharp)
    below = np.searchsorted(ordered, blurred, side="left")
    up_to = np.searchsorted(ordered, blurred, side="right")
    return float((below + up_to).mean() / (2 * len(ordered)))


def detection_threshold(blurred: Floats, detection: float = 0.95) -> float:
    """Return the score that a share `detection` of the blurred pictures reaches."""
    return float(np.quantile(blurred, 1 - detection, method="lower"))


def share_at_least(scores: Floats, threshold: float) -> float:
    """Return the share of scores that reach a threshold; NaN for none."""
    return float((scores >= threshold).mean()) if len(scores) else float("nan")


def calibration_error(probability: Floats, blurred: Flags, bin_count: int = 10) -> float:
    """Return the expected calibration error over equal bins of probability.

    References
    ----------
    Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015.
    """
    bins = np.minimum((probability * bin_count).astype(int), bin_count - 1)
    error = 0.0
    for index in np.unique(bins):
        inside = bins == index
        error += inside.mean() * abs(probability[inside].mean() - blurred[inside].mean())
    return float(error)


def angle_error_deg(estimated_deg: Floats, true_deg: Floats) -> Floats:
    """Return the distance of two directions in [0, 90], where 180 degrees are a full turn."""
    difference = np.abs(estimated_deg - true_deg) % 180
    return np.asarray(np.minimum(difference, 180 - difference), np.float64)


def rank_correlation(estimated: Floats, true: Floats) -> float:
    """Return Spearman's correlation; NaN below three values or for NaN, 0 for a constant."""
    if len(true) < 3 or np.isnan(estimated).any():
        return float("nan")
    if np.ptp(estimated) == 0 or np.ptp(true) == 0:
        return 0.0
    return float(np.corrcoef(_average_ranks(estimated), _average_ranks(true))[0, 1])


def _average_ranks(values: Floats) -> Floats:
    ordered = np.sort(values)
    low = np.searchsorted(ordered, values, side="left")
    high = np.searchsorted(ordered, values, side="right")
    return np.asarray((low + high) / 2, np.float64)


def scene_interval(
    figure: Callable[[NDArray[np.int64]], float],
    scenes: NDArray[np.str_],
    *,
    seed: int = 0,
    draw_count: int = 300,
) -> tuple[float, float]:
    """Return the 95 % interval of a figure by drawing whole scenes with replacement.

    Parameters
    ----------
    figure : callable
        From row numbers to a number.
    scenes : (n,) str
        Scene of each row: rows of one scene are not independent.
    seed : int
        Of the draws.
    draw_count : int
        Draws.
    """
    rng = np.random.default_rng(seed)
    names, codes = np.unique(scenes, return_inverse=True)
    rows = [np.flatnonzero(codes == index) for index in range(len(names))]
    values = []
    for _ in range(draw_count):
        drawn = rng.integers(len(names), size=len(names))
        values.append(figure(np.concatenate([rows[index] for index in drawn])))
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)
