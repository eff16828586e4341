"""Pictures as a program has them: bytes, files, arrays."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.errors import InvalidFrameError, UnreadableFileError
from capture.images import EncodedImage, ImageEncoding

Picture: TypeAlias = bytes | Path | EncodedImage | NDArray[Any]
"""Bytes of a file, the path of one, raw planes, or an array as OpenCV gives it:
(H, W) uint8 luma or (H, W, 3) uint8 BGR."""

_JPEG_QUALITY = 92
_MAX_JPEG_SIDE_PX = 65_500
"""``JPEG_MAX_DIMENSION`` of libjpeg."""


def encoded_image(picture: Picture) -> EncodedImage:
    """Return `picture` as it goes over the wire.

    An array of luma goes as it is; an array of colour as a JPEG.

    Raises
    ------
    UnreadableFileError
        If the file cannot be read.
    InvalidFrameError
        If an array is neither (H, W) nor (H, W, 3) uint8, or too large for a JPEG.
    """
    if isinstance(picture, EncodedImage):
        return picture
    if isinstance(picture, Path):
        try:
            return EncodedImage(picture.read_bytes())
        except OSError as error:
            raise UnreadableFileError(f"{picture.name}: {error.strerror}") from error
    if isinstance(picture, np.ndarray):
        return _encoded_array(picture)
    return EncodedImage(bytes(picture))


async def encoded_off_loop(picture: Picture) -> EncodedImage:
    """Return what `encoded_image` does; reading and encoding do not hold up the event loop.

    Raises
    ------
    UnreadableFileError, InvalidFrameError
        As `encoded_image`.
    """
    if isinstance(picture, bytes | EncodedImage):
        return encoded_image(picture)
    return await asyncio.to_thread(encoded_image, picture)


def _encoded_array(picture: NDArray[Any]) -> EncodedImage:
    is_luma = picture.ndim == 2
    if picture.dtype != np.uint8 or picture.size == 0 or not (is_luma or picture.shape[2:] == (3,)):
        raise InvalidFrameError(
            f"a picture must be (H, W) or (H, W, 3) uint8, got {picture.shape} {picture.dtype}"
        )
    height, width = picture.shape[:2]
    if is_luma:
        return EncodedImage(picture.tobytes(), ImageEncoding.GRAY8, width, height)
    if max(height, width) > _MAX_JPEG_SIDE_PX:
        raise InvalidFrameError(
            f"no side of a picture may be longer than {_MAX_JPEG_SIDE_PX} px, got {width}x{height}"
        )
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return EncodedImage(data.tobytes())
