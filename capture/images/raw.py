"""Camera RAW, judged by the preview that the camera put into the file.

The preview is what the camera's own JPEG would be: the same focus, movement and exposure.
Developing the sensor's pixels would take seconds, and each developer gives other numbers.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from capture.errors import (
    CorruptImageError,
    ImageTooLargeError,
    TruncatedImageError,
    UnsupportedFormatError,
)
from capture.images.exif import read_exif_of_tiff
from capture.images.extras import decoder_missing
from capture.images.files import open_header
from capture.images.formats import CONVERT, ImageFormat
from capture.images.image import CaptureSettings, DecodedImage, decoded
from capture.images.jpeg import decode_jpeg

MIN_LONG_EDGE_PX = 1000
"""A preview that is smaller hides the blur of the picture that it stands for."""

_PHOTOMETRIC, _SUB_DIRECTORIES, _DNG_VERSION = 262, 330, 50706
_SENSOR_DATA = (32803, 34892)
"""Photometric interpretations of TIFF/EP and DNG: a colour filter array, linear raw."""

_MAX_SUB_DIRECTORIES = 16

_FLIP_TO_ORIENTATION = {0: 1, 3: 3, 5: 8, 6: 6}
"""LibRaw's word for how the camera was held, as EXIF would say it."""


def is_camera_raw(data: bytes) -> bool:
    """Tell camera RAW from other TIFF files: many makers lay theirs out as one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            first = _directory(data, None)
            below = first.get(_SUB_DIRECTORIES, ())
            offsets = below if isinstance(below, tuple) else (below,)
            directories = [first]
            directories += [_directory(data, int(at)) for at in offsets[:_MAX_SUB_DIRECTORIES]]
            return _DNG_VERSION in first or any(
                directory.get(_PHOTOMETRIC) in _SENSOR_DATA for directory in directories
            )
    except Exception:  # Pillow raises a dozen classes on broken directories
        return False


def decode_raw(data: bytes, max_pixels: int, *, luma_only: bool) -> DecodedImage:
    """Decode the preview of a camera RAW file.

    Parameters
    ----------
    data : bytes
        The whole file.
    max_pixels : int
        Pixels that the preview may declare.
    luma_only : bool
        Leave the colours out.

    Raises
    ------
    UnsupportedFormatError
        If the extra is not installed, the camera is not known, or there is no preview large
        enough to judge by.
    ImageError
        If the preview cannot be decoded.
    """
    try:
        import rawpy
    except ImportError as error:
        raise decoder_missing("Camera RAW", "raw") from error
    try:
        with rawpy.imread(BytesIO(data)) as raw:
            sizes = raw.sizes
            preview = raw.extract_thumb()
    except rawpy.LibRawFileUnsupportedError as error:
        raise UnsupportedFormatError(f"camera RAW of an unknown kind; {CONVERT}") from error
    except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError) as error:
        raise UnsupportedFormatError(
            f"camera RAW without a preview that can be read; {CONVERT}"
        ) from error
    except (rawpy.LibRawUnsufficientMemoryError, rawpy.LibRawTooBigError) as error:
        raise ImageTooLargeError("the camera RAW does not fit in memory") from error
    except rawpy.LibRawIOError as error:
        raise TruncatedImageError("the camera RAW ends before its preview") from error
    except rawpy.LibRawError as error:
        raise CorruptImageError("the camera RAW contradicts itself") from error
    if preview.format is rawpy.ThumbFormat.JPEG:
        # LibRaw writes EXIF into a preview that has none: how the camera was held, among others.
        jpeg = bytes(preview.data)
        header = open_header(jpeg, ImageFormat.JPEG, max_pixels)
        _refuse_small(header.size, (sizes.width, sizes.height))
        picture = decode_jpeg(jpeg, header, luma_only=luma_only)
    else:
        pixels = np.asarray(preview.data, np.uint8)
        _refuse_small(pixels.shape[1::-1], (sizes.width, sizes.height))
        picture = _from_bitmap(pixels, sizes.flip, max_pixels, luma_only=luma_only)
    _, settings = read_exif_of_tiff(data)
    return replace(
        picture,
        # Files that are no TIFF have their settings in the preview only.
        settings=settings if settings != CaptureSettings() else picture.settings,
        decode=f"raw/libraw preview {picture.decode}",
    )


def _refuse_small(size_px: tuple[int, ...], full_size_px: tuple[int, ...]) -> None:
    """Refuse a preview by its (width, height), beside that of the picture itself."""
    if max(size_px) < min(MIN_LONG_EDGE_PX, max(full_size_px)):
        raise UnsupportedFormatError(
            f"camera RAW with a preview of {size_px[0]} x {size_px[1]} pixels only; {CONVERT}"
        )


def _from_bitmap(pixels: Any, flip: int, max_pixels: int, *, luma_only: bool) -> DecodedImage:
    height_px, width_px = pixels.shape[:2]
    if width_px * height_px > max_pixels:
        raise ImageTooLargeError(
            f"the preview has {width_px} x {height_px} pixels; "
            f"the limit is {max_pixels / 1e6:.0f} million"
        )
    color = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), np.uint8)
    luma = np.asarray(cv2.cvtColor(color, cv2.COLOR_BGR2GRAY), np.uint8)
    orientation = _FLIP_TO_ORIENTATION.get(flip, 1)
    kept = None if luma_only else color
    return decoded(luma, kept, orientation, CaptureSettings(), "bitmap")


def _directory(data: bytes, offset: int | None) -> ImageFileDirectory_v2:
    """Read one directory of a TIFF; the first one where `offset` is None."""
    stream = BytesIO(data)
    is_big = b"+" in data[2:4]
    directory = ImageFileDirectory_v2(stream.read(16 if is_big else 8))
    stream.seek(directory.next if offset is None else offset)
    directory.load(stream)
    return directory
