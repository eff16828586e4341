"""What happens between a sharp scene and the JPEG of it, simulated in linear light.

Blur, exposure, sensor noise, the camera's denoising and sharpening, and JPEG, in the order
in which a camera meets them. All nuisances are drawn independently of the blur.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.measure.luma import LumaPlane, linear_to_srgb, srgb_to_linear
from capture.prepare.point_spread import PointSpread

LinearColor = NDArray[np.float32]
"""(H, W, 3) float32 linear light in [0, 1], BGR."""

_SHOT_NOISE_AT_ISO = {100: 1e-4, 400: 4e-4, 1600: 1.6e-3, 6400: 6.4e-3}
_ISO_SHARES = {0: 0.15, 100: 0.25, 400: 0.25, 1600: 0.20, 6400: 0.15}
_ENCODE_STEPS = 8192
_TO_LINEAR = srgb_to_linear(np.arange(256) / 255.0).astype(np.float32)
_TO_ENCODED = (255 * linear_to_srgb(np.arange(_ENCODE_STEPS) / (_ENCODE_STEPS - 1.0))).astype(
    np.float32
)


@dataclass(frozen=True, slots=True)
class Nuisance:
    """Everything but the blur that makes one capture of a scene differ from the next.

    Attributes
    ----------
    exposure_ev : float
        Stops by which the scene is brightened.
    iso : int
        0 for no noise, else 100, 400, 1600 or 6400: shot noise variance of 1e-4 of the
        signal at ISO 100, in proportion above, plus read noise.
    noise_grain_px : float
        Standard deviation of the smoothing that correlates the noise; 0 for white noise.
    denoise_strength : float
        Range sigma of the bilateral filter in units of the noise; 0 for none.
    sharpen_amount, sharpen_sigma_px : float
        Unsharp masking after denoising.
    haze : float
        Share of white airlight in [0, 1).
    jpeg_quality : int
        libjpeg quality, 4:2:0.
    seed : int
        Of the noise.
    lens_sigma_px : float
        Gaussian softness of lens, mosaic and smearing that even a sharp capture has.
    first_jpeg_quality : int
        Quality of an earlier compression, as pictures from the web have it; 0 for none.
    """

    exposure_ev: float
    iso: int
    noise_grain_px: float
    denoise_strength: float
    sharpen_amount: float
    sharpen_sigma_px: float
    haze: float
    jpeg_quality: int
    seed: int
    lens_sigma_px: float = 0.0
    first_jpeg_quality: int = 0


def draw_nuisance(rng: np.random.Generator) -> Nuisance:
    """Draw one capture's nuisances."""
    iso = int(rng.choice(list(_ISO_SHARES), p=list(_ISO_SHARES.values())))
    return Nuisance(
        exposure_ev=float(rng.normal(-0.3, 0.7)),
        iso=iso,
        noise_grain_px=float(rng.uniform(0.4, 0.8)) if rng.random() < 0.2 else 0.0,
        denoise_strength=float(rng.uniform(1.0, 3.0)) if rng.random() < 0.5 else 0.0,
        sharpen_amount=float(rng.uniform(0.0, 0.8)),
        sharpen_sigma_px=float(rng.uniform(0.8, 1.6)),
        haze=float(rng.uniform(0.3, 0.85)) if rng.random() < 0.06 else 0.0,
        jpeg_quality=int(rng.integers(60, 96)),
        seed=int(rng.integers(2**31)),
    )


def draw_ordinary_nuisance(rng: np.random.Generator) -> Nuisance:
    """Draw a capture as ordinary cameras and the web leave it.

    Three in ten are a little soft, one in eight is sharpened until edges have halos, one in
    eight is denoised hard, and one in six was compressed before.
    """
    drawn = draw_nuisance(rng)
    if rng.random() < 0.3:
        drawn = replace(drawn, lens_sigma_px=float(rng.uniform(0.3, 0.65)))
    if rng.random() < 0.12:
        drawn = replace(drawn, sharpen_amount=float(rng.uniform(0.8, 2.0)))
    if rng.random() < 0.12 and drawn.iso:
        drawn = replace(drawn, denoise_strength=float(rng.uniform(3.0, 6.0)))
    if rng.random() < 0.16:
        drawn = replace(drawn, first_jpeg_quality=int(rng.integers(55, 93)))
    return drawn


def to_linear(color: NDArray[np.uint8]) -> LinearColor:
    """Turn an (H, W, 3) uint8 picture into linear light."""
    return _TO_LINEAR[color]


def blur(scene: LinearColor, spread: PointSpread) -> LinearColor:
    """Convolve a scene with a point spread function; edges are reflected."""
    if spread.kernel.size == 1:
        return scene
    # filter2D correlates; the flip makes it a convolution, which matters for dwell paths.
    blurred = cv2.filter2D(
        scene, -1, spread.kernel[::-1, ::-1].copy(), borderType=cv2.BORDER_REFLECT
    )
    return np.asarray(blurred, np.float32)


def composite(
    subject: LinearColor, background: LinearColor, mask: NDArray[np.float32]
) -> LinearColor:
    """Lay a sharp subject over its blurred background; `mask` (H, W) is 1 on the subject."""
    return background + (subject - background) * mask[..., None]


def develop(scene: LinearColor, nuisance: Nuisance) -> LumaPlane:
    """Expose, add noise, denoise, sharpen and compress; return the luma of the JPEG.

    Parameters
    ----------
    scene : (H, W, 3) float32
        Linear light in front of the sensor.
    nuisance : Nuisance
        How it is captured.

    Returns
    -------
    LumaPlane
        (H, W) uint8, as a decoder gives it.
    """
    rng = np.random.default_rng(nuisance.seed)
    if nuisance.lens_sigma_px:
        scene = np.asarray(cv2.GaussianBlur(scene, (0, 0), nuisance.lens_sigma_px), np.float32)
    light = scene * np.float32((1 - nuisance.haze) * 2.0**nuisance.exposure_ev)
    light += np.float32(nuisance.haze * 0.6)
    encoded_noise = 0.0
    if nuisance.iso:
        shot = _SHOT_NOISE_AT_ISO[nuisance.iso]
        noise = rng.standard_normal(light.shape, np.float32)
        if nuisance.noise_grain_px:
            noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), nuisance.noise_grain_px), np.float32)
            noise /= noise.std()
        light += noise * np.sqrt(np.float32(shot) * light + np.float32(shot * shot))
        # Slope of the sRGB curve near mid-grey is about 0.9 at 0.2 linear.
        encoded_noise = 255 * 0.9 * float(np.sqrt(shot * 0.2))
    cells = (np.clip(light, 0, 1) * (_ENCODE_STEPS - 1) + 0.5).astype(np.uint16)
    encoded = _TO_ENCODED[cells]
    if nuisance.denoise_strength:
        range_sigma = max(nuisance.denoise_strength * encoded_noise, 4.0)
        encoded = cv2.bilateralFilter(encoded, 5, range_sigma, 1.5)
    if nuisance.sharpen_amount:
        soft = cv2.GaussianBlur(encoded, (0, 0), nuisance.sharpen_sigma_px)
        encoded = encoded + np.float32(nuisance.sharpen_amount) * (encoded - soft)
    picture = np.clip(encoded + 0.5, 0, 255).astype(np.uint8)
    if nuisance.first_jpeg_quality:
        data = _compress(picture, nuisance.first_jpeg_quality)
        picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
        # Cropped since, as most are: the second grid of blocks lies elsewhere.
        picture = picture[3:, 5:]
    luma = cv2.imdecode(_compress(picture, nuisance.jpeg_quality), cv2.IMREAD_GRAYSCALE)
    if luma is None:
        raise RuntimeError("the JPEG decoder refused a simulated picture")
    return np.asarray(luma, np.uint8)


def _compress(picture: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError("the JPEG encoder refused a simulated picture")
    return np.asarray(data, np.uint8)
