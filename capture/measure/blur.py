"""Blur of the sharpest substantial part of a picture."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.measure.blur_features import blur_features
from capture.measure.blur_model import BlurModel, load_blur_model
from capture.measure.luma import REFERENCE_LONG_EDGE_PX, LumaPlane, halved, require_luma
from capture.measure.measures import Blur, BlurKind, BlurTile
from capture.measure.status import MissingEvidence
from capture.measure.tiles import TILE_PX, Tiles, choose_tiles

MIN_EDGE_COUNT = 60
"""Edge pixels below which nothing is said of blur."""
MIN_SIDE_PX = 48
"""Shorter edge below which a picture holds too few pixels to tell."""
MIN_BRIGHT_LUMA = 24
"""Luma that the brightest hundredth of a picture reaches, or it is too dark to tell."""
MIN_ANISOTROPY = 0.3
"""Anisotropy below which movement has no one direction: the hand turned while it shook."""

_LARGEST_AT_REFERENCE_PX = 1150
_MIN_TILE_EDGE_COUNT = 30
_BINS = 256


def measure_blur(luma: LumaPlane, *, explain: bool = False) -> Blur:
    """Measure how much blur lies on top of a sharp capture.

    The widths of the edges in the most textured tiles are judged by boosted trees that were
    trained on blur simulated in linear light. A sharp subject before a soft background is
    sharp. A picture larger than the reference scale is judged there.

    Parameters
    ----------
    luma : (H, W) uint8
        Gamma-encoded luma, upright.
    explain : bool
        Also return what each tile says.

    Returns
    -------
    Blur
        ``TOO_SMALL``, ``TOO_DARK`` or ``TOO_FEW_EDGES`` where there is no evidence; a flat or
        foggy picture is never called blurred.

    Raises
    ------
    ValueError
        If `luma` is no luma plane.

    Notes
    -----
    Defocus of radius 1 px and movement of 2 px cannot be told from a sharp capture by any
    measure that has no reference; the probability is not meant for them. Equal pixels give
    equal numbers in any process of one machine.
    """
    require_luma(luma)
    height, width = luma.shape
    if min(height, width) < MIN_SIDE_PX:
        return Blur.cannot_assess(MissingEvidence.TOO_SMALL)
    reference = _at_reference(luma)
    scale = max(height, width) / max(reference.shape)
    tiles = choose_tiles(reference)
    features = blur_features(tiles.luma)
    edge_counts = features.edge_counts
    edge_count = int(edge_counts.sum())
    if edge_count < MIN_EDGE_COUNT:
        empty = _explain(tiles, None, edge_counts, luma.shape, scale) if explain else ()
        dark = _is_dark(reference)
        missing = MissingEvidence.TOO_DARK if dark else MissingEvidence.TOO_FEW_EDGES
        return Blur.cannot_assess(missing, edge_count, empty)
    model = load_blur_model()
    answer = model.answer(features.scalars, features.vectors)
    sigma_px = answer.sigma_px * scale
    moved = answer.motion_probability > 0.5
    directed = moved and answer.anisotropy >= MIN_ANISOTROPY
    return Blur(
        missing=None,
        probability=answer.probability,
        kind=BlurKind.MOTION if moved else BlurKind.DEFOCUS,
        blur_px=sigma_px,
        blur_px_at_reference=sigma_px * REFERENCE_LONG_EDGE_PX / max(height, width),
        motion_extent_px=_line_length_px(sigma_px, answer.anisotropy) if moved else 0.0,
        motion_angle_deg=answer.angle_deg if directed else None,
        edge_count=edge_count,
        tiles=_explain(tiles, model, edge_counts, luma.shape, scale) if explain else (),
    )


def _at_reference(luma: LumaPlane) -> LumaPlane:
    """Reduce a picture to a long edge of 1000 to 1150 px; smaller ones stay as they are."""
    long_edge = max(luma.shape)
    if long_edge <= _LARGEST_AT_REFERENCE_PX:
        return luma
    # Halves as long as there are some: OpenCV halves ten times faster than it averages by any
    # other factor. What is left is enlarged to twice the size, so that it can be halved too.
    for _ in range((long_edge // REFERENCE_LONG_EDGE_PX).bit_length() - 1):
        luma = halved(luma)
    if max(luma.shape) <= _LARGEST_AT_REFERENCE_PX:
        return luma
    height, width = luma.shape
    enlarge = 2 * REFERENCE_LONG_EDGE_PX / max(height, width)
    size = (2 * max(1, round(width * enlarge / 2)), 2 * max(1, round(height * enlarge / 2)))
    return halved(np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_LINEAR), np.uint8))


def _is_dark(luma: LumaPlane) -> bool:
    counts = cv2.calcHist([luma], [0], None, [_BINS], [0, _BINS]).ravel()
    return float(counts[MIN_BRIGHT_LUMA:].sum()) < 0.01 * luma.size


def _line_length_px(sigma_px: float, anisotropy: float) -> float:
    """Length of the line whose variance is the larger eigenvalue of the covariance."""
    return math.sqrt(12 * (1 + anisotropy)) * sigma_px


def _explain(
    tiles: Tiles,
    model: BlurModel | None,
    edge_counts: NDArray[np.int64],
    shape: tuple[int, ...],
    scale: float,
) -> tuple[BlurTile, ...]:
    """Say where each tile lies and, judged alone, how blurred it is."""
    height, width = shape
    side = math.ceil(TILE_PX * scale)
    explained = []
    for index, count in enumerate(edge_counts.tolist()):
        x, y = int(tiles.x_px[index] * scale), int(tiles.y_px[index] * scale)
        blur_px = None
        if model is not None and count >= _MIN_TILE_EDGE_COUNT:
            blur_px = model.judge(tiles.luma[index : index + 1]).sigma_px * scale
        explained.append(
            BlurTile(x, y, min(side, width - x), min(side, height - y), blur_px, count)
        )
    return tuple(explained)
