"""What is asked of a worker, and what it answers: frozen data that crosses the pipe of a lane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from capture.assessment import Assessment, MeasuredPreview
from capture.gates.profile import Profile
from capture.images import EncodedImage
from capture.measure.motion import PreviewPlane


@dataclass(frozen=True, slots=True)
class StillJob:
    """Judge one picture.

    Attributes
    ----------
    image : EncodedImage
        The picture.
    profile : Profile
        The limits; loaded by the front, so that no worker reads a path that a caller named.
    classify : bool
        Ask the classifier when the picture is accepted.
    max_label_count : int
        Labels to return, at least 1.
    explain : bool
        Fill in the tiles of the blur measure.
    perceptual_hash : bool
        Take the perceptual hash, which no message carries.
    """

    image: EncodedImage
    profile: Profile
    classify: bool
    max_label_count: int = 5
    explain: bool = False
    perceptual_hash: bool = True


@dataclass(frozen=True, slots=True)
class PreviewJob:
    """Measure one preview frame against the one before it.

    Attributes
    ----------
    image : EncodedImage
        The frame.
    previous : PreviewPlane or None
        The small luma plane of the frame before; None for the first.
    max_pixels : int
        Pixels the frame may declare.
    """

    image: EncodedImage
    previous: PreviewPlane | None
    max_pixels: int


@dataclass(frozen=True, slots=True)
class Unjudged:
    """The answer for bytes that cannot be judged: an ``ImageError`` as data.

    Attributes
    ----------
    code : str
        Stable name of the cause, for example ``TRUNCATED``.
    message : str
        The cause in words; no paths.
    """

    code: str
    message: str


Job: TypeAlias = StillJob | PreviewJob
Answer: TypeAlias = Assessment | MeasuredPreview | Unjudged
