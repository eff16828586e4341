"""Windows and invented scenes are sharp, of any kind, and the same for one seed."""

from __future__ import annotations

import cv2
import numpy as np
import skimage.data

from capture.prepare.degrade import develop, draw_ordinary_nuisance, to_linear
from capture.prepare.invented_scenes import draw_invented
from capture.prepare.windows import draw_window

PHOTO = np.ascontiguousarray(skimage.data.astronaut()[:, :, ::-1])


def steepest(scene: np.ndarray) -> float:
    """Largest change of light from one pixel to the next."""
    luminance = scene.mean(2)
    return float(max(np.abs(np.diff(luminance, axis=axis)).max() for axis in (0, 1)))


def test_an_invented_scene_has_an_edge_of_one_pixel() -> None:
    """Blurred by two pixels, the same scene has none so steep."""
    ground = np.full((120, 160, 3), 0.2, np.float32)
    for seed in range(12):
        scene = draw_invented(ground, np.random.default_rng(seed))
        assert scene.shape == ground.shape
        assert 0 <= scene.min() <= scene.max() <= 1
        soft = np.asarray(cv2.GaussianBlur(scene, (0, 0), 2.0))
        assert steepest(scene) > 2 * steepest(soft)


def test_a_window_fits_and_is_drawn_alike_for_one_seed() -> None:
    for seed in range(20):
        drawn = [draw_window(PHOTO, np.random.default_rng(seed), (200, 150)) for _ in range(2)]
        assert np.array_equal(drawn[0], drawn[1])
        assert drawn[0].dtype == np.float32
        assert drawn[0].min() >= 0
        assert max(drawn[0].shape[:2]) <= max(PHOTO.shape)


def test_lights_that_were_clipped_are_brighter_than_white_in_some_windows() -> None:
    white = np.full((300, 300, 3), 255, np.uint8)
    brightest = [
        float(draw_window(white, np.random.default_rng(seed), (200, 150)).max())
        for seed in range(40)
    ]
    assert min(brightest) <= 1.0
    assert max(brightest) > 1.5


def test_ordinary_cameras_compress_twice_and_are_soft_at_times() -> None:
    drawn = [draw_ordinary_nuisance(np.random.default_rng(seed)) for seed in range(60)]
    assert 0 < sum(one.first_jpeg_quality > 0 for one in drawn) < 60
    assert 0 < sum(one.lens_sigma_px > 0 for one in drawn) < 60
    twice = next(one for one in drawn if one.first_jpeg_quality)
    # The crop between the two compressions moves the grid of blocks.
    assert develop(to_linear(PHOTO), twice).shape == (PHOTO.shape[0] - 3, PHOTO.shape[1] - 5)
