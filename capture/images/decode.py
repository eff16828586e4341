"""The door of the decoder."""

from __future__ import annotations

from capture.images.files import decode_with_pillow, image_errors, open_header
from capture.images.formats import ImageFormat, recognize_format
from capture.images.image import DecodedImage, EncodedImage, ImageEncoding
from capture.images.jpeg import decode_jpeg
from capture.images.planes import unpack_planes
from capture.images.raw import decode_raw, is_camera_raw


def decode_image(image: EncodedImage, max_pixels: int, *, luma_only: bool = False) -> DecodedImage:
    """Decode a picture once, in full, and turn its luma upright.

    Parameters
    ----------
    image : EncodedImage
        Bytes as they came.
    max_pixels : int
        Pixels it may declare; checked before any pixel is decoded.
    luma_only : bool
        Leave the colours out, which is faster: enough for previews.

    Raises
    ------
    ImageError
        One of its classes, with a message for people; nothing else, whatever the bytes.
    """
    if image.encoding is not ImageEncoding.FILE:
        return unpack_planes(image, max_pixels, luma_only=luma_only)
    image_format = recognize_format(image.data)
    data = bytes(image.data)
    if image_format is ImageFormat.TIFF and is_camera_raw(data):
        image_format = ImageFormat.RAW
    with image_errors(image_format, data):
        if image_format is ImageFormat.RAW:
            return decode_raw(data, max_pixels, luma_only=luma_only)
        header = open_header(data, image_format, max_pixels)
        if image_format is ImageFormat.JPEG:
            return decode_jpeg(data, header, luma_only=luma_only)
        return decode_with_pillow(header, luma_only=luma_only)
