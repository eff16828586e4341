"""The blur measure finds the blur that was put in, and keeps silent where nothing can be told."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from capture.measure.blur import MIN_EDGE_COUNT, measure_blur
from capture.measure.measures import BlurKind
from capture.measure.status import MeasureStatus, MissingEvidence
from capture.prepare.degrade import Nuisance, blur, composite, develop, to_linear
from capture.prepare.night_scenes import draw_night
from capture.prepare.point_spread import Cause, PointSpread, disk, line, no_blur

CLEAN = Nuisance(
    exposure_ev=0.0,
    iso=100,
    noise_grain_px=0.0,
    denoise_strength=0.0,
    sharpen_amount=0.3,
    sharpen_sigma_px=1.0,
    haze=0.0,
    jpeg_quality=90,
    seed=7,
)


@pytest.fixture(scope="module")
def scene() -> NDArray[np.float32]:
    """A motorcycle in a garage, reduced so that it is truly sharp; linear light."""
    left, _, _ = skimage.data.stereo_motorcycle()
    small = cv2.resize(left, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    return to_linear(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))


def capture(scene: NDArray[np.float32], spread: PointSpread) -> NDArray[np.uint8]:
    return develop(blur(scene, spread), CLEAN)


def test_a_sharp_picture_is_not_called_blurred(scene: NDArray[np.float32]) -> None:
    measured = measure_blur(capture(scene, no_blur()))
    assert measured.status is MeasureStatus.OK
    assert measured.probability is not None
    assert measured.probability < 0.2
    assert measured.blur_px is not None
    assert measured.blur_px < 0.5


@pytest.mark.parametrize("radius_px", [3.0, 5.0, 8.0])
def test_defocus_is_found_with_its_size(scene: NDArray[np.float32], radius_px: float) -> None:
    """A disk of radius r has the standard deviation r / 2 on each axis."""
    measured = measure_blur(capture(scene, disk(radius_px)))
    assert measured.probability is not None
    assert measured.probability > 0.8
    assert measured.kind is BlurKind.DEFOCUS
    assert measured.motion_extent_px == 0.0
    assert measured.motion_angle_deg is None
    assert measured.blur_px == pytest.approx(radius_px / 2, rel=0.3)


@pytest.mark.parametrize("angle_deg", [0.0, 30.0, 90.0, 150.0])
def test_straight_motion_is_found_with_its_length_and_angle(
    scene: NDArray[np.float32], angle_deg: float
) -> None:
    """The angle counts from +x towards +y, which points down."""
    measured = measure_blur(capture(scene, line(20.0, angle_deg)))
    assert measured.probability is not None
    assert measured.probability > 0.8
    assert measured.kind is BlurKind.MOTION
    assert measured.motion_angle_deg is not None
    off = abs(measured.motion_angle_deg - angle_deg) % 180
    assert min(off, 180 - off) < 15
    assert measured.motion_extent_px is not None
    assert 5 < measured.motion_extent_px < 40


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 5])
def test_lamps_out_of_focus_are_blurred_though_their_rims_are_crisp(
    scene: NDArray[np.float32], seed: int
) -> None:
    """Clipped at white, a disk of light has a narrow rim; in focus the same lamps pass."""
    night = draw_night(scene, np.random.default_rng(seed))
    sharp = measure_blur(capture(night, no_blur())).probability
    soft = measure_blur(capture(night, disk(4.0))).probability
    assert sharp is not None
    assert soft is not None
    assert sharp < 0.2
    assert soft > 0.5


def test_movement_in_a_circle_has_no_direction(scene: NDArray[np.float32]) -> None:
    """It is movement, but no angle is named for it."""
    ring = np.zeros((27, 27), np.float32)
    cv2.circle(ring, (13, 13), 10, 1.0, 1)
    spread = PointSpread(Cause.SHAKE, 20.0, ring / ring.sum(), 50.0, 0.0, 50.0)
    measured = measure_blur(capture(scene, spread))
    assert measured.kind is BlurKind.MOTION
    assert measured.motion_angle_deg is None
    assert measured.motion_extent_px is not None
    assert measured.motion_extent_px > 8


def test_more_defocus_measures_higher(scene: NDArray[np.float32]) -> None:
    widths = [measure_blur(capture(scene, disk(radius))).blur_px for radius in (1.5, 3, 5, 8)]
    assert None not in widths
    assert widths == sorted(widths)


def test_a_mirrored_picture_has_the_same_blur_and_a_mirrored_angle(
    scene: NDArray[np.float32],
) -> None:
    luma = capture(scene, line(16.0, 30.0))
    straight, mirrored = measure_blur(luma), measure_blur(np.ascontiguousarray(luma[:, ::-1]))
    assert straight.blur_px is not None
    assert straight.motion_angle_deg is not None
    assert mirrored.motion_angle_deg is not None
    assert mirrored.blur_px == pytest.approx(straight.blur_px, rel=0.2)
    off = abs(mirrored.motion_angle_deg - (180 - straight.motion_angle_deg)) % 180
    assert min(off, 180 - off) < 10


def test_a_mild_gain_changes_little(scene: NDArray[np.float32]) -> None:
    luma = capture(scene, disk(4.0))
    dimmed = (luma * 0.85).astype(np.uint8)
    plain, dim = measure_blur(luma), measure_blur(dimmed)
    assert plain.blur_px is not None
    assert dim.blur_px == pytest.approx(plain.blur_px, rel=0.15)


def test_a_sharp_subject_before_a_soft_background_passes(scene: NDArray[np.float32]) -> None:
    height, width = scene.shape[:2]
    mask = np.zeros((height, width), np.float32)
    cv2.ellipse(mask, (width // 2, height // 2), (width // 5, height // 4), 0, 0, 360, 1.0, -1)
    soft = cv2.GaussianBlur(mask, (0, 0), 3)
    whole = measure_blur(capture(scene, disk(8.0)))
    subject = measure_blur(develop(composite(scene, blur(scene, disk(8.0)), soft), CLEAN))
    assert whole.probability is not None
    assert subject.probability is not None
    assert whole.probability > 0.8
    assert subject.probability < 0.5


@pytest.mark.parametrize("times", [2.2, 3.5, 4.0])
def test_a_larger_picture_is_measured_in_its_own_pixels(
    scene: NDArray[np.float32], times: float
) -> None:
    """Enlarged four times, the same picture has about four times the blur in pixels."""
    luma = capture(scene, disk(5.0))
    large = cv2.resize(luma, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
    small, big = measure_blur(luma), measure_blur(np.asarray(large, np.uint8))
    assert small.blur_px is not None
    assert big.blur_px == pytest.approx(times * small.blur_px, rel=0.3)
    assert big.blur_px is not None
    assert big.blur_px_at_reference == pytest.approx(big.blur_px * 1000 / max(large.shape))


def flat(seed: int, sigma: float) -> NDArray[np.uint8]:
    """A sky: a gradient from top to bottom, with noise."""
    rng = np.random.default_rng(seed)
    rows = np.linspace(rng.uniform(60, 150), rng.uniform(150, 240), 600)[:, None]
    return np.clip(rows + rng.normal(0, sigma, (600, 800)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("sigma", [0.0, 2.0, 6.0, 12.0])
@pytest.mark.parametrize("seed", range(3))
def test_an_empty_sky_is_never_called_blurred(seed: int, sigma: float) -> None:
    measured = measure_blur(flat(seed, sigma))
    assert measured.missing is MissingEvidence.TOO_FEW_EDGES
    assert measured.probability is None
    assert measured.edge_count < MIN_EDGE_COUNT


def test_a_black_frame_is_too_dark() -> None:
    noise = np.random.default_rng(0).integers(0, 8, (480, 640), np.uint8)
    assert measure_blur(noise).missing is MissingEvidence.TOO_DARK


def test_a_tiny_picture_is_too_small() -> None:
    checks = np.kron(np.indices((8, 8)).sum(0) % 2, np.ones((4, 4))).astype(np.uint8) * 255
    assert measure_blur(checks).missing is MissingEvidence.TOO_SMALL


@pytest.mark.parametrize("shape", [(64, 64), (64, 500), (500, 64), (130, 129)])
def test_small_pictures_are_measured(scene: NDArray[np.float32], shape: tuple[int, int]) -> None:
    luma = capture(scene, no_blur())[: shape[0], : shape[1]]
    measured = measure_blur(np.ascontiguousarray(luma))
    assert measured.status is MeasureStatus.OK


def test_an_explanation_says_where_it_looked(scene: NDArray[np.float32]) -> None:
    luma = capture(scene, disk(3.0))
    height, width = luma.shape
    assert measure_blur(luma).tiles == ()
    explained = measure_blur(luma, explain=True)
    assert len(explained.tiles) > 0
    assert sum(tile.edge_count for tile in explained.tiles) == explained.edge_count
    for tile in explained.tiles:
        assert tile.x_px >= 0
        assert tile.y_px >= 0
        assert tile.x_px + tile.width_px <= width
        assert tile.y_px + tile.height_px <= height


def test_equal_pixels_give_equal_numbers_in_another_process(scene: NDArray[np.float32]) -> None:
    luma = capture(scene, line(12.0, 75.0))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        elsewhere = pool.submit(measure_blur, luma).result()
    assert elsewhere == measure_blur(luma)


def test_colour_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match=r"luma must be \(H, W\) uint8"):
        measure_blur(np.zeros((10, 10, 3), np.uint8))
