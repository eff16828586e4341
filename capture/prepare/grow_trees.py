"""Grow the boosted trees of the blur measure, and turn them into arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from capture.measure.blur import MIN_EDGE_COUNT
from capture.measure.blur_features import CLIPPED_COUNT, blur_features
from capture.measure.blur_model import SIGMA_OFFSET_PX, BlurModel
from capture.measure.edge_widths import EDGE_SCALAR_NAMES
from capture.measure.tiles import MAX_TILE_COUNT, choose_tiles
from capture.measure.trees import MAX_LEAF_COUNT, Trees, mean_of
from capture.prepare.point_spread import Cause
from capture.prepare.simulated_set import Sample

_MIN_KIND_SIGMA_PX = 0.7
_MIN_DIRECTION_SIGMA_PX = 1.0
_MIN_DIRECTION_ANISOTROPY = 0.5
_FAR_RADIUS_PX, _FAR_EXTENT_PX = 10.0, 60.0
_WEIGHT_OF_FAR = 0.25
"""Blur so wide is to be found, but its size matters less than that of ordinary blur."""
_RIDGE = 30.0
_SHARE_OF_BLURRED = 2 / 3
"""Of the trees of the other sums: with more, the two that tell blurred from sharp learn noise."""
_MAX_SUBJECT_LENS_SIGMA_PX, _MAX_SUBJECT_DENOISE_STRENGTH = 0.4, 3.0
"""Up to which the sharp subject of a composite is crisp enough to learn from."""
_EDGE_COUNT = "edge_count_at_1"
"""Scalar that holds log(1 + edges) after smoothing: too few, and nothing is said of blur."""
_SHARE_OF_FEATURES = 0.3
"""Features that a node may choose from: trees that differ err less together."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureTable:
    """Features of n captures and the truth about them.

    Attributes
    ----------
    scalars : (n, f) float32
        Features that do not turn with the picture.
    vectors : (n, v, 2) float32
        Features that do.
    truth : tuple of dict
        As `Capture.truth` gives it, with scene and camera.
    """

    scalars: NDArray[np.float32]
    vectors: NDArray[np.float32]
    truth: tuple[dict[str, Any], ...]

    def column(self, name: str) -> NDArray[Any]:
        """Return one truth of all captures; None becomes NaN."""
        return np.array([np.nan if row[name] is None else row[name] for row in self.truth])

    def pick(self, rows: NDArray[np.bool_]) -> FeatureTable:
        """Return the captures of a mask, (n,)."""
        truth = tuple(row for row, keep in zip(self.truth, rows, strict=True) if keep)
        return FeatureTable(self.scalars[rows], self.vectors[rows], truth)


def tabulate(samples: Iterable[Sample]) -> FeatureTable:
    """Measure the features of every sample, as the blur measure does."""
    scalars, vectors, truth = [], [], []
    for sample in samples:
        features = blur_features(choose_tiles(sample.luma, MAX_TILE_COUNT).luma)
        scalars.append(features.scalars)
        vectors.append(features.vectors)
        truth.append({"scene": sample.scene, "camera": sample.camera, **sample.truth})
    return FeatureTable(np.stack(scalars), np.stack(vectors), tuple(truth))


def grow(table: FeatureTable, seed: int, tree_count: int) -> BlurModel:
    """Grow a model; its probability is not calibrated yet.

    Parameters
    ----------
    table : FeatureTable
        Sharp, composite and blurred captures of many scenes.
    seed : int
        Of the trees.
    tree_count : int
        Trees of each sum.
    """
    shape = {
        "max_iter": tree_count,
        "max_features": _SHARE_OF_FEATURES,
        "random_state": seed,
        "early_stopping": False,
    }
    width = table.scalars.shape[1]
    blurred = _grow_blurred(table, shape)
    # Lamps tell whether a picture is blurred; their disks and trails have widths of their own.
    table = _by_day(table)
    sigma = table.column("sigma_px").astype(float)
    cause, extent = table.column("cause"), table.column("extent_px")
    far = extent > np.where(cause == Cause.DISK, _FAR_RADIUS_PX, _FAR_EXTENT_PX)
    weight = np.where(far | (cause == Cause.TURN), _WEIGHT_OF_FAR, 1.0)
    log_sigma = HistGradientBoostingRegressor(
        loss="absolute_error", learning_rate=0.08, max_leaf_nodes=16, **shape
    ).fit(table.scalars, np.log(sigma + SIGMA_OFFSET_PX), weight)
    wide = (sigma >= _MIN_KIND_SIGMA_PX) & (cause != Cause.TURN)
    motion = HistGradientBoostingClassifier(
        learning_rate=0.05, max_leaf_nodes=12, l2_regularization=1.0, **shape
    ).fit(table.scalars[wide], cause[wide] != Cause.DISK, weight[wide])
    return BlurModel(
        Trees.stack([blurred, to_trees(log_sigma, width), to_trees(motion, width)]),
        _fit_direction(table, sigma),
        1.0,
        0.0,
    )


def _by_day(table: FeatureTable) -> FeatureTable:
    """Leave night scenes and clipped shares out."""
    table = table.pick(~table.column("is_night").astype(bool))
    return replace(table, scalars=table.scalars[:, :-CLIPPED_COUNT])


def _grow_blurred(table: FeatureTable, shape: dict[str, Any]) -> Trees:
    """Grow the mean of two sums, in one of which a wider edge never speaks for sharpness.

    A free sum takes wide edges beside a few narrow ones for a soft background, and with it
    strong movement; but it alone can learn that narrow edges around lamps say little, since it
    sees which share of the edges is clipped. Taught by lamps, the other would distrust every
    narrow edge.
    """
    width = table.scalars.shape[1]
    free = _fit_blurred(table, shape, leaf_count=6)
    day = _by_day(table)
    widths = [name.startswith("width") for name in EDGE_SCALAR_NAMES]
    rising = np.pad(widths, (0, day.scalars.shape[1] - len(widths))).astype(np.int8)
    monotone = _fit_blurred(day, {**shape, "monotonic_cst": rising}, leaf_count=12)
    return mean_of([to_trees(free, width), to_trees(monotone, width)])


def _fit_blurred(
    table: FeatureTable, shape: dict[str, Any], leaf_count: int
) -> HistGradientBoostingClassifier:
    """Fit one sum; subjects that are soft themselves would excuse movement, and are left out."""
    label = table.column("label").astype(float)
    soft = (table.column("lens_sigma_px") > _MAX_SUBJECT_LENS_SIGMA_PX) | (
        table.column("denoise_strength") > _MAX_SUBJECT_DENOISE_STRENGTH
    )
    edge_count = np.expm1(table.scalars[:, EDGE_SCALAR_NAMES.index(_EDGE_COUNT)])
    silent = table.column("is_night").astype(bool) & (edge_count < MIN_EDGE_COUNT - 0.5)
    used = ~np.isnan(label) & ~(table.column("is_composite").astype(bool) & soft) & ~silent
    return HistGradientBoostingClassifier(
        **{**shape, "max_iter": round(shape["max_iter"] * _SHARE_OF_BLURRED)},
        learning_rate=0.05,
        max_leaf_nodes=leaf_count,
        l2_regularization=3.0,
    ).fit(table.scalars[used], label[used])


def _fit_direction(table: FeatureTable, sigma: NDArray[np.float64]) -> NDArray[np.float32]:
    """Fit one weight for both components: a turned picture gives a turned answer."""
    variance = table.column("variance").astype(float)
    truth = np.stack([variance[:, 0] - variance[:, 2], 2 * variance[:, 1]], 1)
    truth /= np.maximum(variance[:, 0] + variance[:, 2], 1e-9)[:, None]
    used = (np.hypot(*truth.T) > _MIN_DIRECTION_ANISOTROPY) & (sigma >= _MIN_DIRECTION_SIGMA_PX)
    vectors = table.vectors[used]
    spread = vectors.std((0, 2)) + 1e-9
    stacked = np.concatenate([vectors[:, :, 0], vectors[:, :, 1]]) / spread
    target = np.concatenate([truth[used, 0], truth[used, 1]])
    normal = stacked.T @ stacked + _RIDGE * np.eye(stacked.shape[1])
    weights: NDArray[np.float32] = np.linalg.solve(normal, stacked.T @ target) / spread
    return weights.astype(np.float32)


def to_trees(
    grown: HistGradientBoostingClassifier | HistGradientBoostingRegressor, feature_count: int
) -> Trees:
    """Turn a grown ensemble of at most `MAX_LEAF_COUNT` leaves a tree into one sum.

    Parameters
    ----------
    grown : HistGradientBoostingClassifier or HistGradientBoostingRegressor
        Grown on the first features, or on all.
    feature_count : int
        Features that the sum will be given.
    """
    nodes = [stage[0].nodes for stage in grown._predictors]
    shape = (MAX_LEAF_COUNT - 1, len(nodes))
    feature, left = np.zeros(shape, np.int64), np.zeros(shape, np.uint16)
    threshold = np.full(shape, np.inf, np.float32)
    value = np.zeros((len(nodes), MAX_LEAF_COUNT), np.float32)
    for column, tree in enumerate(nodes):
        questions, leaves = _read_tree(tree)
        value[column, : len(leaves)] = leaves
        for row, (index, first, middle) in enumerate(questions):
            node = tree[index]
            told_no = 0 if node["missing_go_to_left"] else feature_count
            feature[row, column] = node["feature_idx"] + told_no
            # The library compares in float64: the nearest float32 below answers the same.
            threshold[row, column] = _below(float(node["num_threshold"]))
            left[row, column] = 2**middle - 2**first
    baseline = np.ravel(grown._baseline_prediction)[:1].astype(np.float64)
    return Trees(feature, threshold, left, value, np.zeros(1, np.int64), baseline)


def _read_tree(tree: NDArray[Any]) -> tuple[list[tuple[int, int, int]], list[float]]:
    """List a tree's questions (node, first leaf, first leaf on the right) and its leaves."""
    questions: list[tuple[int, int, int]] = []
    leaves: list[float] = []

    def walk(index: int) -> None:
        node = tree[index]
        if node["is_leaf"]:
            leaves.append(float(node["value"]))
            return
        first = len(leaves)
        walk(int(node["left"]))
        questions.append((index, first, len(leaves)))
        walk(int(node["right"]))

    walk(0)
    return questions, leaves


def _below(threshold: float) -> np.float32:
    # An infinite threshold asks whether the feature is there, so it must stay finite.
    nearest = np.float32(min(threshold, float(np.finfo(np.float32).max)))
    return nearest if nearest <= threshold else np.nextafter(nearest, np.float32(-np.inf))
