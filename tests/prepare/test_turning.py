"""A camera that turns blurs little near the point it turns about, and much far from it."""

from __future__ import annotations

import numpy as np
import pytest

from capture.prepare.point_spread import Cause
from capture.prepare.turning import draw_turned


def checks(side: int) -> np.ndarray:
    """Draw squares of 4 px."""
    rows, columns = np.indices((side, side)) // 4
    return np.repeat(((rows + columns) % 2)[..., None], 3, 2).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_turning_takes_detail_away_and_keeps_the_light(seed: int) -> None:
    scene = checks(160)
    blurred, spread = draw_turned(scene, np.random.default_rng(seed), least_px=8.0)
    assert blurred.mean() == pytest.approx(scene.mean(), abs=0.05)
    assert blurred.std() < 0.6 * scene.std()
    assert spread.cause is Cause.TURN
    assert spread.extent_px == 8.0


def test_more_movement_leaves_less() -> None:
    """The same draw, with more movement, blurs more."""
    left = [
        draw_turned(checks(160), np.random.default_rng(3), least_px=least_px)[0].std()
        for least_px in (1.0, 3.0, 9.0)
    ]
    assert left == sorted(left, reverse=True)
