"""What the measures say of one still: frozen numbers with units."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from capture.measure.status import MeasureStatus, MissingEvidence

MEASURES_VERSION = 5
"""Raised by one whenever the same bytes may give another number: decoders count, too.

Stored measures of this version are judged again by a newer engine; those of another are
taken anew, from the picture.
"""


class BlurKind(StrEnum):
    """What made the blur: the lens, or movement during the exposure."""

    DEFOCUS = "defocus"
    MOTION = "motion"


@dataclass(frozen=True, slots=True)
class BlurTile:
    """What one tile of the picture says of blur; drawn by the explain view.

    Attributes
    ----------
    x_px, y_px, width_px, height_px : int
        Where the tile lies in the upright picture.
    blur_px : float or None
        Blur in pixels of the picture; None where the tile held no evidence.
    edge_count : int
        How many edges spoke.
    """

    x_px: int
    y_px: int
    width_px: int
    height_px: int
    blur_px: float | None
    edge_count: int


@dataclass(frozen=True, slots=True)
class Blur:
    """Blur of the sharpest substantial part of a picture.

    Attributes
    ----------
    missing : MissingEvidence or None
        Why there is no number; None when there is one. When set, all numbers are None.
    probability : float or None
        Calibrated probability in [0, 1] that the sharpest substantial part is blurred.
    kind : BlurKind or None
        The likelier cause of whatever blur there is.
    blur_px : float or None
        Gaussian-equivalent standard deviation of the point spread function on top of a
        sharp capture, sqrt((l1 + l2) / 2) with l1, l2 the eigenvalues of its covariance,
        in pixels of the picture, >= 0.
    blur_px_at_reference : float or None
        The same in pixels of the picture scaled to a long edge of 1000 px.
    motion_extent_px : float or None
        Length of the movement in pixels of the picture; 0 where the kind is defocus.
    motion_angle_deg : float or None
        Its direction in [0, 180), from +x (right) towards +y (down); None unless motion, and
        where a shake that turned has no one direction.
    edge_count : int
        Edges that spoke, over the whole picture.
    tiles : tuple of BlurTile
        Where it is sharp; empty unless an explanation was asked for.
    """

    missing: MissingEvidence | None
    probability: float | None
    kind: BlurKind | None
    blur_px: float | None
    blur_px_at_reference: float | None
    motion_extent_px: float | None
    motion_angle_deg: float | None
    edge_count: int
    tiles: tuple[BlurTile, ...] = ()

    @property
    def status(self) -> MeasureStatus:
        """OK when there are numbers."""
        return MeasureStatus.OK if self.missing is None else MeasureStatus.CANNOT_ASSESS

    @classmethod
    def cannot_assess(
        cls, missing: MissingEvidence, edge_count: int = 0, tiles: tuple[BlurTile, ...] = ()
    ) -> Blur:
        """Say why there is no number."""
        return cls(missing, None, None, None, None, None, None, edge_count, tiles)


@dataclass(frozen=True, slots=True)
class Exposure:
    """How a picture was exposed.

    Attributes
    ----------
    missing : MissingEvidence or None
        Why there is no offset; the clipped shares are exact all the same.
    offset_ev : float or None
        Stops from well exposed; negative is dark.
    clipped_highlight_fraction, clipped_shadow_fraction : float
        Share of pixels in [0, 1] with any channel >= 252, and with all channels <= 6.
    largest_clipped_highlight_fraction, largest_clipped_shadow_fraction : float
        The largest connected share of each, in [0, 1].
    dynamic_range_stops : float
        Stops between the 1st and the 99th percentile of linear luminance, in [0, 5]: what
        is darker than five stops below white counts as just that dark.
    """

    missing: MissingEvidence | None
    offset_ev: float | None
    clipped_highlight_fraction: float
    clipped_shadow_fraction: float
    largest_clipped_highlight_fraction: float
    largest_clipped_shadow_fraction: float
    dynamic_range_stops: float

    @property
    def status(self) -> MeasureStatus:
        """OK when there is an offset."""
        return MeasureStatus.OK if self.missing is None else MeasureStatus.CANNOT_ASSESS


@dataclass(frozen=True, slots=True)
class StillMeasures:
    """All measures of one still.

    Attributes
    ----------
    width_px, height_px : int
        Size of the upright picture.
    noise_sigma : float or None
        Standard deviation of the noise in 8-bit luma levels, >= 0; None when the picture
        is too small to tell.
    perceptual_hash : str or None
        What it shows, as ``perceptual_hash.measure_perceptual_hash`` gives it. No gate
        asks for it; messages do not carry it.
    """

    width_px: int
    height_px: int
    blur: Blur
    exposure: Exposure
    noise_sigma: float | None
    perceptual_hash: str | None = None
