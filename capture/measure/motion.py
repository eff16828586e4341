"""How the picture moved between two previews."""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.measure.luma import LumaPlane, require_luma
from capture.measure.similarity import fit_similarity, quadrant_count

PREVIEW_WIDTH_PX = 320
"""Width at which previews are compared. Wider ones gain nothing, 160 px loses too much."""

THUMBNAIL_SHAPE = (24, 32)
"""Rows and columns of the thumbnail by which scenes are told apart."""

_CELL_GRID = (6, 8)
"""Rows and columns of the grid that holds one corner a cell: 48, spread over the picture."""

_MIN_CORNER_GRADIENT = 0.25
"""Luma levels a pixel in a corner's weaker direction; below it the ground is flat."""

_MAX_ERROR_PX = 1.3
"""Mean error of a followed corner over its gradient. Noise that was taken for a corner is not
found again: it gives 1.5 and more, real corners mostly less than 0.6."""

_CORNER_BLOCK_PX = 3
_RESPONSE_SCALE = 64 * _CORNER_BLOCK_PX**2 / (4 * _CORNER_BLOCK_PX * 255) ** 2
"""Response of ``cornerMinEigenVal`` for a gradient of one level a pixel."""

_SMOOTHING_PX = (5, 5)
_WINDOW_PX = 17
_PYRAMID_LEVELS = 3
_MARGIN_PX = 2
_MIN_INLIERS = 8
_MIN_QUADRANTS = 3


@dataclass(frozen=True, slots=True, eq=False)
class PreviewPlane:
    """The small luma plane of one preview, kept to be compared with the next.

    Attributes
    ----------
    luma : LumaPlane
        (h, w) uint8, smoothed; w is 320, or less where the preview is narrower.
    source_width_px, source_height_px : int
        Size of the preview it was reduced from.
    """

    luma: LumaPlane
    source_width_px: int
    source_height_px: int


@dataclass(frozen=True, slots=True)
class Motion:
    """Movement of the picture from one preview to the next.

    Attributes
    ----------
    dx_px, dy_px : float
        Shift of the picture's content at its centre, from the frame before to this one, in
        pixels of the preview; x right, y down. A camera that turns right gives dx_px < 0.
    rotation_deg : float
        Roll of the content, positive from +x towards +y.
    scale : float
        Zoom; 1 for none, more than 1 when the content grows.
    corner_count : int
        Corners that were found again, at most 48.
    inlier_count : int
        Corners that agree.
    quadrant_count : int
        Quadrants of the picture that hold agreeing corners, 3 or 4.
    """

    dx_px: float
    dy_px: float
    rotation_deg: float
    scale: float
    corner_count: int
    inlier_count: int
    quadrant_count: int


@dataclass(frozen=True, slots=True, eq=False)
class PreviewMeasures:
    """What one preview says.

    Attributes
    ----------
    plane : PreviewPlane
        To be kept for the next frame.
    motion : Motion or None
        None for the first frame, after a change of size, or where nothing can be tracked.
    sharpness : float
        Mean squared Laplacian of the small plane, >= 0. Comparable within one scene only;
        higher is sharper. For choosing the best frame.
    mean_luma : float
        Mean gamma-encoded luma in [0, 255].
    thumbnail : LumaPlane
        (24, 32) uint8, the whole preview; for telling one scene from another.
    """

    plane: PreviewPlane
    motion: Motion | None
    sharpness: float
    mean_luma: float
    thumbnail: LumaPlane


def measure_preview(luma: LumaPlane, previous: PreviewPlane | None) -> PreviewMeasures:
    """Measure one preview against the one before it.

    Parameters
    ----------
    luma : LumaPlane
        (H, W) uint8 of the preview, upright.
    previous : PreviewPlane or None
        What was kept of the frame before; None for the first.

    Returns
    -------
    PreviewMeasures
        Its motion is None where there is nothing to compare with or to hold on to.

    Raises
    ------
    ValueError
        If `luma` is not a luma plane.
    """
    plane = reduce_preview(luma)
    return PreviewMeasures(
        plane=plane,
        motion=None if previous is None else measure_motion(previous, plane),
        sharpness=_mean_squared_laplacian(plane.luma),
        mean_luma=float(cv2.mean(plane.luma)[0]),
        thumbnail=_shrink(plane.luma, THUMBNAIL_SHAPE[::-1]),
    )


def reduce_preview(luma: LumaPlane) -> PreviewPlane:
    """Reduce a preview to a width of 320 px by area averaging; narrower ones stay as they are.

    It is smoothed a little: Lucas-Kanade between pixels is biased by aliased edges more than
    it is helped by the detail.

    Raises
    ------
    ValueError
        If `luma` is not a luma plane.
    """
    require_luma(luma)
    height_px, width_px = luma.shape
    small = luma
    if width_px > PREVIEW_WIDTH_PX:
        height = max(1, round(height_px * PREVIEW_WIDTH_PX / width_px))
        small = _shrink(luma, (PREVIEW_WIDTH_PX, height))
    smooth = cv2.GaussianBlur(small, _SMOOTHING_PX, 0).astype(np.uint8, copy=False)
    return PreviewPlane(smooth, width_px, height_px)


def measure_motion(previous: PreviewPlane, plane: PreviewPlane) -> Motion | None:
    """Measure how the content moved from one plane to the next.

    Corners spread over the picture are followed with Lucas-Kanade, and the similarity that
    most of them agree on is taken, so that a person who walks through does not count.

    Returns
    -------
    Motion or None
        None where the sizes differ or agreeing corners cover fewer than three quadrants.

    Notes
    -----
    Deterministic: RANSAC starts from a fixed seed. Movements up to about 40 px of the small
    plane are followed; a faster swing answers None. Parallax, rolling shutter and changes
    of perspective are not modelled.

    References
    ----------
    Shi and Tomasi, "Good features to track", CVPR 1994. doi:10.1109/CVPR.1994.323794
    Bouguet, "Pyramidal implementation of the affine Lucas Kanade feature tracker", Intel 2001.
    Fischler and Bolles, "Random sample consensus", CACM 24(6), 1981. doi:10.1145/358669.358692
    """
    before, after = previous.luma, plane.luma
    source = (plane.source_width_px, plane.source_height_px)
    if before.shape != after.shape or source != (
        previous.source_width_px,
        previous.source_height_px,
    ):
        return None
    start, gradient = bucketed_corners(before)
    if len(start) < _MIN_INLIERS:
        return None
    end, found, error = cv2.calcOpticalFlowPyrLK(
        before,
        after,
        start,
        None,  # type: ignore[call-overload]
        winSize=(_WINDOW_PX, _WINDOW_PX),
        maxLevel=_PYRAMID_LEVELS - 1,
        criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.01),
    )
    kept = (found.ravel() == 1) & (error.ravel() < _MAX_ERROR_PX * gradient)
    if np.count_nonzero(kept) < _MIN_INLIERS:
        return None
    height_px, width_px = before.shape
    centre = np.array([(width_px - 1) / 2, (height_px - 1) / 2])
    fit = fit_similarity(start[kept] - centre, end[kept] - centre)
    if fit is None:
        return None
    agreeing = start[kept][fit.inliers] - centre
    covered_count = quadrant_count(agreeing)
    if len(agreeing) < _MIN_INLIERS or covered_count < _MIN_QUADRANTS:
        return None
    to_source = plane.source_width_px / width_px
    return Motion(
        dx_px=fit.shift.real * to_source,
        dy_px=fit.shift.imag * to_source,
        rotation_deg=math.degrees(cmath.phase(fit.turn)),
        scale=abs(fit.turn),
        corner_count=int(np.count_nonzero(kept)),
        inlier_count=len(agreeing),
        quadrant_count=covered_count,
    )


def bucketed_corners(luma: LumaPlane) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Find the strongest corner of each cell of a grid over the picture, at half size.

    A foreground full of corners cannot outvote the background this way.

    Returns
    -------
    points : (n, 2) float32
        x and y in pixels, n <= 48; cells without a corner give none.
    gradients : (n,) float32
        Luma levels a pixel in the weaker direction.
    """
    half = _shrink(luma, (max(1, luma.shape[1] // 2), max(1, luma.shape[0] // 2)))
    response = cv2.cornerMinEigenVal(half, _CORNER_BLOCK_PX)
    for edge in (response[:_MARGIN_PX], response[-_MARGIN_PX:]):
        edge[:] = 0
    for edge in (response[:, :_MARGIN_PX], response[:, -_MARGIN_PX:]):
        edge[:] = 0
    rows, columns = _CELL_GRID
    cell_height, cell_width = half.shape[0] // rows, half.shape[1] // columns
    if cell_height < 2 * _MARGIN_PX or cell_width < 2 * _MARGIN_PX:
        return np.empty((0, 2), np.float32), np.empty(0, np.float32)
    cells = (
        response[: rows * cell_height, : columns * cell_width]
        .reshape(rows, cell_height, columns, cell_width)
        .swapaxes(1, 2)
        .reshape(rows * columns, cell_height * cell_width)
    )
    strongest = cells.argmax(axis=1)
    cell = np.arange(rows * columns)
    points = 0.5 + 2 * np.stack(
        [
            cell % columns * cell_width + strongest % cell_width,
            cell // columns * cell_height + strongest // cell_width,
        ],
        axis=1,
    )
    gradients = np.sqrt(np.maximum(cells[cell, strongest], 0) / _RESPONSE_SCALE) / 2
    real = gradients > _MIN_CORNER_GRADIENT
    return points[real].astype(np.float32), gradients[real].astype(np.float32)


def _mean_squared_laplacian(luma: LumaPlane) -> float:
    laplacian = cv2.Laplacian(luma, cv2.CV_16S)
    return cv2.norm(laplacian, cv2.NORM_L2SQR) / laplacian.size


def _shrink(luma: LumaPlane, size: tuple[int, int]) -> LumaPlane:
    return cv2.resize(luma, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
