"""Preview motion: known shifts come back, walkers and noise do not count."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage import data
from skimage.registration import phase_cross_correlation

from capture.measure.luma import LumaPlane
from capture.measure.motion import (
    PREVIEW_WIDTH_PX,
    Motion,
    bucketed_corners,
    measure_motion,
    measure_preview,
    reduce_preview,
)

SCENE = cv2.resize(data.camera(), (1200, 900), interpolation=cv2.INTER_CUBIC)
CENTRE = np.array([599.5, 449.5])


def view(
    dx_px: float = 0.0,
    dy_px: float = 0.0,
    *,
    turn_deg: float = 0.0,
    zoom: float = 1.0,
    noise: float = 0.0,
    seed: int = 1,
    width_px: int = 640,
    height_px: int = 480,
) -> LumaPlane:
    """Show the middle of the scene, its content moved by (dx, dy) and turned from x to y."""
    angle = np.deg2rad(turn_deg)
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    target = np.array([(width_px - 1) / 2 + dx_px, (height_px - 1) / 2 + dy_px])
    matrix = np.column_stack([turn, target - turn @ CENTRE])
    seen = cv2.warpAffine(SCENE, matrix, (width_px, height_px), flags=cv2.INTER_CUBIC)
    noisy = seen + noise * np.random.default_rng(seed).standard_normal(seen.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def motion_between(before: LumaPlane, after: LumaPlane) -> Motion | None:
    return measure_motion(reduce_preview(before), reduce_preview(after))


def require(motion: Motion | None) -> Motion:
    assert motion is not None
    return motion


@pytest.mark.parametrize(
    ("dx_px", "dy_px"), [(0.0, 0.0), (2.4, -1.3), (-0.35, 0.6), (14.0, 9.5), (-30.0, 4.0)]
)
def test_a_known_shift_comes_back(dx_px: float, dy_px: float) -> None:
    """x right, y down, from the frame before to this one, in pixels of the preview."""
    motion = require(motion_between(view(), view(dx_px, dy_px)))
    assert motion.dx_px == pytest.approx(dx_px, abs=0.1)
    assert motion.dy_px == pytest.approx(dy_px, abs=0.1)


def test_phase_correlation_of_scikit_image_agrees() -> None:
    """The independent oracle finds the same shift where nothing else moves."""
    before, after = view(), view(3.3, -2.1)
    row_px, column_px = phase_cross_correlation(before, after, upsample_factor=50)[0]
    motion = require(motion_between(before, after))
    assert (motion.dx_px, motion.dy_px) == pytest.approx((-column_px, -row_px), abs=0.25)


@given(dx_px=st.floats(-12, 12), dy_px=st.floats(-12, 12), turn_deg=st.floats(-2, 2))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_shift_and_roll_are_told_apart(dx_px: float, dy_px: float, turn_deg: float) -> None:
    """The shift is that of the centre, whatever the roll."""
    motion = require(motion_between(view(), view(dx_px, dy_px, turn_deg=turn_deg)))
    assert (motion.dx_px, motion.dy_px) == pytest.approx((dx_px, dy_px), abs=0.15)
    assert motion.rotation_deg == pytest.approx(turn_deg, abs=0.03)


def test_zoom_is_told() -> None:
    """Content that grows gives a scale above 1."""
    assert require(motion_between(view(), view(zoom=1.02))).scale == pytest.approx(1.02, abs=1e-3)


def test_there_and_back_is_nothing() -> None:
    """The way back is the way there with the other sign."""
    there = require(motion_between(view(), view(5.2, 3.1)))
    back = require(motion_between(view(5.2, 3.1), view()))
    assert (there.dx_px, there.dy_px) == pytest.approx((-back.dx_px, -back.dy_px), abs=0.05)


def test_noise_of_a_high_iso_costs_a_tenth_of_a_pixel() -> None:
    """Sigma 8 on both frames."""
    motion = require(motion_between(view(noise=8, seed=1), view(1.7, -0.8, noise=8, seed=2)))
    assert (motion.dx_px, motion.dy_px) == pytest.approx((1.7, -0.8), abs=0.12)


def test_someone_who_walks_through_is_not_the_camera() -> None:
    """A quarter of the picture moves by 8 px; the camera stands."""
    texture = np.random.default_rng(3).integers(0, 256, (24, 32)).astype(np.uint8)
    walker = cv2.resize(texture, (320, 240), interpolation=cv2.INTER_NEAREST)
    before, after = view(), view()
    before[100:340, 150:470] = walker
    after[100:340, 158:478] = walker
    motion = require(motion_between(before, after))
    assert (motion.dx_px, motion.dy_px) == pytest.approx((0, 0), abs=0.05)


@pytest.mark.parametrize("noise", [0.0, 3.0, 10.0])
def test_a_flat_wall_has_no_motion(noise: float) -> None:
    """Neither clean nor at a high ISO: noise is not found again in the next frame."""
    rng = np.random.default_rng(5)
    walls = [
        np.clip(np.rint(120 + noise * rng.standard_normal((480, 640))), 0, 255).astype(np.uint8)
        for _ in range(12)
    ]
    assert all(motion_between(before, after) is None for before, after in pairwise(walls))


def test_detail_in_one_corner_is_not_enough() -> None:
    """Fewer than three quadrants could be anything."""

    def corner_only(luma: LumaPlane) -> LumaPlane:
        seen = np.full_like(luma, 90)
        seen[:220, :300] = luma[:220, :300]
        return seen

    assert motion_between(corner_only(view()), corner_only(view(2, 0))) is None


def test_another_scene_has_no_motion() -> None:
    """A cut is not a movement."""
    other = np.ascontiguousarray(view()[::-1, ::-1])
    assert motion_between(view(), other) is None


def test_a_change_of_size_has_no_motion() -> None:
    """Even where the small planes are of one size."""
    assert motion_between(view(), view(width_px=1280, height_px=960)) is None
    assert motion_between(view(), view(width_px=480, height_px=640)) is None


def test_the_answer_is_always_the_same() -> None:
    """RANSAC starts from a fixed seed."""
    before, after = view(noise=6, seed=1), view(4, 4, noise=6, seed=2)
    assert motion_between(before, after) == motion_between(before, after)


def test_the_first_preview_has_measures_and_no_motion() -> None:
    """Sharpness, brightness and thumbnail need no second frame."""
    measures = measure_preview(view(), None)
    assert measures.motion is None
    assert measures.sharpness > 0
    assert measures.mean_luma == pytest.approx(view().mean(), abs=1.0)
    assert measures.thumbnail.shape == (24, 32)


def test_more_blur_is_less_sharp() -> None:
    """Sharpness ranks the frames of one scene."""
    sharpness = [
        measure_preview(cv2.GaussianBlur(view(), (0, 0), sigma), None).sharpness
        for sigma in (0.5, 1.5, 3.0, 6.0)
    ]
    assert sharpness == sorted(sharpness, reverse=True)


@pytest.mark.parametrize("shape", [(480, 640), (1280, 720), (720, 1280)])
def test_previews_are_reduced_to_one_width(shape: tuple[int, int]) -> None:
    """Height follows the aspect."""
    plane = reduce_preview(np.zeros(shape, np.uint8))
    assert plane.luma.shape == (round(shape[0] * PREVIEW_WIDTH_PX / shape[1]), PREVIEW_WIDTH_PX)
    assert (plane.source_height_px, plane.source_width_px) == shape


@pytest.mark.parametrize("shape", [(1, 1), (2, 900), (20, 30), (100, 160)])
def test_tiny_previews_are_measured(shape: tuple[int, int]) -> None:
    """Too small for corners is no motion, not an error."""
    luma = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    measures = measure_preview(luma, reduce_preview(luma))
    assert measures.plane.source_width_px == shape[1]


def test_corners_are_spread_one_to_a_cell() -> None:
    """At most 48, on a picture that is detailed all over."""
    texture = np.random.default_rng(0).integers(0, 255, (60, 80)).astype(np.uint8)
    points, gradients = bucketed_corners(cv2.resize(texture, (320, 240)))
    cells = {(int(x) // 40, int(y) // 40) for x, y in points}
    assert len(points) == len(cells) == 48
    assert (gradients > 0).all()


@pytest.mark.parametrize("bad", [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.float32)])
def test_what_is_not_luma_is_refused_in_words(bad: NDArray[np.uint8]) -> None:
    """Shape and dtype are checked at the door."""
    with pytest.raises(ValueError, match="luma must be"):
        measure_preview(bad, None)
