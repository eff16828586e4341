"""The similarity that most points agree on, whatever the others do."""

from __future__ import annotations

from dataclasses import dataclass

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
    rng = np.random.default_rng(_SEED)
    first = rng.integers(0, count, _TRIAL_COUNT)
    second = (first + rng.integers(1, count, _TRIAL_COUNT)) % count
    far = np.abs(source[first] - source[second]) > _MIN_BASE_PX
    first, second = first[far], second[far]
    turn = (target[first] - target[second]) / (source[first] - source[second])
    sane = np.abs(turn - 1) < _MAX_ZOOM_OR_TURN
    first, turn = first[sane], turn[sane]
    if not len(turn):
        return None
    shift = target[first] - turn * source[first]
    error = np.abs(target - turn[:, None] * source - shift[:, None])
    inliers, tolerance_px = np.zeros(count, bool), 0.0
    for least_px, share in _TOLERANCES:
        tolerance = least_px + share * np.abs(shift)
        best = _best_trial(error / tolerance[:, None], source)
        inliers, tolerance_px = error[best] < tolerance[best], float(tolerance[best])
        if 3 * np.count_nonzero(inliers) >= count and quadrant_count(before[inliers]) >= 3:
            break
    return _refine(source, target, inliers, tolerance_px)


def quadrant_count(points: NDArray[np.floating]) -> int:
    """Count the quadrants around the origin in which points lie, (n, 2) float; 0 to 4."""
    return len(np.unique((points[:, 0] > 0) + 2 * (points[:, 1] > 0)))


def _best_trial(relative_error: NDArray[np.floating], source: NDArray[np.complexfloating]) -> int:
    """Choose the row whose agreeing points are many and lie far apart."""
    weight = np.maximum(0.0, 1 - np.square(relative_error))
    total = weight.sum(axis=1)
    # Real columns: a product with complex ones wakes the threads of BLAS, for milliseconds.
    columns = np.stack([source.real, source.imag, np.square(np.abs(source))], axis=1)
    mean_x, mean_y, mean_square = (weight @ columns / total[:, None]).T
    spread = np.sqrt(np.maximum(0.0, mean_square - mean_x**2 - mean_y**2))
    return int(np.argmax(total * spread))


def _refine(
    source: NDArray[np.complexfloating],
    target: NDArray[np.complexfloating],
    inliers: NDArray[np.bool_],
    tolerance_px: float,
) -> Similarity:
    weight = inliers.astype(float)
    turn, shift = 1 + 0j, 0j
    error = np.zeros(len(source))
    for _ in range(_REFINEMENT_COUNT):
        total = weight.sum()
        source_centre = (weight * source).sum() / total
        target_centre = (weight * target).sum() / total
        offset = source - source_centre
        turn = complex(
            (weight * offset.conj() * (target - target_centre)).sum()
            / (weight * np.square(np.abs(offset))).sum()
        )
        shift = complex(target_centre - turn * source_centre)
        error = np.abs(target - turn * source - shift)
        sigma = max(_MAD_TO_SIGMA * float(np.median(error[inliers])), _MIN_SIGMA_PX)
        reach = np.square(np.minimum(error / (_TUKEY_SIGMAS * sigma), 1))
        weight = np.square(1 - reach)
    return Similarity(turn, shift, error < tolerance_px)
