"""Point spread functions have the covariance that they claim."""

from __future__ import annotations

import numpy as np
import pytest

from capture.prepare.point_spread import PointSpread, disk, line, no_blur, shake


def covariance(spread: PointSpread) -> tuple[float, float, float]:
    """Covariance of the rasterized kernel."""
    half = len(spread.kernel) // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    weight = spread.kernel.astype(float)
    mean_x, mean_y = (weight * x).sum(), (weight * y).sum()
    return (
        float((weight * (x - mean_x) ** 2).sum()),
        float((weight * (x - mean_x) * (y - mean_y)).sum()),
        float((weight * (y - mean_y) ** 2).sum()),
    )


def spreads() -> list[PointSpread]:
    rng = np.random.default_rng(3)
    return [
        disk(2.0),
        disk(7.5),
        line(10, 0),
        line(25, 70),
        shake(15, rng),
        shake(30, rng, dwell=True),
    ]


@pytest.mark.parametrize("spread", spreads(), ids=lambda s: f"{s.cause}-{s.extent_px:g}")
def test_the_kernel_has_the_covariance_it_states(spread: PointSpread) -> None:
    assert spread.kernel.sum() == pytest.approx(1.0, abs=1e-5)
    stated = (spread.variance_xx, spread.variance_xy, spread.variance_yy)
    # A kernel has whole pixels; where the path rests between two, it is off by their share.
    assert covariance(spread) == pytest.approx(stated, abs=0.6)


def test_a_disk_of_radius_r_has_the_deviation_r_over_two() -> None:
    assert disk(6.0).sigma_px == pytest.approx(3.0)


def test_a_line_has_its_length_over_root_24_and_its_angle() -> None:
    """An angle of 30 degrees points right and down."""
    spread = line(24.0, 30.0)
    assert spread.sigma_px == pytest.approx(24 / np.sqrt(24), rel=1e-3)
    assert spread.angle_deg == pytest.approx(30.0, abs=0.1)
    half = len(spread.kernel) // 2
    lower_right = spread.kernel[half + 1 :, half + 1 :].sum()
    assert lower_right > 5 * spread.kernel[half + 1 :, :half].sum()


def test_a_shake_is_as_long_as_asked() -> None:
    kernel = shake(20.0, np.random.default_rng(5)).kernel
    y, x = np.nonzero(kernel)
    longest = np.hypot(x[:, None] - x, y[:, None] - y).max()
    assert longest == pytest.approx(20.0, abs=2.0)


def test_a_dwelling_hand_leaves_a_ghost() -> None:
    """One point of the path holds far more light than any does in a steady drift."""
    rng = np.random.default_rng(5)
    assert shake(20.0, rng, dwell=True).kernel.max() > 2 * line(20.0, 0.0).kernel.max()


def test_no_blur_is_one_pixel() -> None:
    assert no_blur().kernel.shape == (1, 1)
    assert no_blur().sigma_px == 0.0
