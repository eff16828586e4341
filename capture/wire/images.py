"""Pictures on the wire."""

from __future__ import annotations

from capture.errors import EmptyImageError, ImageTooLargeError, InvalidFrameError
from capture.images import EncodedImage, ImageEncoding
from capture.v1 import image_pb2
from capture.wire.enums import IMAGE_ENCODINGS

MAX_IMAGE_BYTES = 32 << 20
"""Bytes one picture may have on the wire: 32 MiB."""


def image_from_wire(message: image_pb2.Image) -> EncodedImage:
    """Take a picture out of its message; nothing is decoded.

    Raises
    ------
    EmptyImageError
        If there are no bytes.
    ImageTooLargeError
        If there are more than 32 MiB.
    InvalidFrameError
        If the encoding is none that we know.
    """
    data = message.data  # every access of a bytes field copies it
    if not data:
        raise EmptyImageError("the image has no bytes")
    if len(data) > MAX_IMAGE_BYTES:
        raise ImageTooLargeError(
            f"the image has {len(data)} bytes; at most {MAX_IMAGE_BYTES} are taken"
        )
    try:
        encoding = IMAGE_ENCODINGS.from_wire(message.encoding) or ImageEncoding.FILE
    except ValueError:
        raise InvalidFrameError(f"no image encoding {message.encoding} is known") from None
    return EncodedImage(
        data=data,
        encoding=encoding,
        width_px=message.width_px,
        height_px=message.height_px,
        row_stride_bytes=message.row_stride_bytes,
        rotation_deg=message.rotation_deg,
    )


def image_to_wire(image: EncodedImage) -> image_pb2.Image:
    """Put a picture into its message."""
    return image_pb2.Image(
        data=bytes(image.data),
        encoding=IMAGE_ENCODINGS.to_wire(image.encoding),
        width_px=image.width_px,
        height_px=image.height_px,
        row_stride_bytes=image.row_stride_bytes,
        rotation_deg=image.rotation_deg,
    )
