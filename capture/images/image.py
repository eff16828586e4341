"""A picture before and after it is decoded."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pickle import PickleBuffer
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.images.orientation import UPRIGHT, upright
from capture.measure.luma import LumaPlane

ColorImage: TypeAlias = NDArray[np.uint8]
"""(H, W, 3) uint8, gamma-encoded blue, green and red."""

CLASSIFIER_SHORT_EDGE_PX = 448
"""Twice the 224 pixels of the usual classifier input: more detail would be thrown away."""


class ImageEncoding(StrEnum):
    """How the bytes of an image are laid out."""

    FILE = "FILE"
    """A picture file; its format is read from its first bytes."""
    GRAY8 = "GRAY8"
    """One luma plane, a byte a pixel."""
    NV21 = "NV21"
    """A luma plane, then interleaved V and U at half size: Android's camera preview."""
    I420 = "I420"
    """A luma plane, then a U and a V plane at half size."""


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """Bytes as they came, not yet looked at.

    Attributes
    ----------
    data : bytes or memoryview
        The file, or the planes.
    encoding : ImageEncoding
        How `data` is laid out.
    width_px, height_px : int
        Size of raw planes before rotation; 0 for a file, which says so itself.
    row_stride_bytes : int
        Bytes from one luma row to the next; 0 means `width_px`.
    rotation_deg : int
        Clockwise turn that makes raw planes upright: 0, 90, 180 or 270.
    """

    data: bytes | memoryview
    encoding: ImageEncoding = ImageEncoding.FILE
    width_px: int = 0
    height_px: int = 0
    row_stride_bytes: int = 0
    rotation_deg: int = 0

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        # Out of band (PEP 574): a lane hands large pictures over without copying them.
        return EncodedImage, (
            PickleBuffer(self.data),
            self.encoding,
            self.width_px,
            self.height_px,
            self.row_stride_bytes,
            self.rotation_deg,
        )


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """What EXIF says of how the picture was taken; None where it is silent.

    `captured_at` is what the camera's own clock showed, in no time zone; with a fraction
    where the camera wrote one.
    """

    exposure_time_s: float | None = None
    f_number: float | None = None
    iso: float | None = None
    captured_at: datetime | None = None

    @property
    def exposure_value(self) -> float | None:
        """EV100, log2(N^2 / t) - log2(ISO / 100): the light the camera reckoned with.

        About 15 in sunshine, 5 in a room at night; None unless all three are known.
        """
        if self.exposure_time_s is None or self.f_number is None or self.iso is None:
            return None
        return math.log2(self.f_number**2 / self.exposure_time_s) - math.log2(self.iso / 100)


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """A picture in memory.

    Attributes
    ----------
    luma : LumaPlane
        (H, W) uint8, full size, upright: BT.601 luma of the colours, or the grey plane.
    color : ColorImage or None
        The colours as they stand in the file, full size and *not* turned upright: what
        counting needs. None for grey pictures and raw planes, whose luma stands in.
    color_luma : LumaPlane or None
        Luma of `color`, pixel by pixel: not turned upright either. None without colours.
    color_orientation : int
        EXIF orientation still to be applied to `color`, 1 to 8.
    settings : CaptureSettings
        From EXIF.
    decode : str
        How the pixels were read, for the provenance.
    chroma_to_color : callable or None
        Makes the colours of raw planes, upright, when a classifier asks for them.
    """

    luma: LumaPlane
    color: ColorImage | None
    color_luma: LumaPlane | None
    color_orientation: int
    settings: CaptureSettings
    decode: str
    chroma_to_color: Callable[[], ColorImage] | None = None

    def upright_color(self, short_edge_px: int = CLASSIFIER_SHORT_EDGE_PX) -> ColorImage:
        """Return the upright colours, reduced for a classifier.

        Parameters
        ----------
        short_edge_px : int
            Whole blocks of pixels are averaged as long as the short edge keeps this size.

        Returns
        -------
        (h, w, 3) uint8
            BGR. A grey picture comes with three equal channels.
        """
        if self.color is not None:
            return upright(_reduced(self.color, short_edge_px), self.color_orientation)
        if self.chroma_to_color is not None:
            return _reduced(self.chroma_to_color(), short_edge_px)
        return np.asarray(
            cv2.cvtColor(_reduced(self.luma, short_edge_px), cv2.COLOR_GRAY2BGR), np.uint8
        )


def _reduced(pixels: NDArray[np.uint8], short_edge_px: int) -> NDArray[np.uint8]:
    height_px, width_px = pixels.shape[:2]
    factor = min(height_px, width_px) // short_edge_px
    if factor < 2:
        return pixels
    size = (width_px // factor, height_px // factor)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def decoded(
    luma: LumaPlane,
    color: ColorImage | None,
    orientation: int,
    settings: CaptureSettings,
    decode: str,
) -> DecodedImage:
    """Build the answer from pixels that are not upright yet."""
    turned = f" orientation={orientation}" if orientation != UPRIGHT else ""
    return DecodedImage(
        luma=upright(luma, orientation),
        color=color,
        color_luma=None if color is None else luma,
        color_orientation=orientation,
        settings=settings,
        decode=decode + turned,
    )
