"""Boosted regression trees as arrays, evaluated without the library that grew them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """A sum of t trees of at most k nodes; the root of each is its node 0.

    Attributes
    ----------
    baseline : float
        Added to the sum.
    feature : (t, k) int16
        Feature that a node compares; -1 at a leaf.
    threshold : (t, k) float32
        The left child is taken where the feature is at most this.
    left, right : (t, k) int16
        Children.
    missing_left : (t, k) bool
        The left child is taken where the feature is NaN.
    value : (t, k) float32
        What a leaf adds.
    """

    baseline: float
    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    left: NDArray[np.int16]
    right: NDArray[np.int16]
    missing_left: NDArray[np.bool_]
    value: NDArray[np.float32]

    def predict(self, features: NDArray[np.float32]) -> float:
        """Return the sum of the leaves that one row of features, (f,), reaches."""
        rows = np.arange(len(self.feature))
        nodes = np.zeros(len(rows), np.int16)
        while True:
            asked = self.feature[rows, nodes]
            inner = asked >= 0
            if not inner.any():
                break
            found = features[asked]
            goes_left = np.where(
                np.isnan(found),
                self.missing_left[rows, nodes],
                found <= self.threshold[rows, nodes],
            )
            below = np.where(goes_left, self.left[rows, nodes], self.right[rows, nodes])
            nodes = np.where(inner, below, nodes)
        return self.baseline + float(self.value[rows, nodes].sum(dtype=np.float64))

    def arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Return the arrays under names that start with `prefix`, for an ``.npz`` file."""
        return {
            f"{prefix}_baseline": np.array(self.baseline),
            f"{prefix}_feature": self.feature,
            f"{prefix}_threshold": self.threshold,
            f"{prefix}_left": self.left,
            f"{prefix}_right": self.right,
            f"{prefix}_missing_left": self.missing_left,
            f"{prefix}_value": self.value,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], prefix: str) -> Trees:
        """Read what `arrays` wrote."""
        return cls(
            float(arrays[f"{prefix}_baseline"]),
            arrays[f"{prefix}_feature"],
            arrays[f"{prefix}_threshold"],
            arrays[f"{prefix}_left"],
            arrays[f"{prefix}_right"],
            arrays[f"{prefix}_missing_left"],
            arrays[f"{prefix}_value"],
        )
