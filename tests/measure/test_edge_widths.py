"""Widths of edges are what was drawn, whatever else the picture holds."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from capture.measure.edge_widths import (
    EDGE_CLIPPED_NAMES,
    EDGE_SCALAR_NAMES,
    edge_features,
    tile_noise,
)

SIDE_PX = 128


def step(
    sigma_px: float, angle_deg: float = 0.0, low: int = 40, high: int = 200
) -> NDArray[np.uint8]:
    """A tile with one Gaussian step through its middle."""
    y, x = np.indices((SIDE_PX, SIDE_PX)) - SIDE_PX / 2 + 0.5
    turn = np.radians(angle_deg)
    sharp = np.where(x * np.cos(turn) + y * np.sin(turn) > 0, float(high), float(low))
    return cv2.GaussianBlur(sharp, (0, 0), sigma_px).astype(np.uint8)


def measured(tiles: NDArray[np.uint8], name: str) -> float:
    features = edge_features(tiles, tile_noise(tiles))
    return float(features.scalars[EDGE_SCALAR_NAMES.index(name)])


@pytest.mark.parametrize("sigma_px", [1.5, 2.0])
@pytest.mark.parametrize("angle_deg", [0.0, 30.0, 90.0])
def test_an_edge_is_as_wide_as_it_was_drawn(sigma_px: float, angle_deg: float) -> None:
    """Scalars of widths are logarithms; the raw scale sees a 9 px neighbourhood."""
    tiles = step(sigma_px, angle_deg)[None]
    assert np.exp(measured(tiles, "width_50%_at_0")) == pytest.approx(sigma_px, rel=0.15)


def test_a_wider_edge_is_wider_at_every_scale() -> None:
    for name in ("width_50%_at_0", "width_50%_at_1", "width_50%_at_2", "width_50%_at_3"):
        widths = [measured(step(sigma_px)[None], name) for sigma_px in (1.0, 2.0, 4.0)]
        assert widths == sorted(widths)


def test_contrast_does_not_change_a_width() -> None:
    strong, faint = step(1.5)[None], step(1.5, low=100, high=160)[None]
    name = "width_50%_at_0"
    assert measured(faint, name) == pytest.approx(measured(strong, name), abs=0.05)


def test_the_direction_of_an_edge_turns_its_vectors() -> None:
    """An edge at right angles gives opposite vectors: angles are doubled."""
    across, down = (step(1.5, angle)[None] for angle in (20.0, 110.0))
    first, second = (edge_features(tiles, tile_noise(tiles)).vectors for tiles in (across, down))
    assert second == pytest.approx(-first, abs=0.2)


def test_a_flat_tile_has_no_edges_and_says_so() -> None:
    tiles = np.full((2, SIDE_PX, SIDE_PX), 90, np.uint8)
    features = edge_features(tiles, tile_noise(tiles))
    assert features.counts.tolist() == [0, 0]
    assert np.isnan(features.scalars[EDGE_SCALAR_NAMES.index("width_50%_at_0")])
    assert np.isfinite(features.vectors).all()


def test_every_scalar_has_a_name() -> None:
    tiles = step(2.0)[None]
    features = edge_features(tiles, tile_noise(tiles))
    assert len(features.scalars) == len(EDGE_SCALAR_NAMES)
    assert len(features.clipped) == len(EDGE_CLIPPED_NAMES)


@pytest.mark.parametrize(("high", "share"), [(255, 1.0), (252, 1.0), (240, 0.0)])
def test_an_edge_beside_white_counts_as_clipped(high: int, share: float) -> None:
    tiles = step(1.0, high=high)[None]
    clipped = edge_features(tiles, tile_noise(tiles)).clipped
    for name in ("clipped_share_of_edges_at_0", "clipped_share_of_edges_at_2"):
        assert clipped[EDGE_CLIPPED_NAMES.index(name)] == share


def test_the_clipped_share_is_that_of_the_tiles_beside_white() -> None:
    tiles = np.stack([step(1.0, high=255), step(1.0, high=200)])
    clipped = edge_features(tiles, tile_noise(tiles)).clipped
    index = EDGE_CLIPPED_NAMES.index("clipped_share_of_edges_at_0")
    assert clipped[index] == pytest.approx(0.5, abs=0.05)


def test_where_there_are_no_edges_none_is_clipped() -> None:
    tiles = np.full((2, SIDE_PX, SIDE_PX), 255, np.uint8)
    assert not edge_features(tiles, tile_noise(tiles)).clipped.any()


def test_noise_of_a_tile_is_nearly_what_was_added() -> None:
    """The quietest tenth of the blocks reads a tenth too little where all is noise."""
    rng = np.random.default_rng(1)
    tiles = np.clip(120 + rng.normal(0, 5, (3, SIDE_PX, SIDE_PX)), 0, 255).astype(np.uint8)
    assert tile_noise(tiles) == pytest.approx(4.5 * np.ones(3), rel=0.1)
