"""Night scenes: lamps before the dark, which blur turns into crisp disks and trails."""

from __future__ import annotations

import numpy as np

from capture.prepare.degrade import blur
from capture.prepare.night_scenes import draw_night
from capture.prepare.point_spread import disk


def night() -> np.ndarray:
    scene = np.full((240, 320, 3), 0.5, np.float32)
    return draw_night(scene, np.random.default_rng(3))


def test_the_scene_is_dark_but_for_its_lamps() -> None:
    """Half of the picture lies a stop or more below what it was; a few pixels outshine white."""
    luminance = night().max(2)
    assert np.median(luminance) <= 0.25
    assert 0 < (luminance > 2).mean() < 0.1


def test_a_lamp_out_of_focus_is_a_disk_with_a_crisp_rim() -> None:
    """Clipped at white, its rim is no wider than that of the lamp in focus."""

    def steepest(scene: np.ndarray) -> float:
        seen = np.clip(scene[..., 1], 0, 1)
        return float(np.abs(np.diff(seen, axis=1)).max())

    sharp = night()
    assert steepest(blur(sharp, disk(6.0))) > 0.7 * steepest(sharp)


def test_one_seed_draws_one_night() -> None:
    assert np.array_equal(night(), night())
