"""How fast the picture will move: autoregression over the speeds that were.

A hand trembles at 8 to 12 Hz over slower drift. Such a movement can be foretold for a few
hundredths of a second from evenly spaced velocities, and with it how far the foretelling is
usually out. Both belong to the speed that is to be expected.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

RECENT_COUNT = 5
"""Frames that speak for the present. Tremor of 8 to 12 Hz aliases in fewer."""

FRAME_ORDER = 4
GYRO_ORDER = 8
_RIDGE = 0.005


def predict_speed(velocities: NDArray[np.float64], recent_count: int = RECENT_COUNT) -> float:
    """Predict the speed during the next frame's interval.

    Parameters
    ----------
    velocities : (n, k) float64
        Mean velocity in each frame's interval, newest last, in any unit; n >= 1.
    recent_count : int
        How many of them speak for the present.

    Returns
    -------
    float
        Speed in the same unit, >= 0: the root mean square of the recent speeds, of the last
        one and, with twice the weight, of the one that is to be expected.

    Notes
    -----
    Tremor lies near a third of the frame rate, so that the last speed alone may be a zero
    crossing. Even the true past motion at 30 frames a second foretells a still only with an
    AUC of about 0.96 at 1/60 s.
    """
    squares = np.square(velocities).sum(axis=1)
    recent, last = float(squares[-recent_count:].mean()), float(squares[-1])
    expected = float(expected_squares(velocities, FRAME_ORDER, 1)[0])
    return math.sqrt((2 * expected + recent + last) / 4)


def expected_squares(
    velocities: NDArray[np.float64], order: int, ahead_count: int
) -> NDArray[np.float64]:
    """Foretell the squared speeds of the next intervals by autoregression.

    Parameters
    ----------
    velocities : (n, k) float64
        Evenly spaced, newest last; n >= 1. The k components share their coefficients.
    order : int
        How many past velocities foretell the next. With fewer than twice as many, the last
        speed is taken to go on.
    ahead_count : int
        How many intervals to foretell.

    Returns
    -------
    (ahead_count,) float64
        Expected squared speed: the square of what is foretold and the variance of its error,
        which grows with every interval.
    """
    count, width = velocities.shape
    if count < 2 * order:
        return np.full(ahead_count, np.square(velocities[-1]).sum())
    # Each row a velocity of one component, and the ones before it, newest first.
    rows = velocities[_windows(count, order)].transpose(2, 0, 1)
    table = rows.reshape(-1, order + 1)
    products = table.T @ table
    normal, following = products[1:, 1:], products[1:, 0]
    ridge = _RIDGE * float(normal.trace()) / order + 1e-18
    weights = np.linalg.solve(normal + ridge * np.eye(order), following)
    # Only the latest: a halt is a large error once, and no reason to mistrust what follows.
    latest = rows[:, -order:]
    missed = float(np.square(latest[..., 0] - latest[..., 1:] @ weights).sum()) / order
    if ahead_count == 1:  # as for every preview; the rest comes to the same
        foretold = weights @ velocities[: -order - 1 : -1]
        return np.array([np.square(foretold).sum() + missed])
    # One more column holds a unit impulse: its echoes add up to the growing error.
    past = np.zeros((order + ahead_count, width + 1))
    past[:order, :width] = velocities[-order:]
    past[order, width] = 1
    for step in range(order, order + ahead_count):
        past[step] += weights @ past[step - order : step][::-1]
    foretold = past[order:]
    return np.asarray(
        np.square(foretold[:, :width]).sum(axis=1) + missed * np.cumsum(foretold[:, width] ** 2)
    )


@lru_cache(maxsize=256)
def _windows(count: int, order: int) -> NDArray[np.intp]:
    """Return the indices of each of `count` values that has `order` before it, and of those."""
    return np.arange(order, count)[:, None] - np.arange(order + 1)
