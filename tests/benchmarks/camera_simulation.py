"""A simulated hand that holds a simulated phone: the truth for the bench of steadiness.

Angles are drawn at 1 kHz: tremor of 8 to 12 Hz, drift of 0.3 to 3 Hz, and roll. From them
come preview frames (blurred by their own exposure in linear light, noisy, with a textured
foreground that walks through), samples of a gyroscope, and the true blur of stills.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.measure.gyro import GyroSample
from capture.measure.luma import LumaPlane, linear_to_srgb, srgb_to_linear

WIDTH_PX, HEIGHT_PX = 640, 480
FRAME_RATE_HZ = 30.0
FOCAL_WIDTHS = 0.8
STILL_WIDTH_PX = 4000
_RATE_HZ = 1000


@dataclass(frozen=True)
class Trajectory:
    """Where the content's centre lies at every millisecond.

    Attributes
    ----------
    position : (n, 2) float64
        x right and y down, in widths of the picture.
    roll_rad : (n,) float64
        Roll of the content, from x to y.
    """

    position: NDArray[np.float64]
    roll_rad: NDArray[np.float64]

    def at(self, time_ms: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (x, y, roll) at times, (n, 3)."""
        knots = np.arange(len(self.roll_rad), dtype=float)
        columns = (*self.position.T, self.roll_rad)
        return np.stack([np.interp(time_ms, knots, column) for column in columns], axis=-1)

    def still_blur_px(self, from_ms: float, exposure_time_s: float) -> float:
        """Return the extent of the movement while the shutter is open, pixels of the still.

        The largest distance between two places where the centre was.
        """
        path = self.at(np.linspace(from_ms, from_ms + exposure_time_s * 1000, 9))[:, :2]
        apart = np.linalg.norm(path[:, None] - path[None], axis=2)
        return float(apart.max() * STILL_WIDTH_PX)

    def gyro_samples(
        self, rng: np.random.Generator, rate_hz: float, noise_rad_s: float, bias_rad_s: float
    ) -> list[GyroSample]:
        """Return what a gyroscope would have said, in the camera's axes."""
        step_ms = 1000 / rate_hz
        times_ms = np.arange(1.0, len(self.roll_rad) - 1, step_ms)
        velocity = (self.at(times_ms + 0.5) - self.at(times_ms - 0.5)) * 1000
        rates = np.stack(
            [velocity[:, 1] / FOCAL_WIDTHS, -velocity[:, 0] / FOCAL_WIDTHS, -velocity[:, 2]], axis=1
        )
        rates += rng.normal(0, noise_rad_s, rates.shape) + rng.normal(0, bias_rad_s, 3)
        return [GyroSample(float(t), *map(float, r)) for t, r in zip(times_ms, rates, strict=True)]


def shake(
    rng: np.random.Generator, duration_ms: int, rms_px_s: float, tremor_share: float | None = None
) -> Trajectory:
    """Draw a hand-held trajectory whose speed has this root mean square at 640 px width."""
    share = rng.uniform(0.2, 0.8) if tremor_share is None else tremor_share
    tremor_hz = rng.uniform(8.5, 11.5)
    bands = [(tremor_hz - 0.7, tremor_hz + 0.7, share), (0.3, 3.0, 1 - share)]
    velocity = np.zeros((duration_ms, 3))
    for low_hz, high_hz, power in bands:
        noise = _band(rng, duration_ms, low_hz, high_hz)
        velocity += np.sqrt(power) * noise
    velocity[:, :2] /= np.sqrt(np.square(velocity[:, :2]).sum(axis=1).mean())
    velocity[:, :2] *= rms_px_s / WIDTH_PX
    # Roll is a third of the turn: wrists turn less around the line of sight.
    velocity[:, 2] /= np.sqrt(np.square(velocity[:, 2]).mean())
    velocity[:, 2] *= rms_px_s / WIDTH_PX / FOCAL_WIDTHS / 3
    path = np.cumsum(velocity, axis=0) / _RATE_HZ
    path -= path.mean(axis=0)
    return Trajectory(path[:, :2], path[:, 2])


def halt(rng: np.random.Generator, rms_px_s: float) -> tuple[Trajectory, float]:
    """Draw a camera that moves for a while and is then set down; return when."""
    moving = shake(rng, 3000, rms_px_s)
    halted_ms = 1100 + int(rng.integers(34))
    position = np.concatenate(
        [moving.position[:halted_ms], np.tile(moving.position[halted_ms], (2500, 1))]
    )
    roll = np.concatenate([moving.roll_rad[:halted_ms], np.full(2500, moving.roll_rad[halted_ms])])
    return Trajectory(position, roll), float(halted_ms)


def _band(
    rng: np.random.Generator, count: int, low_hz: float, high_hz: float
) -> NDArray[np.float64]:
    """Noise of unit variance within a band, (n, 3)."""
    spectrum = np.fft.rfft(rng.normal(size=(count, 3)), axis=0)
    frequency = np.fft.rfftfreq(count, 1 / _RATE_HZ)
    spectrum[(frequency < low_hz) | (frequency > high_hz)] = 0
    noise = np.fft.irfft(spectrum, count, axis=0)
    return np.asarray(noise / noise.std(axis=0))


@dataclass(frozen=True)
class Foreground:
    """Something textured that walks through the picture."""

    texture: NDArray[np.float32]
    start_px: NDArray[np.float64]
    velocity_px_s: NDArray[np.float64]

    def cover(self, light: NDArray[np.float32], time_ms: float) -> None:
        """Cover what is behind it; it turns round at the borders."""
        room = np.array(light.shape[::-1]) - self.texture.shape[::-1]
        wandered = self.start_px + self.velocity_px_s * time_ms / 1000
        x, y = np.rint(np.abs((wandered + room) % (2 * room) - room)).astype(int)
        height, width = self.texture.shape
        light[y : y + height, x : x + width] = self.texture


def draw_foreground(
    rng: np.random.Generator, texture: LumaPlane, area_fraction: float
) -> Foreground | None:
    """Draw a foreground that covers this share of the picture, 2 to 8 px a frame fast."""
    if area_fraction == 0:
        return None
    side = np.sqrt(area_fraction)
    size = (int(WIDTH_PX * side), int(HEIGHT_PX * side))
    patch = srgb_to_linear(cv2.resize(texture, size).astype(np.float32) / 255)
    angle = rng.uniform(0, 2 * np.pi)
    speed = rng.uniform(2, 8) * FRAME_RATE_HZ
    start = rng.uniform(0.2, 0.6, 2) * (WIDTH_PX, HEIGHT_PX)
    return Foreground(
        patch.astype(np.float32), start, speed * np.array([np.cos(angle), np.sin(angle)])
    )


def render_preview(
    rng: np.random.Generator,
    scene: NDArray[np.float32],
    trajectory: Trajectory,
    at_ms: float,
    *,
    exposure_ms: float,
    noise_sigma: float,
    foreground: Foreground | None,
) -> LumaPlane:
    """Render one preview, exposed around a time.

    Parameters
    ----------
    scene : (H, W) float32
        Linear light in [0, 1], larger than the preview.
    noise_sigma : float
        In 8-bit luma levels at mid-grey; grows with the root of the light.
    """
    times_ms = at_ms + exposure_ms * np.linspace(-0.5, 0.5, 5)
    light = np.zeros((HEIGHT_PX, WIDTH_PX), np.float32)
    for time_ms, (x, y, roll) in zip(times_ms, trajectory.at(times_ms), strict=True):
        seen = _expose(scene, x, y, roll)
        if foreground is not None:
            foreground.cover(seen, float(time_ms))
        light += seen
    luma = 255 * linear_to_srgb(np.clip(light / len(times_ms), 0, 1))
    shot = noise_sigma * np.sqrt(0.3 + 0.7 * luma / 128)
    luma = luma + shot * rng.standard_normal(luma.shape)
    return np.clip(np.rint(luma), 0, 255).astype(np.uint8)


def _expose(scene: NDArray[np.float32], x: float, y: float, roll: float) -> NDArray[np.float32]:
    """The scene as seen with its centre moved to (x, y) widths from the picture's centre."""
    height, width = scene.shape
    cosine, sine = np.cos(roll), np.sin(roll)
    to_preview = np.array([[cosine, -sine, 0], [sine, cosine, 0]])
    # Content at the scene's centre appears at the picture's centre plus the shift.
    target = np.array([(WIDTH_PX - 1) / 2 + x * WIDTH_PX, (HEIGHT_PX - 1) / 2 + y * WIDTH_PX])
    to_preview[:, 2] = target - to_preview[:, :2] @ [(width - 1) / 2, (height - 1) / 2]
    return np.asarray(
        cv2.warpAffine(
            scene,
            to_preview,
            (WIDTH_PX, HEIGHT_PX),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT_101,
        )
    )
