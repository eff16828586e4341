"""The similarity that most points agree on, whatever the others do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

_SEED = 20
_TRIAL_COUNT = 120
_MIN_BASE_PX = 40.0
_MAX_ZOOM_OR_TURN = 0.15
_TOLERANCES = ((0.3, 0.04), (0.6, 0.1))
"""How far agreeing points may lie apart: pixels, and a share of the shift, which rolling
shutter and parallax grow with. The second is for when less than a third agree on the first."""

_REFINEMENT_COUNT = 3
_TUKEY_SIGMAS = 3.0
_MIN_SIGMA_PX = 0.01
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, slots=True, eq=False)
class Similarity:
    """Turn, zoom and shift of the plane, written in complex numbers: ``z -> turn z + shift``.

    Attributes
    ----------
    turn : complex
        Its angle is the turn from +x towards +y, its modulus the zoom.
    shift : complex
        Where the origin goes, x + iy.
    inliers : (n,) bool
        Which points agree.
    """

    turn: complex
    shift: complex
    inliers: NDArray[np.bool_]


def fit_similarity(before: NDArray[np.floating], after: NDArray[np.floating]) -> Similarity | None:
    """Fit the similarity on which the points agree that lie widest over the picture.

    Parameters
    ----------
    before, after : (n, 2) float
        Points, x right and y down, in pixels.

    Returns
    -------
    Similarity or None
        None for fewer than two points, or where no pair of them makes sense.

    Notes
    -----
    RANSAC over pairs from a fixed seed, so that the answer is always the same. A trial's
    merit is the soft count of agreeing points times their spread: a compact foreground with
    more corners than the background does not win. What wins is refined by three rounds of
    Tukey-weighted least squares.

    References
    ----------
    Fischler and Bolles, "Random sample consensus", CACM 24(6), 1981. doi:10.1145/358669.358692
    Torr and Zisserman, "MLESAC", CVIU 78(1), 2000. doi:10.1006/cviu.1999.0832
    """
    count = len(before)
    if count < 2:
        return None
    source = before[:, 0] + 1j * before[:, 1]
    target = after[:, 0] + 1j * after[:, 1]
    first, second = _pairs(count)
    base = source[first] - source[second]
    turn = np.divide(
        target[first] - target[second],
        base,
        out=np.zeros_like(base),
        where=np.abs(base) > _MIN_BASE_PX,  # the turn of 0 that is left elsewhere is not sane
    )
    sane = np.abs(turn - 1) < _MAX_ZOOM_OR_TURN
    first, turn = first[sane], turn[sane]
    if not len(turn):
        return None
    shift = target[first] - turn * source[first]
    points = np.stack([source.real, source.imag, target.real, target.imag])
    square_error = _square_errors(turn, shift, points)
    spread_over = np.stack([*points[:2], np.square(points[:2]).sum(axis=0)], axis=1)
    inliers, tolerance_px = np.zeros(count, bool), 0.0
    for least_px, share in _TOLERANCES:
        tolerance = least_px + share * np.abs(shift)
        square_tolerance = np.square(tolerance)
        best = _best_trial(square_error / square_tolerance[:, None], spread_over)
        inliers, tolerance_px = square_error[best] < square_tolerance[best], float(tolerance[best])
        if 3 * np.count_nonzero(inliers) >= count and quadrant_count(before[inliers]) >= 3:
            break
    return _refine(points, inliers, tolerance_px)


def quadrant_count(points: NDArray[np.floating]) -> int:
    """Count the quadrants around the origin in which points lie, (n, 2) float; 0 to 4."""
    return len(set(((points[:, 0] > 0) + 2 * (points[:, 1] > 0)).tolist()))


@cache
def _pairs(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw the pairs of points that are tried, the same whenever there are as many points."""
    rng = np.random.default_rng(_SEED)
    first = rng.integers(0, count, _TRIAL_COUNT)
    return first, (first + rng.integers(1, count, _TRIAL_COUNT)) % count


# Real numbers from here on: a product of complex matrices wakes the threads of BLAS, for
# milliseconds, and the modulus of a complex number takes longer than all the rest.


def _square_errors(
    turn: NDArray[np.complexfloating],
    shift: NDArray[np.complexfloating],
    points: NDArray[np.floating],
) -> NDArray[np.floating]:
    """Return the squared distance of each target, in columns, from each trial's, in rows."""
    source, (target_x, target_y) = np.vstack([points[:2], np.ones(points.shape[1])]), points[2:]
    x = np.stack([turn.real, -turn.imag, shift.real], axis=1) @ source - target_x
    y = np.stack([turn.imag, turn.real, shift.imag], axis=1) @ source - target_y
    return np.asarray(np.square(x) + np.square(y))


def _best_trial(
    relative_square_error: NDArray[np.floating], spread_over: NDArray[np.floating]
) -> int:
    """Choose the row whose agreeing points are many and lie far apart."""
    weight = np.maximum(0.0, 1 - relative_square_error)
    total = weight.sum(axis=1)
    mean_x, mean_y, mean_square = (weight @ spread_over / total[:, None]).T
    spread = np.sqrt(np.maximum(0.0, mean_square - mean_x**2 - mean_y**2))
    return int(np.argmax(total * spread))


def _refine(
    points: NDArray[np.floating], inliers: NDArray[np.bool_], tolerance_px: float
) -> Similarity:
    weight = inliers.astype(float)
    turn, shift = 1 + 0j, 0j
    square_error = np.zeros(len(inliers))
    for _ in range(_REFINEMENT_COUNT):
        centre = points @ weight / weight.sum()
        offset = points - centre[:, None]
        (xx, _, xu, xv), (_, yy, yu, yv) = ((offset[:2] * weight) @ offset.T).tolist()
        turn = complex(xu + yv, xv - yu) / (xx + yy)
        shift = complex(*centre[2:]) - turn * complex(*centre[:2])
        rotation = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
        square_error = np.square(rotation @ offset[:2] - offset[2:]).sum(axis=0)
        sigma = max(_MAD_TO_SIGMA * _root_median(square_error[inliers]), _MIN_SIGMA_PX)
        reach = np.minimum(square_error / (_TUKEY_SIGMAS * sigma) ** 2, 1)
        weight = np.square(1 - reach)
    return Similarity(turn, shift, square_error < tolerance_px**2)


def _root_median(squares: NDArray[np.floating]) -> float:
    """Return the median of the roots."""
    ordered = np.sort(squares)
    middle = len(ordered) // 2
    return (math.sqrt(ordered[middle]) + math.sqrt(ordered[-middle - 1])) / 2
