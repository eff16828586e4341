"""Raw planes as cameras send them: GRAY8, NV21 and I420, with stride and rotation.

A luma plane comes first, its rows `row_stride_bytes` apart. NV21 follows with rows of
interleaved V and U at the same stride; I420 with a U and a V plane at half the stride,
rounded up. Odd sizes round their chroma up. Values are full range, as JPEG and Android
have them.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.errors import EmptyImageError, ImageTooLargeError, InvalidFrameError
from capture.images.image import (
    CaptureSettings,
    ColorImage,
    DecodedImage,
    EncodedImage,
    ImageEncoding,
)
from capture.images.orientation import ROTATION_TO_ORIENTATION, upright


def unpack_planes(image: EncodedImage, max_pixels: int, *, luma_only: bool) -> DecodedImage:
    """Turn raw planes into an upright picture; colours are made when they are asked for.

    Raises
    ------
    EmptyImageError, ImageTooLargeError
        If there are no bytes, or too many pixels.
    InvalidFrameError
        If size, stride, rotation and byte count do not add up.
    """
    if len(image.data) == 0:
        raise EmptyImageError("there are no bytes")
    width_px, height_px = image.width_px, image.height_px
    stride = image.row_stride_bytes or width_px
    _check(image, stride, max_pixels)
    samples = np.frombuffer(image.data, np.uint8)
    plane = _plane(samples, 0, height_px, stride, width_px)
    orientation = ROTATION_TO_ORIENTATION[image.rotation_deg]
    decode = f"{image.encoding.value.lower()}/planes"
    if image.rotation_deg:
        decode += f" rotation={image.rotation_deg}"

    def color() -> ColorImage:
        return upright(_color(image, stride, samples, plane), orientation)

    has_chroma = image.encoding is not ImageEncoding.GRAY8 and not luma_only
    return DecodedImage(
        luma=np.ascontiguousarray(upright(plane, orientation)),
        color=None,
        color_luma=None,
        color_orientation=orientation,
        settings=CaptureSettings(),
        decode=decode,
        chroma_to_color=color if has_chroma else None,
    )


def _check(image: EncodedImage, stride: int, max_pixels: int) -> None:
    width_px, height_px = image.width_px, image.height_px
    if width_px <= 0 or height_px <= 0:
        raise InvalidFrameError(f"raw planes need a size, got {width_px} x {height_px} pixels")
    if width_px * height_px > max_pixels:
        raise ImageTooLargeError(
            f"{width_px} x {height_px} pixels; the limit is {max_pixels / 1e6:.0f} million"
        )
    if stride < width_px:
        raise InvalidFrameError(f"rows of {width_px} pixels cannot be {stride} bytes apart")
    if image.rotation_deg not in ROTATION_TO_ORIENTATION:
        raise InvalidFrameError(f"rotation is 0, 90, 180 or 270, not {image.rotation_deg} degrees")
    needed = _needed_bytes(image.encoding, width_px, height_px, stride)
    if len(image.data) < needed:
        raise InvalidFrameError(
            f"{image.encoding.value} of {width_px} x {height_px} pixels with rows {stride} bytes "
            f"apart needs {needed} bytes, got {len(image.data)}"
        )


def _needed_bytes(encoding: ImageEncoding, width_px: int, height_px: int, stride: int) -> int:
    """Count the bytes up to the last sample: cameras leave out the padding behind it."""
    chroma_width, chroma_height = (width_px + 1) // 2, (height_px + 1) // 2
    chroma_stride = (stride + 1) // 2
    match encoding:
        case ImageEncoding.NV21:
            return stride * (height_px + chroma_height - 1) + 2 * chroma_width
        case ImageEncoding.I420:
            return stride * height_px + chroma_stride * (2 * chroma_height - 1) + chroma_width
        case _:
            return stride * (height_px - 1) + width_px


def _plane(
    samples: NDArray[np.uint8], start: int, row_count: int, stride: int, width: int
) -> NDArray[np.uint8]:
    """View rows that lie `stride` apart; the last row need not be padded."""
    return np.lib.stride_tricks.as_strided(
        samples[start:], (row_count, width), (stride, 1), writeable=False
    )


def _color(
    image: EncodedImage, stride: int, samples: NDArray[np.uint8], luma: NDArray[np.uint8]
) -> ColorImage:
    rows, columns = (image.height_px + 1) // 2, (image.width_px + 1) // 2
    start = stride * image.height_px
    if image.encoding is ImageEncoding.NV21:
        interleaved = _plane(samples, start, rows, stride, 2 * columns)
        cr, cb = interleaved[:, 0::2], interleaved[:, 1::2]
    else:
        chroma_stride = (stride + 1) // 2
        cb = _plane(samples, start, rows, chroma_stride, columns)
        cr = _plane(samples, start + rows * chroma_stride, rows, chroma_stride, columns)
    full = [
        np.repeat(np.repeat(plane, 2, axis=0), 2, axis=1)[: image.height_px, : image.width_px]
        for plane in (cr, cb)
    ]
    return np.asarray(cv2.cvtColor(np.dstack([luma, *full]), cv2.COLOR_YCrCb2BGR), np.uint8)
