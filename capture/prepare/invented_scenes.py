"""Invented sharp scenes: more kinds of edges than a hundred photos hold.

Bars, script, hair and overlapping shapes teach that parallel or few edges are no movement, and
that smooth shading beside a crisp edge is no defocus. They are drawn at twice the size and
reduced, and may lie on a photo.
"""

from __future__ import annotations

import math
import string

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.prepare.degrade import LinearColor, to_linear

_LETTERS = np.array(list(string.ascii_letters + string.digits + " .,-"))
_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
)
_SHIFT = 4
"""Bits behind the point in the coordinates that OpenCV draws at."""

Picture = NDArray[np.uint8]


def draw_invented(photo: LinearColor, rng: np.random.Generator) -> LinearColor:
    """Draw a sharp scene of the size of a photo, over a smooth or mottled ground or the photo.

    Parameters
    ----------
    photo : (H, W, 3) float32
        Linear light; shows through in three scenes of ten.
    rng : Generator
        Draws everything.
    """
    height, width = photo.shape[:2]
    ground = None if rng.random() < 0.3 else _ground(width, height, rng)
    draw = (_shapes, _bars, _script, _hair)[rng.integers(4)]
    color = np.zeros((2 * height, 2 * width, 3), np.uint8)
    cover = np.zeros((2 * height, 2 * width), np.uint8)
    draw(color, cover, rng)
    if rng.random() < 0.4:
        color, cover = _bend(color, cover, rng)
    share = cv2.resize(cover, (width, height), interpolation=cv2.INTER_AREA)
    drawn = cv2.resize(to_linear(color), (width, height), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        drawn = drawn * _mottle(width, height, rng, rng.uniform(0.1, 0.7))[..., None]
    alpha = (share.astype(np.float32) / np.float32(255))[..., None]
    below = photo if ground is None else ground
    return np.ascontiguousarray(np.clip(below + (drawn - below) * alpha, 0, 1), np.float32)


def _ground(width: int, height: int, rng: np.random.Generator) -> LinearColor:
    corners = rng.uniform(0, 1, (2, 2, 3)) ** 2 * rng.uniform(0.1, 1)
    smooth = np.asarray(cv2.resize(corners.astype(np.float32), (width, height)), np.float32)
    if rng.random() < 0.6:
        smooth = smooth * _mottle(width, height, rng, rng.uniform(0.05, 0.8))[..., None]
    return np.asarray(np.clip(smooth, 0, 1), np.float32)


def _mottle(width: int, height: int, rng: np.random.Generator, depth: float) -> NDArray[np.float32]:
    """Draw a texture about 1 whose amplitude falls with frequency, as that of nature does."""
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    # One axis may be stretched: grain, bark, brushed metal.
    stretch = math.exp(rng.normal(0, 0.5))
    radius = np.maximum(np.hypot(fx * stretch, fy / stretch), 1 / max(width, height))
    spectrum = rng.standard_normal(radius.shape) + 1j * rng.standard_normal(radius.shape)
    field = np.fft.irfft2(spectrum * radius ** -rng.uniform(0.8, 1.6), s=(height, width))
    field = (field - field.mean()) / field.std()
    if rng.random() < 0.3:
        field = np.sign(field) * np.abs(field) ** rng.uniform(0.3, 1)
    return np.asarray(np.clip(1 + depth * field, 0.05, 3), np.float32)


def _tint(rng: np.random.Generator) -> tuple[int, int, int]:
    grey = rng.uniform(0, 255)
    blue, green, red = np.clip(grey + rng.normal(0, 40, 3), 0, 255).astype(int).tolist()
    return blue, green, red


def _shapes(color: Picture, cover: Picture, rng: np.random.Generator) -> None:
    """Leaves over leaves: sizes follow a power law."""
    height, width = cover.shape
    smallest = math.exp(rng.uniform(math.log(4), math.log(40)))
    for _ in range(int(rng.integers(60, 500))):
        radius = min(smallest / (1 - rng.random()) ** 0.5, 0.4 * width)
        centre = rng.uniform(0, 1, 2) * (width, height)
        corner_count = int(rng.integers(3, 9))
        turns = np.sort(rng.uniform(0, 2 * math.pi, corner_count))
        around = np.stack([np.cos(turns), np.sin(turns)], 1) * rng.uniform(
            0.5, 1, (corner_count, 1)
        )
        corners = np.rint((centre + radius * around) * 2**_SHIFT).astype(np.int32)
        if rng.random() < 0.5:
            axes = (int(radius), int(radius * rng.uniform(0.3, 1)))
            corners = (
                cv2.ellipse2Poly(
                    (int(centre[0]), int(centre[1])), axes, int(rng.integers(180)), 0, 360, 6
                )
                * 2**_SHIFT
            )
        cv2.fillPoly(color, [corners], _tint(rng), cv2.LINE_AA, _SHIFT)
        cv2.fillPoly(cover, [corners], 255, cv2.LINE_AA, _SHIFT)


def _bars(color: Picture, cover: Picture, rng: np.random.Generator) -> None:
    """Rails, blinds, bricks: parallel bars, flat or round, in one direction or two."""
    height, width = cover.shape
    reach = math.hypot(width, height)
    angle = rng.uniform(0, math.pi)
    for direction in (angle, angle + math.pi / 2)[: int(rng.integers(1, 3))]:
        along = np.array([math.cos(direction), math.sin(direction)])
        across = np.array([-along[1], along[0]])
        step = math.exp(rng.uniform(math.log(12), math.log(160)))
        share, tint = rng.uniform(0.1, 0.8), np.array(_tint(rng))
        for offset in np.arange(-reach / 2, reach / 2, step):
            shift = offset + rng.uniform(-0.1, 0.1) * step
            half = share * step / 2
            layers = 6 if rng.random() < 0.3 else 1
            for layer in range(layers):
                wide = half * (1 - layer / layers)
                middle = np.array([width, height]) / 2 + across * (shift + 0.3 * (half - wide))
                corners = np.array(
                    [
                        middle + sign * across * wide + end * along * reach
                        for sign, end in ((-1, -1), (-1, 1), (1, 1), (1, -1))
                    ]
                )
                shade = np.clip(tint + 25 * layer, 0, 255).tolist()
                fixed = np.rint(corners * 2**_SHIFT).astype(np.int32)
                cv2.fillPoly(color, [fixed], shade, cv2.LINE_AA, _SHIFT)
                cv2.fillPoly(cover, [fixed], 255, cv2.LINE_AA, _SHIFT)


def _script(color: Picture, cover: Picture, rng: np.random.Generator) -> None:
    """Lines of letters: pages, signs, screens."""
    height, width = cover.shape
    scale = math.exp(rng.uniform(math.log(0.8), math.log(6)))
    thickness = max(1, round(scale * rng.uniform(1, 2.5)))
    font, tint = _FONTS[rng.integers(len(_FONTS))], _tint(rng)
    for y in np.arange(30 * scale, height, rng.uniform(32, 60) * scale).astype(int).tolist():
        words = "".join(rng.choice(_LETTERS, int(rng.integers(3, 80))))
        x = int(rng.uniform(-0.1, 0.4) * width)
        cv2.putText(color, words, (x, y), font, scale, tint, thickness, cv2.LINE_AA)
        cv2.putText(cover, words, (x, y), font, scale, 255, thickness, cv2.LINE_AA)


def _hair(color: Picture, cover: Picture, rng: np.random.Generator) -> None:
    """Hair, grass, twigs, cables: thin curves that go one way, more or less."""
    height, width = cover.shape
    heading, spread = rng.uniform(0, 2 * math.pi), rng.uniform(0.05, 1.5)
    tint = np.array(_tint(rng))
    time = np.linspace(0, 1, 24)[:, None]
    for _ in range(int(rng.integers(40, 900))):
        start = rng.uniform(-0.1, 1.1, 2) * (width, height)
        turns = heading + rng.normal(0, spread, 2)
        length = rng.uniform(0.05, 0.5) * width
        bend = np.stack([np.cos(turns), np.sin(turns)], 1) * length
        curve = start + time * bend[0] + time**2 * (bend[1] - bend[0])
        shade = np.clip(tint + rng.normal(0, 35), 0, 255).tolist()
        fixed = np.rint(curve * 2**_SHIFT).astype(np.int32)
        thickness = int(rng.integers(1, 6))
        cv2.polylines(color, [fixed], False, shade, thickness, cv2.LINE_AA, _SHIFT)
        cv2.polylines(cover, [fixed], False, 255, thickness, cv2.LINE_AA, _SHIFT)


def _bend(color: Picture, cover: Picture, rng: np.random.Generator) -> tuple[Picture, Picture]:
    """Bend what was drawn by a smooth field."""
    height, width = cover.shape
    field = rng.normal(0, 0.08 * width, (4, 4, 2)).astype(np.float32)
    smooth = np.asarray(cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC))
    x = np.arange(width, dtype=np.float32)[None, :] + smooth[..., 0]
    y = np.arange(height, dtype=np.float32)[:, None] + smooth[..., 1]
    bent = [
        np.asarray(cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT))
        for plane in (color, cover)
    ]
    return bent[0].astype(np.uint8), bent[1].astype(np.uint8)
