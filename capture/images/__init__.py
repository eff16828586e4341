"""The only decoder: bytes in, an upright picture out, or an error that says why not.

`decode_image` is the door. Behind it ``formats`` reads the first bytes, ``jpeg``, ``files``,
``heif`` and ``raw`` decode picture files, and ``planes`` unpacks what cameras stream.
"""

from capture.images.decode import decode_image
from capture.images.image import CaptureSettings, DecodedImage, EncodedImage, ImageEncoding

__all__ = ["CaptureSettings", "DecodedImage", "EncodedImage", "ImageEncoding", "decode_image"]
