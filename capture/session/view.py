"""How a preview stands to the still to come."""

from __future__ import annotations

from dataclasses import dataclass

from capture.gates.profile import Profile
from capture.gates.stability import SteadinessTerms
from capture.measure.motion import PreviewPlane
from capture.measure.shutter import Optics
from capture.session.camera import DEFAULT_EXPOSURE_TIME_S, PreviewFrame, SessionConfig


@dataclass(frozen=True, slots=True)
class View:
    """How one preview stands to the still to come.

    Attributes
    ----------
    still_width_px : int
        Width of the still.
    exposure_time_s : float
        Of the still.
    optics : Optics
        What turns angles into widths.
    terms : SteadinessTerms
        What the profile asks for, in pixels of the still.
    """

    still_width_px: int
    exposure_time_s: float
    optics: Optics
    terms: SteadinessTerms

    @classmethod
    def of(
        cls, config: SessionConfig, profile: Profile, frame: PreviewFrame, plane: PreviewPlane
    ) -> View:
        """Put together what the session, the frame and its picture say; the frame comes first."""
        still_width_px = config.still_width_px or plane.source_width_px
        aspect = plane.source_height_px / plane.source_width_px
        return cls(
            still_width_px=still_width_px,
            exposure_time_s=frame.exposure_time_s
            or config.exposure_time_s
            or DEFAULT_EXPOSURE_TIME_S,
            optics=Optics(
                focal_widths=config.focal_length_px / still_width_px,
                rolling_shutter_ms=config.rolling_shutter_ms,
                aspect=aspect,
            ),
            terms=SteadinessTerms.at(profile.steadiness, still_width_px * max(1.0, aspect)),
        )

    def blur_px(self, speed: float) -> float:
        """Turn a speed in widths per second into the extent of the blur in the still."""
        return speed * self.still_width_px * self.exposure_time_s
