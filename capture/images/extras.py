"""Decoders that not everyone needs, and what to install for them."""

from __future__ import annotations

from importlib.util import find_spec

from capture.errors import UnsupportedFormatError
from capture.images.formats import CONVERT

_PACKAGES = {"heic": "pillow_heif", "raw": "rawpy"}
"""Extra of this package to the module that it brings."""


def decoder_missing(name: str, extra: str) -> UnsupportedFormatError:
    """Say that a format is decoded where an extra is installed, and that it is not.

    Parameters
    ----------
    name : str
        The format, for people.
    extra : str
        What to install.
    """
    return UnsupportedFormatError(f"{name} needs a decoder: {_installing(extra)}; or {CONVERT}")


def is_decoder_there_now(error: str) -> bool:
    """Say whether the extra that an error of before asks for is installed by now."""
    return any(
        _installing(extra) in error and find_spec(package) is not None
        for extra, package in _PACKAGES.items()
    )


def _installing(extra: str) -> str:
    return f"pip install 'smart-capture[{extra}]'"
